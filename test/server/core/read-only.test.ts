import * as assert from 'uvu/assert'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core: read-only')

test('without room a push is refused with when to come back, changes nothing, and uses no number up; with room again it is taken', async () => {
  const { hub, account, connect } = coreHub()
  const { account: reader, devices } = await account('phone')
  hub.isReadOnly = true
  const client = connect()
  await client.hello(devices['phone']!.token)
  client.push(0, [1, 'setting.put', 'size', { value: 1 }])
  const { code, bye } = await client.closed()
  assert.equal([code, bye?.code, bye?.retryAfterMs], [1013, 'storage-full', 15_000])
  assert.is(reader.head, 1)
  assert.is(reader.lastNumber(devices['phone']!.device, 'tab'), 0)
  hub.isReadOnly = false
  const again = connect()
  await again.hello(devices['phone']!.token)
  const { accepted } = await again.ask(1, 'setting.put', 'size', { value: 1 })
  assert.equal(accepted, [[1, 2]])
})

test('who asks for a change without room has read all there is before it is refused', async () => {
  const { hub, account, connect } = coreHub()
  const { account: reader, devices } = await account('phone', 'desk')
  const desk = connect()
  await desk.hello(devices['desk']!.token)
  for (let number = 1; number <= 300; number++) desk.push(0, [number, 'setting.put', `s${number}`, { value: 'x'.repeat(1_000) }])
  while (reader.durableHead < 302) await desk.next('acked')
  hub.isReadOnly = true
  const phone = connect()
  await phone.hello(devices['phone']!.token)
  phone.push(0, [1, 'setting.put', 'size', { value: 1 }])
  const { bye } = await phone.closed()
  assert.is(bye?.code, 'storage-full')
  assert.is(phone.changes.at(-1)?.[0], 302)
})

test('without room everything can be read, and a device can still be cut off', async () => {
  const { hub, account, connect } = coreHub()
  const { account: reader, devices } = await account('phone', 'desk')
  const client = connect()
  await client.hello(devices['phone']!.token)
  hub.isReadOnly = true
  assert.is((await client.read('devices')).kind, 'view')
  client.push(0)
  const refusal = await reader
    .perform({ device: 'hub' } as never, 'setting.put', 'size', { value: 1 })
    .catch((error: unknown) => error)
  assert.is((refusal as { code: string }).code, 'storage-full')
  await revokeDevice(reader, devices['desk']!.device)
  assert.is(reader.views.get('devices', devices['desk']!.device)?.revoked, true)
  assert.is(client.closeCode, undefined)
})

test.run()
