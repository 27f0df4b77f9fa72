import { HouseholdClient } from '../load/household-client.ts'
import { ServerProcess } from '../server-process.ts'
import { busy, compared, type RoundOptions, type Sample, type Workload } from '../workload.ts'

const FAMILIES = 8
const DEVICES = 4
const WARM_UP_MS = 2_000

/** Screen time that devices count, one action a push. */
export const householdPushWorkload: Workload = {
  name: 'household-push',
  text: `${FAMILIES} families of ${DEVICES} devices of TimeLimit, each with one push in flight: one action, gzipped, flushed before it is answered`,
  metrics: [compared('pushes', '/s'), compared('server CPU', 'µs/push', 1), busy('server busy')],
  rows: [
    { name: 'bare node:http, unpacked, read and flushed', run: options => run(options, startFloor, push, 'push') },
    { name: 'lectern', run: options => run(options, startHub, push, 'push') }
  ]
}

/** Devices that ask, and have everything. */
export const householdPullWorkload: Workload = {
  name: 'household-pull',
  text: `${FAMILIES} families of ${DEVICES} devices of TimeLimit, each of which asks again and again for what is new, where nothing is`,
  metrics: [compared('pulls', '/s'), compared('server CPU', 'µs/pull', 1), busy('server busy')],
  rows: [
    { name: 'bare node:http, unpacked and read', run: options => run(options, startFloor, pull, 'pull') },
    { name: 'lectern', run: options => run(options, startHub, pull, 'pull') }
  ]
}

type Started = { readonly server: ServerProcess<unknown>; readonly clients: readonly HouseholdClient[] }
/** What `servers/household.ts` says when it is up: by family, the tokens of its devices, of which the parent's is the first. */
interface HouseholdsReady {
  readonly port: number
  readonly tokens: readonly (readonly string[])[]
  readonly parentDevices: readonly string[]
  /** Of every parent's password. */
  readonly secondHash: string
}

type Ask = (client: HouseholdClient) => Promise<unknown>

const push: Ask = client => client.push()
const pull: Ask = client => client.pull()

async function startFloor(folder: string): Promise<Started> {
  const server = await ServerProcess.start('household-floor.ts', { folder })
  const { port } = server.ready
  return { server, clients: Array.from({ length: FAMILIES * DEVICES }, () => new HouseholdClient(port)) }
}

async function startHub(folder: string): Promise<Started> {
  const server = await ServerProcess.start<HouseholdsReady>('household.ts', {
    folder,
    families: FAMILIES,
    devices: DEVICES
  })
  const { port, tokens, parentDevices, secondHash } = server.ready
  const families = tokens.map(own => own.map(token => new HouseholdClient(port, token)))
  for (const [index, [parent]] of families.entries()) await parent!.setUp(parentDevices[index]!, secondHash)
  return { server, clients: families.flat() }
}

async function run(
  { folder, seconds }: RoundOptions,
  start: (folder: string) => Promise<Started>,
  ask: Ask,
  what: 'push' | 'pull'
): Promise<Sample> {
  const { server, clients } = await start(folder)
  const loop = { answered: 0, isOver: false }
  const done = Promise.all(
    clients.map(async client => {
      for (; !loop.isOver; loop.answered++) await ask(client)
    })
  )
  // What fails is thrown by the race at once, and not after the time is over.
  const wait = (ms: number): Promise<unknown> => Promise.race([new Promise(resolve => setTimeout(resolve, ms)), done])
  await wait(WARM_UP_MS)
  const [from, fromMs, cpuBefore] = [loop.answered, performance.now(), server.cpuUs()]
  await wait(seconds * 1_000)
  const [count, tookMs, cpuAfter] = [loop.answered - from, performance.now() - fromMs, server.cpuUs()]
  loop.isOver = true
  await done
  for (const client of clients) client.close()
  await server.stop()
  const cpuUs = cpuBefore === undefined ? undefined : cpuAfter! - cpuBefore
  return {
    [what === 'push' ? 'pushes' : 'pulls']: count / (tookMs / 1_000),
    'server CPU': cpuUs && cpuUs / count,
    'server busy': cpuUs && cpuUs / tookMs / 1_000
  }
}
