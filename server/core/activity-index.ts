import { isListed, SOURCES, type Activity, type Source } from './activity.ts'
import type { Tables } from './records.ts'
import { SEPARATOR, type Views } from './views.ts'

const PAGE = 256

/** What the index is to hold: each book's newest time, and whether it is listed. */
export function activityOf(views: Views): Map<string, Omit<Activity, 'book'>> {
  const all = new Map<string, Omit<Activity, 'book'>>()
  for (const page of activityRecords(views))
    for (const [, book, { changedAtUs = 0 }] of page)
      if (changedAtUs > (all.get(book)?.timeUs ?? 0))
        all.set(book, { timeUs: changedAtUs, isListed: isListed(views.get('books', book)) })
  return all
}

/** The records that books' activity comes from, page by page. */
export function* activityRecords(views: Views): Generator<[table: Source, book: string, record: Tables[Source]][]> {
  for (const table of SOURCES)
    for (const page of views.pages<Source>(table, [], PAGE))
      yield page.map(([key, record]) => [table, key.split(SEPARATOR)[0]!, record])
}
