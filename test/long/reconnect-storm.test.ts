import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { HubProcess } from '../util/hub-process.ts'
import { canReadMemory, residentBytes } from '../util/resident-memory.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const CLIENTS = Number(process.env['LECTERN_STORM'] ?? 3_000)
const DEVICES = 30
const ROUNDS = 3
/** Of the promise: everyone is back within a minute. */
const BACK_WITHIN_MS = 60_000

const test = suite('long/reconnect-storm', { limitMs: 15 * 60_000 })

test(`${CLIENTS} clients that come back at once after a kill are all back and caught up, and nothing acked is lost`, async ({
  defer
}) => {
  if (!canReadMemory()) return
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const devices: { token: string }[] = []
  for (let index = 0; index < DEVICES; index++) devices.push(await hub.pair('reader', `device ${index}`))
  const clients = Array.from({ length: CLIENTS }, (_, index) => ({
    wire: new WireClient(),
    token: devices[index % DEVICES]!.token,
    client: `c${index}`
  }))
  defer(() => clients.forEach(({ wire }) => wire.close()))
  let again = 0
  const connectAll = async (): Promise<number> => {
    const started = performance.now()
    await Promise.all(
      clients.map(async ({ wire, token, client }) => {
        for (let waitMs = 500; ; waitMs = Math.min(2 * waitMs, 30_000))
          try {
            const { head } = await wire.connect(hub.url, token, client)
            return await wire.upTo(head)
          } catch (error) {
            // A busy machine leaves a connection lying until the hub gives it up. Clients try again, each after a time of its own.
            if (wire.closeCode !== 1006) throw error
            again += 1
            await delay(Math.random() * waitMs)
          }
      })
    )
    return performance.now() - started
  }
  await connectAll()
  const writer = clients[0]!.wire
  const quiet = residentBytes(hub.pid)
  let number = 0
  let peak = 0
  const acked: number[] = []
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (let count = 0; count < 50; count++) {
      number += 1
      const answer = writer.next('acked')
      writer.send('push', { confirmed: number - 1, actions: [[number, 0, 'setting.put', 'k', { value: number }]] })
      acked.push((await answer).accepted[0]![1])
    }
    await hub.kill()
    await hub.start()
    const watch = setInterval(() => (peak = Math.max(peak, residentBytes(hub.pid))), 100)
    times.push(await connectAll())
    clearInterval(watch)
  }
  const head = Math.max(...clients.map(({ wire }) => wire.cursor))
  for (const { wire } of clients) {
    await wire.upTo(head)
    assert.is(wire.closeCode, undefined)
    // The client itself fails on a gap or a double; here, that it holds what was acked.
    for (const cursor of acked) assert.is(wire.changes[cursor - 1]?.[0], cursor)
  }
  const slowest = Math.round(Math.max(...times))
  const figures = `all back within ${slowest} ms, ${again} tried again, memory ${Math.round(peak / 1_048_576)} MiB at most, ${Math.round(quiet / 1_048_576)} MiB when quiet`
  process.stdout.write(`FIGURE: ${CLIENTS} clients back at once, ${ROUNDS} times: ${figures}\n`)
  assert.ok(peak < quiet * 2, figures)
  assert.ok(slowest < BACK_WITHIN_MS, figures)
})

test.run()
