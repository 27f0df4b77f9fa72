import { HubError } from '../../../protocol/index.ts'
import { activitySince } from '../../core/activity.ts'
import { annotationIn } from '../../core/documents/annotations.ts'
import { nextTurn } from '../../core/ports.ts'
import { giveAgain, numberOf } from './book-numbers.ts'
import { bookMembers } from './books.ts'
import { dateOfUs } from './dates.ts'
import { Exchange } from './exchange.ts'
import { findMarking, markingModel, markingOf, takeMarking } from './markings.ts'
import { modelOf } from './members.ts'
import type { BookModel, PositionModel } from './model.ts'
import { failed, succeeded, type ApiResult, type Call } from './operation.ts'
import type { EpubParts } from './operations.ts'
import { MAX_ITEMS, pushMarkings } from './push.ts'
import { settingMembers } from './settings.ts'
import { callerOf, type Caller } from './sign-in.ts'
import { answered, callerOfModel, TOO_MANY } from './synchronize.ts'
import { lastAnswered } from './times.ts'

const PAGE = 16

/** Registers the device that the model names, unless it is registered. */
export async function registerDevice(parts: EpubParts, call: Call<'SynchronizationModel'>): Promise<ApiResult<'bool'>> {
  const { account } = await callerOfModel(parts, call)
  await account.settled()
  return succeeded<'bool'>(true)
}

/** Who calls without a body that says so: a bearer, and in the address the application that it calls for. */
function callerOfAddress(parts: EpubParts, call: Call<any>): Promise<Caller> {
  const { token, address } = call
  const application = call.query('accountApplicationId') ?? ''
  if (application !== '' && !/^-?\d{1,15}$/.test(application))
    throw new HubError('bad-request', 'accountApplicationId: a whole number is wanted', { field: 'accountApplicationId' })
  return callerOf(parts, {
    token,
    address,
    account: null,
    application: application === '' ? null : Number(application),
    applicationType: call.query('applicationType')
  })
}

/** The account's preferences, its popup and all books that it has: what a new installation begins with. Nothing counts as told by it. */
export async function downloadInitialContent(parts: EpubParts, call: Call<never>): Promise<ApiResult<'SynchronizationModel'>> {
  if (!call.query('applicationType')) return failed(400, 'applicationType is required')
  const exchange = exchangeOf(parts, await callerOfAddress(parts, call))
  const [account, popup] = [settingMembers(exchange, 'Account'), settingMembers(exchange, 'PopupSettings')]
  return succeeded<'SynchronizationModel'>({
    Account: account === undefined ? null : modelOf<'account'>(account),
    PopupSettings: popup === undefined ? null : modelOf<'popupSettings'>(popup),
    Books: booksOf(exchange),
    ServerDateTime: dateOfUs(Math.floor(parts.clock.nowMs() * 1_000))
  })
}

/** All books that are not removed, with turns of others in between. What is given is durable. */
async function* booksOf(exchange: Exchange): AsyncGenerator<BookModel> {
  // What changes from here on, by being given a number too, comes again behind it.
  const headUs = exchange.account.timeUs
  for (let after = 0; ;) {
    const page = activitySince(exchange.views, after, PAGE).filter(({ timeUs }) => timeUs <= headUs)
    const books: BookModel[] = []
    for (const { book, isListed } of page) {
      const record = exchange.views.get('books', book)
      const number = isListed && record !== undefined ? numberOf(exchange, book, record) : undefined
      if (number !== undefined) books.push(modelOf<'book'>(bookMembers(number, record!)))
    }
    await exchange.kept()
    yield* books
    if (page.length < PAGE) return
    after = page.at(-1)!.timeUs
    await nextTurn(exchange.clock)
  }
}

/** Makes markings, or changes those that there are, as `synchronize` does. */
export const postMarkingsApp = (parts: EpubParts, call: Call<'position[]'>): Promise<ApiResult<'position[]'>> =>
  change(parts, call, call.body ?? [])

/** Takes markings away; they can be restored. */
export const removeMarkings = (parts: EpubParts, call: Call<'position[]'>): Promise<ApiResult<'position[]'>> =>
  change(
    parts,
    call,
    (call.body ?? []).map(marking => ({ ...identityOf(marking), SyncIsRemoved: true })),
    true
  )

/** Changes the note of one marking, and nothing else of it. */
export async function editNote(parts: EpubParts, call: Call<'position'>): Promise<ApiResult<'position'>> {
  const { body } = call
  if (body === null) return failed(400, 'a marking is wanted')
  const { note = null, Timestamp } = body
  const edited = { ...identityOf(body), note, ...(Timestamp !== undefined && { Timestamp }) }
  const { Errors, Result, StatusCode } = await change(parts, call, [edited], true, 'note')
  const [marking] = (Result ?? []) as readonly PositionModel[]
  return { Errors, Result: marking ?? null, StatusCode }
}

const identityOf = ({ syncGuid, bookID }: PositionModel): PositionModel => ({
  ...(syncGuid !== undefined && { syncGuid }),
  // A sender of no book means any.
  ...(bookID !== undefined && bookID !== 0 && { bookID })
})

/**
 * @param meant the member that the call is about
 * @returns the markings as they stand now, in the order of the request, without those that were refused
 */
async function change(
  parts: EpubParts,
  call: Call<any>,
  markings: readonly PositionModel[],
  mustBeKnown = false,
  meant?: keyof PositionModel
): Promise<ApiResult<'position[]'>> {
  const caller = await callerOfAddress(parts, call)
  if (markings.length > MAX_ITEMS) return failed(400, TOO_MANY)
  return parts.oneByOne(caller, async () => {
    const exchange = exchangeOf(parts, caller)
    exchange.mustWrite()
    await giveAgain(
      exchange,
      markings.map(({ bookID }) => bookID)
    )
    // One that is not known may be in the book that it names.
    const mayBe = (marking: PositionModel): boolean => marking.bookID !== undefined || place(exchange, marking) !== undefined
    const wanted = markings.map(marking => ({ marking, isKnown: !mustBeKnown || (isGuid(marking.syncGuid) && mayBe(marking)) }))
    for (const { marking, isKnown } of wanted) if (!isKnown) exchange.messages.push(unknown(marking.syncGuid))
    const known = wanted.filter(({ isKnown }) => isKnown).map(({ marking }) => marking)
    await pushMarkings(
      exchange,
      known,
      index => `[${index}]`,
      async (by, place, marking) => {
        if (mustBeKnown && annotationIn(by.account.documents.use(place.book).doc, place.id) === undefined)
          throw new HubError('not-found', unknown(marking.syncGuid))
        return takeMarking(by, place, marking, meant)
      }
    )
    const now: PositionModel[] = []
    for (const marking of known) {
      const found = await markingOfGuid(exchange, marking)
      if (found !== undefined) now.push(found)
    }
    await exchange.kept()
    const isNone = now.length === 0 && exchange.messages.length > 0
    return answered({ ...succeeded<'position[]'>(now), ...(isNone && { StatusCode: 400 }) }, exchange.messages)
  })
}

/** The marking of `?syncGuid=`, as it stands now. */
export async function getMarkingById(parts: EpubParts, call: Call<never>): Promise<ApiResult<'position'>> {
  const exchange = exchangeOf(parts, await callerOfAddress(parts, call))
  const syncGuid = (call.query('syncGuid') ?? '').toLowerCase()
  const marking = await markingOfGuid(exchange, { syncGuid })
  await exchange.kept()
  return marking === undefined ? failed(404, unknown(syncGuid)) : succeeded<'position'>(marking)
}

const unknown = (syncGuid: string | null | undefined): string => `there is no marking ${syncGuid ?? ''}`

const place = (exchange: Exchange, { syncGuid }: PositionModel): ReturnType<typeof findMarking> =>
  isGuid(syncGuid) ? findMarking(exchange, syncGuid) : undefined

/** What is none cannot be looked up. */
const isGuid = (text: string | null | undefined): text is string => /^[0-9a-f-]{36}$/.test(text ?? '')

async function markingOfGuid(exchange: Exchange, marking: PositionModel): Promise<PositionModel | undefined> {
  const { book, id } = place(exchange, marking) ?? {}
  if (book === undefined || id === undefined) return undefined
  const { account, views } = exchange
  await account.documents.load(new Set([book]))
  const annotation = annotationIn(account.documents.use(book).doc, id)
  const number = numberOf(exchange, book, views.get('books', book))
  return annotation === undefined || number === undefined ? undefined : markingModel(markingOf(number, book, id, annotation))
}

/** These calls do not say how far their device has got: it is taken to have all that it was answered. */
const exchangeOf = (parts: EpubParts, caller: Caller): Exchange =>
  new Exchange(caller, lastAnswered(caller.account.views, caller.device), parts)
