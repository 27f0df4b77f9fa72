/**
 * Watches how long turns of this process's event loop take: in a turn of the work that is watched, nobody else is served. Of the time and the CPU time in a
 * turn the lesser counts, so that waiting for a core that another process has is none.
 */
export class TurnWatch {
  readonly #startedAtMs = performance.now()
  #atMs = this.#startedAtMs
  #cpuMs = cpuMs()
  #longestMs = 0
  #isOver = false

  constructor() {
    setImmediate(() => this.#turn())
  }

  end(): { longestTurnMs: number; tookMs: number } {
    this.#isOver = true
    return { longestTurnMs: this.#longestMs, tookMs: performance.now() - this.#startedAtMs }
  }

  #turn(): void {
    const [nowMs, nowCpuMs] = [performance.now(), cpuMs()]
    this.#longestMs = Math.max(this.#longestMs, Math.min(nowMs - this.#atMs, nowCpuMs - this.#cpuMs))
    this.#atMs = nowMs
    this.#cpuMs = nowCpuMs
    if (!this.#isOver) setImmediate(() => this.#turn())
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
