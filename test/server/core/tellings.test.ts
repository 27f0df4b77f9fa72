import * as assert from 'uvu/assert'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { checkAccount } from '../../../server/core/check-account.ts'
import { locationOf, noteTold, toldOf } from '../../../server/core/tellings.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/tellings')

test('a device has what it was told up to where it is, and not what it was told later', async () => {
  const { account } = await coreHub().account('phone')
  const { views } = account
  assert.is(toldOf(views, 'phone', 'a', 100), undefined)
  noteTold(account, { device: 'phone', item: 'a', sinceUs: 0, atUs: 10, value: 'first', location: ['emma', 'x'] })
  noteTold(account, { device: 'phone', item: 'a', sinceUs: 10, atUs: 20, value: 'second' })
  assert.equal(
    [5, 10, 19, 20, 99].map(sinceUs => toldOf(views, 'phone', 'a', sinceUs)),
    [undefined, 'first', 'first', 'second', 'second']
  )
  assert.equal(locationOf(views, 'phone', 'a'), ['emma', 'x'])
  assert.is(toldOf(views, 'tablet', 'a', 99), undefined)
})

test('what was told past where a device comes from once more is forgotten, and so is what it had before', async () => {
  const { account } = await coreHub().account('phone')
  const { views } = account
  for (const [sinceUs, atUs, value] of [
    [0, 10, 'first'],
    [10, 20, 'lost'],
    [10, 30, 'again'],
    [30, 30, 'sent']
  ] as const)
    noteTold(account, { device: 'phone', item: 'a', sinceUs, atUs, value })
  assert.equal(
    [10, 29, 30].map(sinceUs => toldOf(views, 'phone', 'a', sinceUs)),
    [undefined, undefined, 'sent']
  )
})

test('it is stored with the records, and no check takes it for something that the log lacks', async () => {
  const core = coreHub()
  const { account } = await core.account('phone')
  noteTold(account, { device: 'phone', item: 'a', sinceUs: 0, atUs: 10, value: { note: 'x' } })
  account.storeRecords()
  await account.settled()
  const found: string[] = []
  await checkAccount(core.store, account.id, what => found.push(what))
  assert.equal(found, [])
  assert.equal(core.store.range([account.id, 'tellings'], undefined, 9).length, 1)
})

const NOTE = { note: 'x'.repeat(10_000) }

test('what a device was told counts as what its account takes, each as it is now, and so does a compaction count it', async () => {
  const core = coreHub()
  const { account } = await core.account('phone')
  const before = account.heldBytes
  for (let at = 1; at <= 20; at++)
    noteTold(account, { device: 'phone', item: `item${at % 10}`, sinceUs: at, atUs: at, value: NOTE })
  const took = account.heldBytes - before
  assert.ok(took > 100_000 && took < 102_000, `${took} bytes`)
  await core.hub.compact(account.id)
  assert.ok(account.heldBytes > 100_000 && account.heldBytes < 104_000, `${account.heldBytes} bytes`)
})

test('what a device was told is forgotten when it is cut off, and its room is free at once', async () => {
  const { account, devices } = await coreHub().account('phone', 'tablet')
  const { device } = devices['phone']!
  const { heldBytes } = account
  for (let at = 1; at <= 100; at++) noteTold(account, { device, item: `item${at}`, sinceUs: 0, atUs: at, value: NOTE })
  noteTold(account, { device: devices['tablet']!.device, item: 'item', sinceUs: 0, atUs: 1, value: 'kept' })
  await revokeDevice(account, device)
  assert.equal(account.views.range('tellings', [device], '', 1), [])
  assert.is(toldOf(account.views, devices['tablet']!.device, 'item', 1), 'kept')
  assert.ok(account.heldBytes - heldBytes < 1_000)
})

test('what a device was told that was cut off before is forgotten by a compaction', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone')
  const { device } = devices['phone']!
  await account.write('device.revoke', device, {})
  for (let at = 1; at <= 100; at++) noteTold(account, { device, item: `item${at}`, sinceUs: 0, atUs: at, value: NOTE })
  await core.hub.compact(account.id)
  assert.equal(core.store.range([account.id, 'tellings'], undefined, 9), [])
  assert.ok(account.heldBytes < 10_000, `${account.heldBytes} bytes`)
})

test.run()
