/** What no name holds: what parts names, control characters, halves of characters, and what some file systems give a meaning. */
const NOT_IN_NAMES = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\p{Cs}/\\<>:"|?*]/gu
/** Names that Windows keeps for devices, whatever follows a dot. */
const DEVICE_NAME = /^(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$)(\.|$)/i

const PATH_LIMITS = {
  maxBytes: 1_024,
  /** One name between slashes, in UTF-8: what file systems take. */
  maxNameBytes: 255,
  maxNames: 32
} as const

const encoder = new TextEncoder()

/** A name of more units than this is too long in any spelling: NFC makes one of four at most. */
const MAX_NAME_UNITS = 4 * PATH_LIMITS.maxNameBytes

/**
 * The one spelling of a path: in Unicode NFC, so that what looks the same is the same. A name that is too long for one stays as it is: sorting a row of marks takes
 * the square of its length.
 */
export const foldPath = (text: string): string =>
  text
    .split('/')
    .map(name => (name.length > MAX_NAME_UNITS ? name : name.normalize('NFC')))
    .join('/')

/**
 * True for a path that any file system can hold: relative, parted by `/`, in Unicode NFC, without `.` and `..`, without control characters, without names
 * that mean a device, and without a dot or a blank at the end of a name.
 */
export function isFilePath(text: string): boolean {
  if (text === '' || text.length > PATH_LIMITS.maxBytes) return false
  if (text !== foldPath(text) || encoder.encode(text).length > PATH_LIMITS.maxBytes) return false
  const names = text.split('/')
  return names.length <= PATH_LIMITS.maxNames && names.every(isFileName)
}

const isFileName = (name: string): boolean =>
  name !== '' &&
  !/[. ]$|^ /.test(name) &&
  name.search(NOT_IN_NAMES) === -1 &&
  !DEVICE_NAME.test(name) &&
  encoder.encode(name).length <= PATH_LIMITS.maxNameBytes

/** The folder that a path stands in; empty at the top. */
export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** The last name of a path. */
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** A longer one is no ending but part of the name. */
const MAX_ENDING_BYTES = 32
const MAX_NOTE_BYTES = 96

/**
 * A path beside `path`, for the other side of a conflict: `Emma (phone, 2026-11-21).epub`, and with a number from 2 on while `isTaken`. Where the folder leaves
 * no room for it, it stands at the top.
 * @param note what stands in brackets; what a path cannot hold becomes a blank
 */
export function pathBeside(path: string, note: string, isTaken: (path: string) => boolean): string {
  const name = nameOf(path)
  const dot = name.lastIndexOf('.')
  const isEnding = dot > 0 && encoder.encode(name.slice(dot)).length <= MAX_ENDING_BYTES
  const [stem, ending] = isEnding ? [name.slice(0, dot), name.slice(dot)] : [name, '']
  const inFolder = path.slice(0, path.length - name.length)
  const folder = PATH_LIMITS.maxBytes - encoder.encode(inFolder).length < PATH_LIMITS.maxNameBytes ? '' : inFolder
  const words = cut(foldPath(note).replaceAll(NOT_IN_NAMES, ' '), MAX_NOTE_BYTES)
  for (let count = 1; ; count++) {
    const mark = ` (${words}${count === 1 ? '' : ` ${count}`})${ending}`
    const made = folder + cut(stem, PATH_LIMITS.maxNameBytes - encoder.encode(mark).length) + mark
    if (!isTaken(made)) return made
  }
}

/** As much of a text as fits, in whole characters. */
function cut(text: string, maxBytes: number): string {
  let bytes = 0
  let made = ''
  for (const character of text) {
    bytes += encoder.encode(character).length
    if (bytes > maxBytes) break
    made += character
  }
  return made
}
