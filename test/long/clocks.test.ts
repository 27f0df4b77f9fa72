import { writeFileSync, openSync, writeSync, closeSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { HubProcess } from '../util/hub-process.ts'
import { Random } from '../util/random.ts'
import { buildShim, WRONG_CLOCK } from '../util/shims.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const JUMPS = Number(process.env['LECTERN_JUMPS'] ?? 200)
const DAY = 86_400

const test = suite('long/clocks', { limitMs: 10 * 60_000 })

test(`the hub's clock jumps ${JUMPS} times, by seconds and by years: times rise, nothing is lost, signed-in devices stay`, async context => {
  const shim = buildShim(context, WRONG_CLOCK)
  if (shim === undefined) return
  const set = (seconds: number): void => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(seconds))
    const fd = openSync(shim.file, 'r+')
    writeSync(fd, bytes)
    closeSync(fd)
  }
  writeFileSync(shim.file, Buffer.alloc(8))
  const env = { LD_PRELOAD: shim.library, LECTERN_SHIM_FILE: shim.file }
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start([], env)
  const [writer, reader] = [new WireClient(), new WireClient()]
  context.defer(() => [writer, reader].forEach(wire => wire.close()))
  const [phone, tablet] = [await hub.pair('reader', 'phone'), await hub.pair('reader', 'tablet')]
  await writer.connect(hub.url, phone.token)
  await reader.connect(hub.url, tablet.token)
  const random = new Random(Number(process.env['LECTERN_SEED'] ?? 1))
  let farthest = 0
  for (let number = 1; number <= JUMPS; number++) {
    const seconds =
      number === 5
        ? 10 * 365 * DAY
        : random.pick([0, -DAY, 10 * 365 * DAY, -3_600, 60, -40 * 365 * DAY, random.below(1_000) - 500])
    farthest = Math.max(farthest, Math.abs(seconds))
    set(seconds)
    const acked = writer.next('acked')
    writer.send('push', {
      confirmed: number - 1,
      actions: [[number, Date.now(), 'position.set', 'book', { progression: number / JUMPS }]]
    })
    assert.is((await acked).accepted.length, 1)
    if (number % Math.ceil(JUMPS / 4) === 0) {
      await hub.kill()
      await hub.start([], env)
      await writer.connect(hub.url, phone.token)
      await reader.connect(hub.url, tablet.token)
    }
  }
  const { head } = await reader.connect(hub.url, tablet.token)
  await reader.upTo(head)
  const times = reader.changes.map(([, timeUs]) => timeUs)
  for (let index = 1; index < times.length; index++)
    assert.ok(times[index]! > times[index - 1]!, `change ${index + 1} is no later`)
  assert.ok(times.at(-1)! / 1_000 > Date.now() + 9 * 365 * DAY * 1_000, "the hub's clock did not jump")
  const own = reader.changes.filter(([, , device, , number]) => device === phone.device && number > 0)
  assert.equal(
    own.map(([, , , , number]) => number),
    Array.from({ length: JUMPS }, (_, index) => index + 1)
  )
  const [[, { progression }]] = (await reader.list('positions', 'book')) as [[string, { progression: number }]]
  assert.is(progression, 1, 'the newest position is not the one that was set last')
  for (const wire of [writer, reader]) assert.is(wire.closeCode, undefined)
  process.stdout.write(
    `FIGURE: ${JUMPS} jumps of the clock, up to ${farthest / DAY / 365} years, with 4 kills: ${head} changes, times rising, 0 lost\n`
  )
})

test.run()
