import type { Account } from '../core/account.ts'
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
 * Finds books by their own id, else by an identifier, else by title and author. The library is gone through once, for all of them.
 * @param nextTurn lets others work
 */
export async function findBooks(
  account: Account,
  wanted: readonly BookDescription[],
  nextTurn: () => Promise<void>
): Promise<Found[]> {
  const candidates = wanted.map((): Candidates => ({ strength: 0, books: new Map() }))
  const add = (index: number, strength: number, book: string, isRemoved: boolean): void => {
    const held = candidates[index]!
    if (strength > held.strength) held.books.clear()
    if (strength < held.strength) return
    held.strength = strength
    held.books.set(book, isRemoved)
  }
  const byIdentifier = indexed(wanted, ({ identifiers }) => identifiers)
  const byTitle = indexed(wanted, ({ fields: { title } }) => (title === undefined ? [] : [textKey(title)]))
  for (const [index, { id }] of wanted.entries()) {
    const record = id === undefined ? undefined : account.views.get('books', id)
    if (id !== undefined && (record !== undefined || account.documents.isKnown(id))) add(index, 3, id, record?.removed ?? false)
  }
  for (let after = ''; candidates.some(({ strength }) => strength < 3);) {
    const page = account.views.range('books', [], after, SLICE)
    for (const [book, record] of page) {
      for (const identifier of Object.keys(record.identifiers))
        for (const index of byIdentifier.get(identifier) ?? []) add(index, 2, book, record.removed)
      for (const index of new Set(titleKeys(record).flatMap(key => byTitle.get(key) ?? [])))
        if (mayBeBy(wanted[index]!.fields.authors, record.fields.authors)) add(index, 1, book, record.removed)
    }
    if (page.length < SLICE) break
    after = page.at(-1)![0]
    await nextTurn()
  }
  return candidates.map(({ books }): Found => {
    const there = [...books].filter(([, isRemoved]) => !isRemoved).map(([book]) => book)
    if (there.length === 1) return { outcome: 'found', book: there[0]! }
    if (there.length > 1) return { outcome: 'several', books: there }
    return { outcome: books.size > 0 ? 'removed' : 'none' }
  })
}

function indexed(
  wanted: readonly BookDescription[],
  namesOf: (book: BookDescription) => readonly string[]
): Map<string, number[]> {
  const index = new Map<string, number[]>()
  for (const [place, book] of wanted.entries())
    for (const name of namesOf(book)) if (name !== '') index.set(name, [...(index.get(name) ?? []), place])
  return index
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
