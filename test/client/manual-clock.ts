import type { Clock } from '../../client/clock.ts'

interface Timer {
  readonly atMs: number
  readonly task: () => void
}

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  /** What `random` gives. */
  chance = 0.5
  #nowMs = 1_700_000_000_000
  readonly #timers = new Set<Timer>()

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, task }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  random(): number {
    return this.chance
  }

  /** Milliseconds until each waiting timer, soonest first. */
  get waits(): number[] {
    return [...this.#timers].map(({ atMs }) => atMs - this.#nowMs).sort((left, right) => left - right)
  }

  /** Lets time pass, running what falls due in its order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
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
