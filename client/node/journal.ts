import { createHash } from 'node:crypto'
import type { StorageChange } from '../storage.ts'

/** The first bytes of every journal. */
export const MAGIC = Buffer.from('LECTERN1')

/** Payload length (uint32), then the first 8 bytes of the payload's SHA-256. */
const HEADER_BYTES = 12
const CHECKSUM_BYTES = 8
/** The length that says: the key is removed. */
const REMOVED = 0xffffffff

/** Where an entry's bytes are in the file. */
export interface Place {
  readonly at: number
  readonly length: number
}

/** One key of a record: where its bytes are, or that it is removed. */
export type Entry = readonly [key: string, place: Place | undefined]

const checksum = (payload: Uint8Array): Buffer => createHash('sha256').update(payload).digest().subarray(0, CHECKSUM_BYTES)

/**
 * One record: all its changes count, or none. Payload: for each change, key length (uint32), key (UTF-8), value length (uint32), value.
 *
 * @param at where in the file it will stand
 */
export function encodeRecord(changes: readonly StorageChange[], at: number): { bytes: Buffer; entries: Entry[] } {
  const parts: Uint8Array[] = []
  const entries: Entry[] = []
  let length = 0
  const add = (part: Uint8Array): void => {
    parts.push(part)
    length += part.length
  }
  for (const [key, value] of changes) {
    const name = Buffer.from(key)
    add(uint32(name.length))
    add(name)
    add(uint32(value?.length ?? REMOVED))
    entries.push([key, value && { at: at + HEADER_BYTES + length, length: value.length }])
    if (value !== undefined) add(value)
  }
  const payload = Buffer.concat(parts)
  return { bytes: Buffer.concat([uint32(payload.length), checksum(payload), payload]), entries }
}

/**
 * Reads the record at `at`.
 *
 * @returns `torn` when it is the last and incomplete, so that it was never promised; `damaged` when something follows it
 */
export function decodeRecord(file: Buffer, at: number): { end: number; entries: Entry[] } | 'torn' | 'damaged' {
  const end = endOf(file, at)
  const entries = entriesAt(file, at, end)
  if (entries !== undefined && isWhole(file, at, end)) return { end, entries }
  if (end < file.length && !isBlank(file.subarray(at))) return 'damaged'
  // Its length may be what is damaged, and hide all that follows.
  for (let next = at + 1; next < file.length; next++) if (mayBeginAt(file, next)) return 'damaged'
  return 'torn'
}

/** Beyond the file where not even the header is there. */
const endOf = (file: Buffer, at: number): number =>
  at + HEADER_BYTES > file.length ? Infinity : at + HEADER_BYTES + file.readUInt32BE(at)

const isWhole = (file: Buffer, at: number, end: number): boolean =>
  checksum(file.subarray(at + HEADER_BYTES, end)).equals(file.subarray(at + 4, at + HEADER_BYTES))

/** Whether there is a whole record that says something. Its form comes first: to hash whatever has the length of one would take long. */
function mayBeginAt(file: Buffer, at: number): boolean {
  const end = endOf(file, at)
  const entries = entriesAt(file, at, end)
  return entries !== undefined && entries.length > 0 && isWhole(file, at, end)
}

/** The entries of the record from `start` to `end`; undefined when it has not the form of one. */
function entriesAt(file: Buffer, start: number, end: number): Entry[] | undefined {
  if (end > file.length) return undefined
  const entries: Entry[] = []
  let next = start + HEADER_BYTES
  while (next < end) {
    const keyEnd = next + 4 + (next + 4 > end ? Infinity : file.readUInt32BE(next))
    if (keyEnd + 4 > end) return undefined
    const length = file.readUInt32BE(keyEnd)
    const at = keyEnd + 4
    const after = length === REMOVED ? at : at + length
    if (after > end) return undefined
    entries.push([file.toString('utf8', next + 4, keyEnd), length === REMOVED ? undefined : { at, length }])
    next = after
  }
  return entries
}

/** A file may grow before its bytes reach the disk; then it ends in zeros. */
const isBlank = (bytes: Buffer): boolean => bytes.every(byte => byte === 0)

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
