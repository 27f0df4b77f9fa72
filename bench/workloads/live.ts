import { annotationUpdates, type DeviceUpdates } from '../load/annotation-updates.ts'
import { ClosedLoop, WARM_UP_SECONDS, type LoopResult } from '../load/closed-loop.ts'
import { silent, type AccountDevices, type Messages, type OnSettled } from '../load/device.ts'
import { HocuspocusDevice } from '../load/hocuspocus-device.ts'
import { HubDevice } from '../load/hub-device.ts'
import { positionPushes } from '../load/position-pushes.ts'
import { RelayDevice } from '../load/relay-device.ts'
import { hubUpdatePushes } from '../load/update-pushes.ts'
import { ServerProcess } from '../server-process.ts'
import { busy, compared, type RoundOptions, type Row, type Sample, type Workload } from '../workload.ts'
import { hocuspocusSkipped, startHocuspocus } from './hocuspocus-row.ts'
import { startHub, type HubReady } from './hub-row.ts'

/** Who is connected, and who pushes. */
export interface Shape {
  readonly name: string
  readonly accounts: number
  readonly devices: number
  /** How many devices of each account push; the rest only listen. */
  readonly pushers: number
  /** Pushes that each pusher keeps in flight. */
  readonly window: number
  /** What the server's CPU is divided by. */
  readonly cpuPer: 'push' | 'delivery'
  /** The most pushes a second, over all accounts, that updates are prepared for. */
  readonly maxPushesPerSecond: number
}

export const SHAPES: readonly Shape[] = [
  { name: 'relay-50x4', accounts: 50, devices: 4, pushers: 4, window: 4, cpuPer: 'push', maxPushesPerSecond: 80_000 },
  { name: 'fan-out-1x200', accounts: 1, devices: 200, pushers: 1, window: 8, cpuPer: 'delivery', maxPushesPerSecond: 10_000 },
  { name: 'scattered-1000x3', accounts: 1_000, devices: 3, pushers: 1, window: 1, cpuPer: 'push', maxPushesPerSecond: 40_000 }
]

export interface Target {
  readonly server: Pick<ServerProcess<unknown>, 'cpuUs' | 'stop'>
  readonly accounts: readonly AccountDevices[]
}

export type Open = (shape: Shape, onSettled: OnSettled, options: RoundOptions) => Promise<Target>

/** Page turns, against a relay that neither keeps nor answers anything, and beside a hub that keeps and answers, and looks at nothing. */
export const positionWorkload = (shape: Shape): Workload => ({
  name: shape.name,
  text: `${people(shape)}; a push is one page turn of 76 bytes`,
  metrics: metrics(shape),
  rows: [
    row('bare ws relay', shape, openRelay),
    row('ws and LMDB, unchecked', shape, openWithPositions(startLogRelay)),
    row('lectern', shape, openWithPositions(startHub))
  ]
})

/** Yjs edits, against Hocuspocus, which merges, acks and then stores them a while later. */
export const annotationWorkload = (shape: Shape): Workload => ({
  name: `${shape.name}-yjs`,
  text: `${people(shape)}; a push is one Yjs update of the book's annotations`,
  metrics: metrics(shape),
  rows: [
    { ...row('hocuspocus, sqlite', shape, openHocuspocus), skipped: hocuspocusSkipped },
    row('ws, LMDB and Yjs, unchecked', shape, openWithUpdates(startLogRelay)),
    row('lectern', shape, openWithUpdates(startHub))
  ]
})

const people = ({ accounts, devices, pushers, window }: Shape): string =>
  `${accounts} accounts of ${devices} devices, ${pushers} of which push, ${window} in flight each`

export const metrics = ({ cpuPer }: Shape): Workload['metrics'] => [
  compared('deliveries', '/s'),
  compared('pushes', '/s'),
  compared('server CPU', `µs/${cpuPer}`, 1),
  busy('server busy'),
  busy('load busy')
]

export const row = (name: string, shape: Shape, open: Open): Row => ({
  name,
  async run(options) {
    const loop = new ClosedLoop()
    const { server, accounts } = await open(shape, loop.onSettled, options)
    try {
      const pushers = accounts.flatMap(devices => devices.slice(0, shape.pushers))
      const result = await loop.run(accounts, pushers, { ...options, window: shape.window, serverCpuUs: server.cpuUs })
      return sample(result, shape)
    } finally {
      for (const device of accounts.flat()) device.close()
      await server.stop()
    }
  }
})

function sample({ seconds, pushes, deliveries, serverCpuUs, loadCpuUs }: LoopResult, { cpuPer }: Shape): Sample {
  return {
    deliveries: deliveries / seconds,
    pushes: pushes / seconds,
    'server CPU': serverCpuUs && serverCpuUs / (cpuPer === 'push' ? pushes : deliveries),
    'server busy': serverCpuUs && serverCpuUs / seconds / 1e6,
    'load busy': loadCpuUs / seconds / 1e6
  }
}

/** Opens the devices of every account, one account after the other. */
async function openAll<T>({ accounts, devices }: Shape, open: (account: number, device: number) => Promise<T>): Promise<T[][]> {
  const all: T[][] = []
  for (let account = 0; account < accounts; account++) {
    const own: T[] = []
    for (let device = 0; device < devices; device++) own.push(await open(account, device))
    all.push(own)
  }
  return all
}

const openRelay: Open = async (shape, onSettled) => {
  const server = await ServerProcess.start('relay.ts')
  const members = Array.from({ length: shape.accounts }, (): RelayDevice[] => [])
  const accounts = await openAll(shape, (account, device) => {
    const messages = device < shape.pushers ? positionPushes(device, shape.window) : silent
    const address = { port: server.ready.port, path: `/${account}` }
    return RelayDevice.open(address, members[account]!, shape.devices, messages, onSettled)
  })
  return { server, accounts }
}

type Start = (folder: string, accounts: number, devices: number) => Promise<ServerProcess<HubReady>>

/** Hears and answers as Lectern does, and so has the same devices. */
const startLogRelay: Start = (folder, accounts, devices) => ServerProcess.start('log-relay.ts', { folder, accounts, devices })

const openWithPositions =
  (start: Start): Open =>
  (shape, onSettled, options) =>
    openDevices(start, shape, onSettled, options, (_account, device) => positionPushes(device, shape.window))

const openWithUpdates =
  (start: Start): Open =>
  (shape, onSettled, options) => {
    const updates = updatesOf(shape, options.seconds)
    const messages = (account: number, device: number): Messages => hubUpdatePushes(updates[account]![device]!, shape.window)
    return openDevices(start, shape, onSettled, options, messages)
  }

async function openDevices(
  start: Start,
  shape: Shape,
  onSettled: OnSettled,
  { folder }: RoundOptions,
  messages: (account: number, device: number) => Messages
): Promise<Target> {
  const server = await start(folder, shape.accounts, shape.devices)
  const { port, path, tokens } = server.ready
  const accounts = await openAll(shape, (account, device) =>
    HubDevice.open(
      { port, path, token: tokens[account]![device]! },
      device < shape.pushers ? messages(account, device) : silent,
      onSettled
    )
  )
  return { server, accounts }
}

const openHocuspocus: Open = async (shape, onSettled, { folder, seconds }) => {
  const updates = updatesOf(shape, seconds)
  const server = await startHocuspocus(folder)
  const accounts = await openAll(shape, (account, device) => {
    const all = updates[account]!
    const others = all.filter(other => other !== all[device])
    return HocuspocusDevice.open(server.ready.port, `account-${account}`, all[device], others, onSettled)
  })
  return { server, accounts }
}

/** Made once a shape: every round sends the same edits to a new server. */
const made = new Map<Shape, DeviceUpdates[][]>()

export function updatesOf(shape: Shape, seconds: number): DeviceUpdates[][] {
  const known = made.get(shape)
  if (known !== undefined) return known
  const pushers = shape.accounts * shape.pushers
  const count = Math.ceil((shape.maxPushesPerSecond * (seconds + WARM_UP_SECONDS)) / pushers)
  const updates = Array.from({ length: shape.accounts }, (_, account) =>
    Array.from({ length: shape.pushers }, (_, device) => annotationUpdates(account * shape.pushers + device, count))
  )
  made.set(shape, updates)
  return updates
}
