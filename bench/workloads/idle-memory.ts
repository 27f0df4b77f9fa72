import { silent } from '../load/device.ts'
import { EchoDevice } from '../load/echo-device.ts'
import { HocuspocusDevice } from '../load/hocuspocus-device.ts'
import { HubDevice } from '../load/hub-device.ts'
import { ServerProcess } from '../server-process.ts'
import { compared, type RoundOptions, type Sample, type Workload } from '../workload.ts'
import { hocuspocusSkipped, startHocuspocus } from './hocuspocus-row.ts'
import { startHub } from './hub-row.ts'

const DEVICES = 4
/** Connected before the first look, so that code and pools that come with the first connections are not counted. */
const WARM_UP_ACCOUNTS = 25
const ACCOUNTS = WARM_UP_ACCOUNTS + 500

/** What a connection that says nothing costs. */
export const idleMemoryWorkload: Workload = {
  name: 'idle-memory',
  text: `${(ACCOUNTS - WARM_UP_ACCOUNTS) * DEVICES} signed-in connections, ${DEVICES} an account, beyond the first ${WARM_UP_ACCOUNTS * DEVICES}; resident memory after garbage collection, kernel buffers not counted`,
  metrics: [compared('memory', 'KiB/connection', 1)],
  rows: [
    { name: 'bare ws', run: runBare },
    { name: 'hocuspocus, sqlite', skipped: hocuspocusSkipped, run: runHocuspocus },
    { name: 'lectern', run: runHub }
  ]
}

interface Closable {
  close(): void
}

async function runBare(): Promise<Sample> {
  const server = await ServerProcess.start('echo.ts')
  return measure(server, () => EchoDevice.open({ port: server.ready.port, path: '/' }, silent, () => undefined))
}

async function runHocuspocus({ folder }: RoundOptions): Promise<Sample> {
  const server = await startHocuspocus(folder)
  return measure(server, account =>
    HocuspocusDevice.open(server.ready.port, `account-${account}`, undefined, [], () => undefined)
  )
}

async function runHub({ folder }: RoundOptions): Promise<Sample> {
  const server = await startHub(folder, ACCOUNTS, DEVICES)
  const { port, path, tokens } = server.ready
  return measure(server, (account, device) =>
    HubDevice.open({ port, path, token: tokens[account]![device]! }, silent, () => undefined)
  )
}

async function measure(
  server: ServerProcess<unknown>,
  open: (account: number, device: number) => Promise<Closable>
): Promise<Sample> {
  const connections: Closable[] = []
  const connect = async (from: number, to: number): Promise<void> => {
    for (let account = from; account < to; account++)
      for (let device = 0; device < DEVICES; device++) connections.push(await open(account, device))
  }
  try {
    await connect(0, WARM_UP_ACCOUNTS)
    const before = await server.residentKib()
    await connect(WARM_UP_ACCOUNTS, ACCOUNTS)
    const after = await server.residentKib()
    return { memory: (after - before) / ((ACCOUNTS - WARM_UP_ACCOUNTS) * DEVICES) }
  } finally {
    for (const connection of connections) connection.close()
    await server.stop()
  }
}
