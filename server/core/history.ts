import { isSameValue } from '../../protocol/index.ts'
import type { AnnotationHistoryRecord, AnnotationVersion } from './records.ts'

/** The newest versions are all kept. */
const DENSE_VERSIONS = 32
/** Versions are thinned out whenever so many have come. */
export const THIN_AFTER = 32
/** Of older ones the last of each hour, for so long; and then the last of each day. */
const HOURLY_US = 48 * 3_600e6
const HOUR_US = 3_600e6
const DAY_US = 86_400e6
/** What is kept at most of one device's places in one book, or of one annotation, the oldest leaving first. */
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
  history.versions = thinned(versions, ({ fields }) => fields.length, MAX_ANNOTATION_BYTES)
}

/**
 * The versions that are kept, by rising time. The same versions give the same, on every hub: time is the log's own.
 * @param maxBytes what those that are kept take at most, save that the newest is kept in any case
 */
export function thinned<V extends { readonly timeUs: number; readonly isTurn?: boolean }>(
  versions: readonly V[],
  bytesOf: (version: V) => number,
  maxBytes: number
): V[] {
  const newestUs = versions.at(-1)!.timeUs
  const dense = versions.length - DENSE_VERSIONS
  let kept = versions.filter(
    (version, index) => index >= dense || version.isTurn === true || isLastOfSpan(version, versions[index + 1]!, newestUs)
  )
  if (kept.length > MAX_VERSIONS) kept = kept.slice(-MAX_VERSIONS)
  let bytes = 0
  let first = kept.length
  while (first > 0 && (bytes += bytesOf(kept[first - 1]!)) <= maxBytes) first -= 1
  return kept.slice(Math.min(first, kept.length - 1))
}

function isLastOfSpan({ timeUs }: { readonly timeUs: number }, next: { readonly timeUs: number }, newestUs: number): boolean {
  const spanUs = newestUs - timeUs <= HOURLY_US ? HOUR_US : DAY_US
  return Math.floor(timeUs / spanUs) !== Math.floor(next.timeUs / spanUs)
}
