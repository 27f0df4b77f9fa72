import { createHash } from 'node:crypto'
import { encodeValue, HubError, isSameValue } from '../../../protocol/index.ts'
import { positionVersions, type PositionVersion } from '../../core/position-history.ts'
import type { PositionRecord } from '../../core/records.ts'
import { SEPARATOR } from '../../core/views.ts'
import { bookOf, isNumber } from './book-numbers.ts'
import { dateOfUs, NO_DATE, ticksOfDate } from './dates.ts'
import type { Exchange } from './exchange.ts'
import { guidNamed } from './guids.ts'
import { locatorsOf, OWN, ownMembers, placeMembers } from './markings.ts'
import { isMembers, membersOf, modelOf, type Members } from './members.ts'
import type { PositionModel } from './model.ts'

/** Activities of one book that a device is known to have sent since it last came on, the newest: as many as one request may bring. */
const MAX_SENT = 2_000
/** Devices of one book whose places are looked at in one turn. */
const PAGE_DEVICES = 16

const itemOf = (book: string): string => `places:${book}`
const toldItemOf = (book: string): string => `activities:${book}`

/** An older activity before a newer one, as the device's own clock says; otherwise as they were sent. */
export const inOrder = (activities: readonly PositionModel[]): { index: number; item: PositionModel }[] =>
  activities
    .map((item, index) => ({ index, item, ticks: ticksOfDate(item.Timestamp ?? NO_DATE) }))
    .sort((left, right) => (left.ticks < right.ticks ? -1 : left.ticks > right.ticks ? 1 : left.index - right.index))

/**
 * Takes one activity that a device sent: the device is there now. One that it has sent before, from where it is, changes nothing.
 * @throws HubError the refusal
 */
export async function takeActivity(exchange: Exchange, activity: PositionModel): Promise<void> {
  const { bookID } = activity
  if (!isNumber(bookID)) throw new HubError('bad-request', 'bookID: the number of a book is wanted', { field: 'bookID' })
  const { views, device } = exchange
  const book = bookOf(views, bookID)
  const members = membersOf(activity)
  const digest = createHash('sha256').update(encodeValue(members)).digest('base64').slice(0, 16)
  const digests = exchange.known(itemOf(book))?.['sent']
  const before = Array.isArray(digests) && exchange.known(itemOf(book))?.['sinceUs'] === exchange.sinceUs ? digests : []
  const isAgain = before.includes(digest) || isSameValue(views.get('positions', book, device)?.fields.extra?.[OWN], members)
  if (isAgain) return exchange.sent(itemOf(book), { sinceUs: exchange.sinceUs, sent: before })
  const { chapter } = members
  const fields = {
    ...(typeof chapter === 'string' && { chapter }),
    locators: locatorsOf(members),
    extra: { [OWN]: members }
  }
  await exchange.perform([['position.set', book, fields]], () =>
    exchange.sent(itemOf(book), { sinceUs: exchange.sinceUs, sent: [...before, digest].slice(-MAX_SENT) })
  )
}

/**
 * Where other devices are in a book, and by which activities of this API they came there: what was set since the device was last told of the book's, and up to `untilUs`. How far it
 * has got with all books does not say it: a book that changed again, while an answer was made or behind one that was full, is told by a later answer, with all that was set before.
 * One that has nothing is told where it was itself, too.
 */
export async function activitiesOf(
  exchange: Exchange,
  book: string,
  number: number,
  untilUs: number,
  turn: () => Promise<void>
): Promise<PositionModel[]> {
  const { views, device, sinceUs } = exchange
  const last = sinceUs > 0 ? exchange.known(toldItemOf(book))?.['untilUs'] : undefined
  const lastUs = typeof last === 'number' ? last : 0
  const isNew = ({ changedAtUs }: { changedAtUs: number }): boolean => changedAtUs > lastUs && changedAtUs <= untilUs
  const told: PositionModel[] = []
  for (const page of views.pages('positions', [book], PAGE_DEVICES)) {
    for (const [key, position] of page) {
      const of = key.split(SEPARATOR)[0]!
      if (of === device && (sinceUs > 0 || exchange.hasSent(itemOf(book)))) continue
      for (const version of positionVersions(views.get('positionHistories', book, of)))
        if (version.cursor !== position.cursor && isNew({ changedAtUs: version.timeUs }) && isOwn(version))
          told.push(activityOf(number, book, of, version))
      if (isNew(position)) told.push(activityOf(number, book, of, position))
    }
    if (page.length === PAGE_DEVICES) await turn()
  }
  if (told.length > 0) exchange.isNews(toldItemOf(book), { untilUs })
  return told
}

const isOwn = ({ fields }: PositionVersion): boolean => isMembers(fields.extra?.[OWN])

function activityOf(
  number: number,
  book: string,
  device: string,
  { fields, atMs }: Pick<PositionRecord, 'fields' | 'atMs'>
): PositionModel {
  const own = ownMembers('position', fields.extra)
  if (Object.keys(own).length > 0) return modelOf<'position'>({ ...own, bookID: number })
  const { progression, chapter, locators } = fields
  const members: Members = {
    ...placeMembers(locators),
    syncGuid: guidNamed('position', book, device),
    bookID: number,
    chapter: chapter ?? null,
    Timestamp: dateOfUs(atMs * 1_000),
    // The API has no member for it; people are shown this one.
    ...(typeof progression === 'number' && { subSection1: String(progression) })
  }
  return modelOf<'position'>(members)
}
