import { rmSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { HubProcess } from '../util/hub-process.ts'
import { buildShim, FAILING_FLUSH } from '../util/shims.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const ROUNDS = Number(process.env['LECTERN_FAILED_FLUSHES'] ?? 20)

const test = suite('long/failing-disk', { limitMs: 10 * 60_000 })

test(`a flush that fails ends the hub at once with 75, ${ROUNDS} times, and no acked action is missing afterwards`, async context => {
  const shim = buildShim(context, FAILING_FLUSH)
  if (shim === undefined) return
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  let number = 0
  let ackedInAll = 0
  const acked = new Map<number, number>()
  let credentials: { token: string } | undefined
  for (let round = 0; round < ROUNDS; round++) {
    rmSync(shim.file, { force: true })
    await hub.start([], { LD_PRELOAD: shim.library, LECTERN_SHIM_FILE: shim.file, LECTERN_SHIM_AFTER: String(round) })
    credentials ??= await hub.pair('reader', 'phone')
    const wire = new WireClient()
    const { lastNumber } = await wire.connect(hub.url, credentials.token)
    number = Math.max(number, lastNumber)
    wire.onFrame = frame => {
      if (frame.kind !== 'acked') return
      for (const [taken, cursor] of frame.accepted) acked.set(taken, cursor)
    }
    const write = (): void => {
      if (wire.closeCode !== undefined) return
      wire.send('push', { confirmed: 0, actions: [[++number, 0, 'setting.put', `k${number % 5}`, { value: number }]] })
      setImmediate(write)
    }
    const first = wire.next('acked')
    write()
    await first
    writeFileSync(shim.file, '')
    assert.is(await hub.ended(), 75, `round ${round}: ${hub.output.slice(-500)}`)
    wire.close()
    ackedInAll = acked.size
  }
  await hub.start()
  const reader = new WireClient()
  context.defer(() => reader.close())
  const { head } = await reader.connect(hub.url, credentials!.token, 'reader')
  await reader.upTo(head)
  const held = new Map(reader.changes.filter(([, , , , taken]) => taken > 0).map(([cursor, , , , taken]) => [taken, cursor]))
  for (const [taken, cursor] of acked) assert.is(held.get(taken), cursor, `action ${taken} was acked at ${cursor}`)
  process.stdout.write(
    `FIGURE: ${ROUNDS} failed flushes: the hub ended with 75 each time; ${ackedInAll} acked actions, 0 missing\n`
  )
})

test.run()
