import type { ActionBody } from '../../protocol/index.ts'
import type { Account } from '../core/account.ts'
import type { Origin } from '../core/origin.ts'
import type { Clock } from '../core/ports.ts'
import type { BookDescription, BookPosition } from './annotation.ts'
import { findBooks, type Found } from './find-books.ts'
import { stableId } from './uris.ts'

/** What became of a book that a file speaks of. */
export type Taken = Found | { readonly outcome: 'made' | 'changed'; readonly book: string }

/** One device for each account that may have had a position. */
const MAX_DEVICES = 10_000

/**
 * Finds the books that a file speaks of. A record of a library brings what the book lacks here, and makes the book if there is none; of what
 * people have changed since nothing is touched, and a removed book stays removed.
 *
 * @param isAdding makes any book that there is not, of what the file says of it
 */
export async function takeBooks(
  account: Account,
  origin: Origin,
  books: readonly BookDescription[],
  isAdding: boolean,
  clock: Clock
): Promise<Taken[]> {
  const taken: Taken[] = []
  for (const [index, found] of (await findBooks(account, books, clock)).entries()) {
    const book = books[index]!
    const mayMake = found.outcome === 'none' && (isAdding || book.isRecord === true)
    const id = found.outcome === 'found' ? found.book : idOf(book)
    if (mayMake || (found.outcome === 'found' && book.isRecord === true)) {
      const isChanged = await complete(account, origin, id, book)
      taken.push(mayMake ? { outcome: 'made', book: id } : isChanged ? { outcome: 'changed', book: id } : found)
    } else taken.push(found)
  }
  return taken
}

/** The same for what says the same of itself. */
const idOf = ({ id, identifiers, fields: { title, authors } }: BookDescription): string =>
  id ??
  (identifiers.length > 0 ? stableId('book', ...[...identifiers].sort()) : stableId('book', title ?? '', ...(authors ?? [])))

async function complete(account: Account, origin: Origin, id: string, book: BookDescription): Promise<boolean> {
  const lacking = lackingOf(account, id, {
    ...book.fields,
    identifiers: Object.fromEntries(book.identifiers.map(name => [name, 'import']))
  })
  const isLacking = Object.keys(lacking).length > 0 || account.views.get('books', id) === undefined
  if (isLacking) await account.perform(origin, 'book.put', id, lacking)
  const isFurther = book.position !== undefined && (await takePosition(account, origin, id, book.position))
  return isLacking || isFurther
}

/** What a book does not say of itself yet. */
export function lackingOf(account: Account, book: string, found: ActionBody<'book.put'>): ActionBody<'book.put'> {
  const known = account.views.get('books', book)
  const missing = (of: object, held: object | undefined): [string, unknown][] =>
    Object.entries(of).filter(([name]) => (held as Record<string, unknown> | undefined)?.[name] === undefined)
  const { identifiers = {}, ...fields } = found
  const fresh = missing(identifiers, known?.identifiers)
  return Object.fromEntries([
    ...missing(fields, known?.fields),
    ...(fresh.length > 0 ? [['identifiers', Object.fromEntries(fresh)]] : [])
  ]) as ActionBody<'book.put'>
}

/** A place comes in only where it is newer than every device's own: else the newest one here would be an old one. */
async function takePosition(
  account: Account,
  origin: Origin,
  book: string,
  { progression, atMs, device }: BookPosition
): Promise<boolean> {
  const known = account.views.range('positions', [book], '', MAX_DEVICES)
  if (known.some(([, position]) => position.atMs >= atMs)) return false
  const extra = { importedFrom: device ?? '' }
  await account.perform(origin, 'position.set', book, { progression, extra }, atMs)
  return true
}
