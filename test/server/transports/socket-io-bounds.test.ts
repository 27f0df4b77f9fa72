import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { encodeFrame, LIMITS } from '../../../protocol/index.ts'
import { helloFrame } from '../../util/serving-hub.ts'
import { RawPolling, socketIoHub, type SocketIoHub } from '../../util/socket-io-hub.ts'
import { openSocketIo, SOCKET_IO_WAYS, socketIoWire, type SocketIoWay } from '../../util/socket-io-wire.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { WireClient } from '../../util/wire-client.ts'

const test = suite('server/transports/socket-io-bounds', { limitMs: 60_000 })

const turn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5))

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn()
}

const gone = (hub: SocketIoHub): Promise<void> => until(() => hub.hub.sessionCount === 0 && hub.transport.pollingCount === 0)

/** What the hub noted when connections closed. */
const closeCodes = (hub: SocketIoHub): unknown[] =>
  hub.logger.lines
    .filter(({ message }) => message === 'connection closed')
    .map(({ fields }) => (fields as { closeCode: number }).closeCode)

async function member({ defer }: TestContext, hub: SocketIoHub, way: SocketIoWay): Promise<{ wire: WireClient; token: string }> {
  const { devices } = await hub.account('device')
  const wire = new WireClient(socketIoWire(way))
  defer(() => wire.close())
  const { token } = devices.device!
  await wire.connect(hub.url, token)
  return { wire, token }
}

const frame = (bytes: Uint8Array): string =>
  `451-["frame",{"_placeholder":true,"num":0}]\u001eb${Buffer.from(bytes).toString('base64')}`

test('sessions that poll are capped for an address, and a place is free again when one ends', async context => {
  const hub = await socketIoHub(context, { maxPollingPerAddress: 2 })
  const { wire } = await member(context, hub, 'polling')
  await member(context, hub, 'polling')
  const refused = await new RawPolling(hub.url).open()
  assert.is(refused.status, 503)
  assert.is(((await refused.json()) as { code: string }).code, 'overloaded')
  await member(context, hub, 'websocket')
  wire.close()
  await until(() => hub.transport.pollingCount === 1)
  await member(context, hub, 'polling')
})

test('sessions that poll are capped over all addresses', async context => {
  const hub = await socketIoHub(context, { maxPolling: 1 })
  await member(context, hub, 'polling')
  assert.is((await new RawPolling(hub.url).open()).status, 503)
})

test('a session that goes over to a WebSocket is none that polls', async context => {
  const hub = await socketIoHub(context, { maxPollingPerAddress: 1 })
  await member(context, hub, 'upgrade')
  await until(() => hub.transport.pollingCount === 0)
  await member(context, hub, 'upgrade')
})

test('an address that begins too many sessions in a minute is refused, over either transport', async context => {
  const hub = await socketIoHub(context, { maxNewPerMinute: 2 })
  await member(context, hub, 'websocket')
  await member(context, hub, 'polling')
  const refused = await new RawPolling(hub.url).open()
  assert.is(refused.status, 429)
  assert.is(refused.headers.get('retry-after'), '60')
  const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/live/socket.io/?EIO=4&transport=websocket`)
  const status = await new Promise(resolve => {
    socket.on('error', () => undefined)
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
  })
  assert.is(status, 429)
})

test('a handshake that Engine.IO refuses takes no place', async context => {
  const hub = await socketIoHub(context, { maxPollingPerAddress: 1 })
  for (let round = 0; round < 3; round++)
    assert.is((await fetch(`${hub.url}/live/socket.io/?EIO=3&transport=polling`)).status, 400)
  assert.is((await new RawPolling(hub.url).open()).status, 200)
})

test('an empty session id, in whatever place, begins a session like none, and is counted', async context => {
  const hub = await socketIoHub(context, { maxNewPerMinute: 2 })
  const path = '/live/socket.io/?EIO=4&transport='
  assert.is((await fetch(`${hub.url}${path}polling&sid=`)).status, 200)
  assert.is((await fetch(`${hub.url}${path}polling&sid=nobody&sid=`)).status, 200)
  assert.is(hub.transport.pollingCount, 2)
  assert.is((await fetch(`${hub.url}${path}polling&sid=`)).status, 429)
  const socket = new WebSocket(`${hub.url.replace('http', 'ws')}${path}websocket&sid=`)
  const status = await new Promise(resolve => {
    socket.on('error', () => undefined)
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
  })
  assert.is(status, 429)
})

test('what is no request of this carrier is refused', async context => {
  const hub = await socketIoHub(context, {})
  const path = `${hub.url}/live/socket.io/`
  const statuses = await Promise.all(
    [
      fetch(path),
      fetch(`${path}?EIO=4&transport=websocket`),
      fetch(`${path}?EIO=4&transport=polling&j=0`),
      fetch(`${path}?EIO=4&transport=polling&sid=nobody`),
      fetch(`${path}?EIO=4&transport=polling&sid=__proto__`),
      fetch(`${path}?EIO=4&transport=polling`, { method: 'POST', body: '40' }),
      fetch(`${path}?EIO=4&transport=polling`, { method: 'DELETE' }),
      fetch(`${path}?EIO=4&transport=polling`, { method: 'OPTIONS' })
    ].map(async answer => (await answer).status)
  )
  assert.equal(statuses, [400, 400, 400, 400, 400, 400, 400, 400])
  await gone(hub)
})

for (const way of SOCKET_IO_WAYS)
  test(`${way}: an idle client stays connected for many heartbeats`, async context => {
    const hub = await socketIoHub(context, { pingIntervalMs: 50, pingTimeoutMs: 2_000 })
    const { devices } = await hub.account('device')
    let pings = 0
    const wire = new WireClient(socketIoWire(way, socket => void socket.io.on('ping', () => (pings += 1))))
    context.defer(() => wire.close())
    await wire.connect(hub.url, devices.device!.token)
    await until(() => pings >= 10)
    assert.is(wire.closeCode, undefined)
    const pong = wire.next('pong')
    wire.send('ping', { nonce: 7 })
    assert.is((await pong).nonce, 7)
  })

test('who began to poll and is gone is forgotten', async context => {
  const hub = await socketIoHub(context, { pingIntervalMs: 50, pingTimeoutMs: 50 })
  const { devices } = await hub.account('device')
  const client = new RawPolling(hub.url)
  await client.open()
  await client.post('40')
  await client.poll()
  await client.post(frame(helloFrame(devices.device!.token)))
  await until(() => hub.hub.sessionCount === 1)
  await gone(hub)
})

test('who answers pings that it never fetched is forgotten', async context => {
  const hub = await socketIoHub(context, { pingIntervalMs: 100, pingTimeoutMs: 10_000 })
  const client = new RawPolling(hub.url)
  await client.open()
  await client.post('40')
  const { devices } = await hub.account('device')
  await client.post(frame(helloFrame(devices.device!.token)))
  await until(() => hub.hub.sessionCount === 1)
  while (hub.hub.sessionCount > 0) {
    await client.post('3')
    await turn()
  }
  await gone(hub)
})

for (const way of ['websocket', 'polling', 'polling with msgpack'] as const)
  test(`${way}: who does not read is closed as slow, and little is kept for it until then`, async context => {
    const hub = await socketIoHub(context, {})
    const { devices } = await hub.account('device', 'writer')
    const value = 'x'.repeat(60_000)
    const wire = new WireClient(socketIoWire(way))
    context.defer(() => wire.close())
    await wire.connect(hub.url, devices.device!.token)
    wire.freeze()
    const writer = hub.connect()
    await writer.hello(devices.writer!.token)
    for (let number = 1; number <= 200; number++) await writer.ask(number, 'setting.put', `s${number % 10}`, { value })
    await until(() => {
      hub.clock.advance(1_000)
      return hub.hub.sessionCount === 1
    })
    await until(() => closeCodes(hub).includes(4_408) && hub.transport.pollingCount === 0)
    assert.is(writer.closeCode, undefined)
  })

for (const way of ['websocket', 'polling', 'polling with msgpack', 'websocket with msgpack'] as const)
  test(`${way}: a frame over the limit is refused with 1009`, async context => {
    const hub = await socketIoHub(context, {})
    const { wire } = await member(context, hub, way)
    wire.sendBytes(Buffer.alloc(LIMITS.maxFrameBytes + 1))
    assert.is(await wire.closed(), 1_009)
    await gone(hub)
  })

for (const way of ['websocket', 'polling'] as const)
  test(`${way}: a message over all limits ends the session, which takes none of it`, async context => {
    const hub = await socketIoHub(context, {})
    const { wire } = await member(context, hub, way)
    wire.sendBytes(Buffer.alloc(2 * LIMITS.maxFrameBytes))
    assert.is(await wire.closed(), 1_006)
    await gone(hub)
  })

for (const way of ['websocket', 'polling', 'upgrade'] as const)
  test(`${way}: who sends much before a hello is cut off`, async context => {
    const hub = await socketIoHub(context, {})
    const socket = openSocketIo(hub.url, way)
    context.defer(() => socket.disconnect())
    socket.emit('frame', Buffer.alloc(500_000))
    const reason = await new Promise(resolve => socket.on('disconnect', resolve))
    assert.not.equal(reason, 'io server disconnect')
    await gone(hub)
  })

test('an upgrade before the hello brings no more than a hello either', async context => {
  const hub = await socketIoHub(context, {})
  const client = new RawPolling(hub.url)
  await client.open()
  const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/live/socket.io/?EIO=4&transport=websocket&sid=${client.sid}`)
  await new Promise(resolve => socket.on('open', resolve))
  const closed = new Promise(resolve => socket.on('close', resolve))
  socket.on('error', () => undefined)
  socket.send(Buffer.alloc(500_000))
  assert.is(await closed, 1_006)
})

/** What no client of socket.io says, as texts of Engine.IO, and the parser's own. */
const GARBAGE: Readonly<Record<string, string>> = {
  'an event before it is connected': '42["frame"]',
  'another namespace': '40/admin,',
  'no packet at all': '4',
  'an unknown packet': '49',
  'bytes before it is connected': 'bAAAA',
  'msgpack that is cut off': `b${Buffer.of(0x83, 0xa4).toString('base64')}`,
  'msgpack that nests deeply': `b${Buffer.from([0x81, 0xa4, 0x64, 0x61, 0x74, 0x61, ...Array<number>(1_000).fill(0x91)]).toString('base64')}`,
  'a second connect': '40\u001e40',
  'a binary event without its bytes': '40\u001e451-["frame",{"_placeholder":true,"num":0}]\u001e42["x"]',
  'bytes that belong to nothing': '40\u001ebAAAA',
  'two attachments': '40\u001e452-["frame",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
  'a header that is not JSON': '40\u001e451-["frame",{]',
  'an acknowledgement': '40\u001e43[]',
  'a frame that wants to be acknowledged': '40\u001e451-7["frame",{"_placeholder":true,"num":0}]',
  'text that is no Engine.IO packet': 'x'
}

for (const [what, body] of Object.entries(GARBAGE))
  test(`${what} ends the session`, async context => {
    const hub = await socketIoHub(context, {})
    const client = new RawPolling(hub.url)
    await client.open()
    await client.post(body)
    await until(() => {
      void client.poll().catch(() => undefined)
      return hub.transport.pollingCount === 0
    })
    await gone(hub)
    assert.equal(
      hub.logger.lines.filter(({ level }) => level === 'error'),
      []
    )
  })

test('a header that is spaced and ordered otherwise is understood', async context => {
  const hub = await socketIoHub(context, {})
  const { devices } = await hub.account('device')
  const client = new RawPolling(hub.url)
  await client.open()
  const hello = Buffer.from(helloFrame(devices.device!.token)).toString('base64')
  await client.post(`40{"any":"thing"}\u001e451-["frame", {"num": 0, "_placeholder": true}]\u001eb${hello}`)
  const packets: string[] = []
  while (packets.length < 3) packets.push(...(await client.poll()))
  assert.match(packets[0]!, /^40\{"sid":"[^"]+"\}$/)
  assert.is(packets[1], '451-["frame",{"_placeholder":true,"num":0}]')
  await client.post(frame(encodeFrame('ping', { nonce: 1 })))
})

test.run()
