import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { maskedMessage, WireSocket } from '../load/wire-socket.ts'
import { silent } from '../load/device.ts'
import { HubDevice } from '../load/hub-device.ts'
import { progressPushes } from '../load/position-pushes.ts'
import { ServerProcess } from '../server-process.ts'
import { median } from '../statistics.ts'
import { compared, type RoundOptions, type Sample, type Workload } from '../workload.ts'
import { startHub, stopHub } from './hub-row.ts'

const CHANGES = 100_000
const IN_FLIGHT = 100

/** A filled store, and what a catch-up from it puts on the wire. */
interface Filled {
  readonly folder: string
  readonly token: string
  readonly bytes: number
  readonly messages: number
}

/** A device that has nothing reads the whole log. */
export const catchUpWorkload: Workload = {
  name: 'catch-up-100k',
  text: `a new device reads a log of ${CHANGES} changes, which came as pushes of one small page turn, ${IN_FLIGHT} in flight; again and again, in a hub started on that store`,
  metrics: [
    compared('throughput', 'MB/s', 1),
    compared('changes', '/s'),
    compared('first catch-up', 'ms', 1),
    compared('server CPU', 'µs/1,000 changes')
  ],
  rows: [
    { name: 'bare ws, the same bytes from memory', run: runControl },
    { name: 'lectern', run: runHub }
  ]
}

async function runHub(options: RoundOptions): Promise<Sample> {
  const { folder, token } = await filled(options)
  const server = await startHub(folder, 0, 0)
  const { port, path } = server.ready
  const sample = await measure(server, options, async () => {
    const device = await HubDevice.open({ port, path, token }, silent, () => undefined)
    device.close()
    return device.receivedBytes
  })
  await stopHub(server)
  return sample
}

async function runControl(options: RoundOptions): Promise<Sample> {
  const { bytes: totalBytes, messages } = await filled(options)
  const server = await ServerProcess.start('send-frames.ts', { totalBytes, messageBytes: Math.ceil(totalBytes / messages) })
  const sample = await measure(server, options, () => receive(server.ready.port, totalBytes))
  await server.stop()
  return sample
}

async function receive(port: number, totalBytes: number): Promise<number> {
  let left = totalBytes
  let done: () => void
  const all = new Promise<void>(resolve => (done = resolve))
  const socket = await WireSocket.open({ port, path: '/' }, (_buffer, start, end) => {
    left -= end - start
    if (left <= 0) done()
  })
  socket.write(maskedMessage(Buffer.from('go')))
  await all
  socket.close()
  return totalBytes - left
}

/** Catches up until the time is over, at least three times, one after the other. */
async function measure(
  server: ServerProcess<unknown>,
  { seconds }: RoundOptions,
  catchUp: () => Promise<number>
): Promise<Sample> {
  const tookMs: number[] = []
  let bytes = 0
  const [startedAtMs, cpuBefore] = [performance.now(), server.cpuUs()]
  while (tookMs.length < 3 || performance.now() - startedAtMs < seconds * 1_000) {
    const atMs = performance.now()
    bytes = await catchUp()
    tookMs.push(performance.now() - atMs)
  }
  const cpuAfter = server.cpuUs()
  const perSecond = 1_000 / median(tookMs)
  return {
    throughput: (bytes / 1e6) * perSecond,
    changes: CHANGES * perSecond,
    'first catch-up': tookMs[0],
    'server CPU': cpuBefore === undefined ? undefined : (cpuAfter! - cpuBefore) / tookMs.length / (CHANGES / 1_000)
  }
}

/** Filled once a run: what follows only reads. */
let filling: Promise<Filled> | undefined
const filled = ({ shared }: RoundOptions): Promise<Filled> => (filling ??= fill(join(shared, 'catch-up')))

async function fill(folder: string): Promise<Filled> {
  mkdirSync(folder, { recursive: true })
  const server = await startHub(folder, 1, 2)
  const { port, path, tokens } = server.ready
  const [writerToken, readerToken] = tokens[0]!
  let done: () => void
  const all = new Promise<void>(resolve => (done = resolve))
  const writer = await HubDevice.open({ port, path, token: writerToken! }, progressPushes(IN_FLIGHT), (device, count) => {
    device.push(Math.min(count, CHANGES - device.pushed))
    if (device.settled === CHANGES) done()
  })
  writer.push(IN_FLIGHT)
  await all
  writer.close()
  const reader = await HubDevice.open({ port, path, token: readerToken! }, silent, () => undefined)
  reader.close()
  await stopHub(server)
  return { folder, token: readerToken!, bytes: reader.receivedBytes, messages: reader.receivedMessages }
}
