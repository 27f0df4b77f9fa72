import { positionVersions } from '../../core/position-history.ts'
import type { BookRecord } from '../../core/records.ts'
import type { Views } from '../../core/views.ts'

/** Each may take 64 or 128 KiB, and an account has a thousand devices. */
const PAGE_RECORDS = 16
/** From here on a book counts as read. */
const FINISHED_AT = 0.95
/** A book that is not read on for so long is paused. */
const PAUSED_AFTER_MS = 30 * 86_400_000

export const STATUSES = ['unread', 'reading', 'paused', 'finished'] as const
export type ReadingStatus = (typeof STATUSES)[number]

/** How far a book is read, over all devices of the account. */
export interface Progress {
  /** 0 to 1, four digits; null where no device ever said. */
  readonly percentage: number | null
  readonly status: ReadingStatus
  /** Of the device that is furthest: its name, and when it got there, in whole seconds since 1970. */
  readonly lastDevice: string | null
  readonly lastTimestamp: number | null
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly pausedAt: string | null
  readonly manuallySet: boolean
  /** Always false: nothing outside the hub sets it. */
  readonly externallySet: boolean
}

/** One device's place in a book. */
export interface Place {
  readonly device: string
  readonly progression: number
  readonly changedAtUs: number
  readonly locator: string
}

/** The places of all devices that said how far they are, newest first. */
export function placesIn(views: Views, book: string): Place[] {
  const places: Place[] = []
  for (const page of views.pages('positions', [book], PAGE_RECORDS))
    for (const [device, { fields, changedAtUs }] of page)
      if (typeof fields.progression === 'number')
        places.push({ device, progression: fields.progression, changedAtUs, locator: firstOf(fields.locators) })
  return places.sort((left, right) => right.changedAtUs - left.changedAtUs)
}

const firstOf = (locators: object | null | undefined): string =>
  Object.values(locators ?? {}).find(value => typeof value === 'string') ?? ''

/** What a device is called; its id where it has no name. */
export const deviceName = (views: Views, device: string): string => views.get('devices', device)?.name || device

export function progressOf(views: Views, book: string, { fields: { status } }: BookRecord, nowMs: number): Progress {
  // Of two that are as far, the newer.
  const furthest = placesIn(views, book).reduce<Place | undefined>(
    (best, place) => (best === undefined || place.progression > best.progression ? place : best),
    undefined
  )
  const manual = status ?? undefined
  const isUnread = manual?.state === 'unread'
  const hasBegun = !isUnread && furthest !== undefined && furthest.progression > 0
  const [startedUs, finishedUs] = hasBegun ? reachedUs(views, book) : []
  return {
    percentage: furthest === undefined ? null : Math.round(furthest.progression * 10_000) / 10_000,
    status: manual === undefined ? derived(furthest, nowMs) : statusOf(manual.state),
    lastDevice: furthest === undefined ? null : deviceName(views, furthest.device),
    lastTimestamp: furthest === undefined ? null : Math.floor(furthest.changedAtUs / 1_000_000),
    startedAt: isUnread ? null : isoOf(manual?.startedAtMs ?? millisecondsOf(startedUs)),
    finishedAt: isUnread ? null : isoOf(manual?.finishedAtMs ?? millisecondsOf(finishedUs)),
    pausedAt: isUnread ? null : isoOf(manual?.pausedAtMs),
    manuallySet: manual !== undefined,
    externallySet: false
  }
}

/** The API has no word for a book that was given up. */
const statusOf = (state: ReadingStatus | 'abandoned'): ReadingStatus => (state === 'abandoned' ? 'paused' : state)

function derived(furthest: Place | undefined, nowMs: number): ReadingStatus {
  if (furthest === undefined || furthest.progression === 0) return 'unread'
  if (furthest.progression >= FINISHED_AT) return 'finished'
  return nowMs - furthest.changedAtUs / 1_000 > PAUSED_AFTER_MS ? 'paused' : 'reading'
}

/** When any device was in the book first, and at its end first, as far as places are kept. */
function reachedUs(views: Views, book: string): (number | undefined)[] {
  let [begunUs, finishedUs] = [Infinity, Infinity]
  for (const page of views.pages('positionHistories', [book], PAGE_RECORDS))
    for (const [, history] of page)
      for (const { progression, timeUs } of positionVersions(history)) {
        if (progression > 0) begunUs = Math.min(begunUs, timeUs)
        if (progression >= FINISHED_AT) finishedUs = Math.min(finishedUs, timeUs)
      }
  return [begunUs, finishedUs].map(us => (us === Infinity ? undefined : us))
}

const millisecondsOf = (us: number | undefined): number | undefined => us && Math.floor(us / 1_000)

/** The greatest time that a `Date` holds; a claim beyond it is told as this. */
const MAX_DATE_MS = 8.64e15

/** ISO 8601 in UTC, to the millisecond. */
export const isoOf = (ms: number | null | undefined): string | null =>
  ms === null || ms === undefined ? null : new Date(Math.min(ms, MAX_DATE_MS)).toISOString()
