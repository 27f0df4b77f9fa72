import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The parts of a data folder. */
export const STORE = 'store'
export const FILES = 'files'
/** The operator's socket. Who may open it is who may read the store: its owner. */
export const CONTROL_SOCKET = 'control.sock'
/** How copies of the store begin that a hub makes for those who check it or back it up. */
export const COPY = 'store.copy-'
/** What says of a folder that it is a backup. Written last: a backup without it is unfinished, or was found damaged. */
export const MANIFEST = 'backup.json'

/** What may stand where a hub begins: what is left of another, and what a disk brings with it. */
const PARTS: ReadonlySet<string> = new Set(['lost+found', FILES, CONTROL_SOCKET, `${STORE}-lock`, `${STORE}-owner`])
const NAME_IT = "name the hub's with --data or LECTERN_DATA_FOLDER"

/**
 * A command that works on what a hub keeps makes none of it: a folder without it is a slip of the pen.
 * @param mayBeBackup the command reads a backup as well
 * @throws RangeError saying what is wrong with the folder
 */
export function mustHoldStore(folder: string, mayBeBackup = false): void {
  if (isMissing(folder)) throw new RangeError(`there is no data folder ${resolve(folder)}; ${NAME_IT}, or start a hub first`)
  if (!mayBeBackup) mustBeNoBackup(folder)
  if (!holdsStore(folder)) throw new RangeError(`${resolve(folder)} is no data folder of a hub (it has no store); ${NAME_IT}`)
}

/**
 * A hub begins in a folder of its own: one that holds something else would be closed to others. Hidden names count for nothing.
 * @throws RangeError when the folder has no store, and holds what is not a hub's; or is a backup
 */
export function mustBeFree(folder: string): void {
  mustBeNoBackup(folder)
  if (holdsStore(folder)) return
  if (readdirSync(folder).some(name => !PARTS.has(name) && !name.startsWith(COPY) && !name.startsWith('.')))
    throw new RangeError(
      `${resolve(folder)} is not empty, and no data folder of a hub (it has no store); name a new folder with --data or LECTERN_DATA_FOLDER`
    )
}

/** Its logs begin anew with a restore; without one, devices would miss what they have seen since. */
function mustBeNoBackup(folder: string): void {
  mustBeOpen(folder)
  if (isMissing(join(folder, MANIFEST))) return
  throw new RangeError(
    `${resolve(folder)} is a backup; make a data folder of it first: npx lectern restore ${folder} --data NEW-FOLDER`
  )
}

/** @throws RangeError when this user may not look into the folder: so it is with a volume of a container that belongs to another */
function mustBeOpen(folder: string): void {
  try {
    statSync(join(folder, MANIFEST), { throwIfNoEntry: false })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR') return
    throw new RangeError(
      `the data folder ${resolve(folder)} cannot be looked into (${code}): give it to the user that the hub runs as, or name another with --data or LECTERN_DATA_FOLDER`,
      { cause: error }
    )
  }
}

/** True for one that cannot be looked at: whoever uses it hears why. */
export const holdsStore = (folder: string, storeName = STORE): boolean => looked(join(folder, storeName)) === 'other'

const isMissing = (path: string): boolean => looked(path) === undefined

/** What stands at a path: undefined for nothing. */
function looked(path: string): 'folder' | 'other' | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found && (found.isDirectory() ? 'folder' : 'other')
  } catch (error) {
    // Below what is no folder there is nothing; of what may not be looked at whoever uses it hears.
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR' ? undefined : 'other'
  }
}
