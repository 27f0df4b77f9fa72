import * as assert from 'uvu/assert'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { isRefused, otherAccount, restHub, restHubAt } from '../../util/rest-hub.ts'
import { register, servingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/pinakes/devices')

test('a registered device is told its token once, and is listed', async context => {
  const hub = await restHub(context)
  const asker = await hub.device({ name: 'desk' })
  const { status, json } = await asker.ask('POST', '/devices', { name: 'phone', app: 'reader 2' })
  context.defer(() => asker.ask('DELETE', `/devices/${json.id}`))
  assert.is(status, 200)
  const { token, id, registered_at, ...rest } = json
  const device = { id, registered_at, ...rest }
  assert.match(token, /^lectern_/)
  assert.match(registered_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.equal(rest, {
    name: 'phone',
    app: 'reader 2',
    read_only: false,
    disabled: false,
    is_current: false,
    acknowledged_cursor: null
  })
  const list = await asker.ask('GET', '/devices')
  assert.is(list.status, 200)
  assert.not.match(list.text, 'lectern_')
  assert.equal(
    list.json.devices.find((each: { id: string }) => each.id === id),
    device
  )
  assert.equal(
    list.json.devices.filter((each: { is_current: boolean }) => each.is_current).map((each: { id: string }) => each.id),
    [asker.id]
  )
  assert.equal((await hub.request('GET', `/api/sync/devices/${id}`, token)).json, { ...device, is_current: true })
  assert.equal((await asker.ask('GET', `/devices/${id}`)).json, device)
})

test('every device is listed, however many there were', async context => {
  const own = await servingHub(context)
  const { id } = await own.directory.add('ada', 'correct horse')
  const account = await own.hub.ensureAccount(id)
  const made = await Promise.all(Array.from({ length: 1_100 }, (_, index) => register(account, `device ${index}`)))
  const [asker, ...others] = made
  const gone = others.slice(0, 60)
  await Promise.all(gone.map(({ device }) => revokeDevice(account, device)))
  const hub = restHubAt(context, own.url, 'ada', 'correct horse', own)
  const { json } = await hub.request('GET', '/api/v1/sync/devices', asker!.token)
  const left = [asker!, ...others.slice(60)].map(({ device }) => device)
  assert.equal(
    json.devices.map((each: { id: string }) => each.id),
    left.sort()
  )
})

test('what a registration or an update may not hold is refused by name, and changes nothing', async context => {
  const hub = await restHub(context)
  const asker = await hub.device()
  const before = (await asker.ask('GET', '/devices')).text
  const registrations: [body: unknown, field: string | undefined][] = [
    [undefined, 'name'],
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(257) }, 'name'],
    [{ name: 'a\u0000b' }, 'name'],
    [{ name: 'a\ud800b' }, 'name'],
    [{ name: 7 }, 'name'],
    [{ name: null }, 'name'],
    [{ name: 'a', app: 'x'.repeat(257) }, 'app'],
    [{ name: 'a', app: 1 }, 'app'],
    [{ name: 'a', read_only: 'yes' }, 'read_only'],
    [{ name: 'a', token: 'lectern_mine' }, 'token'],
    [{ name: 'a', __proto: {} }, '__proto'],
    [[], undefined],
    ['name', undefined],
    [null, undefined]
  ]
  for (const [body, field] of registrations) isRefused(await asker.ask('POST', '/devices', body), 400, 'bad-request', field)
  const updates: [body: unknown, field: string | undefined][] = [
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(257) }, 'name'],
    [{ name: 'a\u001fb' }, 'name'],
    [{ app: 'x'.repeat(257) }, 'app'],
    [{ disabled: 'no' }, 'disabled'],
    [{ disabled: null }, 'disabled'],
    [{ read_only: false }, 'read_only'],
    [{ revoked: false }, 'revoked'],
    [{ id: 'other' }, 'id'],
    [[], undefined]
  ]
  for (const [body, field] of updates) isRefused(await asker.ask('PUT', `/devices/${asker.id}`, body), 400, 'bad-request', field)
  for (const [method, path] of [
    ['POST', '/devices'],
    ['PUT', `/devices/${asker.id}`]
  ] as const) {
    isRefused(await asker.ask(method, path, { name: 'a' }, { 'content-type': 'text/plain' }), 400, 'bad-request')
    isRefused(await asker.ask(method, path, Buffer.from('{"name":'), { 'content-type': 'application/json' }), 400, 'bad-request')
    isRefused(await asker.ask(method, path, { name: 'x'.repeat(70_000) }), 413, 'too-large')
  }
  assert.is((await asker.ask('GET', '/devices')).text, before)
})

test('an update changes what it names, and the rest stays', async context => {
  const hub = await restHub(context)
  const asker = await hub.device()
  const other = await hub.device({ name: 'tablet' })
  const renamed = await asker.ask('PUT', `/devices/${other.id}`, { name: 'Großes Tablet', app: 'reader 3' })
  assert.is(renamed.status, 200)
  assert.equal([renamed.json.name, renamed.json.app, renamed.json.disabled], ['Großes Tablet', 'reader 3', false])
  const head = (await asker.ask('GET', '/changes')).json.head
  for (const nothing of [undefined, {}])
    assert.equal((await asker.ask('PUT', `/devices/${other.id}`, nothing)).json, renamed.json)
  assert.equal((await asker.ask('PUT', `/devices/${other.id}`, { name: 'Großes Tablet' })).json, renamed.json)
  assert.is((await asker.ask('GET', '/changes')).json.head, head, 'an update that changes nothing stands in the log')
  assert.equal((await other.ask('GET', `/devices/${other.id}`)).json, { ...renamed.json, is_current: true })
})

test('a disabled device is refused until it is enabled again', async context => {
  const hub = await restHub(context)
  const asker = await hub.device()
  const other = await hub.device()
  const disabled = await asker.ask('PUT', `/devices/${other.id}`, { disabled: true })
  assert.equal([disabled.status, disabled.json.disabled], [200, true])
  isRefused(await other.ask('GET', '/devices'), 403, 'device-disabled')
  isRefused(await other.ask('PUT', `/devices/${other.id}`, { disabled: false }), 403, 'device-disabled')
  isRefused(await hub.request('GET', '/api/v1/changes', other.token), 403, 'device-disabled')
  assert.is((await asker.ask('GET', `/devices/${other.id}`)).json.disabled, true)
  await asker.ask('PUT', `/devices/${other.id}`, { name: 'still disabled' })
  isRefused(await other.ask('GET', '/devices'), 403, 'device-disabled')
  assert.is((await asker.ask('PUT', `/devices/${other.id}`, { disabled: false })).json.disabled, false)
  assert.is((await other.ask('GET', '/devices')).status, 200)
})

test('what a disabled device listens on ends at once', async context => {
  const hub = await restHub(context)
  const asker = await hub.device()
  const other = await hub.device()
  const stream = await fetch(`${hub.url}/api/v1/changes?live=sse&token=${other.token}`)
  const told = stream.text()
  await asker.ask('PUT', `/devices/${other.id}`, { disabled: true })
  assert.match(await told, /event: bye\ndata: \{"code":"device-disabled"/)
})

test('a deleted device is gone for good, and its token stays dead', async context => {
  const hub = await restHub(context)
  const asker = await hub.device()
  const other = await hub.device()
  const deleted = await asker.ask('DELETE', `/devices/${other.id}`)
  assert.equal([deleted.status, deleted.text], [204, ''])
  isRefused(await other.ask('GET', '/devices'), 403, 'device-revoked')
  assert.not.match((await asker.ask('GET', '/devices')).text, other.id)
  const path = `/devices/${other.id}`
  isRefused(await asker.ask('GET', path), 404, 'not-found')
  isRefused(await asker.ask('PUT', path, { disabled: false }), 404, 'not-found')
  isRefused(await asker.ask('POST', `${path}/token`), 404, 'not-found')
  isRefused(await asker.ask('DELETE', path), 404, 'not-found')
  isRefused(await other.ask('GET', '/devices'), 403, 'device-revoked')
})

test('a new token takes the place of the old one', async context => {
  const hub = await restHub(context)
  const asker = await hub.device()
  const other = await hub.device()
  const { status, json } = await asker.ask('POST', `/devices/${other.id}/token`)
  assert.equal([status, json.id], [200, other.id])
  isRefused(await other.ask('GET', '/devices'), 401, 'unauthenticated')
  assert.is((await hub.request('GET', `/api/v1/sync/devices/${other.id}`, json.token)).json.is_current, true)
  const own = await hub.request('POST', `/api/sync/devices/${other.id}/token`, json.token)
  assert.is((await hub.request('GET', '/api/v1/sync/devices', own.json.token)).status, 200)
  isRefused(await hub.request('GET', '/api/v1/sync/devices', json.token), 401, 'unauthenticated')
})

test('a device that may only read reads, and is refused before anything else is looked at', async context => {
  const hub = await restHub(context)
  const reader = await hub.device({ read_only: true })
  assert.is((await reader.ask('GET', '/devices')).status, 200)
  assert.is((await reader.ask('GET', `/devices/${reader.id}`)).json.read_only, true)
  isRefused(await reader.ask('GET', '/devices/nobody'), 404, 'not-found')
  for (const id of [reader.id, 'nobody']) {
    isRefused(await reader.ask('PUT', `/devices/${id}`, { nonsense: true }), 403, 'forbidden')
    if (id !== reader.id) isRefused(await reader.ask('DELETE', `/devices/${id}`), 403, 'forbidden')
    isRefused(await reader.ask('POST', `/devices/${id}/token`), 403, 'forbidden')
  }
  isRefused(await reader.ask('POST', '/devices', { name: 'more' }), 403, 'forbidden')
})

test('a device that may only read deletes itself, and no other', async context => {
  const hub = await restHub(context)
  const [reader, other] = [await hub.device({ read_only: true }), await hub.device()]
  isRefused(await reader.ask('DELETE', `/devices/${other.id}`), 403, 'forbidden')
  assert.is((await reader.ask('DELETE', `/devices/${reader.id}`)).status, 204)
  isRefused(await reader.ask('GET', '/devices'), 403, 'device-revoked')
})

test("another account's device looks like none", async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) {
    process.stdout.write('SKIPPED: needs a second account\n')
    return
  }
  const asker = await hub.device()
  const { id, token } = await (await otherAccount(context, hub)).device()
  const before = (await hub.request('GET', '/api/v1/sync/devices', token)).text
  const tries: [string, string, unknown?][] = [
    ['GET', ''],
    ['PUT', '', { disabled: true }],
    ['DELETE', ''],
    ['POST', '/token']
  ]
  for (const [method, rest, body] of tries) {
    const [foreign, none] = [
      await asker.ask(method, `/devices/${id}${rest}`, body),
      await asker.ask(method, `/devices/nobody${rest}`, body)
    ]
    isRefused(foreign, 404, 'not-found')
    assert.is(foreign.text.replaceAll(id, 'nobody'), none.text)
  }
  assert.is((await hub.request('GET', '/api/v1/sync/devices', token)).text, before)
  assert.not.match((await asker.ask('GET', '/devices')).text, id)
})

test('ids of every form are answered', async context => {
  const hub = await restHub(context)
  const asker = await hub.device()
  for (const id of ['%00', '%2e%2e', '%F0%9F%93%96', 'a%2Fb', 'x'.repeat(3_000), '__proto__', '%ff', '..%5c'])
    isRefused(await asker.ask('GET', `/devices/${id}`), 404, 'not-found')
})

test.run()
