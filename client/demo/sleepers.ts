import { connectNode, type Client } from '../node.ts'
import { Cable } from './cable.ts'
import type { DemoHub } from './hub.ts'
import type { Report } from './report.ts'

const SLEEPERS = 40
/** More than the system itself buffers for a connection, and the hub's share on top. */
const WRITES = 400
const WRITE_BYTES = 30_000
/** What the README promises for one device that does not read. */
const MAX_BYTES_EACH = 1_048_576

interface Writer {
  readonly client: Client
}

/** Devices fall asleep with their connections open, while another writes more than the hub may hold for them. Then they wake, and read all of it. */
export async function writePastSleepers(hub: DemoHub, phone: Writer, desk: Writer, report: Report): Promise<void> {
  const { token } = await hub.pair('reader', 'e-ink')
  const cable = new Cable()
  const pages: number[] = []
  const sleepers: Client[] = []
  for (let index = 0; index < SLEEPERS; index++) {
    const client = await connectNode({ url: hub.url, token, webSocket: cable.webSocket })
    client.on('change', ({ key }) => {
      if (key.startsWith('page-')) pages[index]! += 1
    })
    pages.push(0)
    await client.live()
    sleepers.push(client)
  }
  // What the writing itself takes of the hub's memory is no cost of the sleepers.
  await write(phone.client, 'line')
  const before = await hub.residentBytes()
  cable.freeze()
  report.step('e-ink', `${SLEEPERS} connections of it stop reading; the phone writes ${(WRITES * WRITE_BYTES) / 1e6} MB`)
  await write(phone.client, 'page')
  await phone.client.putSetting('last', true)
  await desk.client.settled()
  const bytesEach = Math.max(0, Math.round(((await hub.residentBytes()) - before) / SLEEPERS))
  const awake = sleepers.map(client => told(client, 'last'))
  cable.thaw()
  await Promise.all(awake)
  const isWhole = pages.every(count => count === WRITES)
  for (const client of sleepers) await client.close()
  report.promise(
    '8 bounded',
    bytesEach < MAX_BYTES_EACH && isWhole,
    `${Math.round(bytesEach / 1_024)} KiB of the hub's memory each at most, of 1,024 promised; awake, they read all ${WRITES} changes`
  )
}

async function write(client: Client, name: string): Promise<void> {
  for (let index = 0; index < WRITES; index++) await client.putSetting(`${name}-${index % 10}`, 'x'.repeat(WRITE_BYTES))
}

/** Waits until a device is told of a change to this setting. */
function told(client: Client, name: string): Promise<void> {
  return new Promise(resolve => client.on('change', ({ key }) => key === name && resolve()))
}
