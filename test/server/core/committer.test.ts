import * as assert from 'uvu/assert'
import { RunWriter } from '../../../protocol/index.ts'
import type { Account } from '../../../server/core/account.ts'
import { Committer } from '../../../server/core/committer.ts'
import { PendingCommit } from '../../../server/core/pending-commit.ts'
import { coreHub } from '../../util/core-hub.ts'
import { ManualClock } from '../../util/manual-clock.ts'
import { HeldStore } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/committer')

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

/** What a committer asks of an account, and in which order. */
function member(name: string, log: string[]): Account {
  let taken = 0
  return {
    takePending() {
      taken += 1
      log.push(`${name} gives ${taken}`)
      const run = { first: taken, count: 1, run: Uint8Array.of(taken), notes: Uint8Array.of(0) }
      return {
        append: { account: name, epoch: 'e', after: taken - 1, runs: [run] },
        writes: [],
        pending: new PendingCommit(new RunWriter())
      }
    },
    committed: () => void log.push(`${name} committed`),
    announce: () => void log.push(`${name} announced`)
  } as unknown as Account
}

test('all that woke it in one turn is one commit', async () => {
  const store = new HeldStore()
  const log: string[] = []
  const committer = new Committer(store, new ManualClock(), error => assert.unreachable(String(error)))
  const [one, two] = [member('one', log), member('two', log)]
  for (const account of [one, two, one]) committer.wake(account)
  assert.equal(log, [], 'it did not wait for the turn to end')
  await turn()
  await turn()
  assert.equal(log, ['one gives 1', 'two gives 1', 'one committed', 'two committed', 'one announced', 'two announced'])
  assert.equal(store.batches.map(({ appends }) => appends.map(({ account }) => account)), [['one', 'two']]) // prettier-ignore
})

test('while a flush is under way the next group gathers, and is on its way before the first is announced', async () => {
  const store = new HeldStore()
  const log: string[] = []
  const committer = new Committer(store, new ManualClock(), error => assert.unreachable(String(error)))
  const [one, two] = [member('one', log), member('two', log)]
  store.holdCommits()
  committer.wake(one)
  await store.until(({ heldCommits }) => heldCommits === 1)
  for (const account of [two, one, two]) committer.wake(account)
  await turn()
  assert.equal(log.splice(0), ['one gives 1'])
  store.releaseCommit()
  await store.until(({ heldCommits }) => heldCommits === 1)
  await turn()
  assert.equal(log.splice(0), ['one committed', 'two gives 1', 'one gives 2', 'one announced'])
  store.releaseCommits()
  await turn()
  assert.equal(log, ['two committed', 'one committed', 'two announced', 'one announced'])
  committer.wake(two)
  await turn()
  await turn()
  assert.is(store.batches.length, 3)
})

test('a commit that fails is told once, and nothing is announced', async () => {
  const store = new HeldStore()
  store.commit = () => Promise.reject(new Error('the disk is full'))
  const log: string[] = []
  const failures: string[] = []
  const committer = new Committer(store, new ManualClock(), error => failures.push(String(error)))
  committer.wake(member('one', log))
  await turn()
  await turn()
  assert.equal([log, failures], [['one gives 1'], ['Error: the disk is full']])
})

test('one turn of many clients, of several accounts, is one commit of the store', async () => {
  const store = new HeldStore()
  const { account, connect } = coreHub({ store })
  const clients = []
  for (let number = 0; number < 3; number++) {
    const { devices } = await account('a', 'b')
    for (const { token } of Object.values(devices)) {
      const client = connect()
      await client.hello(token)
      clients.push(client)
    }
  }
  const before = store.batches.length
  for (let number = 1; number <= 50; number++)
    for (const client of clients) client.push(0, [number, 'setting.put', 'n', { value: number }])
  await Promise.all(clients.map(client => client.next('acked')))
  assert.is(store.batches.length, before + 1)
  assert.equal(store.batches.at(-1)!.appends.map(({ runs }) => runs.map(({ count }) => count)), [[100], [100], [100]]) // prettier-ignore
})

test('a commit that only awaits is none: the store is not asked', async () => {
  const store = new HeldStore()
  const { account } = coreHub({ store })
  const { account: owner } = await account('phone')
  const before = store.batches.length
  await owner.settled()
  await owner.settled()
  assert.is(store.batches.length, before)
})

test.run()
