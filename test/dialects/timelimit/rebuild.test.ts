import * as assert from 'uvu/assert'
import { decodeValue, encodeValue, type Plain } from '../../../protocol/index.ts'
import { checkAccount } from '../../../server/core/check-account.ts'
import type { Store } from '../../../server/core/store.ts'
import { Views } from '../../../server/core/views.ts'
import { FamilyChange } from '../../../server/dialects/timelimit/family-change.ts'
import { TimeLimitHousehold } from '../../../server/dialects/timelimit/household.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'
import { CHILD, FamilyScene, GAMES, PARENT, passwordOf, PHONE, TABLET, type Body, type Sent } from './family-scene.ts'

const test = suite('dialects/timelimit/rebuild')

/** Some of everything that there is records of, what is gone again too. */
async function live(scene: FamilyScene): Promise<void> {
  const [tempKey, signature] = [Buffer.alloc(32).toString('base64'), Buffer.alloc(64).toString('base64')]
  const rule = (ruleId: string) => ({ ruleId, categoryId: GAMES, time: 5, days: 127, extraTime: false })
  const parent: Body[] = [
    { type: 'CREATE_CATEGORY', childId: CHILD, categoryId: 'music1', title: 'music' },
    { type: 'SET_PARENT_CATEGORY', categoryId: GAMES, parentCategory: 'music1' },
    { type: 'ADD_CATEGORY_APPS', categoryId: GAMES, packageNames: ['a', 'b'] },
    { type: 'ADD_CATEGORY_APPS', categoryId: 'music1', packageNames: ['b'] },
    { type: 'CREATE_TIMELIMIT_RULE', rule: rule('rule01') },
    { type: 'CREATE_TIMELIMIT_RULE', rule: rule('rule02') },
    { type: 'DELETE_TIMELIMIT_RULE', ruleId: 'rule01' },
    { type: 'UPDATE_CHILD_TASK', isNew: true, taskId: 'task01', categoryId: GAMES, taskTitle: 't', extraTimeDuration: 5 },
    { type: 'ADD_PARENT_U2F', keyHandle: tempKey, publicKey: signature },
    { type: 'ADD_USER', userId: 'second', name: 'B', userType: 'parent', timeZone: '', password: passwordOf('second') },
    { type: 'CREATE_CATEGORY', childId: CHILD, categoryId: 'gone01', title: 'gone' },
    { type: 'DELETE_CATEGORY', categoryId: 'gone01' },
    { type: 'UPDATE_USER_FLAGS', userId: CHILD, modified: 2, values: 2 }
  ]
  for (const body of parent) await scene.parent(body)
  const tablet: Body[] = [
    { type: 'ADD_USED_TIME', categoryId: GAMES, day: 1, timeToAdd: 5, extraTimeToSubtract: 0 },
    { type: 'ADD_USED_TIME_V2', d: 1, t: 9, i: [{ categoryId: GAMES, tta: 5, etts: 0, sdl: [[0, 9, 9, 9]] }] },
    { type: 'UPDATE_INSTALLED_APPS', b: tempKey, d: signature, w: false },
    { type: 'MARK_TASK_PENDING', taskId: 'task01' },
    { type: 'SEND_KEY_REQUEST', dsn: 1, dataType: 1, tempKey, signature },
    { type: 'SEND_KEY_REQUEST', dsn: 2, dataType: 2, tempKey, signature },
    { type: 'FINISH_KEY_REQUEST', dsn: 2 },
    { type: 'PING', deviceId: PHONE, event: 'ping', token: 'token1' }
  ]
  for (const body of tablet) await scene.tablet(body)
  assert.is(await scene.limitsItself({ type: 'UPDATE_CATEGORY_BLOCKED_TIMES', categoryId: GAMES, times: '0,9' }), false)
  const reply = { type: 'REPLY_TO_KEY_REQUEST', rsn: 1, tempKey, encryptedKey: tempKey, signature }
  assert.is(await scene.push(PHONE, scene.sign('appLogic', PHONE, '', reply)), false)
  const password = scene.sign('child', TABLET, CHILD, { type: 'CHILD_CHANGE_PASSWORD', password: passwordOf('new') })
  assert.is(await scene.push(TABLET, password), false)
  await scene.parentFails({ type: 'DELETE_TIMELIMIT_RULE', ruleId: 'rule01' })
}

async function check(store: Store, account: string): Promise<string[]> {
  const wrong: string[] = []
  await checkAccount(store, account, what => wrong.push(what), new TimeLimitHousehold())
  return wrong
}

const records = (store: Store, account: string): Plain[] =>
  store.range([account, 'household'], undefined, 10_000).map(([key, value]) => [key.join('/'), decodeValue(value)])

test('a family is what its log folds into, and one record that is not is named', async () => {
  const scene = await FamilyScene.open()
  await live(scene)
  const { account, core } = scene
  account.storeRecords()
  await account.settled()
  assert.equal(await check(core.store, account.id), [])
  const held = scene.family.get('category', GAMES)!
  const value = encodeValue({ ...held, base: { ...held.base, extraTime: 99 } } as unknown as Plain)
  await core.store.commit({ appends: [], writes: [{ key: [account.id, 'household', 'category', GAMES], value }] })
  assert.equal(await check(core.store, account.id), [`the record household/category/${GAMES} is not what the log folds into`])
})

test('a hub that starts from the log alone has the same family, and goes on with its numbers', async () => {
  const scene = await FamilyScene.open()
  await live(scene)
  const { account, core } = scene
  account.storeRecords()
  await account.settled()
  const runs = await core.store.read(account.id, 0, Number.MAX_SAFE_INTEGER)
  const store = new MemoryStore()
  await store.commit({ appends: [{ account: account.id, epoch: account.epoch, after: 0, runs }], writes: [] })
  const again = coreHub({ store, household: new TimeLimitHousehold() })
  const opened = (await again.hub.account(account.id))!
  opened.storeRecords()
  await opened.settled()
  assert.equal(records(store, account.id), records(core.store, account.id))
  assert.is(opened.lastNumber(TABLET, ''), account.lastNumber(TABLET, ''))
})

test('what was taken when more was allowed folds as it did', async () => {
  const scene = await FamilyScene.open()
  const { account } = scene
  const household = new TimeLimitHousehold()
  const fold = (key: string, action: Record<string, Plain>): void => {
    const body = { actor: 'parent' as const, userId: CHILD, action, selfLimit: true }
    const at = { cursor: account.head + 1, timeUs: account.timeUs + 1, device: TABLET, client: '', number: 0, atMs: 0 }
    household.fold(account.views, { ...at, kind: 'household.act', key, body, encoded: encodeValue(body) }, undefined)
  }
  const times = Array.from({ length: 10_080 }, (_, minute) => minute).join(',')
  fold('UPDATE_CATEGORY_BLOCKED_TIMES', { categoryId: GAMES, times })
  for (let index = 0; index < 100; index++)
    fold('CREATE_TIMELIMIT_RULE', { rule: { ruleId: `r${1e4 + index}`, categoryId: GAMES, time: 0, days: 127, extraTime: true } })
  assert.equal([scene.base().blockedTimes, scene.family.all('rule').length], [times, 100])
})

test('once the log was compacted the family stays, and a check finds it sound', async () => {
  const scene = await FamilyScene.open()
  await live(scene)
  const { account, core } = scene
  const use = { type: 'ADD_USED_TIME', categoryId: GAMES, day: 1, timeToAdd: 1, extraTimeToSubtract: 0 }
  for (let pushes = 0; pushes < 40; pushes++) {
    const actions: Sent[] = Array.from({ length: 50 }, () => scene.sign('appLogic', TABLET, '', use))
    assert.is(await scene.push(TABLET, ...actions), false)
  }
  account.readers.setCursor(PARENT, '', account.durableHead, core.clock.nowMs())
  await core.hub.compact(account.id)
  assert.ok((await core.store.head(account.id))!.floor > 1)
  account.storeRecords()
  await account.settled()
  assert.equal(await check(core.store, account.id), [])
  assert.is(scene.family.get('usedTimes', GAMES)!.times[0]!.time, 2_010)
  const before = records(core.store, account.id)
  const again = coreHub({ store: core.store, household: new TimeLimitHousehold() })
  const opened = (await again.hub.account(account.id))!
  opened.storeRecords()
  await opened.settled()
  assert.equal(records(core.store, account.id), before)
})

test('a version is four letters and digits, of its change alone, and never the one before', () => {
  const at = { cursor: 5, timeUs: 1_700_000_000_000_000, device: PHONE }
  const views = new Views(new MemoryStore(), 'a')
  const version = new FamilyChange(views, at).versionAfter()
  assert.match(version, /^[0-9a-zA-Z]{4}$/)
  assert.is(new FamilyChange(views, at).versionAfter(), version)
  assert.is.not(new FamilyChange(views, at).versionAfter(version), version)
  assert.is.not(new FamilyChange(views, { ...at, timeUs: at.timeUs + 1 }).versionAfter(), version)
})

test('a hub without households names a log that has one', async () => {
  const scene = await FamilyScene.open()
  scene.account.storeRecords()
  await scene.account.settled()
  const wrong: string[] = []
  await checkAccount(scene.core.store, scene.account.id, what => wrong.push(what))
  assert.match(wrong[0]!, 'this hub keeps no households')
})

test.run()
