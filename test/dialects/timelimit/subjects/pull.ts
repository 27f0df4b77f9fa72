import * as assert from 'uvu/assert'
import { suite } from '../../../util/suite.ts'
import { isError, newId } from '../../../util/timelimit-client.ts'
import { HouseholdMirror, type CategoryVersions } from '../../../util/timelimit-mirror.ts'
import { haveChanged } from './cases/action-case.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/pull')

const { scene } = household(test)

const EMPTY = { devices: '', users: '', apps: {}, categories: {} }
const VERSION = /^[0-9a-zA-Z]{4}$/
const bytes = (count: number): string => Buffer.alloc(count, 1).toString('base64')

/** The type of each member of an answer's parts; `?` behind it says that it may be missing. */
const DEVICE: Record<string, string> = {
  deviceId: 'string',
  name: 'string',
  model: 'string',
  addedAt: 'number',
  currentUserId: 'string',
  networkTime: 'string',
  cProtectionLevel: 'string',
  hProtectionLevel: 'string',
  cUsageStats: 'string',
  hUsageStats: 'string',
  cOverlay: 'string',
  hOverlay: 'string',
  cNotificationAccess: 'string',
  hNotificationAccess: 'string',
  cAppVersion: 'number',
  hAppVersion: 'number',
  tDisablingAdmin: 'boolean',
  reboot: 'boolean',
  hadManipulation: 'boolean',
  hadManipulationFlags: 'number',
  reportUninstall: 'boolean',
  isUserKeptSignedIn: 'boolean',
  showDeviceConnected: 'boolean',
  defUser: 'string',
  defUserTimeout: 'number',
  rebootIsManipulation: 'boolean',
  asEnabled: 'boolean',
  wasAsEnabled: 'boolean',
  activityLevelBlocking: 'boolean',
  qOrLater: 'boolean',
  mFlags: 'number',
  pk: 'string?',
  pType: 'string?',
  pLevel: 'number'
}
const USER: Record<string, string> = {
  id: 'string',
  name: 'string',
  password: 'string',
  secondPasswordSalt: 'string',
  type: 'string',
  timeZone: 'string',
  disableLimitsUntil: 'number',
  mail: 'string',
  currentDevice: 'string',
  categoryForNotAssignedApps: 'string',
  relaxPrimaryDevice: 'boolean',
  mailNotificationFlags: 'number',
  blockedTimes: 'string',
  flags: 'number',
  llc: 'string?',
  pbd: 'number?'
}

function has(found: Record<string, unknown>, members: Record<string, string>): void {
  const given = Object.entries(found).map(([name, value]) => [name, typeof value])
  for (const [name, type] of given) assert.is(members[name!]?.replace('?', ''), type, name)
  for (const [name, type] of Object.entries(members)) assert.ok(type.endsWith('?') || name in found, `no ${name}`)
}

test('a body that is none is 400, and an unknown token 401', async () => {
  const { device, family } = await scene()
  const categories = (versions: unknown): Record<string, unknown> => ({ ...EMPTY, categories: { abc123: versions } })
  const whole = { base: '', apps: '', rules: '', usedTime: '' }
  const wrong: Record<string, unknown> = {
    'no status': undefined,
    'a status of another type': 'all',
    'no devices': { users: '', apps: {}, categories: {} },
    'no users': { devices: '', apps: {}, categories: {} },
    'no apps': { devices: '', users: '', categories: {} },
    'no categories': { devices: '', users: '', apps: {} },
    'a member too many': { ...EMPTY, more: '' },
    'a version of another type': { ...EMPTY, devices: 5 },
    'apps of another type': { ...EMPTY, apps: { abc123: 5 } },
    'a level of another type': { ...EMPTY, clientLevel: '8' },
    'a category without rules': categories({ base: '', apps: '', usedTime: '' }),
    'a category with a member too many': categories({ ...whole, more: '' }),
    'a category of another type': categories(''),
    'tasks of another type': categories({ ...whole, tasks: 5 }),
    'a device with a member too many': { ...EMPTY, devicesDetail: { abc123: { appsC: '' } } },
    'a device of another type': { ...EMPTY, devicesDetail: { abc123: { appsB: 5 } } },
    'kri of another type': { ...EMPTY, kri: '1' },
    'kr of another type': { ...EMPTY, kr: '1' },
    'dh of another type': { ...EMPTY, dh: 1 },
    'u2f of another type': { ...EMPTY, u2f: 1 }
  }
  for (const [what, status] of Object.entries(wrong)) isError(await device.ask('/sync/pull-status', { status }), 400, what)
  isError(await device.ask('/sync/pull-status', { status: EMPTY, more: 1 }), 400, 'a member beside the status')
  isError(await family.hub.post('/sync/pull-status', { status: EMPTY }), 400, 'no token')
  isError(await family.hub.post('/sync/pull-status', { deviceAuthToken: 'a'.repeat(32), status: EMPTY }), 401)
  isError(await family.hub.post('/sync/pull-status', '{'), 400)
})

test('who has nothing is told everything, with every member of its type', async () => {
  const { device, child, addCategory, addRule, addTask, target } = await scene()
  const categoryId = await addCategory()
  const [ruleId, taskId] = [await addRule(categoryId), await addTask(categoryId)]
  const { status, json, type } = await device.ask('/sync/pull-status', { status: { ...EMPTY, clientLevel: 8 } })
  assert.is(status, 200)
  assert.match(type!, /^application\/json; charset=utf-8$/i)
  const { fullVersion, apiLevel, devices, users } = json
  assert.is(apiLevel, 9)
  assert.type(fullVersion, 'number')
  assert.match(devices.version, VERSION)
  assert.match(users.version, VERSION)
  for (const found of devices.data) has(found, DEVICE)
  for (const found of users.data) has(found, USER)
  assert.ok(devices.data.some(({ deviceId }: any) => deviceId === target.id))
  assert.ok(users.data.some(({ id }: any) => id === child.id))
  for (const part of ['categoryBase', 'categoryApp', 'usedTimes', 'rules', 'tasks']) {
    const found = json[part].find((one: any) => one.categoryId === categoryId)
    assert.match(found.version, VERSION, part)
  }
  const [rule] = json.rules.find((one: any) => one.categoryId === categoryId).rules
  assert.equal([rule.id, rule.start, rule.end, rule.session, rule.pause, rule.perDay], [ruleId, 0, 1_439, 0, 0, false])
  assert.is(json.tasks.find((one: any) => one.categoryId === categoryId).tasks[0].i, taskId)
  assert.is(json.rmCategories, undefined)
  assert.equal(json.pings, [])
})

test('who has everything is told nothing but the levels, and pings from level 7 on', async () => {
  const { watcher } = await scene()
  for (const level of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
    watcher.mirror = new HouseholdMirror(level)
    await watcher.pull()
    const answer = await watcher.pull()
    assert.equal(Object.keys(answer).sort(), ['apiLevel', 'fullVersion', ...(level >= 7 ? ['pings'] : [])], `level ${level}`)
  }
  assert.equal(Object.keys(await watcher.pull()).sort(), Object.keys(await watcher.pull()).sort(), 'a pull changes no version')
})

test('each level is told what it knows, and no more', async () => {
  const { device, target, watcher, addCategory } = await scene()
  const categoryId = await addCategory()
  const i = [{ categoryId, tta: 1_000, etts: 0, as: [[60, 119]] }]
  await target.act(
    target.appLogic({ type: 'ADD_USED_TIME_V2', d: 20_000, i }),
    target.appLogic({ type: 'UPDATE_INSTALLED_APPS', b: bytes(3), w: false }),
    target.appLogic({ type: 'SEND_KEY_REQUEST', dsn: 1, dataType: 1, tempKey: bytes(32), signature: bytes(64) }),
    target.appLogic({ type: 'PING', deviceId: device.id, event: 'ping', token: newId() })
  )
  await device.pull()
  const [request] = [...device.mirror.keyRequests.values()].filter(({ senId }) => senId === target.id)
  await device.act(
    device.appLogic({
      type: 'REPLY_TO_KEY_REQUEST',
      rsn: request.srvSeq,
      tempKey: bytes(32),
      encryptedKey: bytes(8),
      signature: bytes(64)
    })
  )
  const from: Record<string, number> = { tasks: 3, devices2: 4, krq: 4, dh: 5, u2f: 6, pings: 7 }
  const always = ['fullVersion', 'apiLevel', 'devices', 'users', 'categoryBase', 'categoryApp', 'usedTimes', 'rules']
  const { parent } = await scene()
  await device.act(device.parent(parent, { type: 'ADD_PARENT_U2F', keyHandle: bytes(64), publicKey: bytes(65) }))
  for (const clientLevel of [undefined, 0, 1, 2, 3, 4, 5, 6, 7, 8]) {
    const level = clientLevel ?? 0
    const answer = await watcher.pullWith({ ...EMPTY, ...(clientLevel !== undefined && { clientLevel, kri: 0 }) })
    const { message: _, ...told } = answer
    const expected = [...always, ...Object.keys(from).filter(part => level >= from[part]!)]
    assert.equal(Object.keys(told).sort(), expected.sort(), `level ${clientLevel}`)
    const { times } = told.usedTimes.find((one: any) => one.categoryId === categoryId)
    assert.is(times.length, level >= 2 ? 2 : 1, `slots of level ${clientLevel}`)
    assert.ok(level >= 2 || (times[0].day === 20_000 && times[0].time === 1_000))
  }
  assert.is((await target.pullWith({ ...EMPTY, clientLevel: 3, kr: 0 })).kr, undefined)
  assert.is((await target.pullWith({ ...EMPTY, clientLevel: 4, kr: 0 })).kr.length, 1)
})

test('of a category only the part that changed is told, whole', async () => {
  const { act, watcher, addCategory, target } = await scene()
  const categoryId = await addCategory()
  const parts = { base: 'categoryBase', apps: 'categoryApp', rules: 'rules', usedTime: 'usedTimes', tasks: 'tasks' } as const
  const changes: Record<keyof typeof parts, () => Promise<unknown>> = {
    base: () => act({ type: 'UPDATE_CATEGORY_TITLE', categoryId, newTitle: newId() }),
    apps: () => act({ type: 'ADD_CATEGORY_APPS', categoryId, packageNames: [newId()] }),
    rules: () => act({
      type: 'CREATE_TIMELIMIT_RULE',
      rule: { ruleId: newId(), categoryId, time: 1, days: 127, extraTime: false }
    }), // prettier-ignore
    usedTime: () =>
      target.act(target.appLogic({ type: 'ADD_USED_TIME', categoryId, day: 20_000, timeToAdd: 1, extraTimeToSubtract: 0 })),
    tasks: () =>
      act({ type: 'UPDATE_CHILD_TASK', isNew: true, taskId: newId(), categoryId, taskTitle: 'a', extraTimeDuration: 1 })
  }
  watcher.mirror = new HouseholdMirror()
  await watcher.pull()
  for (const [part, change] of Object.entries(changes)) {
    const before = watcher.mirror.versions()
    await change()
    const answer = await watcher.pull()
    haveChanged(before, watcher.mirror.versions(), [`${part}:${categoryId}`])
    const name = parts[part as keyof typeof parts]
    assert.equal(Object.keys(answer).sort(), ['apiLevel', 'fullVersion', name, 'pings'].sort())
    assert.equal([answer[name].length, answer[name][0].categoryId], [1, categoryId])
  }
  assert.equal(watcher.mirror.state(), (await watcher.pullAll()).state())
})

test('a version that is not the one the hub has is told anew, whatever it is', async () => {
  const { watcher, addCategory } = await scene()
  const categoryId = await addCategory()
  watcher.mirror = new HouseholdMirror()
  await watcher.pull()
  const known = watcher.mirror.status()
  for (const version of ['', 'zzzz', 'a'.repeat(1_000), '__proto__']) {
    const answer = await watcher.pullWith({ ...known, devices: version, u2f: version })
    assert.ok(answer.devices, version)
    for (const part of ['base', 'apps', 'rules', 'usedTime', 'tasks'] as const) {
      const categories = { ...known.categories, [categoryId]: { ...known.categories[categoryId]!, [part]: version } }
      const told = await watcher.pullWith({ ...known, categories })
      assert.is(Object.keys(told).length, 4, `${part} ${version}`)
    }
  }
})

test('what the client has and the hub has not is named as removed, and what it does not name is new', async () => {
  const { watcher, addCategory, act } = await scene()
  const [kept, gone] = [await addCategory(), await addCategory()]
  watcher.mirror = new HouseholdMirror()
  await watcher.pull()
  await act({ type: 'DELETE_CATEGORY', categoryId: gone })
  const none: CategoryVersions = { base: '', apps: '', rules: '', usedTime: '' }
  const status = watcher.mirror.status()
  const answer = await watcher.pullWith({ ...status, categories: { ...status.categories, aaaaaa: none, ['__proto__x']: none } })
  assert.equal([...(answer.rmCategories as string[])].sort(), ['__proto__x', 'aaaaaa', gone].sort())
  const { [kept]: _, ...others } = status.categories
  const told = await watcher.pullWith({ ...status, categories: others })
  for (const part of ['categoryBase', 'categoryApp', 'usedTimes', 'rules', 'tasks'])
    assert.equal(
      told[part].map(({ categoryId }: any) => categoryId),
      [kept],
      part
    )
  assert.equal(told.rmCategories, [gone])
})

test('a device that forgets its versions has the same after a pull as one that begins anew', async () => {
  const { device, addCategory, act } = await scene()
  const categoryId = await addCategory()
  await device.pull()
  await act({ type: 'DELETE_CATEGORY', categoryId })
  assert.is(await device.push(device.appLogic({ type: 'MARK_TASK_PENDING', taskId: newId() })), true)
  device.mirror.forgetVersions()
  assert.equal((await device.pull()).rmCategories, [categoryId])
  assert.equal(device.mirror.state(), (await device.pullAll()).state())
})

test.run()
