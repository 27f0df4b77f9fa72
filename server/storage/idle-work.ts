/** Work for when nothing else is going on: a slice at a time, with a pause behind each, until there is none left. */
export class IdleWork {
  readonly #idleMs: number
  readonly #pauseMs: number
  readonly #work: () => Promise<boolean>
  #timer: NodeJS.Timeout | undefined
  #isWorking = false
  #isStopped = false
  #busyAtMs = 0

  /**
   * @param idleMs how long nothing else went on before it begins
   * @param work does a slice, and tells whether there is more
   */
  constructor(idleMs: number, pauseMs: number, work: () => Promise<boolean>) {
    this.#idleMs = idleMs
    this.#pauseMs = pauseMs
    this.#work = work
  }

  /** Something else goes on, after which there may be work. */
  busy(): void {
    this.#busyAtMs = performance.now()
    if (this.#timer === undefined && !this.#isWorking) this.#wait(this.#idleMs)
  }

  /** No slice begins any more. */
  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #wait(ms: number): void {
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#wake(), ms).unref()
  }

  async #wake(): Promise<void> {
    this.#timer = undefined
    const leftMs = this.#busyAtMs + this.#idleMs - performance.now()
    if (leftMs > 0) return this.#wait(Math.ceil(leftMs))
    this.#isWorking = true
    const hasMore = await this.#work()
    this.#isWorking = false
    // What came in between found no timer to set.
    if (hasMore) this.#wait(this.#pauseMs)
  }
}
