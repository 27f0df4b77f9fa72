import * as assert from 'uvu/assert'
import { LIMITS, type HubError, type HubFrame } from '../../../protocol/index.ts'
import { coreHub, type CoreHub, type TestClient } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/presence')

const BOOK = 'moby-dick'
const GATHER_MS = 50

/** Live sessions of these devices of one account. */
async function readers(hub: CoreHub, ...names: string[]): Promise<{ clients: TestClient[]; ids: string[] }> {
  const { devices } = await hub.account(...names)
  const clients = names.map(() => hub.connect())
  for (const [index, name] of names.entries()) await clients[index]!.hello(devices[name]!.token)
  return { clients, ids: names.map(name => devices[name]!.device) }
}

const said = (client: TestClient): (readonly [id: number, device: string, state: unknown])[] =>
  client.frames
    .filter((frame: HubFrame) => frame.kind === 'present')
    .flatMap(({ readers }) =>
      readers.map(([id, device, state]) => [id, device, state === '' ? null : JSON.parse(state)] as const)
    )

const say = (client: TestClient, id: number, state: object | undefined, book = BOOK): void =>
  client.send('presence', { book, id, state: state === undefined ? '' : JSON.stringify(state) })

test('who says where it reads is told who is there, and all are told of it, signed with the device that the hub knows', async () => {
  const hub = coreHub()
  const { clients, ids } = await readers(hub, 'phone', 'desk')
  const [phone, desk] = clients as [TestClient, TestClient]
  say(phone, 1, { page: 7, device: 'desk' })
  hub.clock.advance(GATHER_MS)
  say(desk, 2, { page: 9 })
  hub.clock.advance(GATHER_MS)
  const both = [
    [1, ids[0], { page: 7, device: ids[0] }],
    [2, ids[1], { page: 9, device: ids[1] }]
  ]
  assert.equal(said(desk), both)
  assert.equal(said(phone), both)
})

test('who leaves, or is cut off, is told to be gone', async () => {
  const hub = coreHub()
  const { clients, ids } = await readers(hub, 'phone', 'desk', 'tablet')
  const [phone, desk, tablet] = clients as [TestClient, TestClient, TestClient]
  for (const [index, client] of clients.entries()) say(client, index + 1, { page: index })
  hub.clock.advance(GATHER_MS)
  say(desk, 2, undefined)
  tablet.drop()
  hub.clock.advance(GATHER_MS)
  assert.equal(said(phone).slice(-2), [
    [2, ids[1], null],
    [3, ids[2], null]
  ])
})

test('who does not say it again in time is told to be gone', async () => {
  const hub = coreHub()
  const { clients, ids } = await readers(hub, 'phone', 'desk')
  const [phone, desk] = clients as [TestClient, TestClient]
  say(phone, 1, { page: 1 })
  say(desk, 2, { page: 2 })
  for (let passed = 0; passed <= LIMITS.presenceTimeoutMs; passed += LIMITS.presenceIntervalMs) {
    hub.clock.advance(LIMITS.presenceIntervalMs)
    say(desk, 2, { page: 2 })
  }
  hub.clock.advance(LIMITS.presenceIntervalMs)
  assert.equal(
    said(desk).filter(([id]) => id === 1),
    [
      [1, ids[0], { page: 1, device: ids[0] }],
      [1, ids[0], null]
    ]
  )
  assert.is(said(desk).at(-1)![2] === null, false)
})

test('nobody speaks for another: an id is that of the one who used it first', async () => {
  const hub = coreHub()
  const { clients, ids } = await readers(hub, 'phone', 'desk')
  const [phone, desk] = clients as [TestClient, TestClient]
  say(phone, 1, { page: 1 })
  hub.clock.advance(GATHER_MS)
  say(desk, 1, { page: 666 })
  hub.clock.advance(GATHER_MS)
  say(desk, 1, undefined)
  hub.clock.advance(GATHER_MS)
  assert.equal(said(phone), [[1, ids[0], { page: 1, device: ids[0] }]])
})

test('what one says fast is told as it stands at last, and to one that does not drain once it does', async () => {
  const hub = coreHub()
  const { clients } = await readers(hub, 'phone', 'desk', 'stuck')
  const [phone, desk, stuck] = clients as [TestClient, TestClient, TestClient]
  for (const [index, client] of clients.entries()) say(client, index + 1, { page: 0 })
  hub.clock.advance(GATHER_MS)
  stuck.isStuck = true
  const longest = 'x'.repeat(3_900)
  for (let page = 1; page <= 200; page++) {
    for (let word = 0; word < 5; word++) say(phone, 1, { page, word, longest })
    await new Promise(resolve => setImmediate(resolve))
    hub.clock.advance(GATHER_MS)
  }
  const pages = (client: TestClient): unknown[] =>
    said(client).flatMap(([id, , state]) => (id === 1 ? [(state as { page: number }).page] : []))
  assert.equal(
    pages(desk),
    Array.from({ length: 201 }, (_, index) => index)
  )
  const before = pages(stuck).length
  assert.ok(before < 100)
  stuck.drain()
  assert.is(pages(stuck).length, before + 1)
  assert.is(pages(stuck).at(-1), 200)
})

test('of many who came and went, one that does not drain is told no more than of those who are there', async () => {
  const hub = coreHub()
  const { clients } = await readers(hub, 'phone', 'desk', 'stuck')
  const [phone, desk, stuck] = clients as [TestClient, TestClient, TestClient]
  for (const [index, client] of clients.entries()) say(client, index + 1, {})
  hub.clock.advance(GATHER_MS)
  stuck.isStuck = true
  const rest = async (): Promise<void> => {
    await new Promise(resolve => setImmediate(resolve))
    hub.clock.advance(GATHER_MS)
  }
  for (let page = 0; page < 300; page++) {
    say(desk, 2, { page, fill: 'x'.repeat(3_900) })
    await rest()
  }
  const before = said(stuck).length
  for (let id = 10; id < 5_010; id++) {
    say(phone, id, {})
    say(phone, id, undefined)
    if (id % 100 === 9) await rest()
  }
  stuck.drain()
  const told = said(stuck).slice(before)
  assert.ok(told.length <= 4_096, `${told.length} words`)
  assert.ok(told.some(([id, , state]) => id === 2 && (state as { page: number }).page === 299))
})

for (const [what, state] of [
  ['no JSON', '{'],
  ['no object', '[1]'],
  ['nothing', 'null']
] as const)
  test(`a state that is ${what} ends the connection, and is told to no one`, async () => {
    const hub = coreHub()
    const { clients } = await readers(hub, 'phone', 'desk')
    const [phone, desk] = clients as [TestClient, TestClient]
    say(desk, 2, { page: 2 })
    phone.send('presence', { book: BOOK, id: 1, state })
    assert.is((await phone.closed()).bye?.code, 'bad-request')
    hub.clock.advance(GATHER_MS)
    assert.equal(
      said(desk).map(([id]) => id),
      [2]
    )
  })

test('a client is present in so many books, not more, and another account sees nothing of it', async () => {
  const hub = coreHub()
  const { clients } = await readers(hub, 'phone')
  const stranger = (await readers(hub, 'phone')).clients[0]!
  say(stranger, 9, { page: 0 }, 'book0')
  for (let index = 0; index < LIMITS.maxPresenceBooks; index++) say(clients[0]!, 1, { page: index }, `book${index}`)
  hub.clock.advance(GATHER_MS)
  assert.is(said(clients[0]!).length, LIMITS.maxPresenceBooks)
  assert.equal(
    said(stranger).map(([id]) => id),
    [9]
  )
  say(clients[0]!, 1, { page: 1 }, 'one more')
  assert.is((await clients[0]!.closed()).bye?.code, 'bad-request')
})

test('a state that takes more room written out than others could read is refused, and nobody else hears of it', async () => {
  const hub = coreHub()
  const { clients } = await readers(hub, 'phone', 'desk')
  const [phone, desk] = clients as [TestClient, TestClient]
  say(desk, 2, { page: 9 })
  hub.clock.advance(GATHER_MS)
  phone.send('presence', { book: BOOK, id: 1, state: `{"places":[${Array(680).fill('1e20').join()}]}` })
  hub.clock.advance(GATHER_MS)
  assert.is(phone.closeCode, 1007)
  assert.is(desk.closeCode, undefined)
  assert.is(said(desk).length, 1)
})

test('however many read a book, and say much, each is told of all of them in frames that it can take', async () => {
  const hub = coreHub()
  const { account, devices } = await hub.account('phone', 'desk')
  const everyone = Array.from({ length: 400 }, (_, id) => id)
  for (const id of everyone)
    account.presences
      .join(BOOK, devices.phone!.device, { isFull: () => false, onPresence: () => undefined })
      .say(id, 1, JSON.stringify({ words: 'x'.repeat(4_000) }))
  hub.clock.advance(GATHER_MS)
  const desk = hub.connect()
  await desk.hello(devices.desk!.token)
  say(desk, 1_000, { page: 9 })
  hub.clock.advance(GATHER_MS)
  assert.is(desk.fault, undefined)
  assert.equal(
    said(desk)
      .map(([id]) => id)
      .sort((a, b) => a - b),
    [...everyone, 1_000]
  )
})

test('a book has 4,096 readers at most: who is beyond is passed over until somebody leaves', async () => {
  const hub = coreHub()
  const { account, devices } = await hub.account('phone')
  const join = () => account.presences.join(BOOK, devices.phone!.device, { isFull: () => false, onPresence: () => undefined })
  const seats = Array.from({ length: 512 }, join)
  for (const [index, seat] of seats.entries()) for (let id = 0; id < 8; id++) seat.say(8 * index + id, 1, '{}')
  const late = join()
  late.say(10_000, 1, '{}')
  assert.equal([account.presences.list(BOOK).length, late.ids.size], [4_096, 0])
  seats[0]!.say(0, 2, undefined)
  late.say(10_000, 2, '{}')
  assert.equal([account.presences.list(BOOK).length, late.ids.size], [4_096, 1])
})

test('a clock after which none could follow is refused', async () => {
  const hub = coreHub()
  const { account, devices } = await hub.account('phone')
  const seat = account.presences.join(BOOK, devices.phone!.device, { isFull: () => false, onPresence: () => undefined })
  assert.throws(
    () => seat.say(1, Number.MAX_SAFE_INTEGER, '{}'),
    (error: HubError) => error.field === 'clock'
  )
  assert.equal(account.presences.list(BOOK), [])
})

test.run()
