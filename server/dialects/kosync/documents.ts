import { checked, HubError, key, type ActionBody } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import { bookBy } from '../../core/identifiers.ts'
import { OPERATOR, Origin } from '../../core/origin.ts'
import type { PositionRecord } from '../../core/records.ts'
import type { Views } from '../../core/views.ts'
import { DEVICE_PREFIX } from './devices.ts'

/** What an import calls the name that KOReader gives a file. */
const TYPE = 'koreader:'
const PLACEHOLDER = 'kosync-'
/** A document of this length fits into the key of an identifier and of a book. */
const documentShape = key(112)
/** Positions of one book are looked at to this number. */
const MAX_POSITIONS = 10_000
/** Books, positions and histories that are in memory at once: each may take 64 or 128 KiB. */
export const PAGE_RECORDS = 16

/** True for what a document's name may be: 1 to 112 bytes, no colon and no control character. KOReader's are 32 hexadecimal digits. */
export const isDocument = (value: unknown): value is string =>
  documentShape.fault(value) === undefined && !(value as string).includes(':') && Buffer.byteLength(value as string) <= 112

/** The identifier under which a book has a document, once it does. */
export const identifierOf = (document: string): string => TYPE + document

/** True for an identifier under which a book has a document. */
export const isOfDocument = (identifier: string): boolean => identifier.startsWith(TYPE)

/** Where the positions of a document stand while no book has it. There is no book under this id. */
const placeholderOf = (document: string): string => PLACEHOLDER + document

/** The book whose positions those of a document are; while there is none, a placeholder of which nobody is told. */
export const placeOf = (views: Views, document: string): string =>
  bookBy(views, identifierOf(document)) ?? placeholderOf(document)

/** What the dialect keeps of a position beside what every client knows of one. */
export interface KosyncExtra {
  /** As it was sent, as is the id. */
  readonly device: string
  readonly device_id?: string
  /** Where it is none from 0 to 1. */
  readonly percentage?: number
  readonly metadata?: { readonly [name: string]: string }
  /** The device had sent the same before, and somebody was further since. */
  readonly replayed?: true
  /** Set elsewhere, for a document before its book was known or for a removed copy of the book: `atMs` is when. */
  readonly joined?: true
}

export const extraOf = ({ fields }: Pick<PositionRecord, 'fields'>): Partial<KosyncExtra> =>
  (fields.extra?.['kosync'] as unknown as KosyncExtra | undefined) ?? {}

/** When a position was set, by the hub's clock; of one that was joined, when its device had sent it. */
export const timeMsOf = (position: PositionRecord): number =>
  extraOf(position).joined === true ? position.atMs : Math.floor(position.changedAtUs / 1_000)

type DevicePosition = [device: string, position: PositionRecord]

/** The positions that were set for a document while it had no book, and that its book lacks. */
function waitingOf(views: Views, document: string): DevicePosition[] {
  const book = bookBy(views, identifierOf(document))
  return book === undefined ? [] : lackedOf(views, placeholderOf(document), book)
}

/** What readers have set at a place, and a book lacks. */
const lackedOf = (views: Views, place: string, book: string): DevicePosition[] =>
  views
    .range('positions', [place], '', MAX_POSITIONS)
    .filter(([device, position]) => {
      const there = views.get('positions', book, device)
      return device.startsWith(DEVICE_PREFIX) && (there === undefined || timeMsOf(there) < timeMsOf(position))
    })
    .sort(([, left], [, right]) => left.changedAtUs - right.changedAtUs)

/** All that was set for a document: at its book, and what that lacks yet. */
export function* positionsOf(views: Views, document: string): Generator<DevicePosition> {
  for (const page of views.pages('positions', [placeOf(views, document)], PAGE_RECORDS)) yield* page
  yield* waitingOf(views, document)
}

/**
 * Gives the book of a document what its devices had set before it was known: changes like any other, which every session sees. What is there already is not
 * given again. Resolves once that is durable.
 * @throws HubError the refusal of a change
 */
export async function joinDocument(account: Account, document: string): Promise<void> {
  const book = bookBy(account.views, identifierOf(document))
  if (book !== undefined) await joinPlaces(account, placeholderOf(document), book)
}

/** Gives a book what readers have set at another place, and it lacks; as `joinDocument` does. @throws HubError the refusal of a change */
export async function joinPlaces(account: Account, place: string, book: string): Promise<void> {
  // All at once, so that of two who join the second finds nothing to do.
  await Promise.all(
    lackedOf(account.views, place, book).map(([device, position]) => {
      const { extra, ...fields } = position.fields
      const kosync = { ...extraOf(position), joined: true }
      const joined = { ...fields, extra: { ...extra, kosync } }
      return account.perform(new Origin(device, ''), 'position.set', book, joined, timeMsOf(position))
    })
  )
}

/** Joins the documents that a put has given to a book, once the put is durable. */
export function joinDocuments(account: Account, body: ActionBody<'book.put'>, onError: (error: unknown) => void): void {
  const documents = Object.entries(body.identifiers ?? {})
    .filter(([identifier, source]) => isOfDocument(identifier) && source !== null)
    .map(([identifier]) => identifier.slice(TYPE.length))
    .filter(document => isDocument(document) && waitingOf(account.views, document).length > 0)
  if (documents.length === 0) return
  account.whenDurable(() => {
    for (const document of documents) joinDocument(account, document).catch(onError)
  })
}

/** An identifier as an operator types it: a document, or `type:value`. @throws HubError `bad-request` */
const typedIdentifier = (text: string): string => {
  if (text.includes(':')) return checked('bad-request', key(128), text, 'identifier')
  if (!isDocument(text)) throw new HubError('bad-request', 'a document is 1 to 112 bytes', { field: 'identifier' })
  return identifierOf(text)
}

/**
 * Gives a book an identifier by hand, and joins what waited for it.
 * @param text a document, or `type:value`
 * @throws HubError `not-found`, `bad-request`
 */
export async function linkBook(account: Account, book: string, text: string): Promise<string> {
  const identifier = typedIdentifier(text)
  mustBeBook(account, book)
  await account.perform(OPERATOR, 'book.put', book, { identifiers: { [identifier]: 'operator' } })
  await account.settled()
  return identifier
}

/**
 * Takes an identifier away from a book by hand. What was joined stays with the book.
 * @throws HubError `not-found`, `bad-request`
 */
export async function unlinkBook(account: Account, book: string, text: string): Promise<string> {
  const identifier = typedIdentifier(text)
  if (mustBeBook(account, book).identifiers[identifier] === undefined)
    throw new HubError('not-found', `the book ${book} has no ${identifier}`, { field: 'identifier' })
  await account.perform(OPERATOR, 'book.put', book, { identifiers: { [identifier]: null } })
  return identifier
}

function mustBeBook({ views }: Account, book: string): { identifiers: Readonly<Record<string, string>> } {
  const known = views.get('books', checked('bad-request', key(128), book, 'book'))
  if (known === undefined) throw new HubError('not-found', `there is no book ${book}`, { field: 'book' })
  return known
}

/** A document that no book has, with the newest of what was said of it. */
export interface UnlinkedDocument {
  readonly document: string
  readonly percentage: number
  readonly device: string
  readonly changedAtMs: number
  readonly title?: string
  readonly filename?: string
}

/** Documents that no book has, at most `limit`. */
export function unlinkedDocuments(views: Views, limit: number): UnlinkedDocument[] {
  const found = new Map<string, UnlinkedDocument>()
  for (const [place, position] of views.range('positions', [], PLACEHOLDER, MAX_POSITIONS)) {
    if (!place.startsWith(PLACEHOLDER) || found.size >= limit) break
    const document = place.slice(PLACEHOLDER.length).split('\0')[0]!
    const changedAtMs = Math.floor(position.changedAtUs / 1_000)
    if (bookBy(views, identifierOf(document)) !== undefined || (found.get(document)?.changedAtMs ?? -1) > changedAtMs) continue
    const { device = '', metadata: { title, filename } = {} } = extraOf(position)
    const percentage = position.fields.progression ?? 0
    found.set(document, { document, percentage, device, changedAtMs, ...(title && { title }), ...(filename && { filename }) })
  }
  return [...found.values()]
}
