import * as assert from 'uvu/assert'
import { newId } from '../../../../util/timelimit-client.ts'
import type { HouseholdMirror } from '../../../../util/timelimit-mirror.ts'
import type { ActionCase, Scene } from './action-case.ts'

const unknownCategory = (): Record<string, Record<string, unknown>> => ({ 'an unknown category': { categoryId: newId() } })
const base = (id: string): string[] => [`base:${id}`]

/** An action of a parent that changes a new category, shown by members of its base. */
const change = (
  type: string,
  members: Record<string, unknown>,
  shown: Record<string, unknown>,
  more: Partial<Omit<ActionCase, 'refused'>> & { readonly refused?: Record<string, Record<string, unknown>> } = {}
): ActionCase => ({
  type,
  by: 'parent',
  prepare: scene => scene.addCategory(),
  body: (categoryId: string) => ({ categoryId, ...members }),
  effect: (after, categoryId) => {
    const found = after.base(categoryId)
    assert.equal(Object.fromEntries(Object.keys(shown).map(name => [name, found[name]])), shown)
  },
  versions: base,
  notify: 2,
  ...more,
  refused: () => ({ ...unknownCategory(), ...more.refused })
})

const appsOf = (mirror: HouseholdMirror, id: string): string[] => mirror.categories.get(id)?.apps.apps

export const CATEGORY_CASES: readonly ActionCase[] = [
  {
    type: 'CREATE_CATEGORY',
    by: 'parent',
    prepare: async () => newId(),
    body: (categoryId, { child }) => ({ childId: child.id, categoryId, title: 'films' }),
    effect: (after, categoryId, { child }) => {
      const { version, sort, ...found } = after.base(categoryId)
      assert.match(version, /^[0-9a-zA-Z]{4}$/)
      assert.type(sort, 'number')
      assert.equal(found, {
        categoryId,
        childId: child.id,
        title: 'films',
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
        atw: []
      })
      assert.equal([appsOf(after, categoryId), after.rules(categoryId), after.times(categoryId)], [[], [], []])
      assert.equal(after.tasks(categoryId), [])
    },
    versions: id => ['base', 'apps', 'rules', 'usedTime', 'tasks'].map(part => `${part}:${id}`),
    notify: 1,
    refused: (_, { parent }) => ({ 'an unknown child': { childId: newId() }, 'a parent': { childId: parent.id } })
  },
  {
    type: 'DELETE_CATEGORY',
    by: 'parent',
    prepare: async scene => {
      const { id } = await scene.addUser('child')
      const categoryId = await scene.addCategory(id)
      await scene.act({ type: 'SET_CATEGORY_FOR_UNASSIGNED_APPS', childId: id, categoryId })
      return { childId: id, categoryId }
    },
    body: ({ categoryId }) => ({ categoryId }),
    effect: (after, { childId, categoryId }, _, answer) => {
      assert.equal(answer.rmCategories, [categoryId])
      assert.equal([after.base(categoryId), after.user(childId).categoryForNotAssignedApps], [undefined, ''])
    },
    versions: ({ categoryId }) => [
      'users',
      ...['base', 'apps', 'rules', 'usedTime', 'tasks'].map(part => `${part}:${categoryId}`)
    ],
    notify: 2
  },
  {
    type: 'ADD_CATEGORY_APPS',
    by: 'parent',
    prepare: async scene => {
      const [from, to] = [await scene.addCategory(), await scene.addCategory()]
      await scene.act({ type: 'ADD_CATEGORY_APPS', categoryId: from, packageNames: ['org.moved', 'org.stays'] })
      return { from, to }
    },
    body: ({ to }) => ({ categoryId: to, packageNames: ['org.moved', 'org.new'] }),
    effect: (after, { from, to }) => {
      assert.equal([appsOf(after, from), [...appsOf(after, to)].sort()], [['org.stays'], ['org.moved', 'org.new']])
    },
    versions: ({ from, to }) => [`apps:${from}`, `apps:${to}`],
    notify: 2,
    refused: () => ({ ...unknownCategory(), 'a name twice': { packageNames: ['a', 'a'] }, 'no name': { packageNames: [5] } })
  },
  {
    type: 'REMOVE_CATEGORY_APPS',
    by: 'parent',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      await scene.act({ type: 'ADD_CATEGORY_APPS', categoryId, packageNames: ['org.gone', 'org.kept'] })
      return categoryId
    },
    body: categoryId => ({ categoryId, packageNames: ['org.gone'] }),
    effect: (after, categoryId) => assert.equal(appsOf(after, categoryId), ['org.kept']),
    versions: id => [`apps:${id}`],
    notify: 2,
    refused: () => ({ ...unknownCategory(), 'a name twice': { packageNames: ['org.gone', 'org.gone'] } })
  },
  {
    type: 'ADD_CATEGORY_NETWORK_ID',
    by: 'parent',
    prepare: async scene => ({ categoryId: await scene.addCategory(), itemId: newId() }),
    body: ({ categoryId, itemId }) => ({ categoryId, itemId, hashedNetworkId: '0123abcd' }),
    effect: (after, { categoryId, itemId }) =>
      assert.equal(after.base(categoryId).networks, [{ itemId, hashedNetworkId: '0123abcd' }]),
    versions: ({ categoryId }) => base(categoryId),
    notify: 2,
    refused: () => ({ ...unknownCategory(), 'no hash': { hashedNetworkId: 'home wifi' } })
  },
  {
    type: 'RESET_CATEGORY_NETWORK_IDS',
    by: 'parent',
    prepare: async scene => {
      const categoryId = await scene.addCategory()
      await scene.act({ type: 'ADD_CATEGORY_NETWORK_ID', categoryId, itemId: newId(), hashedNetworkId: '0123abcd' })
      return categoryId
    },
    body: categoryId => ({ categoryId }),
    effect: (after, categoryId) => assert.equal(after.base(categoryId).networks, []),
    versions: base,
    notify: 2,
    refused: unknownCategory
  },
  change(
    'INCREMENT_CATEGORY_EXTRATIME',
    { addedExtraTime: 60_000 },
    { extraTime: 90_000, extraTimeDay: -1 },
    {
      prepare: async scene => {
        const categoryId = await scene.addCategory()
        await scene.act({ type: 'SET_CATEGORY_EXTRA_TIME', categoryId, newExtraTime: 30_000 })
        return categoryId
      }
    }
  ),
  change(
    'SET_CATEGORY_EXTRA_TIME',
    { newExtraTime: 60_000, day: 20_000 },
    { extraTime: 60_000, extraTimeDay: 20_000 },
    { optional: ['day'], signed: ['day'] }
  ),
  {
    type: 'SET_PARENT_CATEGORY',
    by: 'parent',
    prepare: async scene => ({
      outer: await scene.addCategory(),
      inner: await scene.addCategory(),
      other: await scene.addCategory((await scene.addUser('child')).id)
    }),
    body: ({ inner, outer }) => ({ categoryId: inner, parentCategory: outer }),
    effect: async (after, { inner, outer }, { device, parent }) => {
      assert.is(after.base(inner).parentCategoryId, outer)
      const circle = { type: 'SET_PARENT_CATEGORY', categoryId: outer, parentCategory: inner }
      assert.is(await device.push(device.parent(parent, circle)), true, 'a circle is refused')
    },
    versions: ({ inner }) => base(inner),
    notify: 2,
    refused: ({ inner, other }) => ({
      ...unknownCategory(),
      'an unknown parent': { parentCategory: newId() },
      itself: { parentCategory: inner },
      'the category of another child': { parentCategory: other }
    })
  },
  change(
    'UPDATE_CATEGORY_BATTERY_LIMIT',
    { chargeLimit: 20, mobileLimit: 30 },
    { mblCharging: 20, mblMobile: 30 },
    {
      optional: ['chargeLimit', 'mobileLimit'],
      refused: { 'over 100 charging': { chargeLimit: 101 }, 'over 100 mobile': { mobileLimit: 101 } }
    }
  ),
  change(
    'UPDATE_CATEGORY_BLOCK_ALL_NOTIFICATIONS',
    { blocked: true, blockDelay: 5_000 },
    { blockAllNotifications: true, blockNotificationDelay: 5_000 },
    { optional: ['blockDelay'] }
  ),
  change(
    'UPDATE_CATEGORY_BLOCKED_TIMES',
    { times: '0,60,120,10080' },
    { blockedTimes: '0,60,120,10080' },
    {
      refused: {
        'half a pair': { times: '0' },
        'times out of order': { times: '60,0' },
        'past the week': { times: '0,10081' },
        letters: { times: 'a,b' }
      }
    }
  ),
  change('UPDATE_CATEGORY_DISABLE_LIMITS', { endTime: 1_800_000_000_000 }, { dlu: 1_800_000_000_000 }),
  change(
    'UPDATE_CATEGORY_FLAGS',
    { modified: 1, values: 1 },
    { flags: 1 },
    { refused: { 'values beside what is modified': { modified: 0, values: 1 } } }
  ),
  {
    type: 'UPDATE_CATEGORY_SORTING',
    by: 'parent',
    prepare: async (scene: Scene) => [await scene.addCategory(), await scene.addCategory()],
    body: ([first, second]) => ({ categoryIds: [second, first] }),
    effect: (after, [first, second]) => assert.equal([after.base(second).sort, after.base(first).sort], [0, 1]),
    versions: (ids: string[]) => ids.flatMap(base),
    notify: 1,
    refused: ([first]) => ({ 'a category twice': { categoryIds: [first, first] }, 'what is no id': { categoryIds: ['a b'] } })
  },
  change(
    'UPDATE_CATEGORY_TEMPORARILY_BLOCKED',
    { blocked: true, endTime: 1_800_000_000_000 },
    { tempBlocked: true, tempBlockTime: 1_800_000_000_000 },
    { optional: ['endTime'] }
  ),
  change(
    'UPDATE_CATEGORY_TIME_WARNINGS',
    { enable: true, flags: 3, minutes: 7 },
    { timeWarnings: 3, atw: [7] },
    { optional: ['minutes'], refused: { 'no minute': { minutes: 0 }, 'past the week': { minutes: 10_079 } } }
  ),
  change('UPDATE_CATEGORY_TITLE', { newTitle: 'music' }, { title: 'music' })
]
