import * as assert from 'uvu/assert'
import { ERRORS, LIMITS, encodeValue, type Connection } from '../../protocol/index.ts'
import { ClosedError } from '../../client/index.ts'
import { suite } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'
import { comeBack, open, quiet } from './open.ts'
import { ManualClock } from '../util/manual-clock.ts'
import { until } from '../util/until.ts'

const test = suite('client/session')

test('a hub that restarts is come back to, not before it asked and not all at once', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  clock.chance = 0.5
  hub.cut('shutting-down', 4_000)
  await until(() => client.state === 'offline')
  assert.ok(clock.waits.includes(4_250), String(clock.waits))
  clock.advance(4_249)
  assert.is(hub.dials, 1)
  clock.advance(1)
  await client.live()
  assert.is(hub.dials, 2)
})

for (const code of ['device-revoked', 'unauthenticated', 'version-unsupported'] as const) {
  test(`${code} closes the client, until it is told to try again`, async context => {
    const hub = new FakeHub()
    const { client, clock } = await open(context, hub)
    await client.live()
    const told: unknown[] = []
    client.on('state', (state, reason) => told.push([state, reason?.code]))
    hub.cut(code)
    await until(() => client.state === 'closed')
    assert.equal(told, [['closed', code]])
    clock.advance(3_600_000)
    assert.is(hub.dials, 1)
    client.retry('new token')
    await client.live()
    assert.is(hub.all('hello')[1]!.token, 'new token')
    assert.is(client.reason, undefined)
  })
}

test('a new token that comes while the hub has not let the old one in takes its place at once', async context => {
  const hub = new FakeHub()
  hub.isWelcoming = false
  const { client } = await open(context, hub, { token: 'old token' })
  await until(() => hub.all('hello').length === 1)
  client.retry()
  client.retry('old token')
  await quiet()
  assert.is(hub.dials, 1)
  hub.isWelcoming = true
  client.retry('new token')
  await client.live()
  client.retry('newer token')
  await quiet()
  assert.is(client.state, 'live')
  assert.equal(hub.all('hello').map(({ token }) => token), ['old token', 'new token']) // prettier-ignore
})

test('a client that was replaced comes back once, because a hello of its own may have been held up; replaced again, it gives way', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  hub.cut('replaced')
  await until(() => client.state === 'offline')
  await comeBack({ client, clock })
  hub.cut('replaced')
  await until(() => client.state === 'closed')
  assert.is(client.reason?.code, 'replaced')
  client.retry()
  await client.live()
  clock.advance(5_000)
  hub.cut('replaced')
  await until(() => client.state !== 'live')
  assert.is(client.state, 'offline')
})

test('a close code of the hub counts without a bye, that of a proxy does not', async context => {
  const hub = new FakeHub()
  const ends: (() => void)[] = []
  const dial = hub.accept.bind(hub)
  hub.accept = connection => {
    dial(connection)
    ends.push(() => connection.close(ends.length === 1 ? 1008 : ERRORS.unauthenticated.close, ''))
  }
  const { client, clock } = await open(context, hub)
  await client.live()
  ends[0]!()
  await until(() => client.state === 'offline')
  await comeBack({ client, clock })
  ends[1]!()
  await until(() => client.state === 'closed')
  assert.is(client.reason?.code, 'unauthenticated')
})

test('a client with nothing to say pings, and stays as long as it is answered', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  for (let count = 1; count <= 10; count++) {
    clock.advance(LIMITS.pingIntervalMs)
    await quiet(5)
  }
  assert.is(hub.all('ping').length, 10)
  assert.is(client.state, 'live')
})

test('a hub that is silent for too long is given up', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  hub.isAnswering = false
  for (let waitedMs = 0; waitedMs < LIMITS.idleTimeoutMs; waitedMs += LIMITS.pingIntervalMs) {
    assert.is(client.state, 'live')
    clock.advance(LIMITS.pingIntervalMs)
    await quiet(5)
  }
  clock.advance(LIMITS.pingIntervalMs)
  assert.is(client.state, 'offline')
})

/** A line that brings so many bytes in a second, and of a frame nothing before its end. */
function slowed(connection: Connection, clock: ManualClock, bytesPerSecond: number): Connection {
  let freeAtMs = 0
  return {
    get bufferedBytes() {
      return connection.bufferedBytes
    },
    listen: events =>
      connection.listen({
        ...events,
        onFrame(bytes) {
          freeAtMs = Math.max(freeAtMs, clock.nowMs()) + (bytes.length / bytesPerSecond) * 1_000
          clock.after(freeAtMs - clock.nowMs(), () => events.onFrame(bytes))
        }
      }),
    send: bytes => connection.send(bytes),
    close: (code, text) => connection.close(code, text)
  }
}

test('a frame that takes minutes on a slow line gets through, however often the hub was given up as silent before', async context => {
  const hub = new FakeHub()
  const clock = new ManualClock()
  const value = 'x'.repeat(60_000)
  hub.tell('setting.put', 'profile', { value })
  const { dial } = hub
  Object.assign(hub, { dial: () => slowed(dial(), clock, 200) })
  const { client, errors } = await open(context, hub, { clock })
  for (let seconds = 0; client.state !== 'live' && seconds < 3_600; seconds++) {
    clock.advance(1_000)
    await quiet(3)
  }
  assert.equal([client.state, client.settings.get('profile')], ['live', value])
  assert.ok(errors.length > 0)
  // From then on a connection that died is noticed as soon as ever.
  hub.isAnswering = false
  clock.advance(LIMITS.idleTimeoutMs + LIMITS.pingIntervalMs)
  assert.is.not(client.state, 'live')
})

test('a hub that does not answer the hello is given up', async context => {
  const hub = new FakeHub()
  hub.isWelcoming = false
  const { client, clock, errors } = await open(context, hub)
  assert.is(client.state, 'connecting')
  clock.advance(15_000)
  assert.is(client.state, 'offline')
  assert.is(errors.length, 1)
})

test('a connection that cannot be made is tried again', async context => {
  const hub = new FakeHub()
  const { dial } = hub
  let tries = 0
  Object.assign(hub, {
    dial: () => {
      tries += 1
      if (tries === 1) throw new Error('no network')
      return dial()
    }
  })
  const { client, clock } = await open(context, hub)
  assert.is(client.state, 'offline')
  await comeBack({ client, clock })
})

test('bytes that are no frame end the connection, and the next one is tried', async context => {
  const hub = new FakeHub()
  const accept = hub.accept.bind(hub)
  let say: (bytes: Uint8Array) => void = () => {}
  hub.accept = connection => {
    say = bytes => connection.send(bytes)
    accept(connection)
  }
  const { client, clock, errors } = await open(context, hub)
  await client.live()
  for (const bytes of [Uint8Array.of(0xc1), encodeValue([0, 1]), encodeValue([99]), new Uint8Array()]) {
    say(bytes)
    await until(() => client.state === 'offline')
    await comeBack({ client, clock })
  }
  assert.is(errors.length, 4)
})

test('a client that comes and goes waits longer each time, until a connection has held', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  clock.chance = 0.999
  const waits: number[] = []
  for (const heldMs of [0, 0, 0, 5_000, 0]) {
    await client.live()
    clock.advance(heldMs)
    hub.cut()
    await until(() => client.state === 'offline')
    const waitMs = Math.min(...clock.waits.filter(ms => ms > 250))
    waits.push(Math.ceil(waitMs / 500) * 500)
    clock.advance(waitMs)
  }
  assert.equal(waits, [500, 1_000, 2_000, 500, 1_000])
})

test('after `close` nothing comes any more', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  await client.close()
  assert.is(client.state, 'closed')
  assert.is(client.reason, undefined)
  clock.advance(3_600_000)
  client.retry()
  assert.is(hub.dials, 1)
  const outcome = await client.putSetting('a', 1).then(
    () => 'accepted',
    (error: Error) => error.message
  )
  assert.match(outcome, /closed/)
})

test('what waits for the hub when the client is closed, or is asked for after that, ends with a ClosedError', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  await client.live()
  const notes = await client.annotations('b1')
  // Nothing can be answered before the client is closed.
  const waiting = [client.read('document', 'b1'), notes.versions('a'), client.positionVersions('b1')]
  await Promise.all([...waiting.map(isEnded), client.close()])
  for (const asked of [client.read('document', 'b1'), notes.versions('a'), client.files.list()]) await isEnded(asked)
})

const isEnded = (asked: Promise<unknown>): Promise<void> =>
  asked.then(
    () => assert.unreachable(),
    error => assert.instance(error, ClosedError)
  )

for (const state of ['offline', 'connecting', 'catching-up', 'live'] as const) {
  test(`a client that is closed by who hears that it is ${state} stays closed, and all hear so in the same order`, async context => {
    const hub = new FakeHub()
    const { client, clock } = await open(context, hub)
    if (state === 'connecting' || state === 'offline') {
      await client.live()
      hub.cut()
    }
    const heard: string[] = []
    client.on('state', now => void (now === state && client.close()))
    client.on('state', now => heard.push(now))
    while (client.state !== 'closed') {
      await quiet(3)
      clock.advance(100)
    }
    const { dials } = hub
    for (let minutes = 0; minutes < 60; minutes++) {
      clock.advance(60_000)
      await quiet(2)
    }
    assert.is(client.state, 'closed')
    assert.is(hub.dials, dials)
    assert.equal(heard.slice(-2), [state, 'closed'])
    assert.equal(clock.waits, [])
  })
}

test('a client that is closed by who hears of an error stays closed', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  client.on('error', () => void client.close())
  hub.say('changes', { changes: [[9, 9, 'other', 'x', 0, 0, 'setting.put', 'b', { value: 2 }]] })
  await until(() => client.state === 'closed')
  for (let minutes = 0; minutes < 60; minutes++) {
    clock.advance(60_000)
    await quiet(2)
  }
  assert.equal([client.state, hub.dials, clock.waits.length], ['closed', 1, 0])
})

test('a client that is closed by who hears that no connection could be made stays closed', async context => {
  const hub = new FakeHub()
  Object.assign(hub, {
    dial: () => {
      throw new Error('no network')
    }
  })
  const { client, clock } = await open(context, hub)
  client.on('error', () => void client.close())
  for (let tries = 0; tries < 100; tries++) {
    clock.advance(1_000)
    await quiet(2)
  }
  assert.equal([client.state, clock.waits.length], ['closed', 0])
})

test('what a closed client is still asked for is neither stored nor read', async context => {
  const hub = new FakeHub()
  const { client, storage } = await open(context, hub)
  const notes = await client.annotations('b1')
  await client.close()
  notes.doc.getMap('annotations').set('late', 1)
  await quiet(3)
  assert.equal(await storage.load('outbox\naction'), [])
  const outcome = await client.annotations('b1').then(
    () => 'opened',
    (error: Error) => error.message
  )
  assert.match(outcome, /closed/)
})

test.run()
