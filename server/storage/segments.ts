import { storedRun, type JournaledRun } from './journal.ts'
import { finish, reserveRun, RUN_HEAD_BYTES, sealRun } from './layout.ts'

/** What a segment holds at most, unless a single run is more. */
export interface SegmentLimits {
  readonly segmentBytes: number
  readonly segmentChanges: number
}

const ARRAY_16 = 0xdc
const ARRAY_32 = 0xdd

/** How many bytes stand before the first value of a msgpack array of `count` values; 0 when the bytes are not one. */
function arrayHead(bytes: Uint8Array, at: number, end: number, count: number): number {
  const length = end - at
  if (length >= 1 && count < 16 && bytes[at] === (0x90 | count)) return 1
  if (length >= 3 && bytes[at] === ARRAY_16 && ((bytes[at + 1]! << 8) | bytes[at + 2]!) === count) return 3
  if (length >= 5 && bytes[at] === ARRAY_32) {
    const high = (bytes[at + 1]! << 8) | bytes[at + 2]!
    if (high * 2 ** 16 + ((bytes[at + 3]! << 8) | bytes[at + 4]!) === count) return 5
  }
  return 0
}

const headBytes = (count: number): number => (count < 16 ? 1 : count < 2 ** 16 ? 3 : 5)

function writeArrayHead(target: Buffer, count: number, at: number): void {
  const length = headBytes(count)
  target[at] = length === 1 ? 0x90 | count : length === 3 ? ARRAY_16 : ARRAY_32
  if (length === 3) target.writeUInt16BE(count, at + 1)
  if (length === 5) target.writeUInt32BE(count, at + 1)
}

const notesHead = ({ record, notesAt, notesEnd, count }: JournaledRun): number =>
  arrayHead(record.bytes, notesAt, notesEnd, count)

export const bytesOf = ({ runAt, notesAt }: JournaledRun): number => notesAt - runAt

/** Consecutive runs in as few segments as the limits allow. A run whose notes are not one value for each change stays by itself. */
export function pack(runs: readonly JournaledRun[], { segmentBytes, segmentChanges }: SegmentLimits): JournaledRun[][] {
  const segments: JournaledRun[][] = []
  let bytes = 0
  let changes = 0
  let isOpen = false
  for (const run of runs) {
    const canJoin = notesHead(run) > 0
    bytes += bytesOf(run)
    changes += run.count
    if (isOpen && canJoin && bytes <= segmentBytes && changes <= segmentChanges) segments.at(-1)!.push(run)
    else {
      segments.push([run])
      bytes = bytesOf(run)
      changes = run.count
    }
    isOpen = canJoin
  }
  return segments
}

/** The record of a segment: its runs as one, their bytes one behind the other, their notes as one array. */
export function sealSegment(runs: readonly JournaledRun[], keySum: number): Buffer {
  const only = runs[0]!
  if (runs.length === 1) return sealRun(storedRun(only), keySum)
  let count = 0
  let runBytes = 0
  let notesBytes = 0
  for (const run of runs) {
    count += run.count
    runBytes += bytesOf(run)
    notesBytes += run.notesEnd - run.notesAt - notesHead(run)
  }
  const segment = reserveRun(only.first, count, runBytes, headBytes(count) + notesBytes)
  let at = RUN_HEAD_BYTES
  for (const { record, runAt, notesAt } of runs) at += record.bytes.copy(segment, at, runAt, notesAt)
  writeArrayHead(segment, count, at)
  at += headBytes(count)
  for (const run of runs) at += run.record.bytes.copy(segment, at, run.notesAt + notesHead(run), run.notesEnd)
  return finish(segment, keySum)
}
