import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { LIMITS } from '../../../protocol/index.ts'
import { HubProcess } from '../../util/hub-process.ts'
import { register, servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { openSocketIo, SOCKET_IO_WAYS, socketIoWire, type SocketIoWay } from '../../util/socket-io-wire.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { WireClient } from '../../util/wire-client.ts'

const test = suite('server/transports/socket-io', { limitMs: 120_000 })

interface Scene {
  readonly hub: TestServingHub
  readonly token: string
  readonly device: string
}

async function scene(context: TestContext, flags: Record<string, string> = {}): Promise<Scene> {
  const hub = await servingHub(context, flags)
  const account = await hub.hub.ensureAccount('reader')
  return { hub, ...(await register(account, 'device')) }
}

function wire({ defer }: TestContext, way: SocketIoWay): WireClient {
  const client = new WireClient(socketIoWire(way))
  defer(() => client.close())
  return client
}

async function member(context: TestContext, { hub, token }: Scene, way: SocketIoWay, client = 'tab'): Promise<WireClient> {
  const opened = wire(context, way)
  const { head } = await opened.connect(hub.url, token, client)
  await opened.upTo(head)
  return opened
}

const gone = async ({ hub }: TestServingHub): Promise<void> => {
  while (hub.sessionCount > 0) await new Promise(resolve => setTimeout(resolve, 5))
}

for (const way of SOCKET_IO_WAYS) {
  test(`${way}: signs in, pushes, and is told of every change live`, async context => {
    const at = await scene(context)
    const [left, right] = [await member(context, at, way, 'left'), await member(context, at, way, 'right')]
    for (let number = 1; number <= 20; number++) {
      const acked = left.next('acked')
      left.send('push', {
        confirmed: 0,
        actions: [[number, 0, 'setting.put', `s${number}`, { value: 'x'.repeat(number * 500) }]]
      })
      assert.is((await acked).accepted.length, 1)
    }
    await Promise.all([left.upTo(left.cursor), right.upTo(left.cursor)])
    assert.equal(left.changes, right.changes)
    assert.is(left.changes.filter(([, , , , , , kind]) => kind === 'setting.put').length, 20)
  })

  test(`${way}: a frame of the greatest size goes both ways`, async context => {
    const at = await scene(context)
    const client = await member(context, at, way)
    const actions = Array.from({ length: 16 }, (_, index) => [
      index + 1,
      0,
      'setting.put',
      `s${index}`,
      { value: 'x'.repeat(65_000) }
    ])
    const acked = client.next('acked', ({ accepted }) => accepted.some(([number]) => number === 16))
    client.send('push', { confirmed: 0, actions: actions as never })
    const [last] = (await acked).accepted.slice(-1)
    await client.upTo(last![1])
    assert.is(client.changes.length, last![1])
  })

  test(`${way}: a revoked device is told so, and cut off at once`, async context => {
    const at = await scene(context)
    const client = await member(context, at, way)
    const account = (await at.hub.hub.account('reader'))!
    await account.write('device.revoke', at.device, {})
    assert.is(await client.closed(), 4_403)
    assert.is(client.bye?.code, 'device-revoked')
    await gone(at.hub)
  })

  test(`${way}: a made-up token is refused with 4401`, async context => {
    const { hub } = await scene(context)
    const client = wire(context, way)
    await client.connect(hub.url, 'lectern_nothing').catch(() => undefined)
    assert.is(await client.closed(), 4_401)
    assert.is(client.bye?.code, 'unauthenticated')
  })

  test(`${way}: garbage is refused with 1007`, async context => {
    const at = await scene(context)
    const client = await member(context, at, way)
    client.sendBytes(Buffer.of(0xc1))
    assert.is(await client.closed(), 1_007)
    assert.is(client.bye?.code, 'bad-frame')
  })

  test(`${way}: a first frame of more than a hello is refused`, async context => {
    const { hub } = await scene(context)
    const client = wire(context, way)
    await client.open(hub.url)
    client.sendBytes(Buffer.alloc(LIMITS.maxHelloBytes + 1))
    assert.is(await client.closed(), 1_009)
  })

  test(`${way}: an event with text, or of another name, is refused with 1007`, async context => {
    const { hub } = await scene(context)
    for (const [event, value] of [
      ['frame', 'text'],
      ['chat', Buffer.of(1)],
      ['chat', 'text']
    ] as const) {
      const socket = openSocketIo(hub.url, way)
      context.defer(() => socket.disconnect())
      const code = new Promise(resolve => socket.on('close', resolve))
      socket.emit(event, value)
      assert.is(await code, 1_007)
    }
    await gone(hub)
  })
}

test('who says nothing is told so and let go, however it is connected', async context => {
  const { hub } = await scene(context)
  const clients = SOCKET_IO_WAYS.map(way => wire(context, way))
  await Promise.all(clients.map(client => client.open(hub.url)))
  for (const client of clients) {
    assert.is(await client.closed(), 4_408)
    assert.is(client.bye?.code, 'hello-timeout')
  }
  await gone(hub)
})

test('a page of a foreign origin begins no session, over either transport; one that is allowed may read the answers', async context => {
  const { hub } = await scene(context, { allowedOrigins: 'https://reader.example' })
  const url = `${hub.url}/live/socket.io/?EIO=4&transport=`
  const ask = (origin: string): Promise<Response> => fetch(`${url}polling`, { headers: { origin } })
  const refused = await ask('https://elsewhere.example')
  assert.is(refused.status, 403)
  assert.is(((await refused.json()) as { code: string }).code, 'origin-refused')
  const socket = new WebSocket(`${url.replace('http', 'ws')}websocket`, { origin: 'https://elsewhere.example' })
  socket.on('error', () => undefined)
  assert.is(await new Promise(resolve => socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode))), 403)
  const allowed = await ask('https://reader.example')
  assert.is(allowed.status, 200)
  assert.is(allowed.headers.get('access-control-allow-origin'), 'https://reader.example')
  assert.is((await ask(hub.url)).status, 200)
})

test('no script is served beside the carrier', async context => {
  const { hub } = await scene(context)
  assert.is((await fetch(`${hub.url}/socket.io/socket.io.js`)).status, 400)
  assert.is((await fetch(`${hub.url}/live/socket.io.js`)).status, 404)
})

test('a hub that restarts tells who polls and who does not, and each goes on where it was', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const clients = await Promise.all(
    SOCKET_IO_WAYS.map(async way => {
      const { token } = await hub.pair('reader', way)
      const client = wire(context, way)
      await client.connect(hub.url, token)
      return { client, token }
    })
  )
  await hub.kill('SIGTERM')
  assert.equal(
    await Promise.all(clients.map(({ client }) => client.closed())),
    clients.map(() => 1_012)
  )
  await hub.start()
  for (const { client, token } of clients) {
    const { head } = await client.connect(hub.url, token)
    const acked = client.next('acked')
    client.send('push', { confirmed: 0, actions: [[1, 0, 'setting.put', 'after', { value: 1 }]] })
    await acked
    await client.upTo(head + 1)
  }
})

test.run()
