/** The parts of a data folder. */
export const STORE = 'store'
export const FILES = 'files'
/** How copies of the store begin that a hub makes for those who check it or back it up. */
export const COPY = 'store.copy-'
