import { StoreDamage, type StoredRun } from '../core/store.ts'
import { crc32 } from './checksum.ts'

/** The first byte of every record. A reader that finds another refuses the record. */
const VERSION = 1
export const VERSION_BYTES = 1
export const CHECKSUM_BYTES = 4
export const RUN_HEAD_BYTES = VERSION_BYTES + 8 + 4 + 4
const MAX_VALUE_BYTES = 2 ** 31 - 1

/**
 * A record of `size` bytes with its version. What goes behind that, and `finish`, are the caller's.
 *
 * @param isKept gives it memory of its own: in Node's pool it would hold on to what else the pool gave out
 */
export function reserve(size: number, isKept = false): Buffer {
  if (size > MAX_VALUE_BYTES) throw new TypeError(`a record of ${size} bytes is over what the store holds`)
  const record = isKept ? Buffer.allocUnsafeSlow(size) : Buffer.allocUnsafe(size)
  record[0] = VERSION
  return record
}

/** Writes the checksum into the last bytes of a record. */
export function finish(record: Buffer, keySum: number): Buffer {
  const end = record.length - CHECKSUM_BYTES
  record.writeUInt32LE(crc32(record.subarray(0, end), keySum), end)
  return record
}

/** What a CRC-32 comes to over any bytes and their own checksum: so a check needs no view of the bytes without it. */
const RESIDUE = 0x2144df1c

/** @throws StoreDamage */
export function check(record: Buffer, keySum: number, name: string): void {
  if (record.length < VERSION_BYTES + CHECKSUM_BYTES) throw new StoreDamage(`${name} is cut short`)
  if (crc32(record, keySum) !== RESIDUE) throw new StoreDamage(`${name} is not what was written`)
  if (record[0] !== VERSION) throw new StoreDamage(`${name} has the unknown version ${record[0]}`)
}

/** The checksum of a record goes on from that of its key, so that a value found under another's key shows. */
export const keySum = (key: Uint8Array): number => crc32(key)

/** `version value checksum` */
export function sealValue(value: Uint8Array, sum: number): Buffer {
  const record = reserve(VERSION_BYTES + value.length + CHECKSUM_BYTES)
  record.set(value, VERSION_BYTES)
  return finish(record, sum)
}

/**
 * The value of a record: a view of its bytes.
 *
 * @param name what to call it in the error
 * @throws StoreDamage
 */
export function openValue(record: Buffer, sum: number, name: string): Uint8Array {
  check(record, sum, name)
  return record.subarray(VERSION_BYTES, record.length - CHECKSUM_BYTES)
}

/** The record of a run with its first bytes. The run, its notes and `finish` are the caller's. */
export function reserveRun(first: number, count: number, runBytes: number, notesBytes: number): Buffer {
  const record = reserve(RUN_HEAD_BYTES + runBytes + notesBytes + CHECKSUM_BYTES)
  record.writeUInt32LE(first % 2 ** 32, 1)
  record.writeUInt32LE(Math.floor(first / 2 ** 32), 5)
  record.writeUInt32LE(count, 9)
  record.writeUInt32LE(runBytes, 13)
  return record
}

/** `version first count runBytes run notes checksum` */
export function sealRun({ first, count, run, notes }: StoredRun, sum: number): Buffer {
  const record = reserveRun(first, count, run.length, notes.length)
  record.set(run, RUN_HEAD_BYTES)
  record.set(notes, RUN_HEAD_BYTES + run.length)
  return finish(record, sum)
}

/**
 * A run: views of the record's bytes.
 *
 * @throws StoreDamage
 */
export function openRun(record: Buffer, sum: number, name: string): StoredRun {
  check(record, sum, name)
  const at = peekRun(record, name)
  const runEnd = RUN_HEAD_BYTES + record.readUInt32LE(13)
  const notesEnd = record.length - CHECKSUM_BYTES
  if (runEnd > notesEnd) throw new StoreDamage(`${name} is cut short`)
  return { ...at, run: record.subarray(RUN_HEAD_BYTES, runEnd), notes: record.subarray(runEnd, notesEnd) }
}

/**
 * Where a run stands by its first bytes, of which nothing is checked: for when damage behind them is not to matter.
 *
 * @throws StoreDamage
 */
export function peekRun(record: Buffer, name: string): { first: number; count: number } {
  if (record.length < RUN_HEAD_BYTES) throw new StoreDamage(`${name} is cut short`)
  return { first: record.readUInt32LE(1) + record.readUInt32LE(5) * 2 ** 32, count: record.readUInt32LE(9) }
}
