import { map, opt } from '../../../../protocol/index.ts'
import type { Acting } from '../acting.ts'
import type { FamilyChange } from '../family-change.ts'
import { distinct, id, numbers, whole } from '../forms.ts'
import type { Rule, SessionDuration, UsedTime } from '../records.ts'
import { row, type Rows } from '../row.ts'
import { sum } from './extra-time.ts'

const MINUTE_MS = 60_000
const DAY = { start: 0, end: 1_439 }
/** A session that would be over in so long is over: the device counts in steps. */
const TOLERANCE_MS = 5_000
/** What one category keeps; and how much less when there was more, so that it is not sorted each time. */
const MAX_TIMES = 1_024
const MAX_SESSIONS = 256
const SPARE = 64
/** As far as a rule looks back. */
const WEEK_DAYS = 7
const DAY_MS = 86_400_000
/** By so many rules and the whole day, what a category keeps has room for each day of the weeks around today: none makes it forget what was used under another. */
export const MAX_COUNTED_RULES = Math.floor((MAX_TIMES - SPARE) / (2 * WEEK_DAYS + 1)) - 1
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
        addTimes(family, id, day, timeToAdd, [], countedBy(family))
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
  const counted = countedBy(family)
  for (const { categoryId, tta, etts, as = [], sdl = [] } of i) {
    const category = family.get('category', categoryId)
    if (category === undefined) {
      by.needsFullSync = true
      continue
    }
    if (category.base.childId !== currentUserId) by.tell(2)
    addTimes(family, categoryId, d, tta, as, counted)
    if (sdl.length > 0) addToSessions(family, categoryId, tta, t, sdl, counted)
    takeExtraTime(family, categoryId, etts)
  }
}

/** Adds to the whole day and to some of its times. None of them holds more than it is long. */
function addTimes(
  family: FamilyChange,
  category: string,
  day: number,
  timeMs: number,
  slots: readonly Slot[],
  counted: CountedBy
): void {
  const { times = [], sessionDurations = [] } = family.get('usedTimes', category) ?? {}
  const changed: UsedTime[] = [...times]
  for (const [start, end] of [[DAY.start, DAY.end] as const, ...slots]) {
    const at = changed.findIndex(known => known.day === day && known.start === start && known.end === end)
    const time = Math.min((changed[at]?.time ?? 0) + timeMs, (end - start + 1) * MINUTE_MS)
    if (at === -1) changed.push({ day, time, start, end })
    else changed[at] = { day, time, start, end }
  }
  putUse(family, category, changed, sessionDurations, counted)
  family.renewPart(category, 'usedTime')
}

/** Goes on with each session, or begins a new one where the pause before this use was long enough. */
function addToSessions(
  family: FamilyChange,
  category: string,
  timeMs: number,
  untilMs: number,
  limits: readonly Session[],
  counted: CountedBy
): void {
  const { times = [], sessionDurations = [] } = family.get('usedTimes', category) ?? {}
  const changed: SessionDuration[] = [...sessionDurations]
  for (const [sm, em, md, spd] of limits) {
    const at = changed.findIndex(known => known.md === md && known.spd === spd && known.sm === sm && known.em === em)
    const before = changed[at]
    const goesOn = before !== undefined && (untilMs === 0 || untilMs - timeMs <= before.l + spd - TOLERANCE_MS)
    const session = { md, spd, sm, em, l: untilMs === 0 ? (before?.l ?? 0) : untilMs, d: sum(goesOn ? before.d : 0, timeMs) }
    if (at === -1) changed.push(session)
    else changed[at] = session
  }
  putUse(family, category, times, changed, counted)
}

/**
 * What was used under a rule is counted by the times of the day and the session that the rule names. With others it would begin anew: a rule that is made a little
 * stricter each time that it is used up would limit nothing. So the new ones have at least what the old ones had, of which they are a part.
 */
export function carryUse(family: FamilyChange, category: string, before: Rule, rule: Rule): void {
  const record = family.get('usedTimes', category)
  if (record === undefined || (timesOf(before) === timesOf(rule) && sessionOf(before) === sessionOf(rule))) return
  const times = new Map(record.times.map(time => [`${time.day},${timesOf(time)}`, time]))
  for (const { day, time, ...old } of record.times) {
    if (timesOf(old) !== timesOf(before)) continue
    const key = `${day},${timesOf(rule)}`
    times.set(key, { day, time: Math.max(time, times.get(key)?.time ?? 0), start: rule.start, end: rule.end })
  }
  const sessions = new Map(record.sessionDurations.map(session => [keyOf(session), session]))
  const [old, known] = [sessions.get(sessionOf(before)), sessions.get(sessionOf(rule))]
  if (old !== undefined) {
    const [l, d] = [Math.max(old.l, known?.l ?? 0), Math.max(old.d, known?.d ?? 0)]
    sessions.set(sessionOf(rule), { md: rule.session, spd: rule.pause, sm: rule.start, em: rule.end, l, d })
  }
  putUse(family, category, [...times.values()], [...sessions.values()], countedBy(family))
  family.renewPart(category, 'usedTime')
}

const timesOf = ({ start, end }: Pick<Rule, 'start' | 'end'>): string => `${start}-${end}`
const sessionOf = ({ session, pause, start, end }: Rule): string => [session, pause, start, end].join()
const keyOf = ({ md, spd, sm, em }: SessionDuration): string => [md, spd, sm, em].join()

/** By what the rules of a category count. */
type CountedBy = (category: string) => Set<string>

/** Reads the rules once they are asked for. */
function countedBy(family: FamilyChange): CountedBy {
  let found: Map<string, Set<string>> | undefined
  return category => {
    if (found === undefined) {
      found = new Map()
      for (const [, { categoryId, rule }] of family.all('rule')) {
        const keys = found.get(categoryId) ?? new Set()
        found.set(categoryId, keys.add(timesOf(rule)).add(sessionOf(rule)))
      }
    }
    return found.get(category) ?? new Set()
  }
}

/**
 * Keeps what was used of a category, as far as there is room. What rules count by stays longest, and the days next to today: a device that tells of days to come, or of times
 * that no rule asks for, cannot have the others forget what was used.
 */
function putUse(
  family: FamilyChange,
  category: string,
  times: readonly UsedTime[],
  sessions: readonly SessionDuration[],
  counted: CountedBy
): void {
  let [keptTimes, keptSessions] = [times, sessions]
  if (times.length > MAX_TIMES) {
    const [today, keys] = [Math.floor(family.timeMs / DAY_MS), counted(category).add(timesOf(DAY))]
    const rank = (time: UsedTime): number => {
      const days = Math.abs(time.day - today)
      return days <= WEEK_DAYS && keys.has(timesOf(time)) ? days - WEEK_DAYS - 1 : days
    }
    keptTimes = times.toSorted((left, right) => rank(left) - rank(right)).slice(0, MAX_TIMES - SPARE)
  }
  if (sessions.length > MAX_SESSIONS) {
    const keys = counted(category)
    const rank = (session: SessionDuration): number => (keys.has(keyOf(session)) ? 1 : 0)
    keptSessions = sessions.toSorted((left, right) => rank(right) - rank(left) || right.l - left.l).slice(0, MAX_SESSIONS - SPARE)
  }
  family.put('usedTimes', category, { times: keptTimes, sessionDurations: keptSessions })
}

function takeExtraTime(family: FamilyChange, category: string, timeMs: number): void {
  if (timeMs > 0) family.setBase(category, { extraTime: sum(family.category(category).base.extraTime, -timeMs) })
}
