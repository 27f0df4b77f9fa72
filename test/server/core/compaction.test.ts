import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import type { Plain } from '../../../protocol/index.ts'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { FAR_BEHIND_CHANGES } from '../../../server/core/readers.ts'
import type { Batch } from '../../../server/core/store.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { coreHub, type CoreHub, type TestAction, type TestClient } from '../../util/core-hub.ts'
import { HeldStore } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/compaction')

/** Remembers what was done to it, in order, so that a crash between any two steps can be played. */
class RecordingStore extends HeldStore {
  readonly steps: (Batch | { readonly account: string; readonly floor: number })[] = []

  override commit(batch: Batch): Promise<void> {
    this.steps.push(batch)
    return super.commit(batch)
  }

  override trim(account: string, floor: number): Promise<number> {
    this.steps.push({ account, floor })
    return super.trim(account, floor)
  }

  async after(count: number): Promise<MemoryStore> {
    const store = new MemoryStore()
    for (const step of this.steps.slice(0, count))
      await ('floor' in step ? store.trim(step.account, step.floor) : store.commit(step))
    return store
  }
}

const page = (number: number): TestAction => [number, 'position.set', `b${number % 3}`, { progression: (number % 100) / 100 }]

/** Pushes so many page turns, from `first` on. */
async function turnPages(client: TestClient, first: number, count: number): Promise<void> {
  for (let number = first; number < first + count; number += 250) {
    const many = Math.min(250, first + count - number)
    client.push(number - 1, ...Array.from({ length: many }, (_, index) => page(number + index)))
    await client.next('acked')
  }
}

/** A library with a little of everything. @returns the number of the last action */
async function fill(client: TestClient): Promise<number> {
  const actions: TestAction[] = []
  for (let index = 0; index < 40; index++) {
    const key = `b${index % 5}`
    const number = actions.length + 1
    actions.push([number, 'book.put', key, { title: `Title ${index}`, identifiers: { [`i:${index}`]: 'x' } }])
    actions.push([number + 1, 'annotation.put', key, { id: `a${index % 3}`, note: `note ${index}`, color: 'red' }])
    actions.push([number + 2, 'setting.put', `s${index % 4}`, { value: index }])
  }
  actions.push([actions.length + 1, 'book.remove', 'b1', {}], [actions.length + 2, 'annotation.remove', 'b2', { id: 'a1' }])
  for (let at = 0; at < actions.length; at += 5) {
    client.push(0, ...actions.slice(at, at + 5))
    await client.next('acked')
  }
  return actions.length
}

/** Everything that can be read of an account. */
async function read({ connect }: CoreHub, token: string): Promise<Plain> {
  const client = connect()
  await client.hello(token, { client: 'reader' })
  const all: Plain[] = [await client.list('books'), await client.list('settings'), await client.list('devices')]
  for (const book of ['b0', 'b1', 'b2', 'b3', 'b4']) {
    all.push(await client.list('annotations', book), await client.list('positions', book))
    const doc = new Y.Doc()
    const view = await client.read('document', book)
    assert.is(view.kind, 'view')
    Y.applyUpdate(doc, (view as { value: Uint8Array }).value)
    all.push(doc.getMap('annotations').toJSON())
  }
  client.drop()
  return all
}

test('compaction lets go of the log below the floor, and everything reads as before, also after a restart', async () => {
  const store = new HeldStore()
  const core = coreHub({ store })
  const { account, devices } = await core.account('phone')
  const { token } = devices['phone']!
  const client = core.connect()
  await client.hello(token)
  await turnPages(client, (await fill(client)) + 1, 6_000)
  client.send('ack', { cursor: account.head })
  const before = await read(core, token)
  const done = await core.hub.compact(account.id)
  assert.equal([done.floorBefore, done.head, done.folded, done.unfoldable], [1, account.head, 5, []])
  assert.ok(done.floor > account.head - 2_000 && done.floor <= done.allowedFloor, `the floor is ${done.floor}`)
  assert.is((await store.head(account.id))!.floor, done.floor)
  assert.equal(await read(core, token), before)
  await core.hub.close()
  const again = coreHub({ store: store.inner })
  assert.equal(await read(again, token), before)
  assert.is((await again.hub.account(account.id))!.floor, done.floor)
})

test('who wants the changes of a compacted log gets all that are kept, and no snapshot, wherever it left off', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone')
  const { token } = devices['phone']!
  const client = core.connect()
  await client.hello(token)
  await turnPages(client, 1, 6_000)
  client.send('ack', { cursor: account.head })
  const { floor } = await core.hub.compact(account.id)
  assert.ok(floor > 1)
  for (const [epoch, cursor, code] of [
    ['', 0, 'far-behind'],
    [account.epoch, floor - 2, 'far-behind'],
    ['another', 7, 'cursor-unknown']
  ] as const) {
    const follower = core.connect()
    follower.send('hello', { version: 1, token, client: 'log', epoch, cursor, agent: 'test', wantsChanges: true })
    assert.equal(await follower.next('resync'), { kind: 'resync', code, epoch: account.epoch, cursor: floor - 1 })
    const changes = await follower.changesUpTo(account.head)
    assert.equal([changes[0]![0], changes.length], [floor, account.head - floor + 1])
    assert.not(follower.frames.some(({ kind }) => kind === 'snapshot'))
    follower.drop()
  }
})

test('after a crash between any two steps of a compaction the account opens and is right', async () => {
  const store = new RecordingStore()
  const core = coreHub({ store })
  const { account, devices } = await core.account('phone')
  const { token } = devices['phone']!
  const client = core.connect()
  await client.hello(token)
  await turnPages(client, (await fill(client)) + 1, 5_000)
  client.send('ack', { cursor: account.head })
  const before = await read(core, token)
  const from = store.steps.length
  const { floor } = await core.hub.compact(account.id)
  assert.ok(floor > 1)
  assert.ok(store.steps.length > from + 6)
  for (let count = from; count <= store.steps.length; count++) {
    const crashed = await store.after(count)
    assert.equal(await read(coreHub({ store: crashed }), token), before, `after step ${count}`)
    const { hub } = coreHub({ store: await store.after(count) })
    assert.ok((await hub.compact(account.id)).floor >= floor - 500)
  }
})

test('the floor stays below what a device has acked, unless it is revoked, far behind, or was not heard of for a month', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'tablet')
  const phone = core.connect()
  const tablet = core.connect()
  await phone.hello(devices['phone']!.token)
  await tablet.hello(devices['tablet']!.token)
  await turnPages(phone, 1, 1_000)
  tablet.send('ack', { cursor: 500 })
  await turnPages(phone, 1_001, 3_000)
  phone.send('ack', { cursor: account.head })
  const floorNow = async (): Promise<number> => (await core.hub.compact(account.id)).allowedFloor
  assert.is(await floorNow(), 501)
  core.clock.advance(29 * 86_400_000)
  assert.is(await floorNow(), 501)
  core.clock.advance(2 * 86_400_000)
  assert.ok((await floorNow()) > 2_500)
  tablet.send('ack', { cursor: 2_000 })
  assert.is(await floorNow(), 2_001)
  await turnPages(phone, 4_001, FAR_BEHIND_CHANGES)
  assert.ok((await floorNow()) > 2_001)
  tablet.send('ack', { cursor: account.head - 2_000 })
  assert.is(await floorNow(), account.head - 1_999)
  await revokeDevice(account, devices['tablet']!.device)
  assert.ok((await floorNow()) > account.head - 1_100)
})

test('what devices have acked outlives the hub', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'tablet')
  const [phone, tablet] = [core.connect(), core.connect()]
  await phone.hello(devices['phone']!.token)
  await tablet.hello(devices['tablet']!.token)
  await turnPages(phone, 1, 3_000)
  tablet.send('ack', { cursor: 700 })
  phone.send('ack', { cursor: 3_000 })
  await core.hub.close()
  const again = coreHub({ store: core.store })
  assert.is((await again.hub.compact(account.id)).allowedFloor, 701)
})

test('a hub compacts by itself once enough can go, and not before, nor while its disk has no room', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone')
  const client = core.connect()
  await client.hello(devices['phone']!.token)
  await turnPages(client, 1, 2_500)
  client.send('ack', { cursor: account.head })
  core.clock.advance(20_000)
  await account.settled()
  assert.is(account.floor, 1)
  await turnPages(client, 2_501, 2_500)
  client.send('ack', { cursor: account.head })
  core.hub.isReadOnly = true
  core.clock.advance(20_000)
  await account.settled()
  assert.equal([account.floor, account.isCompacting], [1, false])
  core.hub.isReadOnly = false
  core.clock.advance(20_000)
  for (let turn = 0; turn < 1_000 && (account.floor === 1 || account.isCompacting); turn++) await account.settled()
  assert.ok(account.floor > 3_000, `the floor is ${account.floor}`)
})

test('nothing is trimmed when a snapshot does not read as a document', async () => {
  const store = new HeldStore()
  const core = coreHub({ store })
  const { account, devices } = await core.account('phone')
  const client = core.connect()
  await client.hello(devices['phone']!.token)
  await turnPages(client, (await fill(client)) + 1, 3_000)
  client.send('ack', { cursor: account.head })
  const commit = store.commit.bind(store)
  store.commit = ({ appends, writes }) =>
    commit({
      appends,
      writes: writes.map(({ key, value }) => ({ key, value: key[1] === 'snapshots' ? value?.map(byte => byte ^ 0x15) : value }))
    })
  const failure = await core.hub.compact(account.id).then(
    () => 'compacted',
    (error: Error) => error.message
  )
  assert.is.not(failure, 'compacted')
  assert.is((await store.head(account.id))!.floor, 1)
})

test('changes go on while a log is compacted, and none is lost', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'tablet')
  const [phone, tablet] = [core.connect(), core.connect()]
  await phone.hello(devices['phone']!.token)
  await tablet.hello(devices['tablet']!.token, { client: 'other' })
  const last = await fill(phone)
  await turnPages(phone, last + 1, 5_000)
  phone.send('ack', { cursor: account.head })
  tablet.send('ack', { cursor: account.head })
  const compacting = core.hub.compact(account.id)
  for (let number = last + 5_001; account.isCompacting; number++) {
    await phone.ask(number, 'annotation.put', 'b1', { id: `n${number % 7}`, note: `note ${number}` })
  }
  assert.ok((await compacting).floor > 1)
  await tablet.changesUpTo(account.head)
  assert.equal(
    tablet.changes.map(([cursor]) => cursor),
    Array.from({ length: account.head }, (_, index) => index + 1)
  )
})

test('an account that is not there cannot be compacted, and one without a log has nothing to let go of', async () => {
  const core = coreHub()
  assert.match(await core.hub.compact('none').then(() => '', String), 'no account')
  const account = await core.hub.ensureAccount('new')
  const { floorBefore, floor } = await core.hub.compact(account.id)
  assert.equal([floorBefore, floor], [1, 1])
})

test('a few large changes are let go too, and held for no one who is far behind in bytes', async () => {
  const store = new HeldStore()
  const core = coreHub({ store })
  const { account, devices } = await core.account('phone', 'shelf')
  const [phone, shelf] = [core.connect(), core.connect()]
  await shelf.hello(devices['shelf']!.token)
  await phone.hello(devices['phone']!.token)
  await shelf.changesUpTo(account.head)
  shelf.send('ack', { cursor: account.head })
  shelf.drop()
  const left = account.head
  let number = 0
  const write = async (mib: number): Promise<void> => {
    for (let count = 0; count < mib * 2; count++) {
      const actions = Array.from({ length: 10 }, (): TestAction => [++number, 'setting.put', 's', { value: 'x'.repeat(52_400) }])
      phone.push(number - 10, ...actions)
      await phone.next('acked')
    }
    phone.send('ack', { cursor: account.head })
  }
  const tidied = async (): Promise<number> => {
    core.clock.advance(15_000)
    for (let turns = 0; turns < 4 || account.isCompacting; turns++) await new Promise<void>(resolve => void setImmediate(resolve))
    return account.floor
  }
  await write(50)
  assert.ok((await tidied()) <= left + 1, `kept for the one that is ${account.head - left} changes behind`)
  await write(30)
  assert.ok(account.head - left < FAR_BEHIND_CHANGES)
  const floor = await tidied()
  assert.ok(floor > left + 1, `the floor is ${floor}`)
  await core.hub.close()
  const again = coreHub({ store: store.inner })
  const opened = (await again.hub.account(account.id))!
  assert.is(opened.readers.floor(account.head, core.clock.nowMs()), account.readers.floor(account.head, core.clock.nowMs()))
})

test.run()
