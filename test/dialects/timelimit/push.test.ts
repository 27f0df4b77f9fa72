import { createHmac } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { Refused } from '../../../server/dialects/timelimit/refusals.ts'
import { HubProcess } from '../../util/hub-process.ts'
import { suite } from '../../util/suite.ts'
import { codeOf, newFamily, timelimitHubAt } from '../../util/timelimit-hub.ts'
import { newId } from '../../util/timelimit-client.ts'
import { CHILD, FamilyScene, GAMES, PARENT, PHONE, sha512, TABLET } from './family-scene.ts'

const test = suite('dialects/timelimit/push')

const use = (timeToAdd: number) => ({ type: 'ADD_USED_TIME', categoryId: GAMES, day: 20_000, timeToAdd, extraTimeToSubtract: 0 })
const used = (scene: FamilyScene): number => scene.family.get('usedTimes', GAMES)?.times[0]?.time ?? 0
const numbered = (scene: FamilyScene, sequenceNumber: number, timeToAdd = 1_000) => ({
  ...scene.sign('appLogic', TABLET, '', use(timeToAdd)),
  sequenceNumber
})

test('numbers begin at 0, gaps are fine, and what was sent before is passed over with a full sync', async () => {
  const scene = await FamilyScene.open()
  assert.is(await scene.push(TABLET), false)
  assert.is(await scene.push(TABLET, numbered(scene, 0), numbered(scene, 5)), false)
  assert.is(used(scene), 2_000)
  const { head } = scene.account
  assert.is(await scene.push(TABLET, numbered(scene, 5)), true)
  assert.is(await scene.push(TABLET, numbered(scene, 3), numbered(scene, -1)), true)
  assert.equal([used(scene), scene.account.head], [2_000, head])
  assert.is(await scene.push(TABLET, numbered(scene, 6), numbered(scene, 6), numbered(scene, 7)), true)
  assert.is(used(scene), 4_000)
})

test('a number need not be whole, and one that no count can go on from is passed over', async () => {
  const scene = await FamilyScene.open()
  assert.is(await scene.push(TABLET, numbered(scene, 1_500.5)), false)
  assert.is(await scene.push(TABLET, numbered(scene, 1_501)), true)
  assert.is(await scene.push(TABLET, numbered(scene, 1e300), numbered(scene, Number.MAX_SAFE_INTEGER)), true)
  assert.is(await scene.push(TABLET, numbered(scene, 1_502)), false)
  assert.is(used(scene), 2_000)
})

test('an action that is refused uses its number up, and those beside it take effect', async () => {
  const scene = await FamilyScene.open()
  const bad = { ...scene.sign('appLogic', TABLET, '', { ...use(1), categoryId: 'nobody' }), sequenceNumber: 1 }
  assert.is(await scene.push(TABLET, numbered(scene, 0), bad, numbered(scene, 2)), true)
  assert.is(used(scene), 2_000)
  assert.is(await scene.push(TABLET, { ...numbered(scene, 0), sequenceNumber: 1 }), true)
  assert.is(used(scene), 2_000)
  assert.is(await scene.push(TABLET, numbered(scene, 3)), false)
})

test('each device counts for itself', async () => {
  const scene = await FamilyScene.open()
  assert.is(await scene.push(TABLET, numbered(scene, 100)), false)
  await scene.parent({ type: 'UPDATE_DEVICE_NAME', deviceId: PHONE, name: 'p' })
  assert.is(scene.device(PHONE).name, 'p')
})

test('pushes of one device that come at once are taken one behind the other, however long they are', async () => {
  const scene = await FamilyScene.open()
  const padded = (first: number) =>
    Array.from({ length: 50 }, (_, index) => {
      const action = numbered(scene, first + index, 1)
      return { ...action, encodedAction: action.encodedAction + ' '.repeat(20_000) }
    })
  const answers = await Promise.all([0, 50, 100].map(first => scene.push(TABLET, ...padded(first))))
  assert.equal([answers, used(scene)], [[false, false, false], 150])
})

test('of a device that is cut off nothing more is taken, be it on its way or waiting behind others', async () => {
  const scene = await FamilyScene.open()
  const long = (first: number) =>
    Array.from({ length: 10 }, (_, index) => {
      const action = numbered(scene, first + index, 1)
      return { ...action, encodedAction: action.encodedAction + ' '.repeat(70_000) }
    })
  const statusOf = (pushed: Promise<boolean>): Promise<unknown> =>
    pushed.then(
      () => 200,
      ({ status }: Refused) => status
    )
  const pushes = [0, 10].map(first => statusOf(scene.push(TABLET, ...long(first))))
  while (used(scene) < 3) await new Promise(resolve => setImmediate(resolve))
  const taken = used(scene)
  await scene.account.write('device.revoke', TABLET, {})
  assert.equal(await Promise.all(pushes), [401, 401])
  assert.equal(await statusOf(scene.push(TABLET, numbered(scene, 20))), 401)
  assert.is(used(scene), taken)
  assert.is(scene.told.at(-1)!.device, TABLET)
  await scene.parent({ type: 'UPDATE_DEVICE_NAME', deviceId: PHONE, name: 'mine' })
})

test('an action of millions of values, or of an object with many members, is refused before any of them is made', async () => {
  const scene = await FamilyScene.open()
  const parse = JSON.parse
  let longest = 0
  JSON.parse = (text: string, ...more: []) => {
    longest = Math.max(longest, text.length)
    return parse(text, ...more) as unknown
  }
  try {
    const members = Array.from({ length: 100 }, (_, index) => `"m${index}":0`).join()
    for (const list of ['['.repeat(2_000_000), '[],'.repeat(600_000), `],"b":0,${members}}`, `{${members}}]}`])
      assert.is(await scene.push(TABLET, scene.sign('appLogic', TABLET, '', `{"type":"FORCE_SYNC","a":[${list}`)), true)
  } finally {
    JSON.parse = parse
  }
  assert.is(longest, 0)
})

test('what is no action of its sender is refused', async () => {
  const scene = await FamilyScene.open()
  const wrong = [
    '',
    '{',
    '[]',
    'null',
    '5',
    '{}',
    '{"type":5}',
    '{"type":"NOTHING"}',
    '{"type":"__proto__"}',
    '{"type":"toString"}'
  ]
  for (const text of wrong) assert.is(await scene.push(TABLET, scene.sign('appLogic', TABLET, '', text)), true, text)
  for (const text of ['{"type":"FORCE_SYNC","__proto__":{}}', '{"type":"FORCE_SYNC","more":1}', '{"type":"ADD_USER"}'])
    assert.is(await scene.push(TABLET, scene.sign('appLogic', TABLET, '', text)), true, text)
  assert.is(await scene.push(PHONE, scene.sign('parent', PHONE, PARENT, { type: 'FORCE_SYNC' })), true)
  assert.is(await scene.push(PHONE, scene.sign('parent', PHONE, PARENT, { type: 'CHILD_SIGN_IN' })), true)
  assert.is(await scene.push(TABLET, scene.sign('child', TABLET, CHILD, { type: 'ADD_DEVICE' })), true)
  await scene.tablet({ type: 'FORCE_SYNC' })
})

test('the integrity proves who acts, with which device, what, and under which number', async () => {
  const scene = await FamilyScene.open()
  const rename = { type: 'UPDATE_DEVICE_NAME', deviceId: PHONE, name: 'new' }
  const sent = () => scene.sign('parent', PHONE, PARENT, rename)
  const secondHash = scene.family.get('user', PARENT)!.secondHash
  const fails = async (change: object): Promise<void> => {
    const action = sent()
    assert.is(await scene.push(PHONE, { ...action, ...change }), true, JSON.stringify(change))
  }
  for (const change of [
    { integrity: '' },
    { integrity: 'device' },
    { integrity: 'childDevice' },
    { integrity: 'u2f:a.b.c.d.e' },
    { integrity: 'password:' },
    { userId: CHILD },
    { userId: 'nobody' },
    { encodedAction: JSON.stringify({ ...rename, name: 'other' }) },
    { sequenceNumber: 99 }
  ])
    await fails(change)
  const later = { ...sent(), sequenceNumber: 200 }
  assert.is(await scene.push(PHONE, { ...later, integrity: sha512(`200${TABLET}${secondHash}${later.encodedAction}`) }), true)
  assert.is(scene.device(PHONE).name, 'phone')
  const signed = { ...sent(), sequenceNumber: 201 }
  assert.is(await scene.push(PHONE, { ...signed, integrity: sha512(`201${PHONE}${secondHash}${signed.encodedAction}`) }), false)
  assert.is(scene.device(PHONE).name, 'new')
})

test('a user id that is none names nobody, and the account goes on as it is', async () => {
  const scene = await FamilyScene.open()
  for (const userId of ['\0', 'a\0b', '', '\ud800', 'x'.repeat(5_000)])
    for (const type of ['parent', 'child'] as const)
      assert.is(await scene.push(PHONE, { ...scene.sign(type, PHONE, CHILD, { type: 'CHILD_SIGN_IN' }), userId }), true)
  await scene.parent({ type: 'UPDATE_DEVICE_NAME', deviceId: PHONE, name: 'mine' })
  assert.is(scene.device(PHONE).name, 'mine')
})

test('a parent signs by HMAC too, over the bytes of number, device and action', async () => {
  const scene = await FamilyScene.open()
  const action = scene.sign('parent', PHONE, PARENT, { type: 'UPDATE_DEVICE_NAME', deviceId: PHONE, name: 'Gerät ✓' })
  const text = Buffer.from(action.encodedAction)
  const bytes = Buffer.concat([Buffer.alloc(12), Buffer.from(PHONE), Buffer.alloc(4), text])
  bytes.writeBigUInt64BE(BigInt(action.sequenceNumber))
  bytes.writeUInt32BE(PHONE.length, 8)
  bytes.writeUInt32BE(text.length, 12 + PHONE.length)
  const hmac = (key: string): string => `password:${createHmac('sha256', key).update(bytes).digest('base64')}`
  const { secondHash } = scene.family.get('user', PARENT)!
  assert.is(await scene.push(PHONE, { ...action, integrity: hmac(secondHash) }), false)
  assert.is(scene.device(PHONE).name, 'Gerät ✓')
  const child = scene.sign('child', TABLET, CHILD, { type: 'CHILD_SIGN_IN' })
  assert.is(await scene.push(TABLET, { ...child, integrity: hmac(scene.family.get('user', CHILD)!.secondHash) }), true)
})

test('a device where the parent stays signed in acts for that parent, and for no other', async () => {
  const scene = await FamilyScene.open()
  const rename = { type: 'UPDATE_DEVICE_NAME', deviceId: PHONE, name: 'mine' }
  const byDevice = (device: string) => scene.push(device, scene.sign('parent', device, PARENT, rename, 'device'))
  assert.is(await byDevice(PHONE), true)
  await scene.parent({ type: 'SET_KEEP_SIGNED_IN', deviceId: PHONE, keepSignedIn: true })
  assert.equal([await byDevice(PHONE), await byDevice(TABLET)], [false, true])
  await scene.parent({ type: 'SET_DEVICE_USER', deviceId: PHONE, userId: PARENT })
  assert.is(await byDevice(PHONE), true)
})

test('a child without a password signs nothing', async () => {
  const scene = await FamilyScene.open()
  await scene.parent({ type: 'ADD_USER', userId: 'child3', name: 'x', userType: 'child', timeZone: '' })
  assert.is(await scene.push(TABLET, scene.sign('child', TABLET, 'child3', { type: 'CHILD_SIGN_IN' })), true)
  assert.is(scene.device(TABLET).currentUserId, CHILD)
})

test('others are told once of a push, as urgently as its most urgent action', async () => {
  const scene = await FamilyScene.open()
  scene.told.length = 0
  const ping = { type: 'PING', deviceId: PHONE, event: 'ping', token: 'token1' }
  const [first, second, third] = [use(1), ping, { type: 'FORCE_SYNC' }].map(body => scene.sign('appLogic', TABLET, '', body))
  await scene.push(TABLET, first!, second!)
  await scene.push(TABLET, third!)
  await scene.push(TABLET, third!)
  assert.equal(scene.told, [
    { device: TABLET, others: 1, devices: { [PHONE]: 2 } },
    { device: TABLET, others: 2, devices: {} }
  ])
})

test('used time of an unknown category is passed over with a full sync, and the rest of it counts', async () => {
  const scene = await FamilyScene.open()
  const item = (categoryId: string) => ({ categoryId, tta: 1_000, etts: 0 })
  await scene.tabletFails({ type: 'ADD_USED_TIME_V2', d: 20_000, i: [item('nobody'), item(GAMES)] })
  assert.is(used(scene), 1_000)
})

test('no client of the account can do what only the hub can', async () => {
  const scene = await FamilyScene.open()
  const { head } = scene.account
  const action = scene.sign('parent', PHONE, PARENT, { type: 'FORCE_SYNC' })
  const { type, ...asked } = action
  const { Origin } = await import('../../../server/core/origin.ts')
  const refused = await new Promise<unknown>(resolve =>
    scene.account.submit(new Origin(PHONE, 'tab'), 0, [[1, 0, 'household.act', type, asked]], {
      answered: ({ refused }) => resolve(refused[0]![1])
    })
  )
  assert.equal([refused, scene.account.head], ['forbidden', head])
})

test('a family whose share of the store is used up takes nothing, and what its devices send then is taken once there is room', async ({
  defer
}) => {
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start(['--max-account-mib', '1'])
  const { device, parent } = await newFamily(timelimitHubAt(hub.url, mail => codeOf(hub.dataFolder, mail)))
  const [childId, categoryId] = [newId(), newId()]
  await device.act(
    device.parent(parent, { type: 'ADD_USER', name: 'child', userType: 'child', userId: childId, timeZone: '' }),
    device.parent(parent, { type: 'CREATE_CATEGORY', childId, categoryId, title: 'games' })
  )
  const list = Buffer.alloc(500_000).toString('base64')
  const apps = () => device.appLogic({ type: 'UPDATE_INSTALLED_APPS', b: list, d: list, w: false })
  const count = () =>
    device.appLogic({ type: 'ADD_USED_TIME', categoryId, day: 20_000, timeToAdd: 1_000, extraTimeToSubtract: 0 })
  const counted = async () => (await device.pullAll()).times(categoryId)[0]?.time
  const actions = [count(), apps(), apps(), count()]
  const pushed = await device.ask('/sync/push-actions', { actions })
  assert.equal([pushed.status, await counted()], [507, 1_000], 'the last of them found no room')

  await hub.kill()
  await hub.start(['--max-account-mib', '8'])
  assert.is(await device.push(...actions), true, 'what was taken before is passed over')
  assert.is(await counted(), 2_000)
})

test.run()
