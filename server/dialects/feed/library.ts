import { nextTurn, type Clock } from '../../core/ports.ts'
import type { Account } from '../../core/account.ts'
import type { BookRecord } from '../../core/records.ts'
import { toldOf, type ToldBook } from './book-record.ts'
import { progressOf, type Progress } from './progress.ts'
import type { ListQuery } from './query.ts'

/** Books that are read in one turn, if they take no longer than this: of each all devices' places are, and those that they had before. */
const READ_BOOKS = 16
const TURN_MS = 3
/** Books that are looked through in one turn. */
const SEEN_BOOKS = 8
const MERGED = 4_096

/** A book with its progress: what the feed is of. */
export type BookSyncRecord = ToldBook & { readonly progress: Progress }

/** What reading needs beside the account. */
export interface Reading {
  readonly clock: Clock
  /** The hub's address, as devices know it. */
  readonly base: string
}

/**
 * These books as they stand now, with others' turns in between; those that were removed are left out.
 * Show it only once it is durable.
 */
export async function readBooks(account: Account, books: readonly string[], { clock, base }: Reading): Promise<BookSyncRecord[]> {
  const read: BookSyncRecord[] = []
  account.views.noteActivity()
  let [begun, begunMs] = [0, clock.nowMs()]
  for (const [at, book] of books.entries()) {
    if (at - begun >= READ_BOOKS || (at > begun && Math.abs(clock.nowMs() - begunMs) >= TURN_MS)) {
      await nextTurn(clock)
      account.views.noteActivity()
      ;[begun, begunMs] = [at, clock.nowMs()]
    }
    const record = account.views.get('books', book)
    if (record !== undefined && !record.removed) read.push(readBook(account, book, record, { clock, base }))
  }
  return read
}

export const readBook = (account: Account, book: string, record: BookRecord, { clock, base }: Reading): BookSyncRecord => ({
  ...told(account, book, record, base),
  progress: progressOf(account.views, book, record, clock.nowMs())
})

const told = ({ views }: Account, book: string, record: BookRecord, base: string): ToldBook =>
  toldOf(book, record, views.get('touched', book)?.timeUs ?? 0, base)

type Entry = readonly [book: string, record: BookRecord]

/**
 * The books that a list asks for, in its order: all of the library is looked through, with others' turns in between.
 * Show it only once it is durable.
 */
export async function listBooks(
  account: Account,
  query: ListQuery,
  { clock, base }: Reading
): Promise<{ total: number; data: ToldBook[] }> {
  const order = ORDERS[query.sort]
  let rows: (readonly [book: string, key: string | number])[][] = []
  const asked = folded(query)
  for (const page of account.views.pages('books', [], SEEN_BOOKS)) {
    const row: [string, string | number][] = []
    let begunMs = clock.nowMs()
    for (const entry of page) {
      // The texts of a book may take 64 KiB.
      if (Math.abs(clock.nowMs() - begunMs) >= TURN_MS) {
        await nextTurn(clock)
        begunMs = clock.nowMs()
      }
      if (!entry[1].removed && isAsked(entry[1], asked)) row.push([entry[0], order.key(entry)])
    }
    rows.push(row.sort(order.compare))
    await nextTurn(clock)
  }
  while (rows.length > 1) {
    const merged: typeof rows = []
    for (let [at, count] = [0, 0]; at < rows.length; at += 2) {
      const row = await mergedRows(rows[at]!, rows[at + 1] ?? [], order.compare, clock)
      merged.push(row)
      // Short rows have no turns of their own.
      if ((count += row.length) < MERGED) continue
      count = 0
      await nextTurn(clock)
    }
    rows = merged
  }
  const sorted = rows[0] ?? []
  const start = (query.page - 1) * query.limit
  account.views.noteActivity()
  const data = sorted.slice(start, start + query.limit).flatMap(([book]) => {
    const record = account.views.get('books', book)
    return record === undefined ? [] : [told(account, book, record, base)]
  })
  return { total: sorted.length, data }
}

async function mergedRows<T>(
  left: readonly T[],
  right: readonly T[],
  compare: (left: T, right: T) => number,
  clock: Clock
): Promise<T[]> {
  const merged: T[] = []
  for (let [one, two] = [0, 0]; one < left.length || two < right.length;) {
    const isLeft = two >= right.length || (one < left.length && compare(left[one]!, right[two]!) <= 0)
    merged.push(isLeft ? left[one++]! : right[two++]!)
    if (merged.length % MERGED === 0) await nextTurn(clock)
  }
  return merged
}

/** All marks are from here on. */
const FIRST_MARK = '\u0300'
const MARK = /\p{M}/u
/** More marks on one letter than any script has. */
const MANY_MARKS = 32

/** Sorting a long row of marks takes the square of its length: a text that has one is taken as it is. */
const fold = (text: string): string => (hasManyMarks(text) ? text : text.normalize('NFC')).toLowerCase()
const has = (text: string | null | undefined, part: string): boolean => fold(text ?? '').includes(part)

/** Looks at each character once; a pattern that counts looks at those of a row again and again. */
function hasManyMarks(text: string): boolean {
  let marks = 0
  for (const character of text) {
    marks = character >= FIRST_MARK && MARK.test(character) ? marks + 1 : 0
    if (marks >= MANY_MARKS) return true
  }
  return false
}

/** The same query, its texts folded: they are compared with each book's. */
const folded = (query: ListQuery): ListQuery => ({
  ...query,
  ...(query.author !== undefined && { author: fold(query.author) }),
  ...(query.genre !== undefined && { genre: fold(query.genre) }),
  ...(query.q !== undefined && { q: fold(query.q) })
})

/** @param query folded */
function isAsked({ fields }: BookRecord, { author, genre, language, series, uploaderId, q }: ListQuery): boolean {
  const { title, subtitle, authors, description } = fields
  return (
    (author === undefined || (authors ?? []).some(name => has(name, author))) &&
    (genre === undefined || (fields.subjects ?? []).some(subject => fold(subject) === genre)) &&
    (language === undefined || fields.language === language) &&
    (series === undefined || fields.series === series) &&
    // Nobody has uploaded a book: it is the account's.
    uploaderId === undefined &&
    (q === undefined || [title, subtitle, fields.series, description, ...(authors ?? [])].some(text => has(text, q)))
  )
}

const byKey =
  (direction: 1 | -1) =>
  (left: readonly [string, string | number], right: readonly [string, string | number]): number => {
    if (left[1] !== right[1]) return left[1] < right[1] ? -direction : direction
    return left[0] < right[0] ? -1 : 1
  }

const titleOf = ([, { fields }]: Entry): string => fold(fields.title ?? '')
const authorOf = ([, { fields }]: Entry): string => fold(fields.authors?.[0] ?? '')
const addedUs = ([, { createdAtUs }]: Entry): number => createdAtUs
/** By its place in its series, which may be between two others, such as 1.5; those of none behind all others. */
const seriesOf = ([, { fields }]: Entry): string =>
  fields.series ? `${fold(fields.series)}\u0000${(fields.seriesIndex ?? 0).toFixed(6).padStart(20, '0')}` : '\uffff'

const ORDERS: Record<ListQuery['sort'], { key: (entry: Entry) => string | number; compare: ReturnType<typeof byKey> }> = {
  title_asc: { key: titleOf, compare: byKey(1) },
  title_desc: { key: titleOf, compare: byKey(-1) },
  author_asc: { key: authorOf, compare: byKey(1) },
  author_desc: { key: authorOf, compare: byKey(-1) },
  added_newest: { key: addedUs, compare: byKey(-1) },
  added_oldest: { key: addedUs, compare: byKey(1) },
  series_asc: { key: seriesOf, compare: byKey(1) }
}
