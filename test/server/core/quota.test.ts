import * as assert from 'uvu/assert'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'
import { HeldStore, storeAfter } from '../../util/stores.ts'

const test = suite('server/core/account: quota')

const MAX_BYTES = 200_000
const LETTERS = 'x'.repeat(10_000)

test('an account over its share is refused new actions by name; it is read, repeats are answered, and others go on', async () => {
  const core = coreHub({ maxAccountBytes: MAX_BYTES })
  const { account, devices } = await core.account('phone', 'lost')
  const { devices: others } = await core.account('other')
  const [phone, other] = [core.connect(), core.connect()]
  await phone.hello(devices['phone']!.token)
  await other.hello(others['other']!.token)
  let number = 0
  const put = async (): Promise<string | undefined> =>
    (await phone.ask(++number, 'setting.put', `s${number % 3}`, { value: LETTERS })).refused[0]?.[1]
  while ((await put()) === undefined) assert.ok(number < 100, 'it is never refused')
  assert.ok(account.heldBytes >= MAX_BYTES && account.heldBytes < MAX_BYTES + 11_000)
  const { head } = account
  assert.is(await put(), 'quota-exceeded')
  assert.is((await phone.ask(number + 1, 'book.remove', 'b', {})).refused[0]?.[1], 'quota-exceeded')
  assert.equal((await phone.ask(1, 'setting.put', 's1', { value: LETTERS })).accepted.length, 1)
  assert.is(account.head, head)
  assert.is((await phone.list('settings')).length, 3)
  assert.equal((await other.ask(1, 'setting.put', 'x', { value: LETTERS })).refused, [])
  await revokeDevice(account, devices['lost']!.device)
})

test('what an account takes is known after a crash, whether its records were stored or not', async () => {
  const store = new HeldStore()
  const core = coreHub({ store })
  const { account, devices } = await core.account('phone')
  const phone = core.connect()
  await phone.hello(devices['phone']!.token)
  for (let number = 1; number <= 20; number++) {
    await phone.ask(number, 'setting.put', 'name', { value: LETTERS })
    if (number === 10) account.storeRecords()
  }
  await account.settled()
  const again = coreHub({ store: await storeAfter(store.batches) })
  assert.is((await again.hub.account(account.id))!.heldBytes, account.heldBytes)
})

test('compaction counts it anew, and what is free again can be used', async () => {
  const core = coreHub({ maxAccountBytes: 6 * MAX_BYTES })
  const { account, devices } = await core.account('phone')
  const phone = core.connect()
  await phone.hello(devices['phone']!.token)
  let number = 0
  const put = async (value: unknown): Promise<string | undefined> =>
    (await phone.ask(++number, 'setting.put', 'name', { value })).refused[0]?.[1]
  for (let count = 0; count < 100; count++) await put(LETTERS)
  while ((await put(number)) === undefined) assert.ok(number < 10_000, 'it is never refused')
  phone.send('ack', { cursor: account.head })
  const { floor } = await core.hub.compact(account.id)
  assert.ok(floor > 100 && account.heldBytes < 2 * MAX_BYTES, `${account.heldBytes} bytes, floor ${floor}`)
  assert.is(await put(1), undefined)
})

test.run()
