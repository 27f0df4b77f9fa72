import * as assert from 'uvu/assert'
import type { Plain } from '../../../protocol/index.ts'
import { ACTION_ROWS } from '../../../server/dialects/timelimit/actions/index.ts'
import { suite } from '../../util/suite.ts'
import { CHILD, FamilyScene, GAMES, OTHER_CHILD, PHONE, TABLET, type Body } from './family-scene.ts'

const test = suite('dialects/timelimit/self-limit')

const THEIRS = 'theirs'
const category = { categoryId: GAMES }

async function scene(): Promise<FamilyScene> {
  const scene = await FamilyScene.open()
  await scene.parent({ type: 'UPDATE_USER_FLAGS', userId: CHILD, modified: 2, values: 2 })
  await scene.parent({ type: 'CREATE_CATEGORY', childId: OTHER_CHILD, categoryId: THEIRS, title: 'theirs' })
  return scene
}

/** Says of each step in turn whether the child may do it. */
async function steps(scene: FamilyScene, ...steps: readonly [Body, may: boolean][]): Promise<void> {
  for (const [body, may] of steps) assert.is(await scene.limitsItself(body), !may, JSON.stringify(body))
}

test('nine types may be done by a child to limit itself, if it has the flag and uses the device', async () => {
  const limiting = Object.entries(ACTION_ROWS.parent).flatMap(([type, { selfLimit }]) => (selfLimit ? [type] : []))
  assert.equal(limiting.sort(), [
    'ADD_CATEGORY_APPS',
    'CREATE_CATEGORY',
    'CREATE_TIMELIMIT_RULE',
    'SET_PARENT_CATEGORY',
    'UPDATE_CATEGORY_BLOCKED_TIMES',
    'UPDATE_CATEGORY_BLOCK_ALL_NOTIFICATIONS',
    'UPDATE_CATEGORY_DISABLE_LIMITS',
    'UPDATE_CATEGORY_TEMPORARILY_BLOCKED',
    'UPDATE_TIMELIMIT_RULE'
  ])
  const family = await scene()
  const create = { type: 'CREATE_CATEGORY', childId: CHILD, categoryId: 'mine01', title: 'mine' }
  const rename = { type: 'UPDATE_CATEGORY_TITLE', ...category, newTitle: 'mine' }
  await steps(family, [create, true], [{ ...create, childId: OTHER_CHILD, categoryId: 'mine02' }, false], [rename, false])
  const onPhone = family.sign('parent', PHONE, CHILD, { ...create, categoryId: 'mine03' }, 'childDevice')
  assert.is(await family.push(PHONE, onPhone), true)
  await family.parent({ type: 'UPDATE_USER_FLAGS', userId: CHILD, modified: 2, values: 0 })
  await steps(family, [{ ...create, categoryId: 'mine04' }, false])
})

test('of another child’s categories it changes nothing', async () => {
  const family = await scene()
  const theirs = { categoryId: THEIRS }
  const rule = { ruleId: 'rule01', ...theirs, time: 0, days: 127, extraTime: true }
  await family.parent({ type: 'CREATE_TIMELIMIT_RULE', rule })
  const { categoryId: _, ...change } = rule
  const head = family.account.head
  await steps(
    family,
    [{ type: 'ADD_CATEGORY_APPS', ...theirs, packageNames: ['a:b'] }, false],
    [{ type: 'CREATE_TIMELIMIT_RULE', rule: { ...rule, ruleId: 'rule02' } }, false],
    [{ type: 'SET_PARENT_CATEGORY', ...theirs, parentCategory: '' }, false],
    [{ type: 'UPDATE_CATEGORY_BLOCKED_TIMES', ...theirs, times: '0,10080' }, false],
    [{ type: 'UPDATE_CATEGORY_BLOCK_ALL_NOTIFICATIONS', ...theirs, blocked: true }, false],
    [{ type: 'UPDATE_CATEGORY_DISABLE_LIMITS', ...theirs, endTime: 0 }, false],
    [{ type: 'UPDATE_CATEGORY_TEMPORARILY_BLOCKED', ...theirs, blocked: true, endTime: 5 }, false],
    [{ type: 'UPDATE_TIMELIMIT_RULE', ...change }, false]
  )
  assert.is(family.account.head, head)
})

test('it blocks more and longer, and never less', async () => {
  const family = await scene()
  const [times, mute, block, disable] = [
    'UPDATE_CATEGORY_BLOCKED_TIMES',
    'UPDATE_CATEGORY_BLOCK_ALL_NOTIFICATIONS',
    'UPDATE_CATEGORY_TEMPORARILY_BLOCKED',
    'UPDATE_CATEGORY_DISABLE_LIMITS'
  ].map(type => (members: Record<string, Plain>): Body => ({ type, ...category, ...members }))
  await steps(
    family,
    [times!({ times: '10,20' }), true],
    [times!({ times: '10,19' }), false],
    [times!({ times: '5,25,100,200' }), true],
    [times!({ times: '' }), false],
    [mute!({ blocked: true, blockDelay: 100 }), true],
    [mute!({ blocked: true, blockDelay: 200 }), false],
    [mute!({ blocked: true, blockDelay: 50 }), true],
    [mute!({ blocked: false }), false],
    [block!({ blocked: true }), false],
    [block!({ blocked: true, endTime: 100 }), true],
    [block!({ blocked: true, endTime: 99 }), false],
    [block!({ blocked: true, endTime: 101 }), true],
    [block!({ blocked: false }), false],
    [disable!({ endTime: 5 }), false],
    [disable!({ endTime: 0 }), true]
  )
  await family.parent(block!({ blocked: true }))
  await steps(family, [block!({ blocked: true, endTime: 9_999 }), false])
})

test('it makes rules stricter, in each respect', async () => {
  const family = await scene()
  const rule = { ruleId: 'rule01', time: 100, days: 3, extraTime: false, start: 10, end: 20, dur: 50, pause: 50, e: 1_000 }
  await family.parent({ type: 'CREATE_TIMELIMIT_RULE', rule: { ...rule, ...category } })
  const change = (members: Record<string, Plain>): Body => ({ type: 'UPDATE_TIMELIMIT_RULE', ...rule, ...members })
  const looser = [
    { time: 101 },
    { days: 1 },
    { start: 11 },
    { end: 19 },
    { dur: 51 },
    { dur: 0 },
    { pause: 49 },
    { perDay: true },
    { e: 999 }
  ]
  for (const members of looser) await steps(family, [change(members), false])
  const { e: _, ...forEver } = rule
  const stricter = [
    { time: 99 },
    { days: 7 },
    { start: 9 },
    { end: 21 },
    { dur: 49 },
    { pause: 51 },
    { extraTime: true },
    { e: 1_001 }
  ]
  for (const members of stricter) {
    await family.parent(change({}))
    await steps(family, [change(members), true])
  }
  await family.parent(change({}))
  await steps(family, [{ type: 'UPDATE_TIMELIMIT_RULE', ...forEver }, true], [change({}), false])
})

test('it moves apps and categories further in only', async () => {
  const family = await scene()
  for (const categoryId of ['outer1', 'inner1', 'beside'])
    await family.parent({ type: 'CREATE_CATEGORY', childId: CHILD, categoryId, title: categoryId })
  await family.parent({ type: 'SET_PARENT_CATEGORY', categoryId: 'inner1', parentCategory: 'outer1' })
  await family.parent({ type: 'ADD_CATEGORY_APPS', categoryId: 'outer1', packageNames: ['app'] })
  const add = (categoryId: string, app: string): Body => ({ type: 'ADD_CATEGORY_APPS', categoryId, packageNames: [app] })
  const put = (categoryId: string, parentCategory: string): Body => ({ type: 'SET_PARENT_CATEGORY', categoryId, parentCategory })
  await steps(
    family,
    [add('beside', 'app'), false],
    [add('inner1', 'app'), true],
    [add('outer1', 'app'), false],
    [add('inner1', 'new'), false],
    [add('inner1', 'new:activity'), false],
    [add('beside', 'app:activity'), false],
    [add('inner1', 'app:activity'), true],
    [add('beside', 'app:activity'), false],
    [put('inner1', ''), false],
    [put('inner1', 'beside'), false],
    [put('beside', 'outer1'), true],
    [put('inner1', 'beside'), true],
    [put('outer1', 'inner1'), false]
  )
  await family.parent({ type: 'SET_CATEGORY_FOR_UNASSIGNED_APPS', childId: CHILD, categoryId: 'outer1' })
  await steps(
    family,
    [add('inner1', 'new'), true],
    [add('inner1', 'newest:activity'), true],
    [add(GAMES, 'newer'), false],
    [add(GAMES, 'newer:activity'), false]
  )
  assert.equal(family.family.get('categoryApps', 'inner1')?.apps, ['app', 'app:activity', 'new', 'newest:activity'])
  assert.is(family.device(TABLET).currentUserId, CHILD)
})

test('a rule that it makes stricter goes on with what was used under it', async () => {
  const family = await scene()
  const rule = { ruleId: 'rule01', time: 100, days: 127, extraTime: false, start: 60, end: 119, dur: 50, pause: 50 }
  await family.parent({ type: 'CREATE_TIMELIMIT_RULE', rule: { ...rule, ...category } })
  const used = { ...category, tta: 40, etts: 0, as: [[60, 119]], sdl: [[60, 119, 50, 50]] }
  await family.tablet({ type: 'ADD_USED_TIME_V2', d: 7, t: 1_000, i: [used] })
  const before = family.versions()[`usedTime:${GAMES}`]
  const change = { type: 'UPDATE_TIMELIMIT_RULE', ...rule }
  await steps(family, [{ ...change, start: 59, dur: 49 }, true], [{ ...change, start: 0, dur: 48, pause: 60 }, true])
  const { times, sessionDurations } = family.family.get('usedTimes', GAMES)!
  assert.equal(
    times.filter(({ start, end }) => start === 0 && end === 119),
    [{ day: 7, time: 40, start: 0, end: 119 }]
  )
  assert.equal(
    sessionDurations.filter(({ md }) => md === 48),
    [{ md: 48, spd: 60, sm: 0, em: 119, l: 1_000, d: 40 }]
  )
  assert.is.not(family.versions()[`usedTime:${GAMES}`], before)
})

test('of the room for categories it leaves half to the parents', async () => {
  const family = await scene()
  const create = (index: number): Body => ({
    type: 'CREATE_CATEGORY',
    childId: CHILD,
    categoryId: `c${String(index).padStart(5, '0')}`,
    title: 'c'
  })
  const mine = Array.from({ length: 300 }, (_, index) => create(index))
  const signed = mine.map(body => family.sign('parent', TABLET, CHILD, body, 'childDevice'))
  for (let from = 0; from < 300; from += 50) await family.push(TABLET, ...signed.slice(from, from + 50))
  assert.is(family.family.all('category').length, 256)
  await family.parent(create(999))
  assert.is(family.family.all('category').length, 257)
})

test('blocked times are bounded, whoever sets them', async () => {
  const family = await scene()
  const upTo = (minute: number) => Array.from({ length: minute }, (_, index) => index).join(',')
  const block = (times: string): Body => ({ type: 'UPDATE_CATEGORY_BLOCKED_TIMES', ...category, times })
  await family.parent(block(upTo(1_040)))
  await family.parentFails(block(upTo(1_044)))
  await steps(family, [block(upTo(1_044)), false])
  assert.equal([upTo(1_040).length, upTo(1_044).length], [4_089, 4_109])
})

test('a new category looks through the others once, and one that is there already not at all', async () => {
  const family = await scene()
  const { views } = family.account
  let looks = 0
  const range = views.range.bind(views)
  views.range = (table, prefix, ...more) => {
    if (prefix[0] === 'category') looks += 1
    return range(table, prefix, ...more)
  }
  const create = (categoryId: string): Body => ({ type: 'CREATE_CATEGORY', childId: CHILD, categoryId, title: 'c' })
  await steps(family, [create(GAMES), false], [create(THEIRS), false])
  assert.is(looks, 0)
  await steps(family, [create('mine01'), true])
  assert.is(looks, 1)
})

test('its rules are as many as a category counts by, so that none has the hub forget what was used under another', async () => {
  const family = await scene()
  const ruleOf = (index: number): Body => ({
    type: 'CREATE_TIMELIMIT_RULE',
    rule: { ...category, ruleId: `r${String(index).padStart(5, '0')}`, time: 0, days: 127, extraTime: true, start: 0, end: index }
  })
  await family.parent(ruleOf(0))
  const mine = Array.from({ length: 100 }, (_, index) => family.sign('parent', TABLET, CHILD, ruleOf(index + 1), 'childDevice'))
  for (let from = 0; from < 100; from += 50) await family.push(TABLET, ...mine.slice(from, from + 50))
  assert.is(family.family.all('rule').length, 63)
  const today = Math.floor(family.core.clock.nowMs() / 86_400_000)
  const days = Array.from({ length: 15 }, (_, index) => today - 7 + index)
  const slots = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => [0, from + index])
  const use = (d: number, as: number[][]): Body => ({ type: 'ADD_USED_TIME_V2', d, i: [{ ...category, tta: 5, etts: 0, as }] })
  for (const d of days) for (const as of [slots(0, 32), slots(32, 63)]) await family.tablet(use(d, as))
  for (const d of days) await family.tablet(use(d, slots(100, 132)))
  const { times } = family.family.get('usedTimes', GAMES)!
  for (const end of [0, 62, 1_439])
    assert.equal(
      times
        .filter(time => time.end === end)
        .map(({ day }) => day)
        .sort((left, right) => left - right),
      days,
      String(end)
    )
  await family.parent(ruleOf(200))
})

test.run()
