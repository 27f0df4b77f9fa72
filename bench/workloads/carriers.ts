import { CarrierDevice, type OpenWire } from '../load/carrier-device.ts'
import type { DeviceUpdates } from '../load/annotation-updates.ts'
import type { OnSettled } from '../load/device.ts'
import { listenToEvents, pushToHub, pushToRelay } from '../load/event-wires.ts'
import { hocuspocus, yWebsocket } from '../load/provider-wires.ts'
import { hubSocketIo, relaySocketIo } from '../load/socket-io-wire.ts'
import { ServerProcess } from '../server-process.ts'
import type { Row, Workload } from '../workload.ts'
import { hocuspocusSkipped, startHocuspocus } from './hocuspocus-row.ts'
import { startHub } from './hub-row.ts'
import { metrics, row, updatesOf, type Open, type Shape, type Target } from './live.ts'

const SHAPE: Shape = {
  name: 'carrier',
  accounts: 1,
  devices: 50,
  pushers: 1,
  window: 8,
  cpuPer: 'delivery',
  maxPushesPerSecond: 10_000
}
const { devices, window } = SHAPE
const BOOK = 'book/moby-dick'

/** Each way in for clients that do not speak Lectern's own protocol over WebSockets, beside the bare package that does the same work for the same clients. */
export const CARRIERS: readonly Workload[] = [
  carrier('socket-io', 'page turns by socket.io-client, by WebSockets', [
    row('bare socket.io', SHAPE, openSocketIo('websocket')),
    row('lectern', SHAPE, openHubSocketIo('websocket'))
  ]),
  carrier('polling', 'page turns by socket.io-client, by polling', [
    row('bare socket.io', SHAPE, openSocketIo('polling')),
    row('lectern', SHAPE, openHubSocketIo('polling'))
  ]),
  carrier('y-websocket', 'Yjs updates of annotations by y-websocket', [
    row('Yjs server, from memory', SHAPE, openYjs),
    row('lectern', SHAPE, openHubProviders('yjs', yWebsocket))
  ]),
  carrier('hocuspocus', 'Yjs updates of annotations by @hocuspocus/provider', [
    { ...row('hocuspocus, sqlite', SHAPE, openHocuspocus), skipped: hocuspocusSkipped },
    row('lectern', SHAPE, openHubProviders('hocuspocus', hocuspocus))
  ]),
  carrier('events', 'page turns by WebSocket, to others that listen to server-sent events', [
    row('bare node:http', SHAPE, openEvents),
    row('lectern', SHAPE, openHubEvents)
  ])
]

function carrier(name: string, pushes: string, rows: readonly Row[]): Workload {
  const text = `1 account of ${devices} devices, one of which pushes, until ${window} are on their way to the others: ${pushes}`
  return { name: `carrier-${name}`, text, metrics: metrics(SHAPE), rows }
}

/** Opens the devices of the account one after the other. @param wireOf by the device's place, 0 for the one that pushes */
async function open(server: Target['server'], onSettled: OnSettled, wireOf: (place: number) => OpenWire): Promise<Target> {
  const account: CarrierDevice[] = []
  for (let place = 0; place < devices; place++) await CarrierDevice.open(account, devices, wireOf(place), onSettled)
  return { server, accounts: [account] }
}

function openSocketIo(transport: 'websocket' | 'polling'): Open {
  return async (_shape, onSettled) => {
    const server = await ServerProcess.start('socket-io.ts')
    const address = { port: server.ready.port, path: '/socket.io', transport }
    return open(server, onSettled, () => relaySocketIo(address, window))
  }
}

function openHubSocketIo(transport: 'websocket' | 'polling'): Open {
  return async (_shape, onSettled, { folder }) => {
    const server = await startHub(folder, 1, devices)
    const { port, tokens } = server.ready
    const address = { port, path: '/live/socket.io', transport }
    return open(server, onSettled, place => hubSocketIo(address, tokens[0]![place]!, window))
  }
}

async function openYjs(...[, onSettled, { seconds }]: Parameters<Open>): Promise<Target> {
  const edits = editsFor(seconds)
  const server = await ServerProcess.start('yjs.ts', { edits: 0 })
  const address = { url: `ws://127.0.0.1:${server.ready.port}`, name: BOOK, token: '' }
  return open(server, onSettled, () => yWebsocket(address, edits))
}

async function openHocuspocus(...[, onSettled, { folder, seconds }]: Parameters<Open>): Promise<Target> {
  const edits = editsFor(seconds)
  const server = await startHocuspocus(folder)
  const address = { url: `ws://127.0.0.1:${server.ready.port}`, name: BOOK, token: 'token' }
  return open(server, onSettled, () => hocuspocus(address, edits))
}

function openHubProviders(path: string, wireOf: typeof yWebsocket): Open {
  return async (_shape, onSettled, { folder, seconds }) => {
    const edits = editsFor(seconds)
    const server = await startHub(folder, 1, devices)
    const { port, tokens } = server.ready
    const url = `ws://127.0.0.1:${port}/${path}`
    return open(server, onSettled, place => wireOf({ url, name: BOOK, token: tokens[0]![place]! }, edits))
  }
}

async function openEvents(...[, onSettled]: Parameters<Open>): Promise<Target> {
  const server = await ServerProcess.start('events.ts')
  const { port } = server.ready
  const url = `http://127.0.0.1:${port}/`
  return open(server, onSettled, place => (place === 0 ? pushToRelay(port, window) : listenToEvents(url)))
}

async function openHubEvents(...[, onSettled, { folder }]: Parameters<Open>): Promise<Target> {
  const server = await startHub(folder, 1, devices)
  const { port, path, tokens } = server.ready
  return open(server, onSettled, place => {
    const token = tokens[0]![place]!
    const url = `http://127.0.0.1:${port}/api/v1/changes?live=sse&token=${token}`
    return place === 0 ? pushToHub({ port, path, token }, window) : listenToEvents(url)
  })
}

/** What the one device that pushes does to the document. */
const editsFor = (seconds: number): DeviceUpdates => updatesOf(SHAPE, seconds)[0]![0]!
