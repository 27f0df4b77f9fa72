import type { RecordKey } from '../core/store.ts'

/** The longest stored key. LMDB takes 1,978 bytes on pages of 4 KiB; the rest is left for a change of layout. */
export const MAX_KEY_BYTES = 1_900

/** What a key leads to; its first byte. */
const EPOCH = 'e'
const FLOOR = 'f'
const JOURNAL = 'j'
const RUN = 'l'
const RECORD = 'r'

const CURSOR_BYTES = 8
/** More than any byte that goes on a key: UTF-8 has no 0xff, and neither does the high byte of a cursor. */
const BEYOND = Buffer.from([0xff])
const LEAST = Buffer.from([0x00])

/** Each part ends with a zero byte, so that a key sorts before those that it begins, and no part runs into the next. */
function encode(kind: string, parts: RecordKey): Buffer {
  let text = kind
  for (const part of parts) {
    if (part.includes('\0')) throw new TypeError(`a key must not hold NUL: ${JSON.stringify(parts)}`)
    text += part + '\0'
  }
  const bytes = Buffer.from(text)
  if (bytes.length !== text.length && /\p{Surrogate}/u.test(text))
    throw new TypeError(`a key must be well-formed: ${JSON.stringify(parts)}`)
  if (bytes.length + CURSOR_BYTES > MAX_KEY_BYTES)
    throw new TypeError(`a key must be at most ${MAX_KEY_BYTES} bytes: ${parts[0] ?? ''}…`)
  return bytes
}

/**
 * `'r' *(part 0)`: bytes that compare as the parts do, one by one, by code point.
 *
 * @throws TypeError when a part holds NUL or half a surrogate pair, or the key is longer than `MAX_KEY_BYTES`
 */
export const recordKey = (key: RecordKey): Buffer => encode(RECORD, key)

export function recordParts(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', 1)
  return text === '' ? [] : text.slice(0, -1).split('\0')
}

/** `'e' account 0` */
export const epochKey = (account: string): Buffer => encode(EPOCH, [account])

/** `'f' account 0` */
export const floorKey = (account: string): Buffer => encode(FLOOR, [account])

/** `'e'`: what the keys of all epochs begin with. */
export const epochPrefix: Buffer = encode(EPOCH, [])

/** The account in an epoch's key. */
export const accountOfEpoch = (key: Buffer): string => key.toString('utf8', 1, key.length - 1)

/** `'l' account 0`: what the keys of an account's runs begin with. */
export const runPrefix = (account: string): Buffer => encode(RUN, [account])

export const isRunKey = (bytes: Uint8Array, start: number): boolean => bytes[start] === RUN.charCodeAt(0)

/** `prefix cursor`, the cursor in 8 bytes, most significant first. */
export function runKey(prefix: Buffer, cursor: number): Buffer {
  const key = Buffer.allocUnsafe(prefix.length + CURSOR_BYTES)
  prefix.copy(key)
  key.writeUInt32BE(Math.floor(cursor / 2 ** 32), prefix.length)
  key.writeUInt32BE(cursor % 2 ** 32, prefix.length + 4)
  return key
}

/** `'j'`: what the keys of all journal records begin with. */
export const journalPrefix: Buffer = encode(JOURNAL, [])

/** `'j' number`, the number in 8 bytes, most significant first. */
export const journalKey = (number: number): Buffer => runKey(journalPrefix, number)

export const journalNumber = (key: Buffer): number =>
  key.readUInt32BE(journalPrefix.length) * 2 ** 32 + key.readUInt32BE(journalPrefix.length + 4)

/** A segment's key in its two parts. */
export const runPlace = (key: Buffer): { prefix: Buffer; cursor: number } => {
  const at = key.length - CURSOR_BYTES
  return { prefix: key.subarray(0, at), cursor: key.readUInt32BE(at) * 2 ** 32 + key.readUInt32BE(at + 4) }
}

/** The end, not itself included, of the keys that begin with `prefix`. */
export const behind = (prefix: Buffer): Buffer => Buffer.concat([prefix, BEYOND])

/** The least key that sorts after `key`. */
export const next = (key: Buffer): Buffer => Buffer.concat([key, LEAST])
