import { isListed, SOURCES, type Activity, type Source } from './activity.ts'
import { SEPARATOR, type Views } from './views.ts'

const PAGE = 256

/** What the index is to hold: each book's newest time, and whether it is listed. */
export function activityOf(views: Views): Map<string, Omit<Activity, 'book'>> {
  const all = new Map<string, Omit<Activity, 'book'>>()
  for (const table of SOURCES)
    for (const page of views.pages<Source>(table, [], PAGE))
      for (const [key, { changedAtUs: timeUs }] of page) {
        const book = key.split(SEPARATOR)[0]!
        if (timeUs > (all.get(book)?.timeUs ?? 0)) all.set(book, { timeUs, isListed: isListed(views.get('books', book)) })
      }
  return all
}
