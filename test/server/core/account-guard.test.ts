import * as assert from 'uvu/assert'
import type { Batch, RecordKey } from '../../../server/core/store.ts'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/account guards itself')

/** A store in which the records of one table cannot be read while it is damaged, and whose commits wait while they are held. */
class DamagedStore extends MemoryStore {
  damagedTable: string | undefined
  held: Promise<void> | undefined

  override async commit(batch: Batch): Promise<void> {
    await this.held
    return super.commit(batch)
  }

  override get(key: RecordKey): Uint8Array | undefined {
    if (key[1] === this.damagedTable) throw new Error(`the record ${key.join('/')} is damaged`)
    return super.get(key)
  }
}

test('a damaged record ends the sessions of its account, and nothing else', async () => {
  const store = new DamagedStore()
  const core = coreHub({ store })
  const { devices } = await core.account('phone', 'desk')
  const { devices: others } = await core.account('other')
  const [phone, desk, other] = [core.connect(), core.connect(), core.connect()]
  await phone.hello(devices['phone']!.token)
  await desk.hello(devices['desk']!.token)
  await other.hello(others['other']!.token)
  await phone.ask(1, 'setting.put', 'before', { value: 1 })

  store.damagedTable = 'positions'
  phone.push(0, [2, 'setting.put', 'with', { value: 2 }], [3, 'position.set', 'b', { progression: 0.5 }])
  for (const client of [phone, desk]) assert.is((await client.closed()).bye?.code, 'internal')
  const again = core.connect()
  await again.hello(devices['phone']!.token)
  again.push(0, [2, 'setting.put', 'with', { value: 2 }], [3, 'position.set', 'b', { progression: 0.5 }])
  assert.is((await again.closed()).bye?.code, 'internal')
  assert.equal((await other.ask(1, 'setting.put', 'x', { value: 1 })).refused, [])

  store.damagedTable = undefined
  const healed = core.connect()
  await healed.hello(devices['phone']!.token)
  healed.push(0, [2, 'setting.put', 'with', { value: 2 }], [3, 'position.set', 'b', { progression: 0.5 }])
  const { accepted } = await healed.next('acked')
  assert.equal(accepted.map(([number]) => number), [2, 3]) // prettier-ignore
  await healed.changesUpTo(accepted.at(-1)![1])
  assert.equal(healed.changes.map(([cursor]) => cursor), healed.changes.map((_, index) => index + 1)) // prettier-ignore
})

test('a device that waits to be let in while its account is given up is sent away, and then follows the account that there is', async () => {
  const store = new DamagedStore()
  const core = coreHub({ store })
  const { account, devices } = await core.account('phone', 'desk')
  const [before, desk, phone] = [core.connect(), core.connect(), core.connect()]
  await before.hello(devices['phone']!.token)
  await before.ask(1, 'setting.put', 'a', { value: 1 })
  before.drop()
  await desk.hello(devices['desk']!.token)

  let release = (): void => {}
  store.held = new Promise(resolve => (release = resolve))
  desk.push(0, [1, 'setting.put', 'b', { value: 2 }])
  // Its number is told once everything is durable.
  const letIn = phone.hello(devices['phone']!.token).then(
    () => 'let in',
    () => 'sent away'
  )
  store.damagedTable = 'positions'
  desk.push(0, [2, 'position.set', 'b', { progression: 0.5 }])
  assert.is((await desk.closed()).bye?.code, 'internal')
  store.damagedTable = undefined
  release()
  assert.is(await letIn, 'sent away')
  assert.is((await phone.closed()).bye?.code, 'internal')
  assert.is(account.followers.size, 0)

  const again = core.connect()
  await again.hello(devices['phone']!.token)
  await revokeDevice((await core.hub.account(account.id))!, devices['phone']!.device)
  assert.is((await again.closed()).bye?.code, 'device-revoked')
})

test('annotations of more books than fit in memory arrive in one push', async () => {
  const core = coreHub()
  const { devices } = await core.account('phone')
  const phone = core.connect()
  await phone.hello(devices['phone']!.token)
  const count = 900
  phone.push(
    0,
    ...Array.from({ length: count }, (_, index): [number, string, string, unknown] => [
      index + 1,
      'annotation.put',
      `book ${index}`,
      { id: 'a', note: 'n' }
    ])
  )
  await phone.changesUpTo(1 + count)
  assert.ok((await core.hub.account('account1'))!.documents.size <= 500)
  assert.equal((await phone.list('annotations', 'book 7')).length, 1)
})

test('pushes that only confirm are heard, and use nothing up', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone')
  const phone = core.connect()
  await phone.hello(devices['phone']!.token)
  await phone.ask(1, 'setting.put', 'a', { value: 1 })
  for (let index = 0; index < 100_000; index++) {
    phone.push(2 ** 40)
    while (phone.isHubPaused) await new Promise(resolve => setImmediate(resolve))
  }
  const { device } = devices['phone']!
  assert.equal(account.views.get('clients', device, 'tab')?.answers, [])
})

test.run()
