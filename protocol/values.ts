import { LIMITS } from './limits.ts'

/** Up to here V8 keeps room (`ShouldConvertToSlowElements`, `src/objects/js-objects-inl.h`). */
const MAX_INDEX = 3_321
/** So much of a short frame may be room, for a map or two. */
const SPARE_VALUES = 384
/**
 * The values that a map's key counts for beyond itself. V8 keeps a map with a small number as key like an array up to that number, 12 KB for `{"1023": 0}`:
 * so a number up to 3,321 counts one for each 8. Of a map only the greatest counts.
 */
export function roomOf(name: string): number {
  if (name.length > 4 || !/^\d+$/.test(name)) return 0
  const index = Number(name)
  return index > MAX_INDEX ? 0 : index >> 3
}

/** How many values a client may send in so many bytes. Only keys that keep room can make them more than the bytes. */
export const maxValuesIn = (bytes: number): number => Math.min(LIMITS.maxFrameValues, 2 * bytes + SPARE_VALUES)

/** Names that no map may have for a key: they touch prototypes. */
export const FORBIDDEN_KEYS: readonly string[] = ['__proto__', 'constructor', 'prototype']

/** True for an object with members: no list and no bytes. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

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
export function objectFrom<T>(entries: readonly (readonly [name: string, value: T])[]): Record<string, T> {
  if (entries.every(([name]) => roomOf(name) === 0)) return Object.fromEntries(entries)
  const record = JSON.parse(`{${entries.map(([name]) => `${JSON.stringify(name)}:0`).join()}}`) as Record<string, T>
  for (const [name, value] of entries) record[name] = value
  return record
}
