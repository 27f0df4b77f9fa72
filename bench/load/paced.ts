import { setTimeout as sleep } from 'node:timers/promises'
import type { Device, OnSettled } from './device.ts'

const WARM_UP_PUSHES = 20_000
const WARM_UP_IN_FLIGHT = 100

/**
 * Pushes at a fixed rate, whether or not the server keeps up, and takes the time of each push until it settles.
 * Before that it pushes as fast as it gets answers, so that the server runs compiled code.
 */
export class PacedLoop {
  readonly #sentAtMs: number[] = []
  readonly #latenciesMs: number[] = []
  #warmedUp: (() => void) | undefined

  /** Pushes of one device settle in their order. */
  readonly onSettled: OnSettled = (device, count) => {
    if (this.#warmedUp !== undefined) return this.#warmUp(device, count)
    const nowMs = performance.now()
    for (const sentAtMs of this.#sentAtMs.splice(0, count)) this.#latenciesMs.push(nowMs - sentAtMs)
  }

  /** @throws when a push was not answered */
  async run(device: Device, intervalMs: number, seconds: number): Promise<readonly number[]> {
    const warm = new Promise<void>(resolve => (this.#warmedUp = resolve))
    device.push(WARM_UP_IN_FLIGHT)
    await warm
    const timer = setInterval(() => {
      this.#sentAtMs.push(performance.now())
      device.push(1)
    }, intervalMs)
    await sleep(seconds * 1_000)
    clearInterval(timer)
    await sleep(1_000)
    if (device.settled !== device.pushed) throw new Error(`${device.pushed - device.settled} pushes were not answered`)
    return this.#latenciesMs
  }

  #warmUp(device: Device, count: number): void {
    device.push(Math.min(count, WARM_UP_PUSHES - device.pushed))
    if (device.settled < WARM_UP_PUSHES) return
    this.#warmedUp?.()
    this.#warmedUp = undefined
  }
}
