import { isSameValue } from '../../protocol/index.ts'
import type { AnnotationHistoryRecord, AnnotationVersion } from './records.ts'

/** The newest versions are all kept. */
const DENSE_VERSIONS = 32
/** Versions are thinned out whenever so many have come. */
export const THIN_AFTER = 32
/** Among older versions the last of each hour is kept for so long, and then the last of each day. */
const HOURLY_US = 48 * 3_600e6
const HOUR_US = 3_600e6
const DAY_US = 86_400e6
/** The most that is kept of one device's positions in one book, or of one annotation. The oldest leave first. */
const MAX_VERSIONS = 256
const MAX_ANNOTATION_BYTES = 524_288

/**
 * Adds a version to an annotation's history. One that it has already, by the cursor or as the last one's content, does nothing. A version before a removal,
 * or before the edit of another device, is kept longer than its neighbours.
 */
export function addVersion(history: AnnotationHistoryRecord, version: AnnotationVersion): void {
  const { versions } = history
  const last = versions.at(-1)
  if (last !== undefined && (version.cursor <= last.cursor || isSameValue(version.fields, last.fields))) return
  const isTurn = version.isTurn === true || version.device !== last?.device
  versions.push({ ...version, ...(isTurn && { isTurn }) })
  history.added += 1
  history.addedBytes += version.fields.length
  if (history.added < THIN_AFTER && history.addedBytes < MAX_ANNOTATION_BYTES) return
  history.added = 0
  history.addedBytes = 0
  const kept = thinned(versions.length, MAX_ANNOTATION_BYTES, {
    timeUs: at => versions[at]!.timeUs,
    isTurn: at => versions[at]!.isTurn === true,
    bytes: at => versions[at]!.fields.length
  })
  history.versions = kept.map(at => versions[at]!)
}

/** The versions of a history as thinning sees them, numbered by rising time. */
interface Thinnable {
  timeUs(at: number): number
  isTurn(at: number): boolean
  bytes(at: number): number
}

/**
 * Which of so many versions are kept, by rising time. The same versions give the same, on every hub: time is the log's own.
 * @param maxBytes what those that are kept take at most, save that the newest is kept in any case
 */
export function thinned(count: number, maxBytes: number, versions: Thinnable): number[] {
  const newestUs = versions.timeUs(count - 1)
  const kept: number[] = []
  let bytes = 0
  for (let at = count - 1; at >= 0 && kept.length < MAX_VERSIONS; at--) {
    const isDense = at >= count - DENSE_VERSIONS
    if (!isDense && !versions.isTurn(at) && !isLastOfSpan(versions.timeUs(at), versions.timeUs(at + 1), newestUs)) continue
    bytes += versions.bytes(at)
    if (bytes > maxBytes && kept.length > 0) break
    kept.push(at)
  }
  return kept.reverse()
}

function isLastOfSpan(timeUs: number, nextUs: number, newestUs: number): boolean {
  const spanUs = newestUs - timeUs <= HOURLY_US ? HOUR_US : DAY_US
  return Math.floor(timeUs / spanUs) !== Math.floor(nextUs / spanUs)
}
