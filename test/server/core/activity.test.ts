import * as assert from 'uvu/assert'
import type { Account } from '../../../server/core/account.ts'
import { activitySince, type Activity } from '../../../server/core/activity.ts'
import { checkAccount } from '../../../server/core/check-account.ts'
import type { MemoryStore } from '../../../server/storage/memory.ts'
import { coreHub, type TestAction } from '../../util/core-hub.ts'
import { ManualClock } from '../../util/manual-clock.ts'
import { Random } from '../../util/random.ts'
import { HeldStore, storeAfter } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/activity')

const ACCOUNT = 'account1'
const BOOKS = ['b1', 'b2', 'b3', 'b4', 'b5']

/** All of it, in pages of so many. */
function allOf({ views }: Account, afterUs = 0, limit = 2): Activity[] {
  const all: Activity[] = []
  for (;;) {
    const page = activitySince(views, all.at(-1)?.timeUs ?? afterUs, limit)
    all.push(...page)
    if (page.length < limit) return all
  }
}

/** A hub with a client that asks for one action after the other. */
async function start(store: HeldStore | MemoryStore, clock = new ManualClock()) {
  const hub = coreHub({ store, clock })
  const { account, devices } = await hub.account('phone')
  const client = hub.connect()
  await client.hello(devices['phone']!.token)
  let number = 0
  const ask = async (kind: string, key: string, body: unknown): Promise<void> => {
    const { refused } = await client.ask(++number, kind, key, body)
    assert.equal(refused, [])
  }
  return { hub, account, client, ask }
}

const findingsOf = async (store: HeldStore | MemoryStore): Promise<string[]> => {
  const findings: string[] = []
  await checkAccount(store, ACCOUNT, what => findings.push(what))
  return findings
}

/** What the log says about it, folded by other code. */
function expectedOf(changes: readonly (readonly unknown[])[]): Activity[] {
  const listed = new Map<string, boolean>()
  const times = new Map<string, number>()
  for (const [, timeUs, , , , , kind, key] of changes as [number, number, string, string, number, number, string, string][]) {
    if (!/^(book|position|annotation)\./.test(kind)) continue
    times.set(key, timeUs)
    if (kind.startsWith('book.')) listed.set(key, kind !== 'book.remove')
  }
  return [...times]
    .map(([book, timeUs]) => ({ book, timeUs, isListed: listed.get(book) === true }))
    .sort((left, right) => left.timeUs - right.timeUs)
}

function someAction(random: Random, number: number): TestAction {
  const book = BOOKS[random.below(BOOKS.length)]!
  const kind = random.below(5)
  if (kind === 0) return [number, 'book.put', book, { title: `${number}` }]
  if (kind === 1) return [number, 'annotation.put', book, { id: 'x', note: `${number}` }]
  if (kind === 2) return [number, 'setting.put', 's', { value: number }]
  return [number, 'position.set', book, { progression: random.below(100) / 100 }]
}

test('each book comes once, at the newest change of its record, a place in it, or its annotations', async () => {
  const { account, client, ask } = await start(new HeldStore())
  await ask('book.put', 'b1', { title: 'x' })
  await ask('book.put', 'b2', { title: 'x' })
  await ask('book.put', 'b3', { title: 'x' })
  await ask('position.set', 'b1', { progression: 0.5 })
  await ask('annotation.put', 'b2', { id: 'a', note: 'x' })
  await ask('setting.put', 's', { value: 1 })
  assert.equal(
    allOf(account).map(({ book }) => book),
    ['b3', 'b1', 'b2']
  )
  assert.equal(allOf(account), expectedOf(client.changes))
  const [, second] = allOf(account)
  assert.equal(
    allOf(account, second!.timeUs).map(({ book }) => book),
    ['b2']
  )
  assert.is(account.views.get('touched', 'b1')?.timeUs, second!.timeUs)
  assert.is(account.views.get('touched', 'unknown'), undefined)
})

test('a book that was never put or was removed is told, and not listed', async () => {
  const { account, ask } = await start(new HeldStore())
  const listed = (): [string, boolean][] => allOf(account).map(({ book, isListed }) => [book, isListed])
  await ask('position.set', 'b1', { progression: 0.5 })
  await ask('book.put', 'b2', { title: 'x' })
  assert.equal(listed(), [
    ['b1', false],
    ['b2', true]
  ])
  account.storeRecords()
  await account.settled()
  await ask('book.put', 'b1', { title: 'x' })
  await ask('book.remove', 'b2', {})
  await ask('position.set', 'b2', { progression: 0.5 })
  assert.equal(listed(), [
    ['b1', true],
    ['b2', false]
  ])
  await ask('book.restore', 'b2', {})
  assert.equal(listed()[1], ['b2', true])
})

test('whatever was stored when, and after a crash at any commit, it is what the log comes to, and the check agrees', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = new Random(seed)
    const store = new HeldStore()
    const clock = new ManualClock()
    const { account, client } = await start(store, clock)
    for (let number = 1; number <= 60; number++) {
      clock.step(random.below(5) - 2)
      client.push(0, someAction(random, number))
      await client.next('acked')
      if (random.chance(0.2)) account.storeRecords()
      if (random.chance(0.3)) assert.equal(allOf(account, 0, 1 + random.below(4)), expectedOf(client.changes), `seed ${seed}`)
    }
    const { changes } = client
    for (let count = random.below(9); count <= store.batches.length; count += 1 + random.below(9)) {
      const left = await storeAfter(store.batches.slice(0, count))
      const head = (await left.head(ACCOUNT))?.head ?? 0
      const where = `seed ${seed}, crash after commit ${count} of ${store.batches.length}`
      assert.equal(await findingsOf(left), [], where)
      const again = await coreHub({ store: left }).hub.account(ACCOUNT)
      const known = changes.filter(([cursor]) => cursor <= head)
      assert.equal(again && allOf(again), head === 0 ? undefined : expectedOf(known), where)
    }
  }
})

test('it outlives the beginning of the log', async () => {
  const store = new HeldStore()
  const { hub, account, client } = await start(store)
  const random = new Random(1)
  for (let number = 1; number <= 3_000; number++) client.push(0, someAction(random, number))
  await client.changesUpTo(3_001)
  client.send('ack', { cursor: 3_001 })
  const expected = expectedOf(client.changes)
  const { floor } = await hub.hub.compact(ACCOUNT)
  assert.ok(floor > 1)
  assert.equal(allOf(account), expected)
  await hub.hub.close()
  assert.equal(await findingsOf(store), [])
  assert.equal(allOf((await coreHub({ store: store.inner }).hub.account(ACCOUNT))!), expected)
})

test('a sealed time parts the changes, whatever the clock does, in this process and the next', async () => {
  const store = new HeldStore()
  const clock = new ManualClock()
  const { account, client, ask } = await start(store, clock)
  for (let round = 0; round < 20; round++) {
    await ask('book.put', BOOKS[round % 5]!, { title: `${round}` })
    const sealedMs = account.sealTime()
    const newest = client.changes.at(-1)!
    assert.ok(newest[1] <= sealedMs * 1_000 && newest[1] > (sealedMs - 1) * 1_000 - 1)
    assert.is(account.sealTime(), sealedMs)
    assert.equal(allOf(account, sealedMs * 1_000), [])
    clock.step([0, 0.3, -5_000][round % 3]!)
  }
  await account.settled()
  clock.step(-60_000)
  const sealedMs = account.sealTime()
  const again = coreHub({ store: await storeAfter(store.batches), clock })
  const reopened = (await again.hub.account(ACCOUNT))!
  assert.is(reopened.sealTime(), sealedMs)
  await reopened.write('device.revoke', reopened.views.range('devices', [], '', 1)[0]![0], {})
  assert.ok(reopened.timeUs > sealedMs * 1_000)
})

test.run()
