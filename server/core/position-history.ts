import { decodeValue, encodeValue, type ActionBody } from '../../protocol/index.ts'
import type { Change } from './change.ts'
import { THIN_AFTER, thinned } from './history.ts'
import type { PositionHistoryRecord } from './records.ts'

/** The most bytes that the positions of one device in one book take. */
const MAX_POSITION_BYTES = 131_072
/** The least room that is made with each growth. */
const SPARE_BYTES = 2_048

/** The columns of `numbers`, which has a row for each version. */
const CURSOR = 0
const TIME_US = 1
const AT_MS = 2
const PROGRESSION = 3
const IS_TURN = 4
const END = 5
const COLUMNS = 6

type PositionChange = Pick<Change<'position.set'>, 'cursor' | 'timeUs' | 'atMs' | 'body' | 'encoded'>

/** A position that a device had in a book. */
export class PositionVersion {
  readonly cursor: number
  readonly timeUs: number
  readonly atMs: number
  /** 0 where the position has none. */
  readonly progression: number
  readonly #bytes: Uint8Array
  readonly #start: number
  readonly #end: number

  constructor({ numbers, fields }: PositionHistoryRecord, at: number) {
    this.cursor = numbers[at + CURSOR]!
    this.timeUs = numbers[at + TIME_US]!
    this.atMs = numbers[at + AT_MS]!
    this.progression = numbers[at + PROGRESSION]!
    this.#bytes = fields
    this.#start = startOf(numbers, at)
    this.#end = numbers[at + END]!
  }

  /** Built anew with each look at it. */
  get fields(): ActionBody<'position.set'> {
    return decodeValue(this.#bytes.subarray(this.#start, this.#end)) as ActionBody<'position.set'>
  }
}

/** A device's positions in a book of which none is known yet. */
export const newPositionHistory = (): PositionHistoryRecord => ({ numbers: [], fields: new Uint8Array(0), added: 0 })

/** Adds the newest position of a device to those that can be restored. The one before a jump back is kept longer than its neighbours. */
export function addPosition(
  history: PositionHistoryRecord,
  { cursor, timeUs, atMs, body, encoded = encodeValue(body) }: PositionChange
): void {
  const { numbers } = history
  const last = numbers.length - COLUMNS
  const progression = body.progression ?? 0
  if (last >= 0 && progression < numbers[last + PROGRESSION]!) numbers[last + IS_TURN] = 1
  const start = startOf(numbers, numbers.length)
  const end = start + encoded.length
  // A record that was read has no room, so that nobody else's bytes are written to.
  if (end > history.fields.length)
    history.fields = copyOf(history.fields.subarray(0, start), end + Math.max(SPARE_BYTES, end >> 2))
  history.fields.set(encoded, start)
  numbers.push(cursor, timeUs, atMs, progression, 0, end)
  history.added += 1
  if (history.added >= THIN_AFTER) thin(history)
}

/** The positions, by rising cursor; none where none was kept. */
export function positionVersions(history: PositionHistoryRecord | undefined): PositionVersion[] {
  const versions: PositionVersion[] = []
  if (history !== undefined)
    for (let at = 0; at < history.numbers.length; at += COLUMNS) versions.push(new PositionVersion(history, at))
  return versions
}

/** The record as it is stored: without the room for more. */
export const storedPositions = (history: PositionHistoryRecord): PositionHistoryRecord => ({
  ...history,
  fields: history.fields.subarray(0, startOf(history.numbers, history.numbers.length))
})

/** Writes what is kept into new bytes: what was read of the old ones may still be in use. */
function thin(history: PositionHistoryRecord): void {
  const { numbers, fields } = history
  const bytesOf = (at: number): number => numbers[at * COLUMNS + END]! - startOf(numbers, at * COLUMNS)
  const kept = thinned(numbers.length / COLUMNS, MAX_POSITION_BYTES, {
    timeUs: at => numbers[at * COLUMNS + TIME_US]!,
    isTurn: at => numbers[at * COLUMNS + IS_TURN] === 1,
    bytes: bytesOf
  })
  history.numbers = []
  history.fields = new Uint8Array(kept.reduce((sum, at) => sum + bytesOf(at), SPARE_BYTES))
  history.added = 0
  let end = 0
  // Most that are kept are neighbours, whose fields are copied at once.
  for (let first = 0; first < kept.length;) {
    let next = first + 1
    while (kept[next] === kept[next - 1]! + 1) next += 1
    const [from, to] = [kept[first]! * COLUMNS, (kept[next - 1]! + 1) * COLUMNS]
    const start = startOf(numbers, from)
    const stretch = fields.subarray(start, startOf(numbers, to))
    history.fields.set(stretch, end)
    for (let at = from; at < to; at++) history.numbers.push(at % COLUMNS === END ? numbers[at]! - start + end : numbers[at]!)
    end += stretch.length
    first = next
  }
}

/** Where the fields of the version at `at` begin: where those of the one before it end. */
const startOf = (numbers: readonly number[], at: number): number => (at === 0 ? 0 : numbers[at - COLUMNS + END]!)

function copyOf(bytes: Uint8Array, length: number): Uint8Array {
  const copy = new Uint8Array(length)
  copy.set(bytes)
  return copy
}
