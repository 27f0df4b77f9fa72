import { HubError, type ActionBody, type Plain } from '../../../protocol/index.ts'
import { bookBy, identifierIn } from '../../core/identifiers.ts'
import type { BookRecord } from '../../core/records.ts'
import type { Views } from '../../core/views.ts'
import { identifierKey } from '../../files/identifiers.ts'
import { bookOf, identifierOf, isNumber } from './book-numbers.ts'
import type { Exchange, Step } from './exchange.ts'
import { whole } from './fitting.ts'
import { OWN, ownMembers } from './markings.ts'
import { changedIn, membersOf, remembered, type Members } from './members.ts'
import type { BookModel } from './model.ts'

/** Members that are a book's own fields; all others stand in its `extra`. */
const FIELDS = { title: 'title', description: 'description', publisher: 'publisher' } as const

/** What a device would send as `bookIdentifier` of the same file, so that it knows the book as one that it has: the ISBN, else what the EPUB calls itself. */
const KNOWN_BY = ['isbn', 'uuid', 'url', 'epub'] as const

export const itemOf = (book: string): string => `book:${book}`

/** A book as this API shows it. */
export function bookMembers(number: number, { fields, identifiers, removed }: BookRecord): Members {
  const own = ownMembers('book', fields.extra)
  return whole('book', {
    ...own,
    title: fields.title ?? null,
    description: fields.description ?? null,
    publisher: fields.publisher ?? null,
    author: fields.authors?.join(', ') ?? null,
    booksBookID: number,
    bookIdentifier: own['bookIdentifier'] ?? identifierIn(identifiers, ...KNOWN_BY) ?? null,
    fileSize: own['fileSize'] ?? fields.file?.sizeBytes ?? null,
    isInMyBooks: !removed && own['isInMyBooks'] !== false
  })
}

/**
 * Takes a book that a device sent: what it changed of what it had is changed. A number that is new is given to the book that the account has under the same `bookIdentifier`, unless something
 * came under the number before.
 * @throws HubError the refusal
 */
export async function takeBook(exchange: Exchange, model: BookModel): Promise<void> {
  const number = model.booksBookID
  if (!isNumber(number))
    throw new HubError('bad-request', 'booksBookID: the number of the book is wanted', { field: 'booksBookID' })
  const { views } = exchange
  const book = bookFor(views, number, model.bookIdentifier)
  const record = views.get('books', book)
  const item = itemOf(book)
  const sent = membersOf(model)
  const known = exchange.known(item)
  const current = record === undefined ? {} : bookMembers(number, record)
  let names = record === undefined ? Object.keys(sent) : changedIn(known ?? remembered(current), sent)
  // Of a device of which nothing is known, what is empty or false changes nothing.
  if (record !== undefined && known === undefined) names = names.filter(name => sent[name] !== null && sent[name] !== false)
  const isNumbered = bookBy(views, identifierOf(number)) === book
  await exchange.perform(stepsOf(book, number, record, sent, names, isNumbered), () => {
    const filled = record === undefined ? remembered(bookMembers(number, views.get('books', book)!)) : known
    exchange.sent(item, { ...filled, ...remembered(sent) })
  })
}

function bookFor(views: Views, number: number, bookIdentifier: string | null | undefined): string {
  const own = bookOf(views, number)
  const isNew = views.get('books', own) === undefined && views.get('documents', own) === undefined
  const key = isNew ? keyOf(bookIdentifier) : undefined
  return (key === undefined ? undefined : bookBy(views, key)) ?? own
}

const keyOf = (bookIdentifier: Plain | undefined): string | undefined =>
  typeof bookIdentifier === 'string' ? identifierKey(bookIdentifier, '') : undefined

function stepsOf(
  book: string,
  number: number,
  record: BookRecord | undefined,
  sent: Members,
  names: readonly string[],
  isNumbered: boolean
): readonly Step[] {
  const body: Record<string, Plain> = {}
  const own: Members = {}
  const identifiers: Record<string, string> = isNumbered ? {} : { [identifierOf(number)]: OWN }
  for (const name of names) {
    const value = sent[name]!
    if (Object.hasOwn(FIELDS, name)) body[name] = value
    else if (name === 'author') body['authors'] = value === null ? null : [value]
    // A book that is there already is removed and restored: that says it alone.
    else if (name !== 'booksBookID' && !(name === 'isInMyBooks' && record !== undefined && value !== true)) own[name] = value
    const key = name === 'bookIdentifier' ? keyOf(value) : undefined
    if (key !== undefined) identifiers[key] = OWN
  }
  if (Object.keys(own).length > 0)
    body['extra'] = { ...record?.fields.extra, [OWN]: { ...ownMembers('book', record?.fields.extra), ...own } }
  if (Object.keys(identifiers).length > 0) body['identifiers'] = identifiers
  const isMine = sent['isInMyBooks']
  return [
    ...(Object.keys(body).length > 0 ? [['book.put', book, body as ActionBody<'book.put'>] as const] : []),
    ...(names.includes('isInMyBooks') && record?.removed === (isMine === true)
      ? [[isMine === true ? 'book.restore' : 'book.remove', book, {}] as const]
      : [])
  ]
}
