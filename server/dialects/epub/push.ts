import { HubError } from '../../../protocol/index.ts'
import { nextTurn } from '../../core/ports.ts'
import { giveAgain } from './book-numbers.ts'
import { takeBook } from './books.ts'
import type { Exchange } from './exchange.ts'
import { madeIds, placeOfMarking, takeMarking } from './markings.ts'
import type { BookModel, PositionModel, SynchronizationModel } from './model.ts'
import { inOrder, takeActivity } from './places.ts'
import { SETTINGS, takeSetting, type SettingKind } from './settings.ts'

/** What one request may bring, of all kinds together. */
export const MAX_ITEMS = 2_000
/** Markings whose places are looked up in one turn of the event loop. */
const FOUND_AT_ONCE = 64

/** How many items a request brings. */
export function itemsIn(model: SynchronizationModel): number {
  const { Markings, Books, EPubHistoryActivities, AccountCodes, BookHtmlPages, BookStyleSheets } = model
  const lists = [Markings, Books, EPubHistoryActivities, AccountCodes, BookHtmlPages, BookStyleSheets]
  return lists.reduce((sum, list) => sum + (list?.length ?? 0), 0) + (model.Book ? 1 : 0) + (model.PopupSettings ? 1 : 0)
}

/** True when the account says more than who signs in. */
const hasPreferences = ({ Account: account }: SynchronizationModel): boolean =>
  account !== null &&
  account !== undefined &&
  Object.entries(account).some(
    ([name, value]) =>
      !['Email', 'Password', 'PasswordHash', 'SecurityStamp', 'LastAccess', 'extra'].includes(name) && value !== null
  )

/** True when a request wants anything changed. */
export const isPush = (model: SynchronizationModel): boolean => itemsIn(model) > 0 || hasPreferences(model)

/**
 * Takes what a device sent. Each item is taken or not by itself; `exchange.messages` says which were not, and why.
 * @throws HubError what concerns all of them
 */
export async function push(exchange: Exchange, model: SynchronizationModel): Promise<void> {
  if (!isPush(model)) return
  exchange.mustWrite()
  const books: (readonly [string, BookModel])[] = [
    ...(model.Book ? [['Book', model.Book] as const] : []),
    ...(model.Books ?? []).map((book, index) => [`Books[${index}]`, book] as const)
  ]
  const places = [...(model.Markings ?? []), ...(model.EPubHistoryActivities ?? [])]
  await giveAgain(exchange, [...books.map(([, book]) => book.booksBookID), ...places.map(({ bookID }) => bookID)])
  await exchange.takeAll(
    books.map(([, item], index) => ({ index, item })),
    index => books[index]![0],
    book => takeBook(exchange, book)
  )
  await pushMarkings(exchange, model.Markings ?? [])
  await exchange.takeAll(
    inOrder(model.EPubHistoryActivities ?? []),
    index => `EPubHistoryActivities[${index}]`,
    activity => takeActivity(exchange, activity)
  )
  if (hasPreferences(model)) await pushSettings(exchange, 'Account', [model.Account!])
  if (model.PopupSettings) await pushSettings(exchange, 'PopupSettings', [model.PopupSettings])
  for (const kind of ['AccountCodes', 'BookHtmlPages', 'BookStyleSheets'] as const)
    await pushSettings(exchange, kind, model[kind] ?? [])
}

const pushSettings = (exchange: Exchange, kind: SettingKind, models: readonly object[]): Promise<void> =>
  exchange.takeAll(
    models.map((item, index) => ({ index, item })),
    index => (SETTINGS[kind].id === undefined ? kind : `${kind}[${index}]`),
    model => takeSetting(exchange, kind, model)
  )

/**
 * Takes markings book by book, so that few documents are in memory at once; of one that is sent twice, first the one that the device says is older.
 * @param take what is done with each
 */
export async function pushMarkings(
  exchange: Exchange,
  markings: readonly PositionModel[],
  name = (index: number): string => `Markings[${index}]`,
  take: typeof takeMarking = takeMarking
): Promise<void> {
  const byBook = new Map<
    string,
    { index: number; item: { place: ReturnType<typeof placeOfMarking>; marking: PositionModel } }[]
  >()
  for (const { index, item: marking } of inOrder(markings)) {
    if (index % FOUND_AT_ONCE === FOUND_AT_ONCE - 1) await nextTurn(exchange.clock)
    try {
      const place = placeOfMarking(exchange, marking)
      const known = byBook.get(place.book)
      if (known === undefined) byBook.set(place.book, [{ index, item: { place, marking } }])
      else known.push({ index, item: { place, marking } })
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      exchange.messages.push(`${name(index)}: ${error.message}`)
    }
  }
  for (const [book, items] of byBook) {
    const load = (): Promise<void> => exchange.account.documents.load(new Set([book]))
    await load()
    const ids = await madeIds(
      exchange,
      book,
      items.map(({ item }) => item.place.id)
    )
    await exchange.takeAll(
      items,
      name,
      ({ place: { id }, marking }) => take(exchange, { book, id: ids.get(id) ?? id }, marking),
      load
    )
  }
}
