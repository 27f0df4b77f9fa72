import { ClosedLoop } from '../load/closed-loop.ts'
import { HubDevice } from '../load/hub-device.ts'
import { POSITION_PUSH_BYTES, positionPushes } from '../load/position-pushes.ts'
import { ServerProcess } from '../server-process.ts'
import { busy, compared, type RoundOptions, type Sample, type Workload } from '../workload.ts'
import { startHub } from './hub-row.ts'

/** What durability costs when nobody else listens, beside the store alone. */
export const durablePushWorkload = (inFlight: number): Workload => ({
  name: `durable-push-${inFlight}`,
  text: `one device, ${inFlight} pushes of one page turn of 76 bytes in flight, each acked once it is flushed`,
  metrics: [compared('acked', '/s'), compared('server CPU', 'µs/push', 1), busy('server busy')],
  rows: [
    { name: 'bare lmdb, put and flush', run: options => runLmdb(inFlight, options) },
    { name: 'lectern', run: options => runHub(inFlight, options) }
  ]
})

const sample = (pushes: number, seconds: number, cpuUs: number | undefined): Sample => ({
  acked: pushes / seconds,
  'server CPU': cpuUs && cpuUs / pushes,
  'server busy': cpuUs && cpuUs / seconds / 1e6
})

async function runLmdb(inFlight: number, { folder, seconds }: RoundOptions): Promise<Sample> {
  const server = await ServerProcess.start('lmdb-flush.ts', { folder, valueBytes: POSITION_PUSH_BYTES })
  try {
    const result = await server.ask<{ puts: number; seconds: number; cpuUs: number }>({ ask: 'saturate', inFlight, seconds })
    return sample(result.puts, result.seconds, result.cpuUs)
  } finally {
    await server.stop()
  }
}

async function runHub(inFlight: number, { folder, seconds }: RoundOptions): Promise<Sample> {
  const server = await startHub(folder, 1, 1)
  const { port, path, tokens } = server.ready
  const loop = new ClosedLoop()
  const device = await HubDevice.open({ port, path, token: tokens[0]![0]! }, positionPushes(0, inFlight), loop.onSettled)
  try {
    const result = await loop.run([[device]], [device], { window: inFlight, seconds, serverCpuUs: server.cpuUs })
    return sample(result.pushes, result.seconds, result.serverCpuUs)
  } finally {
    device.close()
    await server.stop()
  }
}
