import { HocuspocusProvider } from '@hocuspocus/provider'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { connectNode } from '../../client/node.ts'
import { HubProcess } from '../util/hub-process.ts'
import { SOCKET_IO_WAYS, socketIoWire } from '../util/socket-io-wire.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const IDLE_MS = Number(process.env['LECTERN_IDLE_MS'] ?? 120_000)

const test = suite('long/idle-clients', { limitMs: IDLE_MS + 60_000 })

/** A client that was connected once: how often its connection ended since. */
type Idle = () => number

async function bare({ defer }: TestContext, client: WireClient, url: string, token: string): Promise<Idle> {
  defer(() => client.close())
  await client.connect(url, token)
  let ended = 0
  void client.closed().then(() => (ended += 1))
  return () => ended
}

async function sdk({ defer }: TestContext, url: string, token: string): Promise<Idle> {
  const client = await connectNode({ url, token })
  defer(() => client.close())
  await client.live()
  let ended = 0
  client.on('state', () => (ended += 1))
  return () => ended
}

async function yWebsocket({ defer }: TestContext, url: string, token: string): Promise<Idle> {
  const provider = new WebsocketProvider(`${url.replace('http', 'ws')}/yjs`, 'book/emma', new Y.Doc(), {
    params: { token },
    WebSocketPolyfill: WebSocket as never,
    disableBc: true
  })
  defer(() => provider.destroy())
  await new Promise<void>(resolve => provider.once('sync', () => resolve()))
  let ended = 0
  provider.on('connection-close', () => (ended += 1))
  return () => ended
}

async function hocuspocus({ defer }: TestContext, url: string, token: string): Promise<Idle> {
  const provider = new HocuspocusProvider({
    url: `${url.replace('http', 'ws')}/hocuspocus`,
    name: 'book/emma',
    token,
    WebSocketPolyfill: WebSocket
  } as never)
  defer(() => provider.destroy())
  await new Promise<void>(resolve => provider.on('synced', () => resolve()))
  let ended = 0
  provider.on('disconnect', () => (ended += 1))
  return () => ended
}

test(`a client that is left idle for ${IDLE_MS / 1_000} s is still connected, on every carrier`, async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const token = async (name: string): Promise<string> => (await hub.pair('reader', name)).token
  const idle: Record<string, Idle> = {
    ws: await bare(context, new WireClient(), hub.url, await token('ws')),
    sdk: await sdk(context, hub.url, await token('sdk')),
    'y-websocket': await yWebsocket(context, hub.url, await token('y-websocket')),
    hocuspocus: await hocuspocus(context, hub.url, await token('hocuspocus'))
  }
  for (const way of SOCKET_IO_WAYS)
    idle[`socket.io: ${way}`] = await bare(context, new WireClient(socketIoWire(way)), hub.url, await token(way))
  await new Promise(resolve => setTimeout(resolve, IDLE_MS))
  assert.equal(
    Object.fromEntries(Object.entries(idle).map(([name, ended]) => [name, ended()])),
    Object.fromEntries(Object.keys(idle).map(name => [name, 0]))
  )
})

test.run()
