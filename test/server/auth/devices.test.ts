import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { HubError } from '../../../protocol/index.ts'
import { registerDevice, renewToken, revokeDevice, updateDevice } from '../../../server/auth/devices.ts'
import { coreHub, type TestClient } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/auth/devices')

const random = (count: number): Uint8Array => randomBytes(count)

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error as HubError).code
  )

/** The close code, and what the hub said. */
async function endOf(client: TestClient): Promise<[number, string | undefined]> {
  const { code, bye } = await client.closed()
  return [code, bye?.code]
}

test('a disabled device is cut off at once and let in again once it is enabled', async () => {
  const { hub, account, connect } = coreHub()
  const { account: owner, devices } = await account('phone', 'desk')
  const { device, token } = devices['phone']!
  const [phone, desk] = [connect(), connect()]
  await phone.hello(token)
  await desk.hello(devices['desk']!.token)
  await updateDevice(owner, device, { disabled: true }, devices['desk']!.device)
  assert.equal(await endOf(phone), [4403, 'device-disabled'])
  assert.is(desk.closeCode, undefined)
  assert.is(await codeOf(hub.authenticate(token)), 'device-disabled')
  await updateDevice(owner, device, { disabled: false }, devices['desk']!.device)
  const again = connect()
  await again.hello(token)
  const changes = (await desk.next('changes')).changes
  assert.equal(changes.at(-1)!.slice(2, 4), [devices['desk']!.device, ''], 'who wanted it is not in the log')
  assert.equal(owner.views.get('devices', device)!.disabled, undefined)
})

test('a device can be disabled, and revoked, while the disk is nearly full, and not enabled', async () => {
  const { hub, account } = coreHub()
  const { account: owner, devices } = await account('phone')
  const { device } = devices['phone']!
  hub.isReadOnly = true
  await updateDevice(owner, device, { disabled: true }, device)
  assert.is(await codeOf(updateDevice(owner, device, { disabled: false }, device)), 'storage-full')
  await revokeDevice(owner, device)
})

test('a new token makes the old one, and what it opened, good for nothing', async () => {
  const { hub, account, connect } = coreHub()
  const { account: owner, devices } = await account('phone', 'desk')
  const { device, token } = devices['phone']!
  const phone = connect()
  await phone.hello(token)
  const renewed = await renewToken(owner, device, device, random)
  assert.equal(await endOf(phone), [4401, 'unauthenticated'])
  assert.is(await codeOf(hub.authenticate(token)), 'unauthenticated')
  const again = connect()
  assert.is((await again.hello(renewed)).device, device)
})

test('what is not given stays as it was, and a description that is none changes nothing', async () => {
  const { account } = coreHub()
  const { account: owner, devices } = await account('phone')
  const { device } = devices['phone']!
  const wall = await registerDevice(owner, { name: 'wall', app: 'display 1', readOnly: true }, random, device)
  await updateDevice(owner, wall.device, { disabled: true }, device)
  await updateDevice(owner, wall.device, { name: 'hall' }, device)
  const { name, app, readOnly, disabled } = owner.views.get('devices', wall.device)!
  assert.equal({ name, app, readOnly, disabled }, { name: 'hall', app: 'display 1', readOnly: true, disabled: true })
  const { head } = owner
  assert.is(await codeOf(updateDevice(owner, wall.device, { name: '' }, device)), 'bad-request')
  assert.is(await codeOf(updateDevice(owner, 'nobody', { name: 'x' }, device)), 'not-found')
  await revokeDevice(owner, wall.device)
  for (const refused of [
    updateDevice(owner, wall.device, { disabled: false }, device),
    renewToken(owner, wall.device, device, random)
  ])
    assert.is(await codeOf(refused), 'not-found')
  assert.is(owner.head, head + 1)
})

test.run()
