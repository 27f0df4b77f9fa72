import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { HubError } from '../../../protocol/index.ts'
import { familyOf } from '../../../server/dialects/timelimit/family.ts'
import type { Joined } from '../../../server/dialects/timelimit/households.ts'
import { DeviceTokens } from '../../../server/dialects/timelimit/tokens.ts'
import { deviceLogin, eventClient } from '../../util/event-clients.ts'
import { ask, mailToken, newPassword, testFamily, type TestFamily } from '../../util/households.ts'
import { mailServer } from '../../util/mail-server.ts'
import { servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/timelimit/registration', { limitMs: 30_000 })

let shared: Promise<TestServingHub> | undefined
const cleanups: (() => unknown)[] = []
const hubOfAll = (): Promise<TestServingHub> => (shared ??= servingHub({ defer: cleanup => cleanups.push(cleanup) }))

const familyBody = (mailAuthToken: string) => ({
  mailAuthToken,
  parentPassword: newPassword(),
  parentDevice: { model: 'phone' },
  deviceName: 'first',
  timeZone: 'Europe/Berlin',
  parentName: 'Ada'
})

const isRemoved = async (hub: TestServingHub, deviceAuthToken: string): Promise<unknown> =>
  (await ask(hub.url, '/sync/is-device-removed', { deviceAuthToken })).body

const pull = (hub: TestServingHub, deviceAuthToken: string, status: object = {}) =>
  ask(hub.url, '/sync/pull-status', { deviceAuthToken, status: { devices: '', users: '', apps: {}, categories: {}, ...status } })

/** What shows that a parent is there. */
const proof = ({ user, secondHash }: TestFamily) => ({ parentId: user, parentPasswordSecondHash: secondHash })

test('a mail code makes a family, whose first device is let in and told everything', async () => {
  const hub = await hubOfAll()
  const mail = 'ada@example.org'
  const mailAuthToken = await mailToken(hub, mail)
  assert.equal((await ask(hub.url, '/parent/get-status-by-mail-address', { mailAuthToken })).body, {
    status: 'without family',
    mail,
    canCreateFamily: true,
    alwaysPro: true
  })
  const made = await ask(hub.url, '/parent/create-family', familyBody(mailAuthToken))
  assert.is(made.status, 200)
  assert.match(made.body.deviceAuthToken, /^[0-9a-zA-Z]{32}$/)
  assert.match(made.body.ownDeviceId, /^[0-9a-zA-Z]{6}$/)
  const { users, devices } = made.body.data
  assert.equal([users.data[0].mail, users.data[0].type, users.data[0].secondHash], [mail, 'parent', undefined])
  assert.equal([devices.data[0].deviceId, devices.data[0].currentUserId], [made.body.ownDeviceId, users.data[0].id])
  assert.equal((await pull(hub, made.body.deviceAuthToken)).body, made.body.data)
  assert.is((await ask(hub.url, '/parent/create-family', familyBody(mailAuthToken))).status, 401)
  assert.is((await ask(hub.url, '/parent/create-family', familyBody(await mailToken(hub, mail)))).status, 409)
})

test('a parent comes in with another device by the same address, and nobody by one that no family has', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const signIn = async (mail: string) =>
    ask(hub.url, '/parent/sign-in-into-family', {
      mailAuthToken: await mailToken(hub, mail),
      parentDevice: { model: 'laptop' },
      deviceName: 'second'
    })
  const { body } = await signIn(family.mail)
  const devices = body.data.devices.data as { deviceId: string; name: string; currentUserId: string }[]
  const second = devices.find(({ deviceId }) => deviceId === body.ownDeviceId)!
  assert.equal([second.name, second.currentUserId], ['second', family.user])
  assert.is((await pull(hub, body.deviceAuthToken as string)).status, 200)
  assert.is((await signIn('nobody@example.org')).status, 409)
})

test('who comes into a family that is full gets 409, and nothing is written for that', async () => {
  const hub = await hubOfAll()
  const { account, mail, first } = await testFamily(hub)
  const add = (index: number) => ({ deviceId: String(index).padStart(6, '0'), name: 'x', model: 'x' })
  await Promise.all(
    Array.from({ length: 255 }, (_, index) =>
      hub.households.act({ account, device: first.device }, { type: 'ADD_DEVICE', device: add(index) })
    )
  )
  const { head } = account
  let issued = 0
  const { tokens } = hub.households
  tokens.issue = (...place) => {
    issued += 1
    return DeviceTokens.prototype.issue.call(tokens, ...place)
  }
  const body = { mailAuthToken: await mailToken(hub, mail), parentDevice: { model: 'x' }, deviceName: 'x' }
  assert.is((await ask(hub.url, '/parent/sign-in-into-family', body)).status, 409)
  Reflect.deleteProperty(tokens, 'issue')
  assert.equal([issued, account.head], [0, head])
})

test('of two that make a family with one address at once, one does', async () => {
  const hub = await hubOfAll()
  const tokens = [await mailToken(hub, 'two@example.org'), await mailToken(hub, 'two@example.org')]
  const made = await Promise.all(tokens.map(token => ask(hub.url, '/parent/create-family', familyBody(token))))
  assert.equal(new Set(made.map(({ status }) => status)), new Set([200, 409]))
})

test('a token of an address is good for one thing at a time, and once; what fails leaves it as it was', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const device = { parentDevice: { model: 'laptop' }, deviceName: 'second' }
  const signIn = async (mailAuthToken: string): Promise<number> =>
    (await ask(hub.url, '/parent/sign-in-into-family', { mailAuthToken, ...device })).status
  const token = await mailToken(hub, family.mail)
  assert.is((await ask(hub.url, '/parent/create-family', familyBody(token))).status, 409)
  const statuses = await Promise.all(Array.from({ length: 6 }, () => signIn(token)))
  assert.equal(
    [200, 401].map(status => statuses.filter(found => found === status).length),
    [1, 5]
  )
  assert.is(await signIn(token), 401)
  const { account } = (await hub.households.parentOf(family.mail))!
  assert.is(familyOf(account.views).all('device').length, 2)
})

test('a wrong code can be tried twice more; then its token is gone', async () => {
  const hub = await hubOfAll()
  const { body } = await ask(hub.url, '/auth/send-mail-login-code-v2', { mail: 'bob@example.org', locale: 'en' })
  const { code } = hub.households.codes.open().at(-1)!
  const statuses = []
  for (const receivedCode of ['wrong', 'wrong', 'wrong', code])
    statuses.push((await ask(hub.url, '/auth/sign-in-by-mail-code', { ...body, receivedCode })).status)
  assert.equal(statuses, [403, 403, 410, 410])
  const again = await ask(hub.url, '/auth/send-mail-login-code-v2', { mail: 'bob@example.org', locale: 'en' })
  const receivedCode = ` ${hub.households.codes.open().at(-1)!.code.toUpperCase()}\n`
  assert.is((await ask(hub.url, '/auth/sign-in-by-mail-code', { ...again.body, receivedCode })).status, 200)
})

test('an address is sent five codes in an hour, and what is none gets 400', async () => {
  const hub = await hubOfAll()
  const statuses = []
  for (let round = 0; round < 6; round++)
    statuses.push((await ask(hub.url, '/auth/send-mail-login-code-v2', { mail: 'Eve@example.org', locale: 'en' })).status)
  assert.equal(statuses, [200, 200, 200, 200, 200, 429])
  for (const mail of ['', 'eve', 'eve@', 'a b@example.org', 'Eve <eve@example.org>', `${'x'.repeat(200)}@example.org`])
    assert.is((await ask(hub.url, '/auth/send-mail-login-code-v2', { mail, locale: 'en' })).status, 400)
  const known = { mail: 'eve2@example.org', locale: 'en', deviceAuthToken: 'x'.repeat(32) }
  assert.is((await ask(hub.url, '/auth/send-mail-login-code-v2', known)).status, 401)
})

test('with a mail server, the code goes to the address, if the operator named it, and not into the log', async context => {
  const server = await mailServer(context)
  const hub = await servingHub(context, { smtpUrl: server.url, familyMails: 'ada@example.com,@example.org' })
  for (const [mail, mayUse] of Object.entries({ 'ada@example.com': true, 'bob@example.org': true, 'bob@example.com': false })) {
    const { body } = await ask(hub.url, '/auth/send-mail-login-code-v2', { mail, locale: 'en' })
    assert.is(body.mailAddressNotWhitelisted, mayUse ? undefined : true)
    if (!mayUse) continue
    const { to, text } = await server.next()
    const receivedCode = /\r\n\r\n([a-z ]{17})\r\n/.exec(text)![1]!
    assert.is(to, mail)
    assert.is((await ask(hub.url, '/auth/sign-in-by-mail-code', { ...body, receivedCode })).status, 200)
    assert.not.ok(JSON.stringify(hub.logger.lines).includes(receivedCode))
  }
})

test('without a mail server, the code stands in the log, where its operator alone reads it', async () => {
  const hub = await hubOfAll()
  const { body } = await ask(hub.url, '/auth/send-mail-login-code-v2', { mail: 'log@example.org', locale: 'en' })
  const { message } = hub.logger.lines.findLast(({ message }) => message.includes('log@example.org'))!
  const receivedCode = /TimeLimit: ([a-z ]{17})$/.exec(message)![1]!
  assert.is((await ask(hub.url, '/auth/sign-in-by-mail-code', { ...body, receivedCode })).status, 200)
})

test('an account is kept for one address, is listed so, and is no family before its parent makes it one', async context => {
  const { households, directory } = await servingHub(context)
  const refused = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'done',
      (error: HubError) => error.code
    )
  const listed = async (): Promise<unknown[]> => (await households.list()).map(row => Object.entries(row as object).slice(0, 2))
  assert.equal(await households.reserve('Ada', ' Ada@example.org '), { account: 'ada', mail: 'ada@example.org' })
  assert.equal(await households.reserve('ada', 'ada@example.org'), { account: 'ada', mail: 'ada@example.org' })
  assert.is(await refused(households.openWords('ada')), 'not-found')
  assert.is(await refused(households.reserve('bob', 'ada@example.org')), 'already-exists')
  await households.reserve('bob', 'ada@example.org').catch(({ message }: HubError) => assert.match(message, 'the account ada'))
  assert.is(await refused(households.reserve('bob', 'bob')), 'bad-request')
  assert.is(directory.find('bob'), undefined)
  assert.equal(await listed(), [[['account', 'ada'], ['keptFor', ['ada@example.org']]]]) // prettier-ignore
  const parent = { mail: 'ada@example.org', name: 'Ada', timeZone: 'UTC', password: newPassword() }
  const { account } = await households.create(parent, { name: 'first', model: 'x' })
  assert.is(account.id, directory.get('ada').id)
  assert.equal(await listed(), [[['account', 'ada'], ['parents', ['Ada <ada@example.org>']]]]) // prettier-ignore
  assert.is(await refused(households.reserve('ada', 'other@example.org')), 'already-exists')
  assert.is((await households.openWords('ada')).words.split(' ').length, 5)
})

test('five words let one device in, in any case, and no second one', async context => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const parent = eventClient(context, hub.url, '4 by websocket')
  await parent.next('connect')
  await deviceLogin(parent.socket, family.first.token)
  const opened = await ask(hub.url, '/parent/create-add-device-token', { deviceAuthToken: family.first.token, ...proof(family) })
  assert.match(opened.body.token, /^([a-z]{5} ){4}[a-z]{5}$/)
  const body = {
    registerToken: opened.body.token.toUpperCase(),
    deviceName: 'tablet',
    childDevice: { model: 'x' },
    clientLevel: 8
  }
  const joined = await ask(hub.url, '/child/add-device', body)
  assert.is(joined.body.ownDeviceId, opened.body.deviceId)
  assert.equal(joined.body.data.pings, [])
  assert.equal(await parent.next('should sync'), [{ isImportant: false }])
  assert.equal(joined.body.data.devices.data.map(({ name }: { name: string }) => name).sort(), ['first', 'tablet'])
  assert.is((await ask(hub.url, '/child/add-device', body)).status, 401)
})

test('the words that a family asks for are the only ones that are good', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const [first, second] = [1, 2].map(() => hub.households.words.open(family.account.id))
  const join = (registerToken: string) =>
    ask(hub.url, '/child/add-device', { registerToken, deviceName: 'x', childDevice: { model: 'x' } })
  assert.is((await join(first!.words)).status, 401)
  assert.is((await join(second!.words)).status, 200)
})

test('a parent’s calls need the token of a device, and the parent’s password', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const { token } = family.first
  const paths = {
    '/parent/create-add-device-token': { parentId: family.user },
    '/parent/remove-device': { parentUserId: family.user, deviceId: family.first.device }
  }
  for (const [path, fields] of Object.entries(paths))
    for (const [deviceAuthToken, parentPasswordSecondHash] of [
      ['x'.repeat(32), family.secondHash],
      [token, 'wrong'],
      [token, ''],
      [token, 'device'],
      [token, 'u2f:a.b.c.d.e']
    ] as const)
      assert.is((await ask(hub.url, path, { ...fields, deviceAuthToken, parentPasswordSecondHash })).status, 401)
  const stranger = { deviceAuthToken: token, parentId: 'nobody', parentPasswordSecondHash: family.secondHash }
  assert.is((await ask(hub.url, '/parent/create-add-device-token', stranger)).status, 401)
})

test('where the parent stays signed in, `device` stands for the password', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const open = () =>
    ask(hub.url, '/parent/create-add-device-token', {
      deviceAuthToken: family.first.token,
      parentId: family.user,
      parentPasswordSecondHash: 'device'
    })
  await family.act({ type: 'SET_KEEP_SIGNED_IN', deviceId: family.first.device, keepSignedIn: true })
  assert.is((await open()).status, 200)
})

test('guesses at a parent’s password are held back, and the right one too until they are forgotten', async context => {
  const hub = await servingHub(context)
  const family = await testFamily(hub)
  const statuses = new Set<number>()
  for (let round = 0; round < 11; round++)
    statuses.add(
      (
        await ask(hub.url, '/parent/create-add-device-token', {
          deviceAuthToken: family.first.token,
          parentId: family.user,
          parentPasswordSecondHash: `guess ${round}`
        })
      ).status
    )
  assert.equal([...statuses], [401, 429])
})

test('a device that guesses at a parent’s password does not keep the parent from using another device at the same address', async context => {
  const hub = await servingHub(context)
  const family = await testFamily(hub)
  const guessing = await family.join()
  const open = ({ token }: Joined, parentPasswordSecondHash: string) =>
    ask(hub.url, '/parent/create-add-device-token', { deviceAuthToken: token, parentId: family.user, parentPasswordSecondHash })
  for (let round = 0; round < 60; round++) await open(guessing, 'wrong')
  assert.is((await open(guessing, family.secondHash)).status, 429)
  assert.is((await open(family.first, family.secondHash)).status, 200)
})

test('a device that a parent removes is told so, and nobody else is', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const { token, device } = await family.join()
  assert.equal(await isRemoved(hub, token), { isDeviceRemoved: false })
  const body = {
    deviceAuthToken: family.first.token,
    parentUserId: family.user,
    parentPasswordSecondHash: family.secondHash,
    deviceId: device
  }
  assert.equal((await ask(hub.url, '/parent/remove-device', body)).body, { ok: true })
  assert.equal(await isRemoved(hub, token), { isDeviceRemoved: true })
  assert.is((await pull(hub, token)).status, 401)
  assert.equal((await ask(hub.url, '/sync/report-removed', { deviceAuthToken: token })).body, { ok: true })
  assert.is((await ask(hub.url, '/parent/remove-device', body)).status, 409)
  assert.is((await ask(hub.url, '/parent/remove-device', { ...body, deviceId: '../..' })).status, 409)
  for (const other of [family.first.token, 'x'.repeat(32), 'no token', ''])
    assert.equal(await isRemoved(hub, other), { isDeviceRemoved: false })
})

test('a device is cut off in the turn in which it leaves its family, so that one commit has both, and not at all when it may not leave', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const { token, device } = await family.join()
  const { views } = family.account
  const state = () => [familyOf(views).get('device', device) !== undefined, views.get('devices', device)!.revoked]
  family.account.perform = () => Promise.reject(new HubError('quota-exceeded'))
  await hub.households.remove(family.first, device).catch(() => undefined)
  assert.equal(state(), [true, false])
  Reflect.deleteProperty(family.account, 'perform')
  const removing = hub.households.remove(family.first, device)
  assert.equal(state(), [false, true])
  await removing
  assert.equal(await isRemoved(hub, token), { isDeviceRemoved: true })
})

test('a device that reports its reset stays in the list, its token is good for nothing, and to report it again is fine', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const { token, device } = await family.join()
  for (let round = 0; round < 2; round++)
    assert.equal((await ask(hub.url, '/sync/report-removed', { deviceAuthToken: token })).body, { ok: true })
  assert.is(familyOf(family.account.views).get('device', device)!.device.reportUninstall, true)
  assert.is((await pull(hub, token)).status, 401)
  assert.equal(await isRemoved(hub, token), { isDeviceRemoved: true })
  const unknown = await ask(hub.url, '/sync/report-removed', { deviceAuthToken: 'x'.repeat(32) })
  assert.equal([unknown.status, unknown.type], [401, 'text/html; charset=utf-8'])
  assert.match(unknown.text, /<pre>Unauthorized<\/pre>/)
})

test('a hub that ends while a device reports is told again, and only then counts the device as removed', async () => {
  const hub = await hubOfAll()
  const { account, join } = await testFamily(hub)
  const { token, device } = await join()
  await hub.households.act({ account, device }, { type: 'REPORT_REMOVED', deviceId: device })
  await account.write(
    'device.put',
    device,
    { name: 'x', app: 'x', readOnly: false },
    { secretHash: hub.households.tokens.unknownHash() }
  )
  assert.equal(await isRemoved(hub, token), { isDeviceRemoved: false })
  assert.equal((await ask(hub.url, '/sync/report-removed', { deviceAuthToken: token })).body, { ok: true })
  assert.equal(await isRemoved(hub, token), { isDeviceRemoved: true })
})

test('a device that got another token by another way, or is disabled, is let in no more, and is not removed', async () => {
  const hub = await hubOfAll()
  const { account, join } = await testFamily(hub)
  const [renewed, disabled] = [await join(), await join()]
  const about = { name: 'x', app: 'x', readOnly: false }
  await account.write('device.put', renewed.device, about, { secretHash: hub.households.tokens.unknownHash() })
  await account.write('device.put', disabled.device, { ...about, disabled: true })
  for (const { token } of [renewed, disabled]) {
    assert.is((await pull(hub, token)).status, 401)
    assert.is((await ask(hub.url, '/sync/report-removed', { deviceAuthToken: token })).status, 401)
    assert.equal(await isRemoved(hub, token), { isDeviceRemoved: false })
  }
})

test('a device that the operator revokes for ever is removed', async () => {
  const hub = await hubOfAll()
  const { account, join } = await testFamily(hub)
  const { token, device } = await join()
  await account.write('device.revoke', device, {})
  assert.equal(await isRemoved(hub, token), { isDeviceRemoved: true })
})

test('a device is the primary one of the child that uses it, unless another is', async context => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  await family.act({ type: 'ADD_USER', name: 'Tim', userType: 'child', userId: 'child1', timeZone: 'Europe/Berlin' })
  const [one, other] = [await family.join(), await family.join()]
  const primary = (token: string, action: string, currentUserId = 'child1') =>
    ask(hub.url, '/child/update-primary-device', { authToken: token, action: `${action} this device`, currentUserId })
  const logout = (deviceAuthToken: string) => ask(hub.url, '/child/logout-at-primary-device', { deviceAuthToken })
  assert.is((await primary(one.token, 'set')).status, 409)
  assert.is((await logout(one.token)).status, 409)
  for (const { device } of [one, other]) await family.act({ type: 'SET_DEVICE_USER', deviceId: device, userId: 'child1' })
  for (const user of ['', 'nobody', family.user]) assert.is((await primary(one.token, 'set', user)).status, 409)
  assert.is((await primary(one.token, 'unset')).status, 409)
  assert.is((await primary(one.token, 'take')).status, 400)
  assert.equal((await primary(one.token, 'set')).body, { status: 'success' })
  assert.equal((await primary(one.token, 'set')).body, { status: 'success' })
  assert.equal((await primary(other.token, 'set')).body, { status: 'assigned to other device' })
  assert.is((await primary(other.token, 'unset')).status, 409)
  assert.is((await logout(one.token)).status, 409)
  const socket = eventClient(context, hub.url, '2 by websocket')
  await socket.next('connect')
  await deviceLogin(socket.socket, one.token)
  assert.equal((await logout(other.token)).body, { ok: true })
  assert.equal(await socket.next('sign out'), [])
  assert.equal((await primary(one.token, 'unset')).body, { status: 'success' })
  assert.equal((await primary(other.token, 'set')).body, { status: 'success' })
})

test('a client that says it has key responses to come is told those that there are', async () => {
  const hub = await hubOfAll()
  const { account, first, join } = await testFamily(hub)
  const other = await join()
  const bytes = (length: number) => Buffer.alloc(length).toString('base64')
  const push = (deviceAuthToken: string, action: object) =>
    ask(hub.url, '/sync/push-actions', {
      deviceAuthToken,
      actions: [{ encodedAction: JSON.stringify(action), sequenceNumber: 0, integrity: '', type: 'appLogic', userId: '' }]
    })
  const sent = { tempKey: bytes(32), signature: bytes(64) }
  await push(first.token, { type: 'SEND_KEY_REQUEST', dsn: 1, dataType: 1, ...sent })
  await push(other.token, { type: 'REPLY_TO_KEY_REQUEST', rsn: 1, encryptedKey: bytes(1), ...sent })
  const waiting = () => familyOf(account.views).get('keyResponses', first.device)?.responses.length ?? 0
  assert.is(waiting(), 1)
  const { status, body } = await pull(hub, first.token, { clientLevel: 4, kr: 1e300 })
  assert.equal([status, body.kr.length, waiting()], [200, 1, 1])
})

test('a pull after a change tells it, however many pulls there were before', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const namesOf = async (): Promise<unknown> => {
    const { body } = await pull(hub, family.first.token)
    return [body.devices.data, body.categoryBase ?? []].map(items =>
      (items as { name?: string; title?: string }[]).map(item => item.name ?? item.title)
    )
  }
  for (let round = 0; round < 2; round++) assert.equal(await namesOf(), [['first'], []])
  await family.act({ type: 'ADD_USER', name: 'Tim', userType: 'child', userId: 'child1', timeZone: 'UTC' })
  await family.act({ type: 'CREATE_CATEGORY', childId: 'child1', categoryId: 'games1', title: 'games' })
  await family.act({ type: 'UPDATE_DEVICE_NAME', deviceId: family.first.device, name: 'phone' })
  assert.equal(await namesOf(), [['phone'], ['games']])
  await family.act({ type: 'UPDATE_CATEGORY_TITLE', categoryId: 'games1', newTitle: 'play' })
  assert.equal(await namesOf(), [['phone'], ['play']])
})

test('a body of millions of values is refused before any of them is made, whoever sends it', async () => {
  const hub = await hubOfAll()
  const parse = JSON.parse
  let longest = 0
  JSON.parse = (text: string, ...more: []) => {
    longest = Math.max(longest, text.length)
    return parse(text, ...more) as unknown
  }
  try {
    for (const body of ['['.repeat(5_000_000), `[${'[],'.repeat(1_600_000)}[]]`])
      assert.is((await ask(hub.url, '/sync/push-actions', gzipSync(body), { 'content-encoding': 'gzip' })).status, 400)
  } finally {
    JSON.parse = parse
  }
  assert.ok(longest < 1_000_000, String(longest))
})

test('a body is JSON of the form and no other, plain or packed, and bounded before and after it is unpacked', async () => {
  const hub = await hubOfAll()
  const { first } = await testFamily(hub)
  const body = { deviceAuthToken: first.token }
  const path = '/sync/is-device-removed'
  const gzip = { 'content-encoding': 'gzip' }
  const large = JSON.stringify({ deviceAuthToken: 'x'.repeat(110_000) })
  const asked = [
    await ask(hub.url, path, gzipSync(JSON.stringify(body)), gzip),
    await ask(hub.url, path, { ...body, more: 1 }),
    await ask(hub.url, path, {}),
    await ask(hub.url, path, { deviceAuthToken: 7 }),
    await ask(hub.url, path, '[]'),
    await ask(hub.url, path, '{'),
    await ask(hub.url, path, body, { 'content-type': 'text/plain' }),
    await ask(hub.url, path, 'no gzip', gzip),
    await ask(hub.url, path, gzipSync(JSON.stringify(body)).subarray(0, 20), gzip),
    await ask(hub.url, path, large),
    await ask(hub.url, path, gzipSync(large), gzip),
    await ask(hub.url, path, body, { 'content-encoding': 'br' })
  ]
  assert.equal(
    asked.map(({ status }) => status),
    [200, 400, 400, 400, 400, 400, 400, 400, 400, 413, 413, 415]
  )
  const missing = await fetch(`${hub.url}/sync/push-actions`)
  assert.equal([missing.status, missing.headers.get('content-type')], [404, 'text/html; charset=utf-8'])
  assert.match(await missing.text(), /<pre>Cannot GET \/sync\/push-actions<\/pre>/)
})

test('the time is that of the hub', async () => {
  const hub = await hubOfAll()
  const before = Date.now()
  const response = await fetch(`${hub.url}/time`)
  const { ms } = (await response.json()) as { ms: number }
  assert.ok(Number.isSafeInteger(ms) && ms >= before && ms <= Date.now())
})

test('the hub of all is closed', async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

test.run()
