import { HubError } from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import { isPassing } from './hub-http.ts'
import { Backoff } from './backoff.ts'

/** Tries in a row that brought nothing, before whoever asked has to decide: about two minutes. */
const MOST_TRIES = 8

/** Waits between the tries of one piece of work, longer each time, and gives up at last. */
export class Patience {
  readonly #clock: Clock
  readonly #signal: AbortSignal | undefined
  readonly #backoff: Backoff
  #tries = 0

  constructor(clock: Clock, signal: AbortSignal | undefined) {
    this.#clock = clock
    this.#signal = signal
    this.#backoff = new Backoff(clock)
  }

  /** Something went well: the next failure is a first one again. */
  reset(): void {
    this.#tries = 0
    this.#backoff.reset()
  }

  /**
   * Resolves when it is time for another try.
   * @throws `error`, when another try makes no sense, or no more sense; what the signal was aborted for
   */
  async after(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted()
    this.#tries += 1
    if (!isPassing(error) || this.#tries >= MOST_TRIES) throw error
    const delayMs = this.#backoff.nextDelayMs(error instanceof HubError ? error.retryAfterMs : 0)
    await new Promise<void>(resolve => {
      const cancel = this.#clock.after(delayMs, done)
      const signal = this.#signal
      function done(): void {
        signal?.removeEventListener('abort', done)
        cancel()
        resolve()
      }
      signal?.addEventListener('abort', done, { once: true })
    })
    this.#signal?.throwIfAborted()
  }
}
