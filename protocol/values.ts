import { LIMITS } from './limits.ts'

/** A longer key is a name to any engine. */
const MAX_DIGITS = 4
/** So much of a small frame may be room that keys keep. */
const SPARE_VALUES = 2_048

/**
 * What a map's key counts as beyond the key itself, in values: one for each 8 of a number of up to four digits. JavaScript engines keep room up to such a key, as in an array:
 * V8 takes 12 KB for `{"1023": 0}`. Of a map the greatest counts.
 */
export const roomOf = (name: string): number => (name.length <= MAX_DIGITS && /^\d+$/.test(name) ? Number(name) >> 3 : 0)

/** How many values a client may send in a frame of so many bytes. Only keys that keep room can make them more than the bytes. */
export const maxValuesIn = (bytes: number): number => Math.min(LIMITS.maxNodes, 2 * bytes + SPARE_VALUES)

/**
 * How many values a value consists of, itself and the keys of maps included, as `scan` counts them; infinitely many where it is nested too deep.
 * @param maxDepth how many arrays and maps may lie in each other
 */
export function countValues(value: unknown, maxDepth = Infinity): number {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return 1
  if (maxDepth === 0) return Infinity
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countValues(item, maxDepth - 1), 1)
  let count = 1
  let room = 0
  for (const [name, item] of Object.entries(value)) {
    count += 1 + countValues(item, maxDepth - 1)
    room = Math.max(room, roomOf(name))
  }
  return count + room
}

/** `Object.fromEntries` for names from outside: no room is kept up to those that are small numbers, as none is by `JSON.parse`. */
export function recordOf<T>(entries: readonly (readonly [name: string, value: T])[]): Record<string, T> {
  if (entries.every(([name]) => roomOf(name) === 0)) return Object.fromEntries(entries)
  const record = JSON.parse(`{${entries.map(([name]) => `${JSON.stringify(name)}:0`).join()}}`) as Record<string, T>
  for (const [name, value] of entries) record[name] = value
  return record
}
