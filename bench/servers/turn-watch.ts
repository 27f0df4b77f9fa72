import { existsSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

/** What the first thread, that of the event loop, has used. */
const USED = `/proc/self/task/${process.pid}/schedstat`

/**
 * Watches how long turns of this process's event loop take: in a turn of the work that is watched, nobody else is served. Looks each millisecond, and counts what
 * the thread used in between: at least the longest turn, and not what it waited for a core that others had.
 */
export class TurnWatch {
  readonly #startedAtMs = performance.now()
  #usedMs = usedMs()
  #longestMs = 0
  #isOver = false

  constructor() {
    void this.#look()
  }

  end(): { longestTurnMs: number; tookMs: number } {
    this.#count()
    this.#isOver = true
    return { longestTurnMs: this.#longestMs, tookMs: performance.now() - this.#startedAtMs }
  }

  async #look(): Promise<void> {
    while (!this.#isOver) {
      await setTimeout(1)
      this.#count()
    }
  }

  #count(): void {
    const nowMs = usedMs()
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#usedMs)
    this.#usedMs = nowMs
  }
}

/** Where the system does not tell it of a thread, what the process used, or how long it took. */
function usedMs(): number {
  if (existsSync(USED)) return Number(readFileSync(USED, 'latin1').split(' ')[0]) / 1e6
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
