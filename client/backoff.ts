import type { Clock } from './clock.ts'

/** Bounds of the wait between two tries. */
const BACKOFF = { firstMs: 500, mostMs: 30_000, mostRetryAfterMs: 3_600_000 } as const

/**
 * How long to wait before the next try: random between 0 and a ceiling that doubles with each try ("full jitter"), so that the
 * clients of a hub that restarts do not all come back at once.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export class Backoff {
  readonly #clock: Clock
  #tries = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param retryAfterMs what the hub asked for at least; the jitter comes on top of it */
  nextDelayMs(retryAfterMs = 0): number {
    const ceilingMs = Math.min(BACKOFF.mostMs, BACKOFF.firstMs * 2 ** this.#tries)
    this.#tries = Math.min(this.#tries + 1, 16)
    return Math.min(retryAfterMs, BACKOFF.mostRetryAfterMs) + this.#clock.random() * ceilingMs
  }

  /** A connection has held: the next wait is short again. */
  reset(): void {
    this.#tries = 0
  }
}
