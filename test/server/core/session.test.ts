import * as assert from 'uvu/assert'
import { encodeFrame, LIMITS, type WireChange } from '../../../protocol/index.ts'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { coreHub, raw, type TestAction, type TestClient } from '../../util/core-hub.ts'
import { HeldStore } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/session')

const put = (number: number, value: unknown = number): TestAction => [number, 'setting.put', 'name', { value }]
const cursorsOf = (changes: readonly WireChange[]): number[] => changes.map(([cursor]) => cursor)
const upTo = (head: number, from = 1): number[] => Array.from({ length: head - from + 1 }, (_, index) => from + index)
const endOf = async (client: TestClient): Promise<[number, string | undefined]> => {
  const { code, bye } = await client.closed()
  return [code, bye?.code]
}
const anyTurn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

test('a welcome says who one is, where the log stands, what number was reached and what the limits are', async () => {
  const { account: make, connect, clock } = coreHub()
  const { account, devices } = await make('phone')
  const client = connect()
  await client.hello(devices['phone']!.token)
  await client.ask(7, ...(put(7).slice(1) as [string, string, unknown]))
  const welcome = await connect().hello(devices['phone']!.token)
  const { limits, ...rest } = welcome
  assert.equal(rest, {
    kind: 'welcome',
    version: 1,
    account: account.id,
    device: devices['phone']!.device,
    epoch: account.epoch,
    head: 2,
    lastNumber: 7,
    timeMs: clock.nowMs()
  })
  assert.is(limits.maxFrameBytes, LIMITS.maxFrameBytes)
})

test('the number that a welcome tells is durable, and the connection that used it is gone by then', async () => {
  const store = new HeldStore()
  const { account, connect } = coreHub({ store })
  const { devices } = await account('phone')
  const first = connect()
  await first.hello(devices['phone']!.token)
  store.holdCommits()
  first.push(0, [1, 'setting.put', 'a', { value: 1 }])
  await store.until(({ heldCommits }) => heldCommits > 0)
  const again = connect()
  const welcome = again.hello(devices['phone']!.token)
  assert.is((await first.closed()).bye?.code, 'replaced')
  for (let turns = 0; turns < 5; turns++) await new Promise(resolve => setImmediate(resolve))
  assert.equal(again.frames, [])
  store.releaseCommits()
  assert.is((await welcome).lastNumber, 1)
})

test('no hello in time ends the connection, and not one that came in time', async () => {
  const { account, connect, clock } = coreHub()
  const { devices } = await account('phone')
  const silent = connect()
  const client = connect()
  await client.hello(devices['phone']!.token)
  clock.advance(LIMITS.helloTimeoutMs - 1)
  assert.is(silent.closeCode, undefined)
  clock.advance(1)
  assert.equal(await endOf(silent), [4408, 'hello-timeout'])
  clock.advance(60_000)
  assert.is(client.closeCode, undefined)
})

const push = encodeFrame('push', { confirmed: 0, actions: [] })
const hello = { version: 1, token: 'lectern_x', client: 'tab', epoch: '', cursor: 0, agent: '' }
for (const [what, bytes, code, name] of [
  ['a frame before hello', push, 1002, 'out-of-place'],
  ['a frame that only the hub sends', encodeFrame('pong', { nonce: 1, timeMs: 1 }), 1002, 'out-of-place'],
  ['bytes that are no frame', Uint8Array.of(0xc1), 1007, 'bad-frame'],
  ['a value that is no frame', raw({ a: 1 }), 1007, 'bad-frame'],
  ['an unknown type', raw([99]), 1007, 'bad-frame'],
  [
    'a first frame over its limit',
    encodeFrame('hello', { ...hello, agent: 'x'.repeat(LIMITS.maxHelloBytes) }),
    1009,
    'frame-too-large'
  ],
  ['a version of the future', encodeFrame('hello', { ...hello, version: 99 }), 4426, 'version-unsupported'],
  ['a version of the past', encodeFrame('hello', { ...hello, version: 0 }), 4426, 'version-unsupported'],
  ['a token of no one', encodeFrame('hello', hello), 4401, 'unauthenticated']
] as const)
  test(`before sign-in, ${what} ends the connection with ${name}`, async () => {
    const { connect, hub } = coreHub()
    const client = connect()
    client.bytes(bytes)
    assert.equal(await endOf(client), [code, name])
    assert.is(hub.sessionCount, 0)
  })

test('after sign-in a second hello is out of place, and a frame over the limit too large', async () => {
  const { account, connect } = coreHub()
  const { devices } = await account('phone')
  const again = connect()
  await again.hello(devices['phone']!.token)
  again.send('hello', { ...hello, token: devices['phone']!.token })
  assert.equal(await endOf(again), [1002, 'out-of-place'])
  const large = connect()
  await large.hello(devices['phone']!.token)
  large.bytes(new Uint8Array(LIMITS.maxFrameBytes + 1))
  assert.equal(await endOf(large), [1009, 'frame-too-large'])
})

test('a bad frame ends its own connection alone, and what was pushed before it is kept', async () => {
  const { account, connect } = coreHub()
  const { account: owner, devices } = await account('phone', 'reader')
  const [bad, good] = [connect(), connect()]
  await bad.hello(devices['phone']!.token)
  await good.hello(devices['reader']!.token)
  bad.push(0, put(1))
  bad.bytes(Uint8Array.of(0xc1))
  bad.push(0, put(2))
  assert.equal(await endOf(bad), [1007, 'bad-frame'])
  await good.ask(1, 'setting.put', 'other', { value: 1 })
  assert.is(owner.head, 4)
})

test('ping is answered with its nonce and the time', async () => {
  const { account, connect, clock } = coreHub()
  const { devices } = await account('phone')
  const client = connect()
  await client.hello(devices['phone']!.token)
  client.send('ping', { nonce: 42 })
  assert.equal(await client.next('pong'), { kind: 'pong', nonce: 42, timeMs: clock.nowMs() })
  client.send('ack', { cursor: 1 })
  client.send('ping', { nonce: 43 })
  assert.is((await client.next('pong')).nonce, 43)
})

test('the log is read from the cursor: all of it, the rest, or nothing, then live', async () => {
  const { account, connect } = coreHub()
  const { account: owner, devices } = await account('phone', 'reader')
  const writer = connect()
  await writer.hello(devices['phone']!.token)
  for (let number = 1; number <= 20; number++) writer.push(0, put(number))
  await writer.next('acked')
  const { epoch, head } = owner
  for (const [known, cursor] of [
    ['', 0],
    [epoch, 0],
    [epoch, 5],
    [epoch, 21],
    [epoch, head]
  ] as const) {
    const reader = connect()
    await reader.hello(devices['reader']!.token, { epoch: known, cursor })
    const next = (await writer.ask(100 + owner.head, 'setting.put', 'live', { value: 1 })).accepted[0]![1]
    await reader.changesUpTo(next)
    assert.equal(cursorsOf(reader.changes), upTo(next, cursor + 1))
    assert.not(reader.frames.some(({ kind }) => kind === 'resync'))
  }
})

test('a cursor of another epoch, beyond the head, or of no epoch is told to resync, and gets the whole log', async () => {
  const { account, connect } = coreHub()
  const { account: owner, devices } = await account('phone')
  const { epoch, head } = owner
  for (const [known, cursor] of [
    ['other', 1],
    ['other', 0],
    [epoch, head + 1],
    [epoch, 2 ** 53 - 1],
    ['', 1]
  ] as const) {
    const client = connect()
    await client.hello(devices['phone']!.token, { epoch: known, cursor })
    assert.equal(await client.next('resync'), { kind: 'resync', code: 'cursor-unknown', epoch, cursor: 0 })
    assert.equal(cursorsOf(await client.changesUpTo(head)), upTo(head))
  }
})

test('every session sees the same changes in the same order, without gap or double, its own too', async () => {
  const { account, connect } = coreHub()
  const { account: owner, devices } = await account('one', 'two', 'three')
  const clients: TestClient[] = []
  for (let round = 0; round < 30; round++) {
    const client = connect()
    const device = devices[['one', 'two', 'three'][round % 3]!]!
    const hello = client.hello(device.token, { client: `tab${round}` })
    for (const [index, other] of clients.entries()) other.push(0, put(round, `${index} in ${round}`))
    await hello
    clients.push(client)
  }
  await owner.settled()
  await Promise.all(clients.map(client => client.changesUpTo(owner.head)))
  for (const { changes } of clients) assert.equal(changes, clients[0]!.changes)
  assert.equal(cursorsOf(clients[0]!.changes), upTo(owner.head))
})

test('changes of one turn arrive in one frame, before the answers to them', async () => {
  const { account, connect } = coreHub()
  const { devices } = await account('phone')
  const client = connect()
  await client.hello(devices['phone']!.token)
  await client.changesUpTo(1)
  const seen = client.frames.length
  client.push(0, put(1), put(2))
  client.push(0, put(3))
  await client.next('acked')
  assert.equal(
    client.frames.slice(seen).map(frame => (frame.kind === 'changes' ? frame.changes.length : frame.kind)),
    [3, 'acked']
  )
})

test('a revoked device loses its live sessions at once, all of them and no others, and cannot come back', async () => {
  const { account, connect } = coreHub()
  const { account: owner, devices } = await account('phone', 'reader')
  const [first, second, other] = [connect(), connect(), connect()]
  await first.hello(devices['phone']!.token)
  await second.hello(devices['phone']!.token, { client: 'second' })
  await other.hello(devices['reader']!.token)
  const revoked = revokeDevice(owner, devices['phone']!.device)
  assert.is(first.closeCode, 4403, 'not at once')
  first.push(0, put(1))
  await revoked
  for (const client of [first, second]) assert.equal(await endOf(client), [4403, 'device-revoked'])
  const again = connect()
  again.send('hello', { ...hello, token: devices['phone']!.token })
  assert.equal(await endOf(again), [4403, 'device-revoked'])
  await other.ask(1, 'setting.put', 'a', { value: 1 })
  assert.is(owner.head, 4, 'the revoked device still wrote')
})

test('a device that is revoked while it signs in does not stay', async () => {
  for (let delay = 0; delay < 12; delay++) {
    const { account, connect } = coreHub()
    const { account: owner, devices } = await account('phone')
    const client = connect()
    client.send('hello', { ...hello, token: devices['phone']!.token })
    for (let step = 0; step < delay; step++) await Promise.resolve()
    await revokeDevice(owner, devices['phone']!.device)
    await anyTurn()
    assert.is(client.closeCode, 4403, `revoked ${delay} steps after hello`)
  }
})

test('a change that becomes durable in the very moment in which a session has read up to the head is not missed', async () => {
  for (let delay = -24; delay < 24; delay++) {
    const store = new HeldStore()
    const { account, connect } = coreHub({ store })
    const { devices } = await account('phone', 'reader')
    const writer = connect()
    await writer.hello(devices['phone']!.token)
    store.holdReads()
    const reader = connect()
    await reader.hello(devices['reader']!.token)
    await store.until(({ heldReads }) => heldReads > 0)
    store.holdCommits()
    writer.push(0, put(1))
    await store.until(({ heldCommits }) => heldCommits > 0)
    if (delay < 0) store.releaseCommits()
    else store.releaseReads()
    for (let step = 0; step < Math.abs(delay); step++) await Promise.resolve()
    if (delay < 0) store.releaseReads()
    else store.releaseCommits()
    await writer.next('acked')
    await anyTurn()
    assert.equal(cursorsOf(reader.changes), [1, 2, 3], `the commit ${delay} steps after the read`)
  }
})

test('a hub at its limit of sessions, or going away, says so and when to come back', async () => {
  const { account, connect, hub } = coreHub({ maxSessions: 1 })
  const { devices } = await account('phone')
  const first = connect()
  await first.hello(devices['phone']!.token)
  const second = await connect().closed()
  assert.equal([second.code, second.bye?.code, typeof second.bye?.retryAfterMs], [1013, 'overloaded', 'number'])
  await hub.close()
  const { code, bye } = await first.closed()
  assert.equal([code, bye?.code, typeof bye?.retryAfterMs], [1012, 'shutting-down', 'number'])
  assert.equal(await endOf(connect()), [1012, 'shutting-down'])
})

test('a second connection of the same outbox takes the place of the first', async () => {
  const core = coreHub()
  const { devices } = await core.account('phone')
  const [first, second, tab] = [core.connect(), core.connect(), core.connect()]
  await first.hello(devices['phone']!.token)
  await tab.hello(devices['phone']!.token, { client: 'another tab' })
  await second.hello(devices['phone']!.token)
  assert.is((await first.closed()).bye?.code, 'replaced')
  assert.equal((await second.ask(1, 'setting.put', 'a', { value: 1 })).refused, [])
  assert.equal((await tab.ask(1, 'setting.put', 'b', { value: 1 })).refused, [])
})

test('an action with a key that no store can hold is refused, and no one else notices', async () => {
  const core = coreHub()
  const { devices } = await core.account('phone', 'desk')
  const [phone, desk] = [core.connect(), core.connect()]
  await phone.hello(devices['phone']!.token)
  await desk.hello(devices['desk']!.token)
  for (const [index, kind] of ['annotation.put', 'annotation.x', 'annotation.update', 'setting.put'].entries()) {
    const { refused } = await phone.ask(index + 1, kind, 'a\0b', { id: 'x' })
    assert.is(refused.length, 1)
  }
  assert.equal((await desk.ask(1, 'setting.put', 'b', { value: 1 })).refused, [])
})

test.run()
