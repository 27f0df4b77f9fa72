import * as assert from 'uvu/assert'
import type { Batch } from '../../../server/core/store.ts'
import { coreHub, type TestAction, type TestClient, type TestDevice } from '../../util/core-hub.ts'
import { Random } from '../../util/random.ts'
import { HeldStore, storeAfter } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../util/yjs-update.ts'

const test = suite('server/core: crashes')

type Answer = number | string

interface History {
  readonly batches: readonly Batch[]
  readonly device: TestDevice
  readonly actions: readonly TestAction[]
  /** What was answered, and how many batches were committed by then. */
  readonly answers: Map<number, { answer: Answer; batches: number }>
}

/** A hub's life with one busy client, of which every answer is remembered with the commits that came before it. */
async function history(seed: number): Promise<History> {
  const random = new Random(seed)
  const store = new HeldStore()
  const hub = coreHub({ store })
  const { account, devices } = await hub.account('phone')
  const client = hub.connect()
  await client.hello(devices['phone']!.token)
  const doc = docOf(9)
  const actions = Array.from({ length: 40 }, (_, index): TestAction => {
    const number = (index + 1) * 2
    const kind = random.below(6)
    if (kind === 0)
      return [number, 'annotation.update', 'b', updateOf(doc, annotations => annotations.set('x', noteOf(`${index}`)))]
    if (kind === 1) return [number, 'annotation.put', 'b', { id: 'y', note: `${index}` }]
    if (kind === 2) return [number, 'book.remove', 'unknown', {}]
    if (kind === 3) return [number, 'nonsense', 'x', {}]
    return [number, 'setting.put', `s${random.below(3)}`, { value: index }]
  })
  const answers: History['answers'] = new Map()
  const hear = async (until: number): Promise<void> => {
    while (!answers.has(until)) {
      const { accepted, refused } = await client.next('acked')
      for (const [number, answer] of [...accepted, ...refused]) answers.set(number, { answer, batches: store.batches.length })
    }
  }
  for (let at = 0; at < actions.length;) {
    const count = 1 + random.below(4)
    client.push(0, ...actions.slice(at, at + count))
    at += count
    if (random.chance(0.2)) account.storeRecords()
    if (random.chance(0.6)) await hear(actions[Math.min(at, actions.length) - 1]![0])
  }
  await hear(actions.at(-1)![0])
  return { batches: store.batches, device: devices['phone']!, actions, answers }
}

async function ask(client: TestClient, actions: readonly TestAction[]): Promise<Map<number, Answer>> {
  client.push(0, ...actions)
  const given = new Map<number, Answer>()
  while (given.size < actions.length) {
    const { accepted, refused } = await client.next('acked')
    for (const [number, answer] of [...accepted, ...refused]) given.set(number, answer)
  }
  return given
}

test('the ack, the counter and the change are kept by the same commit: whichever was the last, a repeat of everything has each effect once', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const { batches, device, actions, answers } = await history(seed)
    for (let count = 1; count <= batches.length; count++) {
      const where = `seed ${seed}, crash after commit ${count} of ${batches.length}`
      const hub = coreHub({ store: await storeAfter(batches.slice(0, count)) })
      const client = hub.connect()
      const { head, lastNumber } = await client.hello(device.token)
      const kept = [...answers].filter(([, { batches }]) => batches <= count)
      assert.ok(
        kept.every(([number, { answer }]) => number <= lastNumber && (typeof answer === 'string' || answer <= head)),
        where
      )
      assert.is(head, batches.slice(0, count).flatMap(({ appends }) => appends.flatMap(({ runs }) => runs)).reduce((sum, { count }) => sum + count, 0), where) // prettier-ignore
      const given = await ask(client, actions)
      for (const [number, { answer }] of kept) assert.is(given.get(number), answer, `${where}, action ${number}`)
      const cursors = [...given.values()].filter(answer => typeof answer === 'number')
      assert.equal(cursors, cursors.map((_, index) => index + 2), where) // prettier-ignore
      await client.changesUpTo(cursors.at(-1)!)
      const numbers = client.changes.slice(1).map(([, , , , number]) => number)
      assert.equal(numbers, [...given].filter(([, answer]) => typeof answer === 'number').map(([number]) => number), where) // prettier-ignore
    }
  }
})

test('a refused action uses up its number, and its first answer survives a restart', async () => {
  const store = new HeldStore()
  const { account, connect } = coreHub({ store })
  const { devices } = await account('phone')
  const client = connect()
  await client.hello(devices['phone']!.token)
  const refused: TestAction = [5, 'book.remove', 'later', {}]
  assert.equal([...(await ask(client, [refused]))], [[5, 'not-found']])
  await ask(client, [[6, 'book.put', 'later', { title: 'now it is there' }]])
  for (const kept of [store.inner, await storeAfter(store.batches)]) {
    const again = coreHub({ store: kept }).connect()
    const welcome = await again.hello(devices['phone']!.token)
    assert.is(welcome.lastNumber, 6)
    const given = await ask(again, [refused, [4, 'book.remove', 'later', {}]])
    assert.equal([...given], [[5, 'not-found'], [4, 'already-done']]) // prettier-ignore
  }
})

test('what was told to a session is never taken back by a crash', async () => {
  const { batches, device } = await history(99)
  let told: unknown[] = []
  for (let count = 1; count <= batches.length; count++) {
    const client = coreHub({ store: await storeAfter(batches.slice(0, count)) }).connect()
    const { head } = await client.hello(device.token)
    const changes = await client.changesUpTo(head)
    assert.equal(changes.slice(0, told.length), told)
    told = [...changes]
  }
})

test.run()
