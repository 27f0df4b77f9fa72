import * as assert from 'uvu/assert'
import { HubProcess } from '../util/hub-process.ts'
import { canReadMemory, residentBytes } from '../util/resident-memory.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const EACH = Number(process.env['LECTERN_READERS'] ?? 500)
const CHANGES = 1_000
const BODY_BYTES = 4_000
/** What the README promises for one device that does not read, and what the test allows for the hub itself. */
const MAX_BYTES_EACH = 1.2 * 1_048_576

const test = suite('long/idle-readers', { limitMs: 15 * 60_000 })

test(`of ${2 * EACH} devices half never read: the other half get every change, in order, and are not closed`, async ({
  defer
}) => {
  if (!canReadMemory()) return
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const devices: { token: string }[] = []
  for (let index = 0; index < 20; index++) devices.push(await hub.pair('reader', `device ${index}`))
  const make = (name: string): { wire: WireClient; name: string } => {
    const wire = new WireClient()
    // It checks their order, and need not keep them.
    wire.onFrame = () => (wire.changes.length = 0)
    return { wire, name }
  }
  const good = Array.from({ length: EACH }, (_, index) => make(`good${index}`))
  const stuck = Array.from({ length: EACH }, (_, index) => make(`stuck${index}`))
  defer(() => [...good, ...stuck].forEach(({ wire }) => wire.close()))
  for (const [index, { wire, name }] of [...good, ...stuck].entries())
    await wire.connect(hub.url, devices[index % 20]!.token, name)
  const writer = good[0]!.wire
  const last = good.at(-1)!.wire
  let number = 0
  /** From the push to its arrival at the last of those who read. */
  const write = async (count: number): Promise<number[]> => {
    const tookMs: number[] = []
    for (let done = 0; done < count; done++) {
      number += 1
      const started = performance.now()
      const arrived = last.next('changes', ({ changes }) => changes.some(([, , , , taken]) => taken === number))
      writer.send('push', {
        confirmed: number - 1,
        actions: [[number, 0, 'setting.put', `s${number % 50}`, { value: 'x'.repeat(BODY_BYTES) }]]
      })
      await arrived
      tookMs.push(performance.now() - started)
    }
    return tookMs.sort((left, right) => left - right)
  }
  const base = await write(CHANGES)
  const before = residentBytes(hub.pid)
  for (const { wire } of stuck) wire.freeze()
  const beside = await write(CHANGES)
  const grown = residentBytes(hub.pid) - before
  for (const { wire } of good) {
    await wire.upTo(last.cursor)
    assert.is(wire.closeCode, undefined, 'a device that reads was closed')
  }
  const p99 = (times: number[]): string => `${times[Math.floor(times.length * 0.99)]!.toFixed(1)} ms`
  const figures = `p99 of a change ${p99(beside)}, ${p99(base)} while all read; ${Math.round(grown / EACH)} bytes of hub memory for each that does not`
  process.stdout.write(`FIGURE: ${EACH} devices that never read beside ${EACH} that do: ${figures}\n`)
  assert.ok(grown < EACH * MAX_BYTES_EACH, figures)
})

test.run()
