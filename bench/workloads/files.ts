import { FileClient, sha256Of } from '../load/file-transfer.ts'
import { ServerProcess } from '../server-process.ts'
import { median } from '../statistics.ts'
import { compared, type RoundOptions, type Sample, type Workload } from '../workload.ts'
import { startHub, stopHub } from './hub-row.ts'

const METRICS = [compared('throughput', 'MB/s', 1), compared('server CPU', 'ms/GB'), compared('server memory', 'MiB', 1)]

/** A file goes up, is flushed and checked. */
export const uploadWorkload: Workload = {
  name: 'file-up',
  text: 'a file of --file-mib is sent, hashed, flushed and put in the place of the last; again and again, over one connection, to Lectern in chunks of 8 MiB, each of which is flushed',
  metrics: METRICS,
  rows: [
    {
      name: 'bare node:http, streamed to a new file',
      run: options => runBare(options, (client, bytes, sha256) => client.put(bytes, sha256))
    },
    {
      name: 'lectern',
      run: options => runHub(options, (client, bytes, sha256, round) => client.upload(`file ${round}`, bytes, sha256))
    }
  ]
}

/** A file comes down. */
export const downloadWorkload: Workload = {
  name: 'file-down',
  text: 'a file of --file-mib is read, again and again, over one connection',
  metrics: METRICS,
  rows: [
    {
      name: 'bare node:http, streamed and hashed',
      run: options => runBare(options, (client, bytes) => client.get('/hashed', bytes), true)
    },
    { name: 'bare node:http, streamed', run: options => runBare(options, (client, bytes) => client.get('/plain', bytes), true) },
    { name: 'lectern', run: options => runHub(options, (client, bytes) => client.get('/api/v1/sync/download/file', bytes), true) }
  ]
}

type Transfer = (client: FileClient, bytes: number, sha256: string, round: number) => Promise<void>

async function runBare(options: RoundOptions, transfer: Transfer, isThere = false): Promise<Sample> {
  const server = await ServerProcess.start('files.ts', { folder: options.folder })
  const client = new FileClient(server.ready.port)
  if (isThere) await client.put(options.fileBytes, sha256Of(options.fileBytes))
  const sample = await measure(server, options, client, transfer)
  await server.stop()
  return sample
}

async function runHub(options: RoundOptions, transfer: Transfer, isThere = false): Promise<Sample> {
  const server = await startHub(options.folder, 1, 1)
  const { port, tokens } = server.ready
  const client = new FileClient(port, tokens[0]![0])
  if (isThere) await client.upload('file', options.fileBytes, sha256Of(options.fileBytes))
  const sample = await measure(server, options, client, transfer)
  await stopHub(server)
  return sample
}

/** Transfers until the time is over, at least twice, of which the first is not counted. */
async function measure(
  server: ServerProcess<unknown>,
  { seconds, fileBytes }: RoundOptions,
  client: FileClient,
  transfer: Transfer
): Promise<Sample> {
  const sha256 = sha256Of(fileBytes)
  const tookMs: number[] = []
  await transfer(client, fileBytes, sha256, 0)
  const [startedAtMs, cpuBefore] = [performance.now(), server.cpuUs()]
  while (tookMs.length === 0 || performance.now() - startedAtMs < seconds * 1_000) {
    const atMs = performance.now()
    await transfer(client, fileBytes, sha256, tookMs.length + 1)
    tookMs.push(performance.now() - atMs)
  }
  const cpuAfter = server.cpuUs()
  client.close()
  return {
    throughput: fileBytes / 1e3 / median(tookMs),
    'server CPU': cpuBefore === undefined ? undefined : (cpuAfter! - cpuBefore) / 1e3 / ((tookMs.length * fileBytes) / 1e9),
    'server memory': (await server.residentKib()) / 1_024
  }
}
