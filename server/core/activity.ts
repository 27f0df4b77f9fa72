import type { BookRecord, Tables } from './records.ts'
import type { Views } from './views.ts'

/** A book, and when something of it changed last: its record, a device's position in it, or its annotations. */
export interface Activity {
  readonly book: string
  readonly timeUs: number
  /** It has a record, which is not removed. One without may have positions and annotations all the same. */
  readonly isListed: boolean
}

/** What a book's activity comes from. */
export const SOURCES = ['books', 'positions', 'documents'] as const
export type Source = (typeof SOURCES)[number]

/** As many digits as the time will have until the year 2286. */
const DIGITS = 16
export const timeKey = (timeUs: number): string => String(timeUs).padStart(DIGITS, '0')

export const isListed = (record: BookRecord | undefined): boolean => record !== undefined && !record.removed

/**
 * The account's books of which something changed after a time, oldest change first: each once, at its newest change. It costs what is returned, however large the library is.
 * A book that changes while this is read page by page comes again, at its new time. Show it only once it is durable.
 *
 * @param afterUs 0 for all; for the next page, the `timeUs` of the last entry
 */
export function activitySince(views: Views, afterUs: number, limit: number): Activity[] {
  views.noteActivity()
  return views
    .range('activity', [], timeKey(Math.max(0, Math.floor(afterUs))), limit)
    .map(([key, { book, isListed }]) => ({ book, timeUs: Number(key), isListed }))
}

/** Moves a book's entry to the time of a record that changed, if that is newer. */
export function noteActivity(views: Views, table: Source, book: string, record: Tables[Source]): void {
  const { changedAtUs: timeUs } = record
  const last = views.get('touched', book)?.timeUs ?? 0
  if (timeUs <= last) return
  if (last > 0) views.remove('activity', timeKey(last))
  const isThere = isListed(table === 'books' ? (record as BookRecord) : views.get('books', book))
  views.put('activity', [timeKey(timeUs)], { book, isListed: isThere })
  views.put('touched', [book], { timeUs })
}
