import * as assert from 'uvu/assert'
import { servingHub } from '../../../util/serving-hub.ts'
import { suite } from '../../../util/suite.ts'
import { isError, newId, TimeLimitDevice, type TimeLimitAnswer } from '../../../util/timelimit-client.ts'
import { type Family, listen, newFamily } from '../../../util/timelimit-hub.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/removal')

const { hub } = household(test)
let made: Promise<Family> | undefined
const family = (): Promise<Family> => (made ??= hub().then(at => newFamily(at)))

const report = (device: TimeLimitDevice): Promise<TimeLimitAnswer> => device.ask('/sync/report-removed')
const isRemoved = async (device: TimeLimitDevice): Promise<boolean> => {
  const { status, json } = await device.ask('/sync/is-device-removed')
  assert.is(status, 200)
  assert.equal(Object.keys(json), ['isDeviceRemoved'])
  return json.isDeviceRemoved
}
const remove = ({ device, parent }: Family, deviceId: string, more: Record<string, unknown> = {}): Promise<TimeLimitAnswer> =>
  device.ask('/parent/remove-device', {
    parentUserId: parent.id,
    parentPasswordSecondHash: parent.secondHash,
    deviceId,
    ...more
  })
const isOk = ({ status, json, text }: TimeLimitAnswer): void => assert.equal([status, json], [200, { ok: true }], text)

/** A device whose token is known no more can neither push nor pull. */
async function isShut(device: TimeLimitDevice): Promise<void> {
  isError(await device.ask('/sync/push-actions', { actions: [] }), 401)
  isError(await device.ask('/sync/pull-status', { status: device.mirror.status() }), 401)
}

test('a body that is none is 400', async () => {
  const { device, hub } = await family()
  for (const path of ['/sync/report-removed', '/sync/is-device-removed']) {
    isError(await device.ask(path, { more: 1 }), 400)
    isError(await device.ask(path, { deviceAuthToken: 5 }), 400)
    isError(await hub.post(path, {}), 400)
    isError(await hub.post(path, '{'), 400)
    isError(await hub.post(path, '[]'), 400)
  }
  assert.is(await isRemoved(device), false)
})

test('a device that reports to be removed is shut out, stays in the list, and is told that it was removed, ever after', async context => {
  const { device, join } = await family()
  const leaving = await join('leaving')
  await device.pull()
  const { version } = device.mirror.devices
  const socket = await listen(context, device)
  isOk(await report(leaving))
  assert.equal(await socket.next('should sync'), [{ isImportant: false }])
  await device.pull()
  assert.is.not(device.mirror.devices.version, version)
  assert.is(device.mirror.device(leaving.id).reportUninstall, true)
  await isShut(leaving)
  assert.is(await isRemoved(leaving), true)
  isOk(await report(leaving))
  isOk(await report(leaving))
  assert.is(await isRemoved(leaving), true)
})

test('an unknown token that reports is 401, and is never told to be removed', async () => {
  const { hub, device } = await family()
  for (const deviceAuthToken of ['a'.repeat(32), '', 'short', '\u0000'.repeat(32)]) {
    isError(await hub.post('/sync/report-removed', { deviceAuthToken }), 401)
    const { status, json } = await hub.post('/sync/is-device-removed', { deviceAuthToken })
    assert.equal([status, json], [200, { isDeviceRemoved: false }])
  }
  assert.is(await isRemoved(device), false)
})

test('a device that a parent removes is gone from the list, hears of it, and is told that it was removed', async context => {
  const whole = await family()
  const { device, join, parent } = whole
  const [gone, other] = [await join('gone'), await join('other')]
  await device.act(
    device.parent(parent, { type: 'ADD_USER', name: 'Kim', userType: 'child', userId: 'kimkim', timeZone: 'Europe/Berlin' }),
    device.parent(parent, { type: 'SET_DEVICE_USER', deviceId: gone.id, userId: 'kimkim' })
  )
  assert.is((await primary(gone, 'kimkim', 'set this device')).json.status, 'success')
  await device.pull()
  assert.is(device.mirror.user('kimkim').currentDevice, gone.id)
  const { devices, users } = device.mirror
  const [hears, looksOn] = [await listen(context, gone), await listen(context, other)]
  isOk(await remove(whole, gone.id))
  assert.equal(await hears.next('should sync'), [{ isImportant: true }])
  assert.equal(await looksOn.next('should sync'), [{ isImportant: false }])
  await isShut(gone)
  assert.is(await isRemoved(gone), true)
  isOk(await report(gone))
  await device.pull()
  assert.is(device.mirror.device(gone.id), undefined)
  assert.is(device.mirror.user('kimkim').currentDevice, '')
  assert.is.not(device.mirror.devices.version, devices.version)
  assert.is.not(device.mirror.users.version, users.version)
  isError(await remove(whole, gone.id), 409, 'a second time')
})

const primary = (device: TimeLimitDevice, currentUserId: string, action: string): Promise<TimeLimitAnswer> =>
  device.ask('/child/update-primary-device', { deviceAuthToken: undefined, authToken: device.token, action, currentUserId })

test('only a parent that proves itself removes a device, and only of its own family', async () => {
  const whole = await family()
  const { device, parent, join } = whole
  const other = await join('kept')
  isError(await remove(whole, newId()), 409)
  isError(await remove(whole, other.id, { parentPasswordSecondHash: parent.password.hash }), 401)
  isError(await remove(whole, other.id, { parentPasswordSecondHash: '' }), 401)
  isError(await remove(whole, other.id, { parentPasswordSecondHash: 'device' }), 401, 'not kept signed in')
  isError(await remove(whole, other.id, { parentUserId: newId() }), 401)
  isError(await remove(whole, other.id, { deviceAuthToken: 'a'.repeat(32) }), 401)
  isError(await remove(whole, other.id, { more: 1 }), 400)
  isError(await remove(whole, other.id, { deviceId: 5 }), 400)
  const stranger = await newFamily(await hub())
  isError(await remove(stranger, other.id), 409, 'a stranger')
  assert.is(await isRemoved(other), false)
  await other.pull()
  await device.act(
    device.parent(parent, { type: 'SET_DEVICE_USER', deviceId: device.id, userId: parent.id }),
    device.parent(parent, { type: 'SET_KEEP_SIGNED_IN', deviceId: device.id, keepSignedIn: true })
  )
  isOk(await remove(whole, other.id, { parentPasswordSecondHash: 'device' }))
})

test('a hub that knows nothing of a family tells none of its devices to reset itself', async context => {
  const { device, join } = await family()
  const removed = await join('removed')
  isOk(await report(removed))
  const empty = await servingHub(context)
  for (const { token, id } of [device, removed]) {
    const there = new TimeLimitDevice(empty.url, token, id)
    await isShut(there)
    assert.is(await isRemoved(there), false)
  }
})

test.run()
