import * as assert from 'uvu/assert'
import type { Plain } from '../../../protocol/index.ts'
import { suite } from '../../util/suite.ts'
import { CHILD, FamilyScene, GAMES, OTHER_CHILD, PARENT, passwordOf, PHONE, sha512, TABLET, type Body } from './family-scene.ts'

const test = suite('dialects/timelimit/effects')

const DAY = 20_000
const MINUTE_MS = 60_000
const category = { categoryId: GAMES }
const timesOf = (scene: FamilyScene, id = GAMES) => scene.family.get('usedTimes', id)?.times ?? []
const sessionsOf = (scene: FamilyScene) => scene.family.get('usedTimes', GAMES)?.sessionDurations ?? []

/** Used time of the games. */
const use = (tta: number, more: Record<string, Plain> = {}, t = 0): Body => ({
  type: 'ADD_USED_TIME_V2',
  d: DAY,
  t,
  i: [{ ...category, tta, etts: 0, ...more }]
})

test('used time adds up by day and slot, and none holds more than it is long', async () => {
  const scene = await FamilyScene.open()
  await scene.tablet(use(3 * MINUTE_MS, { as: [[60, 64]] })) // prettier-ignore
  await scene.tablet(use(4 * MINUTE_MS, { as: [[60, 64], [70, 80]] })) // prettier-ignore
  await scene.tablet({ type: 'ADD_USED_TIME', ...category, day: DAY, timeToAdd: MINUTE_MS, extraTimeToSubtract: 0 })
  assert.equal(timesOf(scene), [
    { day: DAY, time: 8 * MINUTE_MS, start: 0, end: 1_439 },
    { day: DAY, time: 5 * MINUTE_MS, start: 60, end: 64 },
    { day: DAY, time: 4 * MINUTE_MS, start: 70, end: 80 }
  ])
  await scene.tablet(use(Number.MAX_SAFE_INTEGER))
  assert.is(timesOf(scene)[0]!.time, 1_440 * MINUTE_MS)
  await scene.tabletFails(use(1, { as: [[0, 1_439]] })) // prettier-ignore
})

test('a category keeps the days next to today and what its rules count by, whatever a device tells of', async () => {
  const scene = await FamilyScene.open()
  const today = Math.floor(scene.core.clock.nowMs() / 86_400_000)
  const rule = { ruleId: 'rule01', ...category, time: 1, days: 127, extraTime: false, start: 600, end: 660, dur: 9, pause: 9 }
  await scene.parent({ type: 'CREATE_TIMELIMIT_RULE', rule })
  const counted = { ...category, tta: 5, etts: 0, as: [[600, 660]], sdl: [[600, 660, 9, 9]] }
  await scene.tablet({ type: 'ADD_USED_TIME_V2', d: today, t: 1, i: [counted] })
  const other = (index: number) =>
    scene.sign('appLogic', TABLET, '', {
      type: 'ADD_USED_TIME_V2',
      d: today + index,
      t: 1_000 + index,
      i: [
        {
          ...category,
          tta: 0,
          etts: 0,
          as: Array.from({ length: 32 }, (_, minute) => [minute, minute + 100 + index]),
          sdl: Array.from({ length: 32 }, (_, minute) => [minute, 1_000, 1 + index, 1])
        }
      ]
    })
  assert.is(await scene.push(TABLET, ...Array.from({ length: 50 }, (_, index) => other(index))), false)
  const times = timesOf(scene)
  assert.ok(times.length <= 1_024 && times.length >= 900, String(times.length))
  const ofToday = times.filter(({ day, start, end }) => day === today && [0, 600].includes(start) && [1_439, 660].includes(end))
  assert.equal(ofToday, [
    { day: today, time: 5, start: 0, end: 1_439 },
    { day: today, time: 5, start: 600, end: 660 }
  ])
  assert.ok(sessionsOf(scene).length <= 256)
  assert.equal(
    sessionsOf(scene).find(({ md, spd }) => md === 9 && spd === 9),
    { md: 9, spd: 9, sm: 600, em: 660, l: 1, d: 5 }
  )
})

test('a child goes with all its categories at one look at the rules', async () => {
  const scene = await FamilyScene.open()
  for (let index = 10; index < 40; index++) {
    const categoryId = `many${index}`
    await scene.parent({ type: 'CREATE_CATEGORY', childId: CHILD, categoryId, title: 'many' })
    const rule = { ruleId: `rule${index}`, categoryId, time: 1, days: 127, extraTime: false }
    await scene.parent({ type: 'CREATE_TIMELIMIT_RULE', rule })
  }
  const { views } = scene.account
  const range = views.range.bind(views)
  let reads = 0
  views.range = ((...args: Parameters<typeof range>) => {
    if (args[1][0] === 'rule') reads += 1
    return range(...args)
  }) as typeof range
  await scene.parent({ type: 'REMOVE_USER', userId: CHILD })
  assert.equal([scene.family.all('category'), reads < 10], [[], true])
  assert.equal(scene.family.all('rule'), [])
})

test('time used in a category counts in the one around it too, where the app does not say so itself', async () => {
  const scene = await FamilyScene.open()
  await scene.parent({ type: 'CREATE_CATEGORY', childId: CHILD, categoryId: 'outer1', title: 'outer' })
  await scene.parent({ type: 'SET_PARENT_CATEGORY', ...category, parentCategory: 'outer1' })
  await scene.parent({ type: 'SET_CATEGORY_EXTRA_TIME', categoryId: 'outer1', newExtraTime: 5 })
  await scene.tablet({ type: 'ADD_USED_TIME', ...category, day: DAY, timeToAdd: 7, extraTimeToSubtract: 2 })
  await scene.tablet(use(10))
  assert.equal([timesOf(scene)[0]!.time, timesOf(scene, 'outer1')[0]!.time], [17, 7])
  assert.equal([scene.base().extraTime, scene.base('outer1').extraTime], [0, 3])
})

test('a session goes on until a pause was as long as its limit says, but for five seconds', async () => {
  const scene = await FamilyScene.open()
  const sdl = [[0, 1_439, 600_000, 60_000]]
  const atEnd = async (timeMs: number, untilMs: number): Promise<number[]> => {
    await scene.tablet(use(timeMs, { sdl }, untilMs))
    return [sessionsOf(scene)[0]!.d, sessionsOf(scene)[0]!.l]
  }
  assert.equal(await atEnd(10_000, 1_000_000), [10_000, 1_000_000])
  assert.equal(await atEnd(10_000, 1_065_000), [20_000, 1_065_000])
  assert.equal(await atEnd(10_000, 1_130_001), [10_000, 1_130_001])
  assert.equal(await atEnd(10_000, 0), [20_000, 1_130_001])
  assert.equal(sessionsOf(scene).length, 1)
  await scene.tablet(use(1, { sdl: [[0, 1_439, 600_000, 60_000], [0, 9, 1, 1]] })) // prettier-ignore
  assert.equal(sessionsOf(scene)[1], { md: 1, spd: 1, sm: 0, em: 9, l: 0, d: 1 })
})

test('used time of another child than the one who uses the device is told at once', async () => {
  const scene = await FamilyScene.open()
  await scene.tablet(use(1))
  await scene.parent({ type: 'SET_DEVICE_USER', deviceId: TABLET, userId: OTHER_CHILD })
  scene.told.length = 0
  await scene.tablet(use(1))
  assert.equal(scene.told, [{ device: TABLET, others: 2, devices: {} }])
})

test('extra time is for a day or for any, goes down to nothing, and adds up where the days agree', async () => {
  const scene = await FamilyScene.open()
  const add = (addedExtraTime: number, day?: number): Promise<void> =>
    scene.parent({ type: 'INCREMENT_CATEGORY_EXTRATIME', ...category, addedExtraTime, ...(day !== undefined && { day }) })
  const extra = (): number[] => [scene.base().extraTime, scene.base().extraTimeDay]
  await add(10)
  await add(5)
  assert.equal(extra(), [15, -1])
  await add(5, DAY)
  assert.equal(extra(), [20, DAY])
  await add(1, DAY)
  assert.equal(extra(), [21, DAY])
  await add(3, DAY + 1)
  assert.equal(extra(), [3, DAY + 1])
  await scene.tablet(use(0, { etts: 2 }))
  assert.equal(extra(), [1, DAY + 1])
  await scene.tablet(use(0, { etts: 5 }))
  assert.equal(extra(), [0, DAY + 1])
})

test('a task that a parent agrees to brings its extra time, once', async () => {
  const scene = await FamilyScene.open()
  const task = { taskId: 'task01', ...category, taskTitle: 'tidy', extraTimeDuration: 60 }
  const review = (ok: boolean, day?: number): Body => ({
    type: 'REVIEW_CHILD_TASK',
    taskId: 'task01',
    ok,
    time: 77,
    ...(day !== undefined && { day })
  })
  const pending = { type: 'MARK_TASK_PENDING', taskId: 'task01' }
  const extra = (): number[] => [scene.base().extraTime, scene.base().extraTimeDay]
  await scene.parent({ type: 'UPDATE_CHILD_TASK', isNew: true, ...task })
  await scene.parentFails(review(true))
  await scene.tablet(pending)
  await scene.parent(review(false))
  assert.equal([scene.family.get('task', 'task01')!.task, extra()], [{ i: 'task01', t: 'tidy', d: 60, p: false, l: 0 }, [0, -1]])
  await scene.tablet(pending)
  await scene.parent(review(true))
  await scene.parentFails(review(true))
  assert.equal([scene.family.get('task', 'task01')!.task.l, extra()], [77, [60, -1]])
  await scene.parent({ type: 'SET_CATEGORY_EXTRA_TIME', ...category, newExtraTime: 5, day: DAY })
  await scene.tablet(pending)
  await scene.parent(review(true, DAY))
  assert.equal(extra(), [65, DAY])
  await scene.tablet(pending)
  await scene.parent(review(true, DAY + 1))
  assert.equal(extra(), [60, -1])
  await scene.parent({ type: 'SET_DEVICE_USER', deviceId: TABLET, userId: OTHER_CHILD })
  await scene.tabletFails(pending)
})

test('an app is in one category of each child', async () => {
  const scene = await FamilyScene.open()
  for (const [childId, categoryId] of [
    [CHILD, 'music1'],
    [OTHER_CHILD, 'theirs']
  ] as const)
    // prettier-ignore
    await scene.parent({ type: 'CREATE_CATEGORY', childId, categoryId, title: 'c' })
  const add = (categoryId: string, ...packageNames: string[]) =>
    scene.parent({ type: 'ADD_CATEGORY_APPS', categoryId, packageNames })
  await add(GAMES, 'a', 'b')
  await add('theirs', 'a')
  const { apps: before } = scene.family.get('category', GAMES)!.versions
  await add('music1', 'a', 'c')
  const appsOf = (id: string) => scene.family.get('categoryApps', id)?.apps
  assert.equal([GAMES, 'music1', 'theirs'].map(appsOf), [['b'], ['a', 'c'], ['a']])
  assert.is.not(scene.family.get('category', GAMES)!.versions.apps, before)
})

test('what is removed takes with it what is about it', async () => {
  const scene = await FamilyScene.open()
  const rule = { ruleId: 'rule01', ...category, time: 0, days: 127, extraTime: true }
  await scene.parent({ type: 'CREATE_CATEGORY', childId: CHILD, categoryId: 'inner1', title: 'inner' })
  await scene.parent({ type: 'SET_PARENT_CATEGORY', categoryId: 'inner1', parentCategory: GAMES })
  await scene.parent({ type: 'CREATE_TIMELIMIT_RULE', rule })
  await scene.parent({
    type: 'UPDATE_CHILD_TASK',
    isNew: true,
    taskId: 'task01',
    ...category,
    taskTitle: 't',
    extraTimeDuration: 1
  })
  await scene.parent({ type: 'ADD_CATEGORY_APPS', ...category, packageNames: ['a'] })
  await scene.parent({ type: 'SET_CATEGORY_FOR_UNASSIGNED_APPS', childId: CHILD, ...category })
  await scene.parent({ type: 'UPDATE_USER_LIMIT_LOGIN_CATEGORY', userId: PARENT, ...category })
  await scene.tablet(use(1))
  await scene.parent({ type: 'DELETE_CATEGORY', ...category })
  const { family } = scene
  assert.equal([family.all('rule'), family.all('task'), family.all('usedTimes'), family.all('categoryApps')], [[], [], [], []])
  assert.equal([family.all('category').length, scene.base('inner1').parentCategoryId], [1, ''])
  assert.equal([scene.user(CHILD).categoryForNotAssignedApps, scene.user(PARENT).llc], ['', undefined])
  await scene.parent({ type: 'CREATE_CATEGORY', childId: CHILD, categoryId: GAMES, title: 'anew' })
  assert.equal([timesOf(scene), family.all('rule')], [[], []])
  await scene.parent({ type: 'DELETE_CATEGORY', categoryId: 'nobody' })
  await scene.parent({ type: 'REMOVE_USER', userId: CHILD })
  assert.equal([family.all('category'), scene.device(TABLET).currentUserId], [[], ''])
})

test('a parent is removed by its own proof, not by itself, and not as the last with a mail address', async () => {
  const scene = await FamilyScene.open()
  const password = passwordOf('second')
  await scene.parent({ type: 'ADD_USER', userId: 'second', name: 'B', userType: 'parent', timeZone: '', password })
  await scene.parentFails({ type: 'ADD_USER', userId: 'third1', name: 'C', userType: 'parent', timeZone: '' })
  const proof = (userId: string) => sha512(`${userId}${passwordOf(userId).secondHash}remove`).slice(0, 16)
  const remove = (userId: string, authentication: string): Body => ({ type: 'REMOVE_USER', userId, authentication })
  await scene.parentFails(remove(PARENT, proof(PARENT)))
  await scene.parentFails(remove('second', proof(PARENT)))
  const bySecond = scene.sign('parent', PHONE, 'second', remove(PARENT, proof(PARENT)))
  assert.is(await scene.push(PHONE, bySecond), true)
  await scene.parent(remove('second', proof('second')))
  assert.is(scene.family.get('user', 'second'), undefined)
})

test('less than a device ever was is a manipulation, until it is ignored', async () => {
  const scene = await FamilyScene.open()
  const status = (members: Record<string, Plain>) => scene.tablet({ type: 'UPDATE_DEVICE_STATUS', ...members })
  const shown = () => {
    const { cProtectionLevel, hProtectionLevel, cAppVersion, hAppVersion, hadManipulation, hadManipulationFlags } =
      scene.device(TABLET)
    return [cProtectionLevel, hProtectionLevel, cAppVersion, hAppVersion, hadManipulation, hadManipulationFlags]
  }
  await status({ protectionLevel: 'device owner', appVersion: 5 })
  assert.equal(shown(), ['device owner', 'device owner', 5, 5, false, 0])
  await status({ protectionLevel: 'simple device admin' })
  await status({ appVersion: 4 })
  assert.equal(shown(), ['simple device admin', 'device owner', 4, 5, true, 9])
  const nothing = {
    admin: false,
    adminA: false,
    downgrade: false,
    notification: false,
    usageStats: false,
    hadManipulation: false
  }
  const ignore = (members: Record<string, Plain>) =>
    scene.parent({ type: 'IGNORE_MANIPULATION', deviceId: TABLET, ...nothing, ...members })
  await ignore({ admin: true, ignoreHadManipulationFlags: 1 })
  assert.equal(shown(), ['simple device admin', 'simple device admin', 4, 5, true, 8])
  await ignore({ hadManipulation: true, downgrade: true, ignoreHadManipulationFlags: 8 })
  await status({ protectionLevel: 'simple device admin', appVersion: 4 })
  assert.equal(shown(), ['simple device admin', 'simple device admin', 4, 4, false, 0])
})

test('who uses a device changes by itself, by a child and by a parent; a primary device is one that the child uses', async () => {
  const scene = await FamilyScene.open()
  await scene.tabletFails({ type: 'SIGN_OUT_AT_DEVICE' })
  await scene.hubDoes({ type: 'SET_PRIMARY_DEVICE', userId: CHILD, deviceId: TABLET })
  await scene.parent({ type: 'SET_DEVICE_DEFAULT_USER', deviceId: TABLET, defaultUserId: OTHER_CHILD })
  await scene.tablet({ type: 'SIGN_OUT_AT_DEVICE' })
  assert.equal([scene.device(TABLET).currentUserId, scene.user(CHILD).currentDevice], [OTHER_CHILD, ''])
  await scene.hubDoes({ type: 'SET_PRIMARY_DEVICE', userId: CHILD, deviceId: TABLET })
  assert.is(await scene.push(TABLET, scene.sign('child', TABLET, CHILD, { type: 'CHILD_SIGN_IN' })), false)
  assert.equal([scene.device(TABLET).currentUserId, scene.user(CHILD).currentDevice], [CHILD, ''])
  await scene.parentFails({ type: 'SET_KEEP_SIGNED_IN', deviceId: TABLET, keepSignedIn: true })
})

test('a device keeps the public key that it uploaded first', async () => {
  const scene = await FamilyScene.open()
  const key = (value: number): string => Buffer.alloc(32, value).toString('base64')
  await scene.tablet({ type: 'UPLOAD_DEVICE_PUBLIC_KEY', key: key(1) })
  await scene.tablet({ type: 'UPLOAD_DEVICE_PUBLIC_KEY', key: key(2) })
  assert.is(scene.device(TABLET).pk, key(1))
})

test('key requests and pings that pile up take the places of older ones', async () => {
  const scene = await FamilyScene.open()
  const [tempKey, signature] = [Buffer.alloc(32).toString('base64'), Buffer.alloc(64).toString('base64')]
  const ask = (dsn: number, more: Record<string, Plain>) =>
    scene.sign('appLogic', TABLET, '', { type: 'SEND_KEY_REQUEST', dsn, dataType: 1, tempKey, signature, ...more })
  await scene.push(TABLET, ask(1, {}), ask(2, {}), ask(3, { deviceId: PHONE }))
  const requests = () => scene.family.all('keyRequest').map(([, { srvSeq, senSeq }]) => [srvSeq, senSeq])
  assert.equal(requests(), [[2, 2], [3, 3]]) // prettier-ignore
  for (let first = 10; first < 90; first += 40)
    await scene.push(
      TABLET,
      ...Array.from({ length: 40 }, (_, index) => ask(first + index, { categoryId: `cat0${first + index}` }))
    )
  assert.is(requests().length, 64)
  const ping = (event: string, token: string) => scene.tablet({ type: 'PING', deviceId: PHONE, event, token })
  for (const [event, token] of [['ping', 'token1'], ['ping', 'token2'], ['pong', 'token3']] as const) await ping(event, token) // prettier-ignore
  assert.equal(scene.family.get('pings', PHONE)?.pings, [
    { deviceId: TABLET, token: 'token2', type: 'ping' },
    { deviceId: TABLET, token: 'token3', type: 'pong' }
  ])
  await scene.tabletFails({ type: 'PING', deviceId: 'nobody', event: 'ping', token: 'token1' })
})

test.run()
