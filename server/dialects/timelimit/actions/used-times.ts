import { map, opt } from '../../../../protocol/index.ts'
import type { Acting } from '../acting.ts'
import type { FamilyChange } from '../family-change.ts'
import { distinct, id, numbers, whole } from '../forms.ts'
import type { SessionDuration, UsedTime } from '../records.ts'
import { row, type Rows } from '../row.ts'
import { sum } from './extra-time.ts'

const MINUTE_MS = 60_000
const DAY = { start: 0, end: 1_439 }
/** A session that would be over in so long is over: the device counts in steps. */
const TOLERANCE_MS = 5_000
/** What one category keeps: the newest days, and the sessions that were used last. */
const MAX_TIMES = 1_024
const MAX_SESSIONS = 256
const MAX_ITEMS = 100
const MAX_PARTS = 32

type Slot = [start: number, end: number]
type Session = [start: number, end: number, duration: number, pause: number]

const minutes = whole(0, 1_439)
const slot = numbers<Slot>('start, end', minutes, 2, ([start, end]) => start <= end && (start > DAY.start || end < DAY.end))
const session = numbers<Session>(
  'start, end, duration, pause',
  whole(0),
  4,
  ([start, end, duration, pause]) => start <= end && end <= DAY.end && duration > 0 && pause > 0
)
const item = map({
  categoryId: id,
  tta: whole(0),
  etts: whole(0),
  as: opt(distinct(slot, MAX_PARTS, { least: 0, keyOf: part => part.join() })),
  sdl: opt(distinct(session, MAX_PARTS, { least: 0, keyOf: part => part.join() }))
})

/** What devices counted. */
export const DEVICE_USED_TIMES: Rows = {
  ADD_USED_TIME: row({
    fields: { categoryId: id, day: whole(0), timeToAdd: whole(0), extraTimeToSubtract: whole(0) },
    versions: ['base', 'usedTime'],
    tell: 1,
    text: 'so much more was used on a day, of the category and the one around it; so much less extra time is left',
    effect(family, { categoryId, day, timeToAdd, extraTimeToSubtract }) {
      const { childId, parentCategoryId } = family.category(categoryId).base
      const around = family.get('category', parentCategoryId)?.base.childId === childId ? [parentCategoryId] : []
      for (const id of [categoryId, ...around]) {
        addTimes(family, id, day, timeToAdd, [])
        takeExtraTime(family, id, extraTimeToSubtract)
      }
    }
  }),
  ADD_USED_TIME_V2: row({
    fields: { d: whole(0), i: distinct(item, MAX_ITEMS, { keyOf: ({ categoryId }) => categoryId }), t: opt(whole(0)) },
    versions: ['base', 'usedTime'],
    tell: 1,
    text: 'the same of several categories, with times of the day and sessions. Others are told at once (important) when the category is of another child than the one who uses the device; an unknown category is passed over, and the sender looks at everything again',
    effect: addUsedTimes
  })
}

interface Used {
  readonly d: number
  readonly t?: number
  readonly i: readonly {
    readonly categoryId: string
    readonly tta: number
    readonly etts: number
    readonly as?: readonly Slot[]
    readonly sdl?: readonly Session[]
  }[]
}

function addUsedTimes(family: FamilyChange, { d, t = 0, i }: Used, by: Acting): void {
  const { currentUserId } = family.device(by.device).device
  for (const { categoryId, tta, etts, as = [], sdl = [] } of i) {
    const category = family.get('category', categoryId)
    if (category === undefined) {
      by.needsFullSync = true
      continue
    }
    if (category.base.childId !== currentUserId) by.tell(2)
    addTimes(family, categoryId, d, tta, as)
    if (sdl.length > 0) addToSessions(family, categoryId, tta, t, sdl)
    takeExtraTime(family, categoryId, etts)
  }
}

/** Adds to the whole day and to some of its times. None of them holds more than it is long. */
function addTimes(family: FamilyChange, category: string, day: number, timeMs: number, slots: readonly Slot[]): void {
  const { times = [], sessionDurations = [] } = family.get('usedTimes', category) ?? {}
  let changed: UsedTime[] = [...times]
  for (const [start, end] of [[DAY.start, DAY.end] as const, ...slots]) {
    const at = changed.findIndex(known => known.day === day && known.start === start && known.end === end)
    const time = Math.min((changed[at]?.time ?? 0) + timeMs, (end - start + 1) * MINUTE_MS)
    if (at === -1) changed.push({ day, time, start, end })
    else changed[at] = { day, time, start, end }
  }
  if (changed.length > MAX_TIMES) changed = changed.sort((left, right) => right.day - left.day).slice(0, MAX_TIMES)
  family.put('usedTimes', category, { times: changed, sessionDurations })
  family.renewPart(category, 'usedTime')
}

/** Goes on with each session, or begins a new one where the pause before this use was long enough. */
function addToSessions(
  family: FamilyChange,
  category: string,
  timeMs: number,
  untilMs: number,
  limits: readonly Session[]
): void {
  const { times = [], sessionDurations = [] } = family.get('usedTimes', category) ?? {}
  let changed: SessionDuration[] = [...sessionDurations]
  for (const [sm, em, md, spd] of limits) {
    const at = changed.findIndex(known => known.md === md && known.spd === spd && known.sm === sm && known.em === em)
    const before = changed[at]
    const goesOn = before !== undefined && (untilMs === 0 || untilMs - timeMs <= before.l + spd - TOLERANCE_MS)
    const session = { md, spd, sm, em, l: untilMs === 0 ? (before?.l ?? 0) : untilMs, d: sum(goesOn ? before.d : 0, timeMs) }
    if (at === -1) changed.push(session)
    else changed[at] = session
  }
  if (changed.length > MAX_SESSIONS) changed = changed.sort((left, right) => right.l - left.l).slice(0, MAX_SESSIONS)
  family.put('usedTimes', category, { times, sessionDurations: changed })
}

function takeExtraTime(family: FamilyChange, category: string, timeMs: number): void {
  if (timeMs > 0) family.setBase(category, { extraTime: sum(family.category(category).base.extraTime, -timeMs) })
}
