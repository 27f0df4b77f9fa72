import type { Reading } from './environment.ts'
import { behind, floorKey, runKey, runPrefix } from './keys.ts'
import { keySum, openRun, openValue, sealValue } from './layout.ts'
import type { Put } from './logs.ts'

/** Segments that one transaction removes at most: each is read and checked first. */
const TRIMMED_SEGMENTS = 16

/**
 * The oldest cursor of a log that can be read; 1 when it was never trimmed.
 * @throws StoreDamage
 */
export function floorOf(db: Reading, account: string): number {
  const key = floorKey(account)
  const record = db.getBinary(key)
  return record === undefined
    ? 1
    : Number(Buffer.from(openValue(record, keySum(key), `the floor of ${account}`)).readBigUInt64LE())
}

/**
 * The puts that remove an account's oldest segments as far as they end below `floor`, with the record that says where the log begins then: without it,
 * a segment that is missing would look like one that was trimmed.
 *
 * @returns undefined when no segment goes; the newest never does, since the log's end is told by it
 * @throws StoreDamage
 */
export function trimmedPuts(db: Reading, account: string, floor: number): { puts: Put[]; floor: number } | undefined {
  const prefix = runPrefix(account)
  const sum = keySum(prefix)
  const segments = db.getRange({ start: prefix, end: behind(prefix), limit: TRIMMED_SEGMENTS + 1 })
  const firsts = Array.from(segments, ({ value }) => openRun(value, sum, `the beginning of the log of ${account}`).first)
  const kept = firsts.findLastIndex(first => first <= floor)
  if (kept <= 0) return undefined
  const puts = firsts.slice(0, kept).map((first): Put => [runKey(prefix, first), undefined])
  const value = Buffer.alloc(8)
  value.writeBigUInt64LE(BigInt(firsts[kept]!))
  const key = floorKey(account)
  return { puts: [[key, sealValue(value, keySum(key))], ...puts], floor: firsts[kept]! }
}
