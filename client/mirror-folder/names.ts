import { foldPath, isFilePath, nameOf } from '../../protocol/index.ts'

/** What a mirror keeps in the folder for itself. */
export const OWN_FOLDER = '.lectern'

/** What programs leave beside a file while they write it, and what systems leave in every folder. */
const PASSING = /(?:^~\$.*|~|\.(?:tmp|temp|part|partial|crdownload|download|swp|swx))$|^(?:thumbs\.db|desktop\.ini)$/i

/** True for names that are nobody's files: hidden ones, and those that pass. */
export const isIgnoredName = (name: string): boolean => name.startsWith('.') || PASSING.test(name)

/** True for a path with such a name in it, also when the hub has it. */
export const isIgnoredPath = (path: string): boolean =>
  path.split('/').some(name => name.startsWith('.')) || isIgnoredName(nameOf(path))

/** The path that a file of the folder has at the hub; undefined when it can have none there. */
export function pathAtHub(place: string): string | undefined {
  const path = foldPath(place)
  return isFilePath(path) ? path : undefined
}
