import { sparse, type BookDescription, type BookFields, type ReadBook } from './annotation.ts'
import { badFile } from './limits.ts'
import { isMap, msOf } from './web-annotation.ts'
import { identifierOfUri } from './uris.ts'

const STATES = ['unread', 'reading', 'paused', 'finished'] as const

/** A page of a library feed, a list of its records, or one of them. */
export const isBookSync = (json: unknown): boolean => recordsOf(json).length > 0

/** The books of a library feed, with how far they were read. They hold no annotations. */
export const readBookSync = (json: unknown): ReadBook[] =>
  recordsOf(json).map((record, index) => ({ book: bookOf(record, index), annotations: [] }))

function recordsOf(json: unknown): Record<string, unknown>[] {
  const listed = isMap(json) && Array.isArray(json['data']) ? json['data'] : Array.isArray(json) ? json : [json]
  return listed.every(
    item => isMap(item) && typeof item['id'] === 'string' && isMap(item['progress']) && Array.isArray(item['files'])
  )
    ? (listed as Record<string, unknown>[])
    : []
}

function bookOf(record: Record<string, unknown>, index: number): BookDescription {
  const text = (name: string): string | undefined => {
    const value = record[name]
    if (value === null || value === undefined || value === '') return undefined
    if (typeof value !== 'string') throw badFile(`record ${index + 1}: ${name} is no text`)
    return value
  }
  const number = (held: Record<string, unknown>, name: string, most: number): number | undefined => {
    const value = held[name]
    if (value === null || value === undefined) return undefined
    if (typeof value !== 'number' || value < 0 || value > most)
      throw badFile(`record ${index + 1}: ${name} is no number from 0 to ${most}`)
    return value
  }
  const texts = (name: string): string[] | undefined => {
    const value = record[name]
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined
    if (!Array.isArray(value) || value.some(item => typeof item !== 'string'))
      throw badFile(`record ${index + 1}: ${name} is no list of texts`)
    return value as string[]
  }
  const progress = record['progress'] as Record<string, unknown>
  const percentage = number(progress, 'percentage', 1)
  const seconds = number(progress, 'lastTimestamp', 4_102_444_800)
  const device = typeof progress['lastDevice'] === 'string' ? progress['lastDevice'] : undefined
  const author = text('author')
  const year = number(record, 'publishedYear', 9_999)
  const isbns = [text('isbn13'), text('isbn10')].flatMap(isbn => (isbn === undefined ? [] : [`urn:isbn:${isbn}`]))
  return {
    id: text('id')!,
    identifiers: [...new Set(isbns.flatMap(isbn => identifierOfUri(isbn) ?? []))],
    isRecord: true,
    fields: sparse({
      title: text('title'),
      authors: author === undefined ? undefined : [author],
      publisher: text('publisher'),
      language: text('language'),
      description: text('description'),
      published: year === undefined ? undefined : String(year).padStart(4, '0'),
      series: text('series'),
      seriesIndex: number(record, 'seriesIndex', 1_000_000),
      subjects: texts('genres'),
      tags: texts('tags'),
      status: statusOf(progress)
    }),
    ...(percentage !== undefined &&
      seconds !== undefined && {
        position: { progression: percentage, atMs: seconds * 1_000, ...(device !== undefined && { device }) }
      })
  }
}

/** What a person said, and not what follows from how far the book was read. */
function statusOf({ manuallySet, status, startedAt, pausedAt, finishedAt }: Record<string, unknown>): BookFields['status'] {
  const state = STATES.find(known => known === status)
  if (manuallySet !== true || state === undefined) return undefined
  return { state, ...sparse({ startedAtMs: msOf(startedAt), pausedAtMs: msOf(pausedAt), finishedAtMs: msOf(finishedAt) }) }
}
