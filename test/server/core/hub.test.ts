import * as assert from 'uvu/assert'
import type { HubError } from '../../../protocol/index.ts'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { Origin } from '../../../server/core/origin.ts'
import { coreHub } from '../../util/core-hub.ts'
import type { ManualClock } from '../../util/manual-clock.ts'
import { HeldStore } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/hub')

const origin = new Origin('device', 'tab')
const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))
const turns = async (count: number): Promise<void> => {
  for (let done = 0; done < count; done++) await turn()
}

test('an account that never had a change is none, until someone vouches for it', async () => {
  const { hub } = coreHub()
  assert.is(await hub.account('new'), undefined)
  const made = await hub.ensureAccount('new')
  assert.is(await hub.account('new'), made)
  assert.is(await hub.ensureAccount('new'), made)
  assert.match(made.epoch, /^[0-9A-Za-z]{12}$/)
})

test('an account that many ask for at once is in memory once, new or stored', async () => {
  const store = new HeldStore()
  const { hub } = coreHub({ store })
  const asked = await Promise.all([
    hub.account('new'),
    hub.ensureAccount('new'),
    hub.ensureAccount('new'),
    hub.account('new'),
    hub.ensureAccount('new')
  ])
  const accounts = new Set(asked.filter(account => account !== undefined))
  assert.is(accounts.size, 1)
  const [account] = accounts
  await account!.perform(origin, 'setting.put', 'a', { value: 1 })
  const other = coreHub({ store: store.inner }).hub
  const stored = await Promise.all([other.account('new'), other.ensureAccount('new'), other.account('new')])
  assert.is(new Set(stored).size, 1)
  assert.equal([stored[0]!.head, stored[0]!.epoch], [1, account!.epoch])
})

test('accounts do not see each other', async () => {
  const { account, connect } = coreHub()
  const one = await account('phone')
  const two = await account('phone')
  const [first, second] = [connect(), connect()]
  await first.hello(one.devices['phone']!.token)
  await second.hello(two.devices['phone']!.token)
  await first.ask(1, 'book.put', 'book', { title: 'mine' })
  await first.ask(2, 'annotation.put', 'book', { id: 'a', note: 'mine' })
  await second.ask(1, 'setting.put', 'a', { value: 1 })
  assert.equal(
    second.changes.map(([, , , , , , kind]) => kind),
    ['device.put', 'setting.put']
  )
  for (const view of ['books', 'annotations', 'positions'] as const)
    assert.equal(await second.list(view, view === 'books' ? '' : 'book'), [])
  assert.is((await second.read('book', 'book')).kind, 'failed')
})

test('an account that no one uses is let go of, its records stored, and comes back with all it had', async () => {
  const store = new HeldStore()
  const { hub, account, clock, connect } = coreHub({ store })
  const { account: owner, devices } = await account('phone')
  const client = connect()
  await client.hello(devices['phone']!.token)
  await client.ask(1, 'book.put', 'book', { title: 'kept' })
  clock.advance(3_600_000)
  await turns(5)
  assert.is(await hub.account(owner.id), owner, 'a followed account was let go of')
  client.drop()
  for (let step = 0; step < 40; step++) {
    clock.advance(15_000)
    await turns(3)
  }
  const reads = store.reads
  const again = await hub.account(owner.id)
  assert.is.not(again, owner)
  assert.is(store.reads, reads, 'its records were not stored: the log had to be folded')
  assert.equal(again!.views.get('books', 'book')?.fields, { title: 'kept' })
})

test('a closed hub has stored all records, so that the next start has nothing to fold', async () => {
  const store = new HeldStore()
  const { hub, account } = coreHub({ store })
  const { account: owner } = await account('phone')
  for (let count = 0; count < 10; count++) void owner.perform(origin, 'book.put', `book${count}`, { title: 'x' })
  await hub.close()
  const next = coreHub({ store: store.inner })
  const again = await next.hub.account(owner.id)
  assert.equal([again!.head, again!.views.range('books', [], '', 100).length], [11, 10])
  assert.is(store.inner.get([owner.id, 'fold']) === undefined, false)
})

test('an account whose log cannot be read fails for those who ask, and for no one else; later it may work', async () => {
  const store = new HeldStore()
  const first = coreHub({ store })
  const { account: owner } = await first.account('phone')
  await owner.perform(origin, 'setting.put', 'a', { value: 1 })
  const { hub, account, clock } = coreHub({ store })
  store.readError = new Error('damaged')
  store.holdReads()
  const asked = hub.account(owner.id)
  clock.advance(15_000)
  store.releaseReads()
  assert.is(await asked.then(() => 'opened', String), 'Error: damaged')
  clock.advance(15_000)
  await turns(3)
  store.readError = undefined
  assert.is((await hub.account(owner.id))?.head, 2)
  await account('phone')
})

test('an account on which something failed is loaded again from its log, its sessions come back, and nothing is lost', async () => {
  const store = new HeldStore()
  const { hub, account, connect, logger } = coreHub({ store })
  const { account: owner, devices } = await account('phone', 'reader')
  const [client, other] = [connect(), connect()]
  await client.hello(devices['phone']!.token)
  await other.hello(devices['reader']!.token)
  await client.ask(1, 'annotation.put', 'book', { id: 'a', note: 'kept' })
  owner.documents.use = () => {
    throw new Error('a fault in the hub')
  }
  client.push(
    0,
    [2, 'setting.put', 'a', { value: 1 }],
    [3, 'annotation.put', 'book', { id: 'b' }],
    [4, 'setting.put', 'b', { value: 1 }]
  )
  for (const session of [client, other]) assert.is((await session.closed()).bye?.code, 'internal')
  assert.ok(logger.lines.some(({ level, message }) => level === 'error' && message === 'an account is loaded again'))
  const again = connect()
  const welcome = await again.hello(devices['phone']!.token)
  assert.is.not(await hub.account(owner.id), owner)
  assert.equal([welcome.head, welcome.lastNumber], [4, 2], 'what was appended before the fault counts')
  again.push(
    0,
    [2, 'setting.put', 'a', { value: 1 }],
    [3, 'annotation.put', 'book', { id: 'b' }],
    [4, 'setting.put', 'b', { value: 1 }]
  )
  assert.equal((await again.next('acked')).accepted, [
    [2, 4],
    [3, 5],
    [4, 6]
  ])
  assert.equal(
    (await again.list('annotations', 'book')).map(([id]) => id),
    ['a', 'b']
  )
})

test('a failed reload does not take the account away for ever', async () => {
  const store = new HeldStore()
  const { hub, account, connect } = coreHub({ store })
  const { account: owner, devices } = await account('phone')
  const client = connect()
  await client.hello(devices['phone']!.token)
  await client.changesUpTo(1)
  await client.ask(1, 'annotation.put', 'book', { id: 'a' })
  owner.documents.use = () => {
    throw new Error('a fault in the hub')
  }
  store.readError = new Error('damaged')
  client.push(0, [2, 'annotation.put', 'book', { id: 'b' }])
  await client.closed()
  await turns(5)
  store.readError = undefined
  assert.is((await hub.account(owner.id))?.head, 2)
})

test('a revoked device stays revoked after a restart', async () => {
  const store = new HeldStore()
  const first = coreHub({ store })
  const { account: owner, devices } = await first.account('phone')
  await revokeDevice(owner, devices['phone']!.device)
  const { connect } = coreHub({ store: store.inner })
  const client = connect()
  const refused = await client.hello(devices['phone']!.token).then(() => '', String)
  assert.match(refused, 'device-revoked')
})

test('of more documents read in parts than the hub holds, the oldest reader starts again; short ones do not count', async () => {
  const { account, connect } = coreHub()
  const { account: owner, devices } = await account('phone')
  const writer = connect()
  await writer.hello(devices['phone']!.token)
  for (let part = 0; part < 7; part++)
    await writer.ask(part + 1, 'annotation.put', 'long', { id: `a${part}`, note: 'x'.repeat(60_000) })
  await writer.ask(20, 'annotation.put', 'short', { id: 'a', note: 'x' })
  const readers = Array.from({ length: 17 }, () => connect())
  for (const [index, reader] of readers.entries()) await reader.hello(devices['phone']!.token, { client: `r${index}` })
  const parts = await Promise.all(readers.slice(0, 16).map(reader => reader.read('document', 'long')))
  for (let count = 0; count < 40; count++) assert.is((await writer.read('document', 'short')).kind, 'view')
  const next = parts[0]!.kind === 'view' ? parts[0]!.next : ''
  assert.is.not(next, '')
  assert.is((await readers[1]!.read('document', 'long', next)).kind, 'view', 'dropped though there was room')
  readers[2]!.drop()
  await readers[16]!.read('document', 'long')
  assert.is((await readers[0]!.read('document', 'long', next)).kind, 'view', 'the one that left still counts')
  for (const reader of [readers[0]!, readers[1]!]) await reader.read('document', 'long')
  await writer.read('document', 'long')
  const kinds = await Promise.all([readers[3]!, readers[4]!, writer].map(reader => reader.read('document', 'long', next)))
  assert.equal(
    kinds.map(({ kind }) => kind),
    ['failed', 'view', 'view']
  )
  assert.is(owner.head, 9)
})

/** Lets so much time pass, with a turn for what the hub does now and then. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 15_000) {
    clock.advance(15_000)
    await turns(5)
  }
}

test('an account that nobody uses leaves memory after five minutes, once its records are stored', async () => {
  const { hub, clock, store } = coreHub()
  const account = await hub.ensureAccount('a')
  await account.perform(origin, 'setting.put', 'a', { value: 1 })
  assert.is(store.get(['a', 'settings', 'a']), undefined)
  await pass(clock, 345_000)
  assert.ok(store.get(['a', 'settings', 'a']))
  const again = await hub.account('a')
  assert.is.not(again, account)
  assert.is(again!.head, 1)
})

test('who still has an account that left memory cannot write beside the one that was opened anew', async () => {
  const { hub, clock } = coreHub()
  const account = await hub.ensureAccount('a')
  await account.perform(origin, 'setting.put', 'a', { value: 1 })
  await pass(clock, 345_000)
  const again = (await hub.account('a'))!
  const late = account.perform(origin, 'setting.put', 'a', { value: 2 })
  assert.is(await late.catch((error: unknown) => (error as HubError).code), 'internal')
  await again.perform(origin, 'setting.put', 'a', { value: 3 })
  assert.is(again.head, 2)
})

test('of more than a thousand accounts in memory those that nobody uses leave after half a minute', async () => {
  for (const [count, isLeft] of [
    [1_000, true],
    [1_100, false]
  ] as const) {
    const { hub, clock } = coreHub()
    await Promise.all(Array.from({ length: count }, (_, index) => hub.ensureAccount(`a${index}`)))
    await pass(clock, 60_000)
    // An account that never had a change is known for as long as it is in memory.
    assert.is((await hub.account('a5')) !== undefined, isLeft, `of ${count}`)
  }
})

test.run()
