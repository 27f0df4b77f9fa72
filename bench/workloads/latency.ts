import type { Device, OnSettled } from '../load/device.ts'
import { EchoDevice } from '../load/echo-device.ts'
import { HubDevice } from '../load/hub-device.ts'
import { PacedLoop } from '../load/paced.ts'
import { POSITION_PUSH_BYTES, positionPushes } from '../load/position-pushes.ts'
import { ServerProcess } from '../server-process.ts'
import { quantile } from '../statistics.ts'
import { compared, type RoundOptions, type Row, type Sample, type Workload } from '../workload.ts'
import { startHub } from './hub-row.ts'

const INTERVAL_MS = 5
/** Enough that no answer is ever confirmed too early. */
const WINDOW = 1_000

interface Target {
  readonly server: Pick<ServerProcess<unknown>, 'stop'>
  readonly device: Device
}

/** One push at a time, far below what the hub can take: what a person waits for. */
export const latencyWorkload: Workload = {
  name: 'latency-light',
  text: 'one device pushes a page turn of 76 bytes every 5 ms; the time from push to ack, at the client',
  metrics: [compared('p50', 'ms', 2), compared('p99', 'ms', 2)],
  rows: [{ name: 'bare lmdb, put and flush', run: runLmdb }, row('bare ws echo', openEcho), row('lectern', openHub)]
}

const sample = (latenciesMs: readonly number[]): Sample => ({ p50: quantile(latenciesMs, 0.5), p99: quantile(latenciesMs, 0.99) })

async function runLmdb({ folder, seconds }: RoundOptions): Promise<Sample> {
  const server = await ServerProcess.start('lmdb-flush.ts', { folder, valueBytes: POSITION_PUSH_BYTES })
  try {
    const { latenciesMs } = await server.ask<{ latenciesMs: number[] }>({ ask: 'pace', intervalMs: INTERVAL_MS, seconds })
    return sample(latenciesMs)
  } finally {
    await server.stop()
  }
}

function row(name: string, open: (onSettled: OnSettled, folder: string) => Promise<Target>): Row {
  return {
    name,
    async run({ folder, seconds }) {
      const loop = new PacedLoop()
      const { server, device } = await open(loop.onSettled, folder)
      try {
        return sample(await loop.run(device, INTERVAL_MS, seconds))
      } finally {
        device.close()
        await server.stop()
      }
    }
  }
}

async function openEcho(onSettled: OnSettled): Promise<Target> {
  const server = await ServerProcess.start('echo.ts')
  const device = await EchoDevice.open({ port: server.ready.port, path: '/' }, positionPushes(0, WINDOW), onSettled)
  return { server, device }
}

async function openHub(onSettled: OnSettled, folder: string): Promise<Target> {
  const server = await startHub(folder, 1, 1)
  const { port, path, tokens } = server.ready
  const device = await HubDevice.open({ port, path, token: tokens[0]![0]! }, positionPushes(0, WINDOW), onSettled)
  return { server, device }
}
