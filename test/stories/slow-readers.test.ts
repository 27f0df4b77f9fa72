import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { HubProcess } from '../util/hub-process.ts'
import { canReadMemory, residentBytes } from '../util/resident-memory.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const STUCK = 1_000
/** Of the stuck ones, those that come back with nothing read: the hub copies the log for each by itself. */
const STUCK_BEHIND = 300
const GOOD = 5
/** Enough to fill what the system itself buffers for a connection, and the hub's share on top. */
const CHANGES = 400
const BODY_BYTES = 30_000
/** What the README promises for one device that does not read. */
const MAX_BYTES_EACH = 1_048_576

const test = suite('stories/slow-readers', { limitMs: 10 * 60_000 })

test(`${STUCK} devices that never read cost the hub bounded memory and are closed, and the others get everything`, async ({
  defer
}) => {
  if (!canReadMemory()) return
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const clients: { wire: WireClient; token: string; device: string }[] = []
  for (let index = 0; index < STUCK + GOOD; index++)
    clients.push({ wire: new WireClient(), ...(await hub.pair('reader', `device ${index}`)) })
  for (const { wire, token } of clients) await wire.connect(hub.url, token)
  const heads = clients.length
  await Promise.all(clients.map(({ wire }) => wire.upTo(heads)))
  const good = clients.slice(STUCK)
  for (const { wire } of clients.slice(0, STUCK)) wire.freeze()

  const before = residentBytes(hub.pid)
  let peak = before
  const writer = good[0]!.wire
  for (let number = 1; number <= CHANGES; number++) {
    writer.send('push', {
      confirmed: number - 1,
      actions: [[number, 0, 'setting.put', `s${number}`, { value: 'x'.repeat(BODY_BYTES) }]]
    })
    await writer.next('acked')
    if (number % 20 === 0) peak = Math.max(peak, residentBytes(hub.pid))
  }
  await Promise.all(good.map(({ wire }) => wire.upTo(heads + CHANGES)))
  peak = Math.max(peak, residentBytes(hub.pid))

  for (const { wire, token } of clients.slice(0, STUCK_BEHIND)) {
    wire.close()
    wire.cursor = 0
    await wire.connect(hub.url, token)
    wire.freeze()
  }
  await writer.read('devices', '', '')
  const peakBehind = residentBytes(hub.pid)

  const sessions = async (): Promise<number> => (await hub.operate<{ hub: { sessions: number } }>('stats')).hub.sessions
  while ((await sessions()) > GOOD) await delay(500)
  for (const { wire } of good) assert.is(wire.closeCode, undefined, 'a device that reads was closed')
  const each = Math.round((peak - before) / STUCK)
  const eachBehind = Math.round((peakBehind - before) / STUCK_BEHIND)
  const figures = `at the head ${each} bytes of hub memory each, behind it ${eachBehind}, of ${MAX_BYTES_EACH} promised`
  process.stdout.write(`FIGURE: ${STUCK} devices that never read: ${figures}; all closed as slow\n`)
  assert.ok(each < MAX_BYTES_EACH && eachBehind < MAX_BYTES_EACH, figures)
  for (const { wire } of clients) wire.close()
})

test.run()
