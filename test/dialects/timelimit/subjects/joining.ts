import * as assert from 'uvu/assert'
import { suite } from '../../../util/suite.ts'
import { isError, newId, newPassword, TimeLimitDevice, type TimeLimitAnswer } from '../../../util/timelimit-client.ts'
import { type Family, familyRequest, listen, mailToken, newFamily } from '../../../util/timelimit-hub.ts'
import { HouseholdMirror } from '../../../util/timelimit-mirror.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/joining')

const { hub } = household(test)
let made: Promise<Family> | undefined
const family = (): Promise<Family> => (made ??= hub().then(at => newFamily(at)))

const newMail = (): string => `${newId()}@example.org`.toLowerCase()
const openToken = ({ device, parent }: Family, more: Record<string, unknown> = {}): Promise<TimeLimitAnswer> =>
  device.ask('/parent/create-add-device-token', { parentId: parent.id, parentPasswordSecondHash: parent.secondHash, ...more })
const addDevice = async (registerToken: unknown, more: Record<string, unknown> = {}): Promise<TimeLimitAnswer> =>
  (await hub()).post('/child/add-device', { registerToken, deviceName: 'tablet', childDevice: { model: 'T1' }, ...more })

test('a code that was sent by mail signs in, once, and a wrong one does not', async () => {
  const at = await hub()
  const mail = newMail()
  isError(await at.post('/auth/send-mail-login-code-v2', { mail }), 400)
  isError(await at.post('/auth/send-mail-login-code-v2', { mail, locale: 'en', more: 1 }), 400)
  isError(await at.post('/auth/send-mail-login-code-v2', { mail: 'nobody', locale: 'en' }), 400)
  const sent = await at.post('/auth/send-mail-login-code-v2', { mail, locale: 'en' })
  assert.equal([sent.status, Object.keys(sent.json)], [200, ['mailLoginToken']])
  const { mailLoginToken } = sent.json
  const signIn = (receivedCode: string, token = mailLoginToken): Promise<TimeLimitAnswer> =>
    at.post('/auth/sign-in-by-mail-code', { mailLoginToken: token, receivedCode })
  isError(await signIn('a wrong code'), 403)
  isError(await signIn(await at.mailCode(mail), 'a'.repeat(32)), 410, 'an unknown token')
  const signed = await signIn(await at.mailCode(mail))
  assert.equal([signed.status, Object.keys(signed.json)], [200, ['mailAuthToken']], signed.text)
  isError(await signIn('a wrong code'), 410, 'a token that was used')
})

test('a code that was guessed wrong too often is worth nothing', async () => {
  const at = await hub()
  const mail = newMail()
  const { mailLoginToken } = (await at.post('/auth/send-mail-login-code-v2', { mail, locale: 'en' })).json
  const guess = async (receivedCode: string): Promise<number> =>
    (await at.post('/auth/sign-in-by-mail-code', { mailLoginToken, receivedCode })).status
  const code = await at.mailCode(mail)
  let status = 403
  for (let tries = 0; tries < 20 && status === 403; tries++) status = await guess('a wrong code')
  assert.is(status, 410)
  assert.is(await guess(code), 410)
})

test('a family begins with a parent and its device, and one address has one family', async () => {
  const at = await hub()
  const mail = newMail()
  const password = newPassword()
  const request = familyRequest(await mailToken(at, mail), password)
  for (const wrong of [
    { more: 1 },
    { parentName: 5 },
    { parentPassword: { hash: '' } },
    { parentDevice: {} },
    { mailAuthToken: 5 }
  ])
    isError(await at.post('/parent/create-family', { ...request, ...wrong }), 400, JSON.stringify(wrong))
  isError(await at.post('/parent/create-family', { ...request, mailAuthToken: 'a'.repeat(32) }), 401)
  const { status, json, text } = await at.post('/parent/create-family', request)
  assert.is(status, 200, text)
  assert.match(json.deviceAuthToken, /^[0-9a-zA-Z]{32}$/)
  assert.match(json.ownDeviceId, /^[0-9a-zA-Z]{6}$/)
  const device = new TimeLimitDevice(at.url, json.deviceAuthToken, json.ownDeviceId)
  const { devices, users, categories } = await device.pullAll()
  assert.equal(
    devices.data.map(({ deviceId, name, model }) => [deviceId, name, model]),
    [[device.id, 'parent device', 'test model']]
  )
  assert.equal(
    users.data.map(user => [user.name, user.type, user.mail, user.timeZone, user.password, user.secondPasswordSalt]),
    [['Parent', 'parent', mail, 'Europe/Berlin', password.hash, password.secondSalt]]
  )
  assert.match(users.data[0].id, /^[0-9a-zA-Z]{6}$/)
  assert.is(categories.size, 0)
  isError(await at.post('/parent/create-family', familyRequest(await mailToken(at, mail))), 409)
})

test('a parent opens the family to one device, which gets the id that was promised', async context => {
  const whole = await family()
  isError(await openToken(whole, { parentPasswordSecondHash: newPassword().secondHash }), 401)
  isError(await openToken(whole, { parentPasswordSecondHash: 'device' }), 401, 'not kept signed in')
  isError(await openToken(whole, { parentId: newId() }), 401)
  isError(await openToken(whole, { deviceAuthToken: 'a'.repeat(32) }), 401)
  isError(await openToken(whole, { more: 1 }), 400)
  isError(await openToken(whole, { parentId: 5 }), 400)
  const { status, json, text } = await openToken(whole)
  assert.is(status, 200, text)
  assert.equal(Object.keys(json).sort(), ['deviceId', 'token'])
  assert.match(json.token, /^\S+( \S+){4}$/)
  assert.match(json.deviceId, /^[0-9a-zA-Z]{6}$/)

  isError(await addDevice(json.token, { more: 1 }), 400)
  isError(await addDevice(json.token, { childDevice: {} }), 400)
  isError(await addDevice(5), 400)
  isError(await addDevice('five words that are wrong'), 401)
  const socket = await listen(context, whole.device)
  const joined = await addDevice(json.token.toUpperCase(), { clientLevel: 8 })
  assert.is(joined.status, 200, joined.text)
  assert.equal(Object.keys(joined.json).sort(), ['data', 'deviceAuthToken', 'ownDeviceId'])
  assert.is(joined.json.ownDeviceId, json.deviceId)
  await socket.next('should sync')
  isError(await addDevice(json.token), 401, 'a second time')

  const device = new TimeLimitDevice(whole.device.url, joined.json.deviceAuthToken, joined.json.ownDeviceId)
  const told = new HouseholdMirror()
  told.merge(joined.json.data)
  assert.equal(told.state(), (await device.pullAll()).state())
  assert.is(told.device(device.id).name, 'tablet')
})

test('only the newest token of a family is open', async () => {
  const whole = await family()
  const [first, second] = [(await openToken(whole)).json, (await openToken(whole)).json]
  if (first.token !== second.token) isError(await addDevice(first.token), 401)
  assert.is((await addDevice(second.token)).status, 200)
})

const primary = (device: TimeLimitDevice, currentUserId: string, action = 'set this device'): Promise<TimeLimitAnswer> =>
  device.ask('/child/update-primary-device', { deviceAuthToken: undefined, authToken: device.token, action, currentUserId })

test('a child has one primary device, which another device signs out', async context => {
  const { device, parent, join } = await family()
  const [first, second] = [await join('first'), await join('second')]
  const child = newId()
  const user = (deviceId: string) => device.parent(parent, { type: 'SET_DEVICE_USER', deviceId, userId: child })
  const added = { type: 'ADD_USER', name: 'Kim', userType: 'child', userId: child, timeZone: 'Europe/Berlin' }
  await device.act(device.parent(parent, added))
  isError(await primary(first, child), 409, 'not the user of the device')
  await device.act(user(first.id), user(second.id))
  isError(await primary(first, ''), 409)
  isError(await primary(first, child, 'unset this device'), 409, 'not the primary device')
  isError(await primary(first, child, 'another'), 400)
  isError(await first.ask('/child/update-primary-device', { action: 'set this device', currentUserId: child }), 400)
  isError(await primary(new TimeLimitDevice(first.url, 'a'.repeat(32), first.id), child), 401)
  isError(await second.ask('/child/logout-at-primary-device'), 409, 'nobody is primary')

  const done = await primary(first, child)
  assert.equal([done.status, done.json], [200, { status: 'success' }])
  await device.pull()
  assert.is(device.mirror.user(child).currentDevice, first.id)
  assert.equal((await primary(second, child)).json, { status: 'assigned to other device' })

  const socket = await listen(context, first)
  const out = await second.ask('/child/logout-at-primary-device')
  assert.equal([out.status, out.json], [200, { ok: true }])
  assert.equal(await socket.next('sign out'), [])
  isError(await first.ask('/child/logout-at-primary-device'), 409, 'oneself')
  isError(await device.ask('/child/logout-at-primary-device'), 409)
  isError(await second.ask('/child/logout-at-primary-device', { more: 1 }), 400)

  assert.equal((await primary(first, child, 'unset this device')).json, { status: 'success' })
  await device.pull()
  assert.is(device.mirror.user(child).currentDevice, '')
  assert.equal((await primary(second, child)).json, { status: 'success' })
})

test('another method is 404', async () => {
  const at = await hub()
  for (const path of ['/parent/create-family', '/parent/create-add-device-token', '/child/add-device', '/parent/remove-device'])
    isError(await at.post(path, undefined, { method: 'GET' }), 404, path)
})

test.run()
