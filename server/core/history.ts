import { encodeValue, type ActionBody } from '../../protocol/index.ts'
import type { PositionHistoryRecord, PositionVersion } from './records.ts'

/** The newest versions are all kept. */
const DENSE_VERSIONS = 32
/** Versions are thinned out whenever so many have come. */
const THIN_AFTER = 32
/** Of older ones the last of each hour, for so long; and then the last of each day. */
const HOURLY_US = 48 * 3_600e6
const HOUR_US = 3_600e6
const DAY_US = 86_400e6
/** What is kept at most of one device's places in one book, the oldest leaving first. */
const MAX_VERSIONS = 256
const MAX_BYTES = 131_072

const progressionOf = (fields: ActionBody<'position.set'>): number => fields.progression ?? 0

/** Adds the newest place of a device to those that can be restored. The version before a jump back is kept longer than its neighbours. */
export function addVersion(
  history: PositionHistoryRecord,
  cursor: number,
  timeUs: number,
  atMs: number,
  fields: ActionBody<'position.set'>
): void {
  const { versions } = history
  const last = versions.at(-1)
  if (last !== undefined && progressionOf(fields) < progressionOf(last.fields)) last.isTurn = true
  versions.push({ cursor, timeUs, atMs, fields })
  history.added += 1
  if (history.added < THIN_AFTER) return
  history.added = 0
  history.versions = thinned(versions)
}

/** The same versions give the same, on every hub: time is the log's own. */
function thinned(versions: readonly PositionVersion[]): PositionVersion[] {
  const newestUs = versions.at(-1)!.timeUs
  const dense = versions.length - DENSE_VERSIONS
  let kept = versions.filter(
    (version, index) => index >= dense || version.isTurn === true || isLastOfSpan(version, versions[index + 1]!, newestUs)
  )
  if (kept.length > MAX_VERSIONS) kept = kept.slice(-MAX_VERSIONS)
  let bytes = 0
  let first = kept.length
  while (first > 0 && (bytes += sizeOf(kept[first - 1]!)) <= MAX_BYTES) first -= 1
  return kept.slice(Math.min(first, kept.length - 1))
}

function isLastOfSpan({ timeUs }: PositionVersion, next: PositionVersion, newestUs: number): boolean {
  const spanUs = newestUs - timeUs <= HOURLY_US ? HOUR_US : DAY_US
  return Math.floor(timeUs / spanUs) !== Math.floor(next.timeUs / spanUs)
}

const sizeOf = (version: PositionVersion): number => (version.bytes ??= encodeValue(version.fields).length)
