import { decodeValue, type ActionBody } from '../../protocol/index.ts'
import { THIN_AFTER, thinned } from './history.ts'
import type { PositionHistoryRecord } from './records.ts'

const MAX_POSITION_BYTES = 131_072
/** The room that is made with each growth, and at most kept when many leave. */
const SPARE_BYTES = 2_048
const MAX_SPARE_BYTES = 16_384

/** What stands in `numbers` for each version, and how many numbers that are. */
const CURSOR = 0
const TIME_US = 1
const AT_MS = 2
const IS_TURN = 3
const END = 4
const COLUMNS = 5

/** A place that a device had in a book. */
export interface PositionVersion {
  readonly cursor: number
  readonly timeUs: number
  readonly atMs: number
  readonly fields: ActionBody<'position.set'>
}

/** A device's places in a book of which none is known yet. */
export const newPositionHistory = (): PositionHistoryRecord => ({ numbers: [], fields: new Uint8Array(0), added: 0 })

/**
 * Adds the newest place of a device to those that can be restored.
 * @param fields as msgpack; copied
 * @param isBack the reader went back: the place that was left is kept longer than its neighbours
 */
export function addPosition(
  history: PositionHistoryRecord,
  { cursor, timeUs, atMs }: Pick<PositionVersion, 'cursor' | 'timeUs' | 'atMs'>,
  fields: Uint8Array,
  isBack: boolean
): void {
  const { numbers } = history
  const start = endOf(numbers, numbers.length)
  const end = start + fields.length
  if (isBack && start > 0) numbers[numbers.length - COLUMNS + IS_TURN] = 1
  if (end > history.fields.length) history.fields = copyOf(history.fields.subarray(0, start), end + SPARE_BYTES)
  history.fields.set(fields, start)
  numbers.push(cursor, timeUs, atMs, 0, end)
  history.added += 1
  if (history.added >= THIN_AFTER) thin(history)
}

/** The places, by rising cursor; none where none was kept. */
export function positionVersions(history: PositionHistoryRecord | undefined): PositionVersion[] {
  const { numbers, fields } = history ?? newPositionHistory()
  const versions: PositionVersion[] = []
  for (let at = 0; at < numbers.length; at += COLUMNS) {
    const body = decodeValue(fields.subarray(endOf(numbers, at), numbers[at + END])) as ActionBody<'position.set'>
    versions.push({ cursor: numbers[at + CURSOR]!, timeUs: numbers[at + TIME_US]!, atMs: numbers[at + AT_MS]!, fields: body })
  }
  return versions
}

/** The record as it is stored: without the room for more. */
export const storedPositions = (history: PositionHistoryRecord): PositionHistoryRecord => ({
  ...history,
  fields: history.fields.subarray(0, endOf(history.numbers, history.numbers.length))
})

function thin(history: PositionHistoryRecord): void {
  const { numbers, fields } = history
  const versions: { readonly at: number; readonly timeUs: number; readonly isTurn: boolean }[] = []
  for (let at = 0; at < numbers.length; at += COLUMNS)
    versions.push({ at, timeUs: numbers[at + TIME_US]!, isTurn: numbers[at + IS_TURN] === 1 })
  const kept = thinned(versions, ({ at }) => numbers[at + END]! - endOf(numbers, at), MAX_POSITION_BYTES)
  history.added = 0
  // What is kept moves towards the beginning, in the memory that is there.
  let to = 0
  let end = 0
  for (const { at } of kept) {
    const start = endOf(numbers, at)
    const length = numbers[at + END]! - start
    fields.copyWithin(end, start, start + length)
    end += length
    numbers.copyWithin(to, at, at + COLUMNS)
    numbers[to + END] = end
    to += COLUMNS
  }
  numbers.length = to
  if (fields.length > end + MAX_SPARE_BYTES) history.fields = copyOf(fields.subarray(0, end), end + SPARE_BYTES)
}

/** Where the fields of the version before that at `at` end. */
const endOf = (numbers: readonly number[], at: number): number => (at === 0 ? 0 : numbers[at - COLUMNS + END]!)

function copyOf(bytes: Uint8Array, length: number): Uint8Array {
  const copy = new Uint8Array(length)
  copy.set(bytes)
  return copy
}
