import { io } from 'socket.io-client'
import * as assert from 'uvu/assert'
import { systemClock } from '../../client/clock.ts'
import { connectNode, type Client, type SocketIo } from '../../client/node.ts'
import { register, servingHub, type TestServingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { webProxy, type WebProxy } from '../util/web-proxy.ts'

const test = suite('client/socket-io', { limitMs: 60_000 })

interface Scene {
  readonly hub: TestServingHub
  readonly proxy: WebProxy
  readonly client: Client
  /** Another device, which is connected as usual. */
  readonly other: Client
  /** How often socket.io was turned to. */
  readonly dialled: () => number
  /** Lets the client's clock, and no timer, go forward. */
  readonly pass: (ms: number) => void
}

async function scene(context: TestContext, set: (proxy: WebProxy) => void): Promise<Scene> {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount('reader')
  const proxy = await webProxy(context, hub.url)
  set(proxy)
  let dialled = 0
  let aheadMs = 0
  const counting: SocketIo = (url, options) => {
    dialled += 1
    return io(url, options)
  }
  const client = await connectNode({
    url: proxy.url,
    token: (await register(account, 'phone')).token,
    socketIo: counting,
    clock: { ...systemClock, nowMs: () => Date.now() + aheadMs }
  })
  context.defer(() => client.close())
  const other = await connectNode({ url: hub.url, token: (await register(account, 'desk')).token })
  context.defer(() => other.close())
  return { hub, proxy, client, other, dialled: () => dialled, pass: ms => (aheadMs += ms) }
}

/** Waits for a state that the client is not in yet. */
const next = (client: Client, wanted: string): Promise<void> =>
  new Promise(resolve => {
    const stop = client.on('state', state => {
      if (state !== wanted) return
      stop()
      resolve()
    })
  })

/** Also of a client that is just about to poll. */
async function cutOff(client: Client, proxy: WebProxy, meanwhile: () => unknown = () => undefined): Promise<void> {
  const offline = next(client, 'offline')
  proxy.isDown = true
  proxy.cut()
  await offline
  await meanwhile()
  proxy.isDown = false
}

async function agree(left: Client, right: Client, title: string): Promise<void> {
  for (const [from, to] of [
    [left, right],
    [right, left]
  ] as const) {
    const told = new Promise<void>(resolve => {
      const stop = to.on('book', id => {
        if (to.books.get(id)?.title !== `${title} ${from.device}`) return
        stop()
        resolve()
      })
    })
    await from.putBook('emma', { title: `${title} ${from.device}` })
    await told
  }
}

for (const upgrades of ['refuse', 'ignore'] as const)
  test(`where upgrades are ${upgrades}d, a client goes live by polling, by itself`, async context => {
    const { proxy, client, other, dialled } = await scene(context, proxy => (proxy.upgrades = upgrades))
    await Promise.all([client.live(), other.live()])
    await agree(client, other, 'Emma')
    assert.is(dialled(), 1)
    assert.is(proxy.passed('/live'), 0)
  })

test('a client that polls and is cut off comes back by polling, with what it did meanwhile', async context => {
  const { proxy, client, other } = await scene(context, proxy => (proxy.upgrades = 'refuse'))
  await Promise.all([client.live(), other.live()])
  let put: Promise<unknown> | undefined
  await cutOff(client, proxy, () => void (put = client.putBook('emma', { title: 'Emma' })))
  await put
  await client.live()
  await agree(client, other, 'Emma')
})

test('a client goes back to WebSockets when some time has passed and they get through', async context => {
  const { proxy, client, other, dialled, pass } = await scene(context, proxy => (proxy.upgrades = 'refuse'))
  await Promise.all([client.live(), other.live()])
  pass(600_000)
  proxy.upgrades = 'pass'
  await cutOff(client, proxy)
  await client.live()
  assert.is(proxy.passed('/live'), 1)
  assert.is(dialled(), 1)
  await agree(client, other, 'Emma')
})

test('a hub that cannot be reached at all says nothing about WebSockets', async context => {
  const { proxy, client, dialled } = await scene(context, proxy => (proxy.isDown = true))
  for (let tries = 0; tries < 4; tries++) {
    await next(client, 'offline')
    client.retry()
  }
  const live = next(client, 'live')
  proxy.isDown = false
  client.retry()
  await live
  assert.is(dialled(), 0)
})

test('a client that socket.io does not help either goes on with WebSockets', async context => {
  const { hub, proxy, client } = await scene(context, proxy => (proxy.upgrades = 'refuse'))
  await client.live()
  await cutOff(client, proxy, async () => {
    client.retry()
    await next(client, 'offline')
  })
  proxy.upgrades = 'pass'
  client.retry()
  await client.live()
  assert.is(proxy.passed('/live'), 1)
  assert.is(hub.hub.sessionCount, 2)
})

test('a revoked device is closed for good over socket.io too', async context => {
  const { hub, client } = await scene(context, proxy => (proxy.upgrades = 'refuse'))
  await client.live()
  const closed = next(client, 'closed')
  await (await hub.hub.account('reader'))!.write('device.revoke', client.device, {})
  await closed
  assert.is(client.reason?.code, 'device-revoked')
})

test('without a WebSocket on the platform, socket.io is the way', async context => {
  const { hub } = await scene(context, () => undefined)
  const account = await hub.hub.ensureAccount('reader')
  const { token } = await register(account, 'tablet')
  const client = await connectNode({ url: hub.url, token, socketIo: io, webSocket: undefined as never })
  context.defer(() => client.close())
  await client.live()
})

test.run()
