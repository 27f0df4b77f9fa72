import { activitySince } from '../../core/activity.ts'
import { nextTurn } from '../../core/ports.ts'
import { bookMembers, itemOf as itemOfBook } from './books.ts'
import { numberOf } from './book-numbers.ts'
import type { Exchange } from './exchange.ts'
import { guidOf } from './guids.ts'
import { itemOf as itemOfMarking, markingModel, markingOf } from './markings.ts'
import { modelOf } from './members.ts'
import type { AccountCode, AccountModel, BookHtmlPage, BookModel, BookStyleSheet, PopupSettings, PositionModel } from './model.ts'
import { activitiesOf } from './places.ts'
import { settingsFor } from './settings.ts'
import { answering } from './times.ts'

/** What one answer tells, about: past it the rest is told by the next one. One book is always told whole. */
const MOST = { items: 2_000, bytes: 4_194_304 } as const
const PAGE = 50
/** Books that are looked at in one turn of the event loop. */
const BOOKS_AT_ONCE = 16

/** What others changed, as the answer's lists. */
export interface Told {
  readonly books: BookModel[]
  readonly markings: PositionModel[]
  readonly activities: PositionModel[]
  account: AccountModel | null
  popup: PopupSettings | null
  readonly codes: AccountCode[]
  readonly pages: BookHtmlPage[]
  readonly styles: BookStyleSheet[]
  /** How far the device has got with it. */
  untilUs: number
}

/**
 * What the device does not have as it stands now, of what changed since it last asked. It costs as much as the books that changed hold. Records are read in turns with other work: what changes
 * meanwhile is told by the next answer. All that is told is durable, and is remembered as told.
 * @throws HubError
 */
export async function changesFor(exchange: Exchange): Promise<Told> {
  const headUs = exchange.account.timeUs
  const turn = (): Promise<void> => nextTurn(exchange.clock)
  const told: Told = {
    books: [],
    markings: [],
    activities: [],
    account: null,
    popup: null,
    codes: [],
    pages: [],
    styles: [],
    untilUs: headUs
  }
  const settings = await settingsFor(exchange, headUs, MOST, turn)
  for (const { kind, members } of settings.told) {
    if (kind === 'Account') told.account = modelOf(members)
    else if (kind === 'PopupSettings') told.popup = modelOf(members)
    else if (kind === 'AccountCodes') told.codes.push(modelOf(members))
    else if (kind === 'BookHtmlPages') told.pages.push(modelOf(members))
    else told.styles.push(modelOf(members))
  }
  told.untilUs = await tellBooks(exchange, told, settings.untilUs, turn)
  answering(exchange, told.untilUs)
  await exchange.told(told.untilUs)
  return told
}

/** @returns how far the books were told */
async function tellBooks(exchange: Exchange, told: Told, untilUs: number, turn: () => Promise<void>): Promise<number> {
  let bytes = 0
  for (let after = exchange.sinceUs; ;) {
    const page = activitySince(exchange.views, after, BOOKS_AT_ONCE)
    for (const { book, timeUs } of page) {
      if (timeUs > untilUs) return untilUs
      if (told.books.length + told.markings.length + told.activities.length >= MOST.items || bytes >= MOST.bytes) return after
      bytes += await tellBook(exchange, told, book, untilUs, turn)
      after = timeUs
    }
    if (page.length < BOOKS_AT_ONCE) return untilUs
    await turn()
  }
}

/** @returns the bytes of text that it took, about */
async function tellBook(
  exchange: Exchange,
  told: Told,
  book: string,
  untilUs: number,
  turn: () => Promise<void>
): Promise<number> {
  const { account, views, sinceUs } = exchange
  const record = views.get('books', book)
  // Who has nothing is not told what is not there.
  if (sinceUs === 0 && record?.removed === true && !exchange.hasSent(itemOfBook(book))) return 0
  const number = numberOf(exchange, book, record)
  if (number === undefined) return 0
  let bytes = 0
  const members = record === undefined ? undefined : bookMembers(number, record)
  if (members !== undefined && exchange.isNews(itemOfBook(book), members)) {
    told.books.push(modelOf(members))
    bytes += JSON.stringify(members).length
  }
  told.activities.push(...(await activitiesOf(exchange, book, number, untilUs, turn)))
  for (let after = ''; account.documents.isKnown(book);) {
    const page = await account.documents.withDocument(book, document => document.list(after, PAGE))
    for (const [id, annotation] of page) {
      const marking = markingOf(number, book, id, annotation)
      const item = itemOfMarking(guidOf(book, id))
      if (sinceUs === 0 && marking['SyncIsRemoved'] === true && !exchange.hasSent(item)) continue
      if (!exchange.isNews(item, marking, [book, id])) continue
      told.markings.push(markingModel(marking))
      bytes += JSON.stringify(marking).length
    }
    if (page.length < PAGE) break
    after = page.at(-1)![0]
    await turn()
  }
  return bytes
}
