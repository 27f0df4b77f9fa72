import * as assert from 'uvu/assert'
import { LIMITS, type Frame } from '../../../protocol/index.ts'
import { coreHub, TestClient, type CoreHub, type TestAction } from '../../util/core-hub.ts'
import type { RecordKey } from '../../../server/core/store.ts'
import { HeldStore } from '../../util/stores.ts'
import { LEAST_BYTES } from '../../../server/core/sender.ts'
import { suite } from '../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../util/yjs-update.ts'

const test = suite('server/core/session: bounds')

/** What a session may hold unsent, and one frame more. */
const MOST_UNSENT = 262_144 + 70_000
const LETTERS = 'x'.repeat(30_000)

const put = (number: number, value: unknown = number): TestAction => [number, 'setting.put', 'name', { value }]
const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))
const turns = async (count: number): Promise<void> => {
  for (let done = 0; done < count; done++) await turn()
}

async function scene(
  store = new HeldStore()
): Promise<CoreHub & { store: HeldStore; writer: TestClient; reader: TestClient; head: () => number; token: string }> {
  const hub = coreHub({ store })
  const { account, devices } = await hub.account('phone', 'reader')
  const [writer, reader] = [hub.connect(), hub.connect()]
  await writer.hello(devices['phone']!.token)
  await reader.hello(devices['reader']!.token)
  await reader.changesUpTo(2)
  return { ...hub, store, writer, reader, head: () => account.head, token: devices['reader']!.token }
}

test('a session that does not drain is sent bounded bytes, and reads on from the log when it drains', async () => {
  const { writer, reader, head, hub } = await scene()
  reader.isStuck = true
  for (let number = 1; number <= 60; number++) await writer.ask(number, 'setting.put', 'name', { value: LETTERS })
  await turns(5)
  assert.ok(reader.hubEnd.bufferedBytes <= MOST_UNSENT, `${reader.hubEnd.bufferedBytes} bytes unsent`)
  assert.ok(reader.changes.length < 20)
  reader.drain()
  await reader.changesUpTo(head())
  assert.equal(
    reader.changes.map(([cursor]) => cursor),
    Array.from({ length: head() }, (_, index) => index + 1)
  )
  assert.is(hub.sessionCount, 2)
})

test('a stuck session is closed slow, and told when to come back', async () => {
  const { writer, reader, clock } = await scene()
  reader.isStuck = true
  for (let number = 1; number <= 20; number++) await writer.ask(number, 'setting.put', 'name', { value: LETTERS })
  await turns(5)
  clock.advance(9_999)
  assert.is(reader.closeCode, undefined)
  clock.advance(1)
  const { code, bye } = await reader.closed()
  assert.equal([code, bye?.code, bye?.retryAfterMs], [4408, 'slow', 1_000])
})

test('a session that drains a little is not closed, as long as it does', async () => {
  const { writer, reader, clock, head } = await scene()
  reader.isStuck = true
  for (let number = 1; number <= 40; number++) await writer.ask(number, 'setting.put', 'name', { value: LETTERS })
  await turns(5)
  for (let step = 0; step < 6; step++) {
    reader.trickle(LEAST_BYTES)
    clock.advance(10_000)
    await turns(3)
    assert.is(reader.closeCode, undefined, `closed after ${step} steps`)
  }
  reader.trickle(200_000)
  clock.advance(10_000)
  await turns(5)
  assert.ok(reader.hubEnd.bufferedBytes > 100_000, 'it does not read on where there is room again')
  clock.advance(20_000)
  assert.is(reader.closeCode, 4408)
  assert.ok(reader.changes.length < head())
})

test('what a session is sent meanwhile does not hide that it reads', async () => {
  const { writer, reader, clock } = await scene()
  reader.isStuck = true
  for (let number = 1; number <= 40; number++) await writer.ask(number, 'setting.put', 'name', { value: LETTERS })
  await turns(5)
  reader.trickle(3 * LETTERS.length)
  const unsent = reader.hubEnd.bufferedBytes
  await writer.ask(41, 'setting.put', 'name', { value: LETTERS })
  await turns(5)
  assert.ok(reader.hubEnd.bufferedBytes > unsent + 3 * LETTERS.length)
  clock.advance(10_000)
  assert.is(reader.closeCode, undefined)
  clock.advance(10_000)
  assert.is(reader.closeCode, 4408)
})

test('a session that is stuck with little unsent, or idle, is left alone', async () => {
  const { writer, reader, clock } = await scene()
  reader.isStuck = true
  await writer.ask(1, 'setting.put', 'name', { value: LETTERS })
  clock.advance(60_000)
  assert.is(reader.closeCode, undefined)
})

test('who asks and asks but does not read the answers is not answered without bound, and is closed slow', async () => {
  for (const ask of ['read', 'ping'] as const) {
    const { writer, reader, clock } = await scene()
    const doc = docOf(1)
    const note = noteOf('x'.repeat(400_000))
    await writer.ask(
      1,
      'annotation.update',
      'book',
      updateOf(doc, annotations => annotations.set('a', note))
    )
    await reader.changesUpTo(3)
    reader.isStuck = true
    for (let count = 0; count < 3_000; count++) {
      if (ask === 'read') reader.send('read', { id: count, view: 'document', key: 'book', after: '' })
      else for (let times = 0; times < 20; times++) reader.send('ping', { nonce: count })
      if (count % 20 === 0) await turn()
    }
    await turns(50)
    assert.ok(reader.hubEnd.bufferedBytes < 1_200_000, `${ask}: ${reader.hubEnd.bufferedBytes} bytes unsent`)
    assert.ok(reader.isHubPaused, ask)
    clock.advance(10_000)
    assert.is(reader.closeCode, 4408, ask)
  }
})

test('a session that has much unsent is listened to all the same, as long as it sends little', async () => {
  const { writer, reader, head } = await scene()
  reader.isStuck = true
  for (let number = 1; number <= 20; number++) await writer.ask(number, 'setting.put', 'name', { value: LETTERS })
  await turns(5)
  for (let nonce = 1; nonce <= 100; nonce++) reader.send('ping', { nonce })
  await turns(5)
  assert.not(reader.isHubPaused)
  for (let nonce = 1; nonce <= 200; nonce++) reader.send('ping', { nonce })
  assert.ok(reader.isHubPaused)
  reader.drain()
  await reader.changesUpTo(head())
})

test('what a session asked for while it did not drain is answered in order once it does', async () => {
  const { writer, reader, head } = await scene()
  reader.isStuck = true
  for (let number = 1; number <= 20; number++) await writer.ask(number, 'setting.put', 'name', { value: LETTERS })
  await turns(5)
  for (let nonce = 1; nonce <= 5; nonce++) reader.send('ping', { nonce })
  reader.push(0, put(1), put(2))
  reader.send('ping', { nonce: 6 })
  await turns(5)
  assert.not(reader.frames.some(({ kind }) => kind === 'pong'))
  reader.drain()
  await reader.next('acked')
  await reader.changesUpTo(head())
  const nonces = reader.frames.filter((frame): frame is Frame<'pong'> => frame.kind === 'pong').map(({ nonce }) => nonce)
  assert.equal(nonces, [1, 2, 3, 4, 5, 6])
  assert.not(reader.isHubPaused)
})

test('a connection is paused while a frame waits, and resumed behind it; frames that come anyway keep their order', async () => {
  const { store, reader } = await scene()
  store.holdCommits()
  reader.push(0, put(1))
  reader.send('read', { id: 1, view: 'settings', key: '', after: '' })
  assert.ok(reader.isHubPaused)
  for (let nonce = 1; nonce <= 3; nonce++) reader.send('ping', { nonce })
  await turns(3)
  assert.not(reader.frames.some(({ kind }) => kind === 'pong'))
  await store.until(({ heldCommits }) => heldCommits > 0)
  store.releaseCommits()
  const view = await reader.next('view')
  assert.equal(view.value, [['name', { value: 1, cursor: 3, changedAtUs: reader.changes.at(-1)![1] }]])
  for (let nonce = 1; nonce <= 3; nonce++) assert.is((await reader.next('pong')).nonce, nonce)
  assert.not(reader.isHubPaused)
})

test('frames beyond the limit while one waits end the connection', async () => {
  const { store, reader } = await scene()
  store.holdCommits()
  reader.push(0, put(1))
  reader.send('read', { id: 1, view: 'settings', key: '', after: '' })
  for (let count = 0; count < 80 && reader.closeCode === undefined; count++) reader.push(0, put(2 + count, LETTERS))
  const { bye } = await reader.closed()
  assert.is(bye?.code, 'overloaded')
})

test('a session with a great deal unanswered is not listened to until it is answered', async () => {
  const { store, reader } = await scene()
  store.holdCommits()
  for (let number = 1; number <= 34; number++) {
    reader.push(0, put(number, LETTERS))
    await turn()
  }
  assert.not(reader.isHubPaused)
  reader.push(0, put(35, LETTERS))
  await turn()
  assert.ok(reader.isHubPaused)
  await store.until(({ heldCommits }) => heldCommits > 0)
  store.releaseCommits()
  await reader.next('acked')
  await turns(2)
  assert.not(reader.isHubPaused)
})

test('so is one with more actions unanswered than it may have, however small they are', async () => {
  const { store, reader } = await scene()
  store.holdCommits()
  const most = LIMITS.maxUnansweredActions
  for (let number = 1; number <= most; number++) {
    reader.push(0, put(number))
    if (number % 100 === 0) await turn()
  }
  await turn()
  assert.not(reader.isHubPaused)
  reader.push(0, put(most + 1))
  reader.push(0, put(most + 2))
  await turns(3)
  assert.ok(reader.isHubPaused)
  store.releaseCommits()
  await reader.changesUpTo(2 + most + 2)
  await turns(2)
  assert.not(reader.isHubPaused)
})

test('thousands of frames that come at once are worked off in parts, with turns of others in between', async () => {
  const { writer, reader } = await scene()
  const count = 5_000
  const before = reader.frames.length
  for (let nonce = 1; nonce <= count; nonce++) reader.send('ping', { nonce })
  assert.ok(reader.isHubPaused)
  const atOnce = reader.frames.length - before
  assert.ok(atOnce < count / 4, `${atOnce} in one turn`)
  await writer.ask(1, 'setting.put', 'name', { value: 1 })
  assert.ok(reader.frames.length - before < count, 'the other one was served last')
  while (reader.isHubPaused) await turn()
  const nonces = reader.frames.filter((frame): frame is Frame<'pong'> => frame.kind === 'pong').map(({ nonce }) => nonce)
  assert.equal(
    nonces,
    Array.from({ length: count }, (_, index) => index + 1)
  )
})

test('a connection that fails to send ends by itself, and everyone else is told', async () => {
  const { writer, reader, connect, hub, logger, token } = await scene()
  const third = connect()
  await third.hello(token, { client: 'third' })
  reader.hubEnd.send = () => {
    throw new Error('no such socket')
  }
  await writer.ask(1, 'setting.put', 'name', { value: 1 })
  await third.changesUpTo(3)
  assert.is(reader.closeCode, 1011)
  assert.is(hub.sessionCount, 2)
  assert.ok(logger.lines.some(({ message }) => message === 'a connection failed to send'))
  third.hubEnd.send = () => {
    throw new Error('no such socket')
  }
  third.push(0, put(1))
  await writer.changesUpTo(4)
  assert.is(third.closeCode, 1011)
  assert.is((await writer.ask(2, 'setting.put', 'name', { value: 2 })).accepted.length, 1)
})

test('a device may have so many client ids and no more; those that it has go on', async () => {
  const { connect, hub, token } = await scene()
  const account = (await hub.account('account1'))!
  for (let index = 0; index < LIMITS.maxDeviceClients; index++) {
    const client = connect()
    await client.hello(token, { client: `c${index}`, epoch: account.epoch, cursor: account.durableHead })
    await client.ask(1, 'setting.put', 'name', { value: index })
    client.drop()
  }
  const [refused, known] = [connect(), connect()]
  refused.send('hello', { version: 1, token, client: 'one more', epoch: '', cursor: 0, agent: '' })
  const { code, bye } = await refused.closed()
  assert.equal([code, bye?.code], [4403, 'too-many-clients'])
  assert.is((await known.hello(token, { client: 'c7' })).lastNumber, 1)
})

test('whether a device may have one more client id is told without reading what is kept of its others', async () => {
  const { connect, hub, token, store } = await scene()
  const account = (await hub.account('account1'))!
  for (let index = 0; index < 3; index++) {
    const client = connect()
    await client.hello(token, { client: `c${index}` })
    await client.ask(1, 'setting.put', 'name', { value: index })
    // Some are stored, the last is not.
    if (index === 1) account.storeRecords()
    await account.settled()
  }
  const [get, range] = [store.get.bind(store), store.range.bind(store)]
  const read: RecordKey[] = []
  store.get = key => (read.push(key), get(key))
  store.range = (prefix, ...rest) => (read.push(prefix), range(prefix, ...rest))
  await connect().hello(token, { client: 'one more' })
  assert.equal(
    read.filter(([, table, , client]) => table === 'clients' && client !== 'one more'),
    []
  )
})

test('and stays so when a document was loaded meanwhile', async () => {
  const { store, reader } = await scene()
  store.holdCommits()
  for (let number = 1; number <= 36; number++) reader.push(0, put(number, LETTERS))
  reader.push(0, [37, 'annotation.put', 'book', { id: 'a', note: 'n' }])
  await turns(5)
  assert.ok(reader.isHubPaused)
  store.releaseCommits()
  await reader.changesUpTo(39)
  await turns(2)
  assert.not(reader.isHubPaused)
})

test('refusals without end close the connection, and one that is accepted among them starts the count anew', async () => {
  const { reader } = await scene()
  const bad = (from: number, count: number): TestAction[] =>
    Array.from({ length: count }, (_, index) => [from + index, 'nonsense', 'key', {}])
  reader.push(0, ...bad(1, 600))
  await turns(3)
  reader.push(0, put(700))
  await turns(3)
  reader.push(0, ...bad(1_000, 600))
  await turns(3)
  assert.is(reader.closeCode, undefined)
  reader.push(0, ...bad(2_000, 401))
  const { code, bye } = await reader.closed()
  assert.equal([code, bye?.code, bye?.retryAfterMs], [1008, 'too-many-refused', 60_000])
})

test('answers that no one frame holds come in several, and each is answered once', async () => {
  const { reader } = await scene()
  const field = 'é'.repeat(60)
  for (let from = 0; from < 4_000; from += 1_000) {
    const actions = Array.from({ length: 1_000 }, (_, index): TestAction => {
      const number = from + index + 1
      return index === 0 ? put(number) : [number, 'position.set', 'book', { [field]: 1 }]
    })
    reader.push(0, ...actions)
  }
  const numbers: number[] = []
  while (numbers.length < 4_000) {
    const { accepted, refused } = await reader.next('acked')
    numbers.push(...accepted.map(([number]) => number), ...refused.map(([number]) => number))
  }
  numbers.sort((left, right) => left - right)
  assert.equal(
    numbers,
    Array.from({ length: 4_000 }, (_, index) => index + 1)
  )
  assert.is(reader.fault, undefined)
})

test('changes and answers of the largest bodies fit the frames that carry them, live and from the log', async () => {
  const { reader, token, connect, head } = await scene()
  const zeros = Array.from({ length: LIMITS.maxBodyBytes - 40 }, () => 0)
  for (let number = 1; number <= 4; number++) reader.push(0, put(number, zeros))
  const doc = docOf(1)
  const large = updateOf(doc, annotations => annotations.set('a', noteOf('x'.repeat(LIMITS.maxUpdateBytes - 100))))
  reader.push(0, [5, 'annotation.update', 'book', large])
  await reader.changesUpTo(7)
  const late = connect()
  await late.hello(token, { client: 'late' })
  assert.equal(await late.changesUpTo(head()), reader.changes)
  assert.equal((await late.list('settings')).length, 1)
  assert.equal([reader.fault, late.fault], [undefined, undefined])
})

test.run()
