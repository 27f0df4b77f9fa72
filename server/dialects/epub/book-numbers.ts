import { createHash } from 'node:crypto'
import { bookBy } from '../../core/identifiers.ts'
import { Origin } from '../../core/origin.ts'
import { nextTurn } from '../../core/ports.ts'
import type { BookRecord } from '../../core/records.ts'
import type { Views } from '../../core/views.ts'
import type { Exchange } from './exchange.ts'

/** The type of the identifier that holds a book's number on this wire. */
const TYPE = 'epub-book'
const OWN_ID = /^epub-(\d{1,10})$/
/** Books that come from elsewhere get a number from here on: clients number theirs from 1. */
const FIRST_GIVEN = 1_000_000_000
const GIVEN = 1_000_000_000
const MAX_NUMBER = 9_999_999_999
/** Books that are looked at in one turn of the event loop. */
const PAGE = 16

/** What a book's number can be, as far as the hub takes one. */
export const isNumber = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_NUMBER

export const identifierOf = (number: number): string => `${TYPE}:${number}`

/** The book of a number: the one that has it as an identifier, else one whose record may come later. */
export const bookOf = (views: Views, number: number): string => bookBy(views, identifierOf(number)) ?? `epub-${number}`

/**
 * The number of a book. One that came from elsewhere, and was never told, is given one: a change of the book's identifiers, so that it keeps it.
 * @returns undefined for what has no record, such as a place of a book that the account does not have
 */
export function numberOf(exchange: Exchange, book: string, record: BookRecord | undefined): number | undefined {
  const { views, account, device } = exchange
  const held = record === undefined ? undefined : heldNumber(views, book, record)
  const own = held ?? numberIn(book)
  if (own !== undefined || record === undefined) return own
  let number = givenTo(book)
  while (bookBy(views, identifierOf(number)) !== undefined) number += 1
  // Given by the hub: a device that may only read is told of books, too.
  const origin = new Origin(device, '', 'operator')
  exchange.begun(account.perform(origin, 'book.put', book, { identifiers: { [identifierOf(number)]: 'epub' } }))
  return number
}

/** What a book's number is that comes from elsewhere, unless another one has it. */
const givenTo = (book: string): number => FIRST_GIVEN + (createHash('sha256').update(book).digest().readUInt32BE() % GIVEN)

/**
 * Gives books the numbers again under which an app knows them: a hub that was restored knows no more that it had given them, and what comes under such a number would be in a book of its own.
 */
export async function giveAgain(exchange: Exchange, numbers: readonly unknown[]): Promise<void> {
  const { views, clock } = exchange
  const isUnknown = (number: number): boolean =>
    bookBy(views, identifierOf(number)) === undefined &&
    views.get('documents', `epub-${number}`) === undefined &&
    views.range('positions', [`epub-${number}`], '', 1).length === 0
  const lost = new Set(numbers.filter(number => isNumber(number) && number >= FIRST_GIVEN && isUnknown(number)))
  if (lost.size === 0) return
  for (const page of views.pages('books', [], PAGE)) {
    for (const [book, record] of page) if (lost.has(givenTo(book))) numberOf(exchange, book, record)
    await nextTurn(clock)
  }
}

/** Of several, the least. */
function heldNumber(views: Views, book: string, { identifiers }: BookRecord): number | undefined {
  const numbers = Object.keys(identifiers)
    .filter(key => key.startsWith(`${TYPE}:`) && bookBy(views, key) === book)
    .map(key => Number(key.slice(TYPE.length + 1)))
    .filter(Number.isSafeInteger)
  return numbers.length === 0 ? undefined : Math.min(...numbers)
}

/** Of a book that was put under its number. */
function numberIn(book: string): number | undefined {
  const digits = OWN_ID.exec(book)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
