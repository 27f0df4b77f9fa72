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
  const start = at + HEADER_BYTES
  if (start > file.length) return 'torn'
  const end = start + file.readUInt32BE(at)
  if (end > file.length) return 'torn'
  const payload = file.subarray(start, end)
  if (!checksum(payload).equals(file.subarray(at + 4, start)))
    return end === file.length || isBlank(file.subarray(at)) ? 'torn' : 'damaged'
  const entries: Entry[] = []
  for (let next = start; next < end;) {
    const keyEnd = next + 4 + file.readUInt32BE(next)
    const length = file.readUInt32BE(keyEnd)
    const valueAt = keyEnd + 4
    entries.push([file.toString('utf8', next + 4, keyEnd), length === REMOVED ? undefined : { at: valueAt, length }])
    next = length === REMOVED ? valueAt : valueAt + length
  }
  return { end, entries }
}

/** A file may grow before its bytes reach the disk; then it ends in zeros. */
const isBlank = (bytes: Buffer): boolean => bytes.every(byte => byte === 0)

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
