import type { Account } from '../core/account.ts'
import { bookBy } from '../core/identifiers.ts'
import { nextTurn, type Clock } from '../core/ports.ts'
import type { BookRecord } from '../core/records.ts'
import type { BookDescription } from './annotation.ts'

/** Books that are looked at in one turn. */
const SLICE = 200

/** Which book of the library a description means. */
export type Found =
  | { readonly outcome: 'found'; readonly book: string }
  | { readonly outcome: 'several'; readonly books: readonly string[] }
  | { readonly outcome: 'removed' | 'none' }

interface Candidates {
  /** What they were found by: the library's id, an identifier, or title and author. */
  strength: number
  readonly books: Map<string, boolean>
}

/**
 * Finds books by their own id, else by an identifier, else by title and author: for these, and for an identifier of a removed book, the library is gone through once, with turns of others
 * in between.
 */
export async function findBooks(account: Account, wanted: readonly BookDescription[], clock: Clock): Promise<Found[]> {
  const candidates = wanted.map((): Candidates => ({ strength: 0, books: new Map() }))
  const note = (index: number, strength: number, book: string, isRemoved: boolean): void => {
    const held = candidates[index]!
    if (strength > held.strength) held.books.clear()
    if (strength < held.strength) return
    held.strength = strength
    held.books.set(book, isRemoved)
  }
  const byTitle = new Map<string, number[]>()
  /** Identifiers that name a removed book: another one that has them may be there. */
  const byIdentifier = new Map<string, number[]>()
  const list = (lists: Map<string, number[]>, name: string, index: number): void =>
    void lists.set(name, [...(lists.get(name) ?? []), index])
  const { views, documents } = account
  for (const [index, { id, identifiers, fields }] of wanted.entries()) {
    const add = (strength: number, book: string | undefined): void => {
      const record = book === undefined ? undefined : views.get('books', book)
      const isRemoved = record?.removed ?? false
      // One that is there under the same identifier comes before the one that was removed.
      if (record !== undefined || (strength === 3 && documents.isKnown(book!)))
        note(index, isRemoved ? 2 : strength, book!, isRemoved)
    }
    if (id !== undefined) add(3, id)
    for (const identifier of identifiers) {
      const book = bookBy(views, identifier)
      add(2, book)
      if (book !== undefined && views.get('books', book)?.removed === true) list(byIdentifier, identifier, index)
    }
    const title = textKey(fields.title ?? '')
    if (candidates[index]!.strength === 0 && title !== '') list(byTitle, title, index)
  }
  for (const page of byTitle.size + byIdentifier.size > 0 ? views.pages('books', [], SLICE) : []) {
    for (const [book, record] of page) {
      if (byIdentifier.size > 0 && !record.removed)
        for (const identifier of Object.keys(record.identifiers))
          for (const index of byIdentifier.get(identifier) ?? []) note(index, 2, book, false)
      for (const index of new Set(titleKeys(record).flatMap(key => byTitle.get(key) ?? [])))
        if (mayBeBy(wanted[index]!.fields.authors, record.fields.authors)) note(index, 1, book, record.removed)
    }
    await nextTurn(clock)
  }
  return candidates.map(({ books }): Found => {
    const there = [...books].filter(([, isRemoved]) => !isRemoved).map(([book]) => book)
    if (there.length === 1) return { outcome: 'found', book: there[0]! }
    if (there.length > 1) return { outcome: 'several', books: there }
    return { outcome: books.size > 0 ? 'removed' : 'none' }
  })
}

function titleKeys({ fields: { title, subtitle } }: BookRecord): string[] {
  if (title === undefined || title === null) return []
  return subtitle ? [textKey(title), textKey(`${title} ${subtitle}`)] : [textKey(title)]
}

/** Unknown authors may be anyone. Words count, and not their order: apps write `Austen, Jane` and `Jane Austen`. */
function mayBeBy(some: readonly string[] | null = [], others: readonly string[] | null = []): boolean {
  if (!some?.length || !others?.length) return true
  const known = new Set(others.map(wordsKey))
  return some.some(author => known.has(wordsKey(author)))
}

const wordsIn = (text: string): string[] =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu) ?? []
const textKey = (text: string): string => wordsIn(text).join(' ')
const wordsKey = (text: string): string => wordsIn(text).sort().join(' ')
