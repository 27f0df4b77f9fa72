/** The parts of a data folder. */
export const STORE = 'store'
export const FILES = 'files'
/** How copies of the store begin that a hub makes for those who check it or back it up. */
export const COPY = 'store.copy-'
/** What a backup has beside them, and a data folder has not. Written last: a backup without it is unfinished, or was found damaged. */
export const MANIFEST = 'backup.json'
