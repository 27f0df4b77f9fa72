import type { Clock as ClientClock } from '../../client/clock.ts'
import type { Clock as HubClock } from '../../server/core/ports.ts'

/** The hub's clock and the SDK's, which only the test moves. Turns are the event loop's own. */
export class ManualClock implements HubClock, ClientClock {
  /** What `random` gives. */
  chance = 0.5
  #nowMs: number
  readonly #timers = new Set<{ atMs: number; task: () => void }>()

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  nextTurn(task: () => void): void {
    setImmediate(task)
  }

  setTimer(delayMs: number, task: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, task }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  after(delayMs: number, task: () => void): () => void {
    return this.setTimer(delayMs, task)
  }

  random(): number {
    return this.chance
  }

  /** Milliseconds until each waiting timer, soonest first. */
  get waits(): number[] {
    return [...this.#timers].map(({ atMs }) => atMs - this.#nowMs).sort((left, right) => left - right)
  }

  /** Sets the time, forward or back, without a timer noticing. */
  step(byMs: number): void {
    this.#nowMs += byMs
  }

  /** Lets time pass: timers that fall due run in their order. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((left, right) => left.atMs - right.atMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.task()
    }
    this.#nowMs = endMs
  }
}
