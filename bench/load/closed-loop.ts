import { setTimeout as sleep } from 'node:timers/promises'
import type { AccountDevices, Device, OnSettled } from './device.ts'

/** Long enough that the server runs compiled code: what it costs on its first day is not what it costs. */
export const WARM_UP_SECONDS = 4
const STALLED_AFTER_MS = 10_000

/** What happened between the two edges of the timed part. */
export interface LoopResult {
  readonly seconds: number
  readonly pushes: number
  readonly deliveries: number
  /** CPU that the server used, all its threads; undefined where the system does not tell. */
  readonly serverCpuUs: number | undefined
  readonly loadCpuUs: number
}

export interface LoopOptions {
  /** How many pushes each pusher keeps in flight. */
  readonly window: number
  readonly seconds: number
  readonly serverCpuUs: () => number | undefined
}

/**
 * Keeps a number of pushes in flight: whatever settles in one turn of the event loop is replaced at its end, with one write a device.
 * All devices of a row report to it.
 */
export class ClosedLoop {
  #isRunning = false
  #isFlushDue = false
  readonly #due = new Map<Device, number>()

  readonly onSettled: OnSettled = (device, count) => {
    if (!this.#isRunning) return
    this.#due.set(device, (this.#due.get(device) ?? 0) + count)
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    setImmediate(() => this.#flush())
  }

  /**
   * Warms up, measures, stops pushing, and waits until all is settled and delivered.
   * @throws when a delivery is missing, or one came too often
   */
  async run(accounts: readonly AccountDevices[], pushers: readonly Device[], options: LoopOptions): Promise<LoopResult> {
    const devices = accounts.flat()
    this.#isRunning = true
    for (const pusher of pushers) pusher.push(options.window)
    await sleep(WARM_UP_SECONDS * 1_000)
    const before = edge(devices, options)
    await sleep(options.seconds * 1_000)
    const after = edge(devices, options)
    this.#isRunning = false
    // What was in flight may come in before any counting that takes time.
    await sleep(500)
    const deliveries = (marks: readonly number[]): number =>
      devices.reduce((sum, device, index) => sum + device.deliveriesAt(marks[index]!), 0)
    const deliveriesBefore = deliveries(before.marks)
    const { serverCpuUs } = before
    const result = {
      seconds: (after.atMs - before.atMs) / 1_000,
      pushes: after.settled - before.settled,
      deliveries: deliveries(after.marks) - deliveriesBefore,
      serverCpuUs: serverCpuUs === undefined ? undefined : after.serverCpuUs! - serverCpuUs,
      loadCpuUs: after.loadCpuUs - before.loadCpuUs
    }
    await verify(accounts)
    return result
  }

  #flush(): void {
    this.#isFlushDue = false
    if (!this.#isRunning) return this.#due.clear()
    for (const [device, count] of this.#due) device.push(count)
    this.#due.clear()
  }
}

function edge(devices: readonly Device[], { serverCpuUs }: LoopOptions) {
  const { user, system } = process.cpuUsage()
  return {
    atMs: performance.now(),
    serverCpuUs: serverCpuUs(),
    loadCpuUs: user + system,
    settled: devices.reduce((sum, { settled }) => sum + settled, 0),
    marks: devices.map(device => device.mark())
  }
}

const missing = (account: AccountDevices): number => {
  const pushes = account.reduce((sum, { pushed }) => sum + pushed, 0)
  const deliveries = account.reduce((sum, device) => sum + device.deliveriesAt(device.mark()), 0)
  return pushes * (account.length - 1) - deliveries
}

/** Every push is settled, and has arrived exactly once at each other device of its account. */
async function verify(accounts: readonly AccountDevices[]): Promise<void> {
  for (const account of accounts) {
    await until('pushes were not answered', () => account.reduce((sum, { pushed, settled }) => sum + pushed - settled, 0))
    await until('deliveries are missing (too many, if below 0)', () => missing(account))
  }
  await sleep(200)
  for (const account of accounts) if (missing(account) < 0) throw new Error('pushes were delivered twice')
}

/** Waits while a number falls to 0. @throws when it stands still elsewhere */
async function until(complaint: string, left: () => number): Promise<void> {
  let [seen, seenAtMs] = [left(), performance.now()]
  while (seen !== 0) {
    await sleep(50)
    const now = left()
    if (now !== seen) [seen, seenAtMs] = [now, performance.now()]
    else if (performance.now() - seenAtMs > STALLED_AFTER_MS) throw new Error(`${now} ${complaint}`)
  }
}
