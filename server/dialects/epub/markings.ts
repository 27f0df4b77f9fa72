import { HubError, type ActionBody, type Plain } from '../../../protocol/index.ts'
import { annotationIds, annotationIn, type PlainAnnotation } from '../../core/documents/annotations.ts'
import { nextTurn } from '../../core/ports.ts'
import { locationOf } from '../../core/tellings.ts'
import { bookOf, isNumber } from './book-numbers.ts'
import { dateOfUs, NO_DATE } from './dates.ts'
import type { Exchange, Step } from './exchange.ts'
import { fitting, whole } from './fitting.ts'
import { NO_GUID } from './formats/write-json.ts'
import { guidOf, isMade } from './guids.ts'
import { changedIn, isMembers, membersOf, modelOf, remembered, type Members } from './members.ts'
import { mergeText } from './merge-text.ts'
import type { PositionModel } from './model.ts'

/** Members that are an annotation's own fields; all others stand in its `extra`. */
const FIELDS = { content: 'quote', chapter: 'chapter', color: 'color' } as const
/** What says which marking it is, and in which book. */
const IDENTITY = new Set(['syncGuid', 'bookID'])
/** The end of the year 9999. */
const MAX_MS = 253_402_300_799_999
/** GUIDs that are made in one turn of the event loop. */
const MADE_AT_ONCE = 512
/** Under this name of `extra` an annotation, a place or a book has the members that are only this API's. */
export const OWN = 'epub'
/** Members that say where a selection is: readers of other kinds find them among the locators. */
const PLACES = ['chapterId', 'CharIndexStart', 'CharIndexEnd'] as const

export const itemOf = (guid: string): string => `marking:${guid}`

/** The members that are kept for this API alone. */
export const ownMembers = (model: 'position' | 'book', extra: unknown): Members =>
  fitting(model, isMembers(extra) ? extra[OWN] : undefined)

/** An annotation as this API shows it. */
export function markingOf(number: number, book: string, id: string, annotation: PlainAnnotation): Members {
  const own = ownMembers('position', annotation['extra'])
  const { section, ...place } = placeMembers(annotation['locators'])
  const { note, updatedAtMs } = annotation
  const marking: Members = {
    ...(section !== undefined && { section }),
    ...own,
    ...place,
    syncGuid: guidOf(book, id),
    bookID: number,
    note: typeof note === 'string' && note !== '' ? note : (own['note'] ?? null),
    SyncIsRemoved: annotation['removedAtMs'] !== undefined,
    Timestamp: own['Timestamp'] ?? dateOfMs(updatedAtMs)
  }
  for (const [member, field] of Object.entries(FIELDS)) {
    const value = annotation[field]
    marking[member] = typeof value === 'string' ? value : null
  }
  return whole('position', marking)
}

/** A time that anybody may have written. */
const dateOfMs = (ms: unknown): string =>
  Number.isSafeInteger(ms) && (ms as number) >= 0 && (ms as number) <= MAX_MS ? dateOfUs((ms as number) * 1_000) : NO_DATE

/** What of locators that came by other ways this API has members for: a chapter's file, characters of it, and else the text of a locator, as it is. */
export function placeMembers(locators: unknown): Members {
  if (!isMembers(locators)) return {}
  const { href, chars, ...others } = locators
  const [, start, end] = /^(\d{1,9})-(\d{1,9})$/.exec(typeof chars === 'string' ? chars : '') ?? []
  const [, other] = Object.entries(others).sort(([left], [right]) => (left < right ? -1 : 1))[0] ?? []
  return {
    ...(typeof href === 'string' && { chapterId: href }),
    ...(start !== undefined && { CharIndexStart: Number(start), CharIndexEnd: Number(end) }),
    ...(typeof other === 'string' && { section: other })
  }
}

/** The same the other way, for readers of other kinds. */
export function locatorsOf({ chapterId, CharIndexStart: start, CharIndexEnd: end }: Members): Record<string, string> {
  return {
    ...(typeof chapterId === 'string' && chapterId !== '' && { href: chapterId }),
    ...(typeof start === 'number' && typeof end === 'number' && { chars: `${start}-${end}` })
  }
}

export interface Place {
  readonly book: string
  readonly id: string
}

/** Where a marking is, as the device knows it, or another one of this API. */
export function findMarking({ views, devices }: Exchange, guid: string): Place | undefined {
  const item = itemOf(guid)
  for (const id of devices) {
    const [book, annotation] = locationOf(views, id, item) ?? []
    if (book !== undefined && annotation !== undefined) return { book, id: annotation }
  }
  return undefined
}

/**
 * Where a marking is that was sent: where it is known to be, else in the book that it names.
 * @throws HubError `bad-request` naming the member
 */
export function placeOfMarking(exchange: Exchange, { syncGuid, bookID }: PositionModel): Place {
  if (!syncGuid || syncGuid === NO_GUID)
    throw new HubError('bad-request', 'syncGuid: the GUID of the marking is wanted', { field: 'syncGuid' })
  const named = isNumber(bookID) ? bookOf(exchange.views, bookID) : undefined
  const known = findMarking(exchange, syncGuid)
  if (known !== undefined && named !== undefined && named !== known.book)
    throw new HubError('bad-request', `bookID: the marking ${syncGuid} is in another book, and stays there`, { field: 'bookID' })
  if (known === undefined && named === undefined)
    throw new HubError('bad-request', 'bookID: the number of a book is wanted', { field: 'bookID' })
  return known ?? { book: named!, id: syncGuid }
}

/**
 * The annotations of a book that come from elsewhere, by their GUIDs: of these only who was told them is known, and a device that goes on from the copy of another one, or from a hub
 * that was restored, knows more than that. The book's document MUST be in memory.
 * @param guids what may be one of them
 */
export async function madeIds(exchange: Exchange, book: string, guids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const { doc } = exchange.account.documents.use(book)
  const wanted = new Set(guids.filter(guid => isMade(guid) && annotationIn(doc, guid) === undefined))
  if (wanted.size === 0) return found
  for (const [index, id] of annotationIds(doc).entries()) {
    const guid = guidOf(book, id)
    if (wanted.has(guid)) found.set(guid, id)
    if (index % MADE_AT_ONCE === MADE_AT_ONCE - 1) await nextTurn(exchange.clock)
  }
  return found
}

/**
 * Takes one marking that a device sent: what it changed of what it had is changed, member by member, and nothing else. The book's document MUST be in memory.
 * @param meant a member that the call is about: it counts also where it is empty
 * @throws HubError the refusal
 */
export async function takeMarking(
  exchange: Exchange,
  { book, id }: Place,
  model: PositionModel,
  meant?: keyof PositionModel
): Promise<void> {
  const item = itemOf(model.syncGuid!)
  const sent = membersOf(model)
  const known = exchange.known(item)
  const annotation = annotationIn(exchange.account.documents.use(book).doc, id)
  const steps = annotation === undefined ? created(book, id, sent) : changed(book, id, annotation, known, sent, meant)
  await exchange.perform(steps, () => {
    // What it did not send, and the hub filled in, is no news to it.
    const filled = annotation === undefined ? remembered(markingNow(exchange, { book, id }, sent['bookID'] as number)) : known
    exchange.sent(item, { ...filled, ...remembered(sent) }, [book, id])
  })
}

const markingNow = (exchange: Exchange, { book, id }: Place, number: number): Members =>
  markingOf(number, book, id, annotationIn(exchange.account.documents.use(book).doc, id) ?? {})

function created(book: string, id: string, sent: Members): readonly Step[] {
  const { content, note } = sent
  const kind = content ? 'highlight' : note ? 'note' : 'bookmark'
  const put: Step = ['annotation.put', book, putBody(id, sent, Object.keys(sent), {}, { kind })]
  return sent['SyncIsRemoved'] === true ? [put, ['annotation.remove', book, { id }]] : [put]
}

function changed(
  book: string,
  id: string,
  annotation: PlainAnnotation,
  known: Members | undefined,
  sent: Members,
  meant: string | undefined
): readonly Step[] {
  const current = markingOf(sent['bookID'] as number, book, id, annotation)
  const isRemoved = current['SyncIsRemoved'] as boolean
  let names = changedIn(known ?? remembered(current), sent).filter(name => !IDENTITY.has(name))
  // Of a device of which nothing is known, what is empty or says that it is there changes nothing, unless the call is about that.
  if (known === undefined) names = names.filter(name => name === meant || (sent[name] !== null && sent[name] !== false))
  const steps: Step[] = []
  const members = names.filter(name => name !== 'SyncIsRemoved')
  if (members.length > 0) {
    const note = known === undefined ? '' : mergeText(textOf(known['note']), textOf(sent['note']), textOf(current['note']))
    const merged = note === '' ? sent : { ...sent, note }
    steps.push(['annotation.put', book, putBody(id, merged, members, annotation, {})])
  }
  if (names.includes('SyncIsRemoved') && sent['SyncIsRemoved'] !== isRemoved)
    steps.push([isRemoved ? 'annotation.restore' : 'annotation.remove', book, { id }])
  return steps
}

const textOf = (value: Plain | undefined): string => (typeof value === 'string' ? value : '')

function putBody(
  id: string,
  sent: Members,
  names: readonly string[],
  annotation: PlainAnnotation,
  more: Omit<ActionBody<'annotation.put'>, 'id'>
): ActionBody<'annotation.put'> {
  const body: Record<string, Plain> = { ...more, id }
  const own: Members = {}
  for (const name of names) {
    const value = sent[name]!
    if (Object.hasOwn(FIELDS, name)) body[FIELDS[name as keyof typeof FIELDS]] = value
    else if (name === 'note') {
      body['note'] = value
      // An empty note is none; which of the two it was is kept beside it.
      if (value === '' || value === null) own['note'] = value
    } else if (!IDENTITY.has(name) && name !== 'SyncIsRemoved') own[name] = value
  }
  const kept = { ...ownMembers('position', annotation['extra']), ...own }
  if (Object.keys(own).length > 0) body['extra'] = { ...(annotation['extra'] as Members | undefined), [OWN]: kept }
  if (names.some(name => (PLACES as readonly string[]).includes(name)))
    body['locators'] = locatorsWith(annotation['locators'], own, kept)
  return body as unknown as ActionBody<'annotation.put'>
}

/** The locators of others stay; those that this API has members for follow the members. */
function locatorsWith(locators: Plain | undefined, own: Members, kept: Members): Members {
  const { href, chars, ...others } = isMembers(locators) ? locators : {}
  return { ...others, ...locatorsOf({ ...kept, ...placeMembers({ href: href ?? null, chars: chars ?? null }), ...own }) }
}

/** The model of what `markingOf` gives. */
export const markingModel = (marking: Members): PositionModel => modelOf<'position'>(marking)
