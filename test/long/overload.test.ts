import * as assert from 'uvu/assert'
import type { Frame } from '../../protocol/index.ts'
import { HubProcess } from '../util/hub-process.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const DEVICES = 20
const MAX_SESSIONS = DEVICES + 2
const MEASURED_MS = 5_000
const OFFERED_MS = Number(process.env['LECTERN_OVERLOAD_MS'] ?? 30_000)

const test = suite('long/overload', { limitMs: 15 * 60_000 })

/** A device that keeps so many pushes under way, and keeps its own account of them. */
class Writer {
  readonly wire = new WireClient()
  readonly sentAtMs = new Map<number, number>()
  readonly acked = new Map<number, number>()
  readonly tookMs: number[] = []
  refused = 0
  #number = 0

  constructor() {
    this.wire.onFrame = frame => {
      if (frame.kind === 'acked') this.#answered(frame)
    }
  }

  get unanswered(): number {
    return this.#number - this.acked.size - this.refused
  }

  write(): void {
    this.#number += 1
    this.sentAtMs.set(this.#number, performance.now())
    const action = [
      this.#number,
      0,
      'position.set',
      'book',
      { progression: 0.5, locators: { cfi: `/6/${this.#number}` } }
    ] as const
    this.wire.send('push', { confirmed: 0, actions: [action] })
  }

  #answered({ accepted, refused }: Frame<'acked'>): void {
    this.refused += refused.length
    for (const [number, cursor] of accepted) {
      this.acked.set(number, cursor)
      this.tookMs.push(performance.now() - this.sentAtMs.get(number)!)
      this.sentAtMs.delete(number)
    }
  }
}

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

test('offered three times what it can do, the hub keeps what it acks, sends away who is too many, and recovers', async ({
  defer
}) => {
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start(['--max-sessions', String(MAX_SESSIONS)])
  const writers: Writer[] = []
  for (let index = 0; index < DEVICES; index++) {
    await hub.operate('account.add', { account: `a${index}` })
    const writer = new Writer()
    await writer.wire.connect(hub.url, (await hub.pair(`a${index}`, 'phone')).token)
    writers.push(writer)
  }
  defer(() => writers.forEach(({ wire }) => wire.close()))
  const ackedInAll = (): number => writers.reduce((sum, { acked }) => sum + acked.size, 0)

  const settle = async (): Promise<void> => {
    while (writers.some(({ unanswered, wire }) => unanswered > 0 && wire.closeCode === undefined)) await turn()
  }

  let started = performance.now()
  while (performance.now() - started < MEASURED_MS) {
    for (const writer of writers) while (writer.unanswered < 32) writer.write()
    await turn()
  }
  const capacity = (ackedInAll() / (performance.now() - started)) * 1_000
  await settle()

  // Open loop: what is due is sent, whether what came before was answered or not.
  for (const { tookMs } of writers) tookMs.length = 0
  const before = ackedInAll()
  const rate = (3 * capacity) / DEVICES / 1_000
  started = performance.now()
  let offered = 0
  let held = 0
  const sentAway: number[] = []
  const late = new WireClient()
  while (performance.now() - started < OFFERED_MS) {
    const due = Math.floor((performance.now() - started) * rate * DEVICES)
    for (; offered < due; offered++) {
      const writer = writers[offered % DEVICES]!
      // A client may have so many unanswered, and holds the rest itself.
      if (writer.unanswered < 4_096 && writer.wire.closeCode === undefined) writer.write()
      else held += 1
    }
    await turn()
    if (sentAway.length === 0) {
      const extra = Array.from({ length: 20 }, () => new WireClient())
      const told = extra.map(
        wire =>
          new Promise<Frame<'bye'> | undefined>(resolve => {
            wire.onFrame = frame => frame.kind === 'bye' && resolve(frame)
            wire.connect(hub.url, 'nobody').catch(() => resolve(wire.bye))
          })
      )
      for (const bye of await Promise.all(told)) if (bye?.code === 'overloaded') sentAway.push(bye.retryAfterMs ?? -1)
      if (sentAway.length === 0) sentAway.push(-1)
    }
  }
  const accepted = ackedInAll() - before
  const stopped = performance.now()
  await settle()
  const { token } = await hub.pair('a0', 'late')
  await late.connect(hub.url, token)
  defer(() => late.close())
  const answer = late.next('acked')
  late.send('push', { confirmed: 0, actions: [[1, 0, 'setting.put', 'k', { value: 1 }]] })
  await answer
  const recoveredMs = Math.round(performance.now() - stopped)

  for (const { wire, acked, refused } of writers) {
    assert.equal([wire.closeCode, refused], [undefined, 0], wire.bye?.code)
    await wire.upTo(Math.max(...acked.values()))
    const held = new Map(wire.changes.map(([cursor, , , , number]) => [cursor, number]))
    for (const [number, cursor] of acked) assert.is(held.get(cursor), number)
  }
  assert.ok(sentAway[0]! >= 0, 'nobody was told to come back later')
  const times = writers.flatMap(({ tookMs }) => tookMs).sort((left, right) => left - right)
  const at = (share: number): string => `${Math.round(times[Math.floor(times.length * share)]!)} ms`
  process.stdout.write(
    `FIGURE: ${Math.round(capacity)} acked/s measured, three times as much offered for ${OFFERED_MS / 1_000} s: ${accepted} accepted, ${held} held back by the devices, 0 acked lost; accepted p50 ${at(0.5)}, p99 ${at(0.99)}; recovered in ${recoveredMs} ms\n`
  )
})

test.run()
