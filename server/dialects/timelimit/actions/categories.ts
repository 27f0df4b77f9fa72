import { bool, opt, str } from '../../../../protocol/index.ts'
import type { Acting } from '../acting.ts'
import type { FamilyChange } from '../family-change.ts'
import { blockedTimes, distinct, flags, hex, id, idOrNone, whole } from '../forms.ts'
import type { CategoryBase, CategoryRecord } from '../records.ts'
import { mustHaveRoom, refuse } from '../refuse.ts'
import { row, type Rows } from '../row.ts'
import { replacedBits } from './bits.ts'
import { withLogin } from './user.ts'

const MAX_CATEGORIES = 512
/** Minutes before the end at which may be warned: within a week. */
const MAX_WARNING_MINUTES = 10_078
const MAX_WARNINGS = 64
const MAX_NETWORKS = 8

const title = str(256, 1)
const percent = opt(whole(0, 100))

const newBase = (given: Pick<CategoryBase, 'categoryId' | 'childId' | 'title' | 'sort'>): CategoryBase => ({
  blockedTimes: '',
  extraTime: 0,
  extraTimeDay: -1,
  tempBlocked: false,
  tempBlockTime: 0,
  parentCategoryId: '',
  blockAllNotifications: false,
  timeWarnings: 0,
  mblCharging: 0,
  mblMobile: 0,
  networks: [],
  dlu: 0,
  flags: 0,
  blockNotificationDelay: 0,
  atw: [],
  ...given
})

/** What parents do about categories. */
export const PARENT_CATEGORIES: Rows = {
  CREATE_CATEGORY: row({
    fields: { childId: id, categoryId: id, title },
    selfLimit: true,
    versions: ['base', 'apps', 'rules', 'usedTime', 'tasks'],
    tell: 1,
    text: 'a new category of a child, the last in its order',
    effect(family, { childId, categoryId, title }, by) {
      family.userOf('child', childId)
      by.mustBeOwn(childId)
      if (family.get('category', categoryId) !== undefined) refuse('already-exists', `there is a category ${categoryId} already`)
      const categories = family.all('category')
      mustHaveRoom(categories.length, MAX_CATEGORIES, 'categories', by)
      const sort = Math.max(-1, ...categories.map(([, { base }]) => (base.childId === childId ? base.sort : -1))) + 1
      const version = family.versionAfter()
      family.put('category', categoryId, {
        base: newBase({ categoryId, childId, title, sort }),
        versions: { base: version, apps: version, rules: version, usedTime: version, tasks: version }
      })
    }
  }),
  DELETE_CATEGORY: row({
    fields: { categoryId: id },
    versions: ['users'],
    tell: 2,
    text: 'the category is gone with all that is in it; one that is gone already stays so',
    effect: (family, { categoryId }) => removeCategories(family, [categoryId])
  }),
  ADD_CATEGORY_NETWORK_ID: row({
    fields: { categoryId: id, itemId: id, hashedNetworkId: hex(2, 128) },
    versions: ['base'],
    tell: 2,
    text: `one more network in which the category counts, of ${MAX_NETWORKS} at most`,
    effect(family, { categoryId, itemId, hashedNetworkId }) {
      const { networks } = family.category(categoryId).base
      if (networks.some(network => network.itemId === itemId)) refuse('already-exists', `there is a network ${itemId} already`)
      if (networks.length >= MAX_NETWORKS) refuse('quota-exceeded', `a category has at most ${MAX_NETWORKS} networks`)
      family.setBase(categoryId, { networks: [...networks, { itemId, hashedNetworkId }] })
    }
  }),
  RESET_CATEGORY_NETWORK_IDS: row({
    fields: { categoryId: id },
    versions: ['base'],
    tell: 2,
    text: 'no networks',
    effect: (family, { categoryId }) => family.setBase(categoryId, { networks: [] })
  }),
  SET_PARENT_CATEGORY: row({
    fields: { categoryId: id, parentCategory: idOrNone },
    selfLimit: true,
    versions: ['base'],
    tell: 2,
    text: 'the category is in another one of the child, never in a circle; "" for none. A child keeps the one that it is in around it',
    effect: setParentCategory
  }),
  UPDATE_CATEGORY_BATTERY_LIMIT: row({
    fields: { categoryId: id, chargeLimit: percent, mobileLimit: percent },
    versions: ['base'],
    tell: 2,
    text: 'the least charge, in percent, while charging and not',
    effect: (family, { categoryId, chargeLimit, mobileLimit }) =>
      family.setBase(categoryId, {
        ...(chargeLimit !== undefined && { mblCharging: chargeLimit }),
        ...(mobileLimit !== undefined && { mblMobile: mobileLimit })
      })
  }),
  UPDATE_CATEGORY_BLOCK_ALL_NOTIFICATIONS: row({
    fields: { categoryId: id, blocked: bool, blockDelay: opt(whole(0)) },
    selfLimit: true,
    versions: ['base'],
    tell: 2,
    text: 'whether notifications are blocked, and how long after they came. A child may begin it, and make it shorter',
    effect(family, { categoryId, blocked, blockDelay }, by) {
      const { base } = own(family, categoryId, by)
      const delay = blockDelay ?? base.blockNotificationDelay
      by.mustTighten(blocked && (!base.blockAllNotifications || delay <= base.blockNotificationDelay))
      family.setBase(categoryId, { blockAllNotifications: blocked, blockNotificationDelay: delay })
    }
  }),
  UPDATE_CATEGORY_BLOCKED_TIMES: row({
    fields: { categoryId: id, times: blockedTimes },
    selfLimit: true,
    versions: ['base'],
    tell: 2,
    text: 'the minutes of the week that are blocked. A child may add some',
    effect(family, { categoryId, times }, by) {
      const { base } = own(family, categoryId, by)
      by.mustTighten(covers(times, base.blockedTimes))
      family.setBase(categoryId, { blockedTimes: times })
    }
  }),
  UPDATE_CATEGORY_DISABLE_LIMITS: row({
    fields: { categoryId: id, endTime: whole(0) },
    selfLimit: true,
    versions: ['base'],
    tell: 2,
    text: 'no limits until then; a child may set 0',
    effect(family, { categoryId, endTime }, by) {
      own(family, categoryId, by)
      by.mustTighten(endTime === 0)
      family.setBase(categoryId, { dlu: endTime })
    }
  }),
  UPDATE_CATEGORY_FLAGS: row({
    fields: { categoryId: id, modified: flags(), values: flags() },
    versions: ['base'],
    tell: 2,
    text: 'the bits that are `modified` become those of `values`',
    effect: (family, { categoryId, modified, values }) =>
      family.setBase(categoryId, { flags: replacedBits(family.category(categoryId).base.flags, modified, values) })
  }),
  UPDATE_CATEGORY_SORTING: row({
    fields: { categoryIds: distinct(id, MAX_CATEGORIES) },
    versions: ['base'],
    tell: 1,
    text: 'their order, from 0; those that are gone are passed over',
    effect(family, { categoryIds }) {
      for (const [sort, id] of categoryIds.entries()) if (family.get('category', id) !== undefined) family.setBase(id, { sort })
    }
  }),
  UPDATE_CATEGORY_TEMPORARILY_BLOCKED: row({
    fields: { categoryId: id, blocked: bool, endTime: opt(whole(0)) },
    selfLimit: true,
    versions: ['base'],
    tell: 2,
    text: 'whether it is blocked now, and until when; without `endTime` until it is not. A child may begin and prolong it, with an end',
    effect(family, { categoryId, blocked, endTime }, by) {
      const { base } = own(family, categoryId, by)
      const isLater = !base.tempBlocked || (base.tempBlockTime !== 0 && (endTime ?? 0) >= base.tempBlockTime)
      by.mustTighten(blocked && endTime !== undefined && isLater)
      family.setBase(categoryId, { tempBlocked: blocked, tempBlockTime: blocked ? (endTime ?? 0) : 0 })
    }
  }),
  UPDATE_CATEGORY_TIME_WARNINGS: row({
    fields: { categoryId: id, enable: bool, flags: flags(), minutes: opt(whole(1, MAX_WARNING_MINUTES)) },
    versions: ['base'],
    tell: 2,
    text: 'when is warned before the end: at these times too, or no more',
    effect(family, { categoryId, enable, flags, minutes }) {
      const { timeWarnings, atw } = family.category(categoryId).base
      const others = atw.filter(known => known !== minutes)
      if (enable && minutes !== undefined && others.length >= MAX_WARNINGS)
        refuse('quota-exceeded', `a category has at most ${MAX_WARNINGS} warnings`)
      family.setBase(categoryId, {
        timeWarnings: enable ? timeWarnings | flags : timeWarnings & ~flags,
        atw: enable && minutes !== undefined ? [...others, minutes].sort((left, right) => left - right) : others
      })
    }
  }),
  UPDATE_CATEGORY_TITLE: row({
    fields: { categoryId: id, newTitle: title },
    versions: ['base'],
    tell: 2,
    text: 'another title',
    effect: (family, { categoryId, newTitle }) => family.setBase(categoryId, { title: newTitle })
  })
}

/** A category that whoever acts may limit. */
export function own(family: FamilyChange, category: string, by: Acting): CategoryRecord {
  const record = family.category(category)
  by.mustBeOwn(record.base.childId)
  return record
}

/** Takes categories away with all that is in them, and what refers to them. All at once: each look at all rules is dear. */
export function removeCategories(family: FamilyChange, categories: readonly string[]): void {
  const gone = new Set(categories.filter(id => family.get('category', id) !== undefined))
  if (gone.size === 0) return
  for (const part of ['rule', 'task'] as const)
    for (const [id, { categoryId }] of family.all(part)) if (gone.has(categoryId)) family.remove(part, id)
  for (const category of gone)
    for (const part of ['categoryApps', 'usedTimes', 'category'] as const) family.remove(part, category)
  for (const [id, { base }] of family.all('category'))
    if (gone.has(base.parentCategoryId)) family.setBase(id, { parentCategoryId: '' })
  for (const [id, { user, secondHash }] of family.all('user')) {
    if (gone.has(user.categoryForNotAssignedApps)) family.setUser(id, { categoryForNotAssignedApps: '' })
    if (user.llc === undefined || !gone.has(user.llc)) continue
    family.put('user', id, { user: withLogin(user, undefined), secondHash })
    family.renew('users')
  }
}

function setParentCategory(
  family: FamilyChange,
  { categoryId, parentCategory }: { categoryId: string; parentCategory: string },
  by: Acting
): void {
  const { base } = own(family, categoryId, by)
  const around = family.withOuter(parentCategory)
  if (parentCategory !== '' && family.category(parentCategory).base.childId !== base.childId)
    refuse('not-found', 'the category is of another child')
  if (around.includes(categoryId)) refuse('bad-action', 'a category is not in itself')
  const before = family.get('category', base.parentCategoryId)
  by.mustTighten(before === undefined || around.includes(before.base.categoryId))
  family.setBase(categoryId, { parentCategoryId: parentCategory })
}

const rangesOf = (times: string): [from: number, to: number][] => {
  const bounds = times === '' ? [] : times.split(',').map(Number)
  return Array.from({ length: bounds.length / 2 }, (_, index) => [bounds[2 * index]!, bounds[2 * index + 1]!])
}

/** True when every minute of `inner` is in `outer`. */
function covers(outer: string, inner: string): boolean {
  const ranges = rangesOf(outer)
  let index = 0
  return rangesOf(inner).every(([from, to]) => {
    // Both rise, so that what ended before this range ends before all others.
    while (index < ranges.length && ranges[index]![1] < to) index++
    return index < ranges.length && ranges[index]![0] <= from
  })
}
