import * as assert from 'uvu/assert'
import { TurnBudget } from '../../../../server/core/documents/turn-budget.ts'
import type { Clock } from '../../../../server/core/ports.ts'
import { coreHub, type TestAction, type TestClient } from '../../../util/core-hub.ts'
import { suite } from '../../../util/suite.ts'
import { docOf, prependedUpdate, unplacedUpdate, updateOf } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents/turn-budget')

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

/** A clock whose turns the test gives. */
const clockOf = (turns: (() => void)[]): Clock => ({
  nowMs: () => 0,
  nextTurn: task => void turns.push(task),
  setTimer: () => () => undefined
})

async function accepted(client: TestClient, count: number): Promise<void> {
  for (let left = count; left > 0;) left -= (await client.next('acked')).accepted.length
}

test('once a turn is spent, those who wait go on one in a turn: accounts by turns, and in one account by who came first', async () => {
  const turns: (() => void)[] = []
  const budget = new TurnBudget(clockOf(turns))
  const went: string[] = []
  const go = async (account: string, name: string): Promise<void> => {
    await budget.wait(account)
    budget.spend(1_000_000)
    went.push(name)
  }
  await go('a', 'a1')
  assert.ok(budget.isSpent)
  const rest = [go('a', 'a2'), go('a', 'a3'), go('b', 'b1'), go('a', 'a4')]
  for (let count = 1; count <= 5; count++) {
    await turn()
    assert.is(went.length, count)
    assert.is(turns.length, 1)
    turns.shift()!()
  }
  await Promise.all(rest)
  assert.equal(went, ['a1', 'a2', 'b1', 'a3', 'a4'])
  assert.not(budget.isSpent)
})

test('what costs little is taken at once, whatever was taken in turns before', async () => {
  const turns: (() => void)[] = []
  const budget = new TurnBudget(clockOf(turns))
  for (let count = 0; count < 10_000; count++) {
    await budget.wait('a')
    budget.spend(1)
  }
  assert.is(turns.length, 0)
})

test('updates that are dear to order are taken one in a turn, over all connections; what others ask for is answered meanwhile', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'enemy')
  const phone = core.connect()
  await phone.hello(devices['phone']!.token)
  const enemies = ['one', 'two', 'three'].map(() => core.connect())
  for (const [index, enemy] of enemies.entries()) await enemy.hello(devices['enemy']!.token, { client: `tab${index}` })
  const [first] = enemies
  const list = Array.from({ length: 60 }, (_, index) => {
    const update = prependedUpdate(1, index * 500, 500, { parent: 't' })
    return [index + 1, 'annotation.update', 'book', update] as TestAction
  })
  for (let start = 0; start < list.length; start += 20) {
    first!.push(0, ...list.slice(start, start + 20))
    await accepted(first!, 20)
  }
  await account.settled()
  const before = account.head
  for (const [index, enemy] of enemies.entries()) {
    const unplaced = Array.from({ length: 8 }, (_, count) => {
      const update = unplacedUpdate(100 + index * 8 + count, 1)
      return [100 + count, 'annotation.update', 'book', update] as TestAction
    })
    enemy.push(0, ...unplaced)
  }
  phone.push(0, [1, 'position.set', 'book', { progression: 0.5 }])
  assert.is(account.head, before + 2, 'the first of them, and what takes no document')
  const heads = [account.head]
  while (account.head < before + 25) {
    await turn()
    heads.push(account.head)
  }
  const most = Math.max(...heads.slice(1).map((head, index) => head - heads[index]!))
  assert.is(most, 1)
  assert.equal((await phone.next('acked')).accepted.length, 1)
  for (const enemy of enemies) await accepted(enemy, 8)
})

test('documents that are dear to read are read one in a turn', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone')
  const phone = core.connect()
  await phone.hello(devices['phone']!.token)
  const doc = docOf(5)
  for (let number = 1; number <= 50; number++) {
    const update = updateOf(doc, annotations => {
      for (let index = 0; index < 2_000; index++) annotations.set(`${number} ${index}`, 0)
    })
    phone.push(0, [number, 'annotation.update', 'book', update])
    await accepted(phone, 1)
  }
  await turn()
  let [turns, isOver] = [0, false]
  const count = (): void => {
    turns += 1
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  const { documents } = account
  const readIn: number[] = []
  const read = (): Promise<void> =>
    documents.withDocument('book', document => {
      document.since(Uint8Array.of(1, 1, 0))
      readIn.push(turns)
    })
  await Promise.all([read(), read(), read(), read()])
  isOver = true
  assert.is(new Set(readIn).size, 4)
})

test.run()
