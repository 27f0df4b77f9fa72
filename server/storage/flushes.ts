const KEPT = 1_024
const TICKS_PER_LIMIT = 60

/** Upper bounds, in milliseconds, by which all flushes are counted. */
export const FLUSH_BOUNDS_MS: readonly number[] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000]

/** How long commits took to flush, in milliseconds: the last ones, and all that there were. */
export interface FlushTimes {
  readonly count: number
  readonly sumMs: number
  /** Of all of them, how many took longer than the bound before, and no longer than each of `FLUSH_BOUNDS_MS`; behind these, how many took longer. */
  readonly countsByBound: readonly number[]
  readonly medianMs: number
  readonly p99Ms: number
  readonly mostMs: number
}

/**
 * Times the flushes, and ends the waiting for one that does not come: lmdb-js never settles a commit whose transaction could not begin, and a disk may hang.
 *
 * It counts the looks at which nothing had moved, and not the time: a process that was stopped for an hour sees one look too many, and not an hour.
 */
export class Flushes {
  readonly #timesMs = new Float64Array(KEPT)
  readonly #countsByBound = FLUSH_BOUNDS_MS.concat(Infinity).map(() => 0)
  #sumMs = 0
  #count = 0
  #underWay = 0
  #seenCount = 0
  #stillLooks = 0
  readonly #timer: NodeJS.Timeout

  /**
   * @param limitMs how long one flush may take
   * @param onHang called once, when one took longer
   */
  constructor(limitMs: number, onHang: () => void) {
    this.#timer = setInterval(() => {
      this.#stillLooks = this.#underWay > 0 && this.#count === this.#seenCount ? this.#stillLooks + 1 : 0
      this.#seenCount = this.#count
      if (this.#stillLooks <= TICKS_PER_LIMIT) return
      this.stop()
      onHang()
    }, limitMs / TICKS_PER_LIMIT).unref()
  }

  /** @returns when, for `ended` */
  began(): number {
    this.#underWay += 1
    return performance.now()
  }

  ended(beganMs: number): void {
    this.#underWay -= 1
    const tookMs = performance.now() - beganMs
    this.#timesMs[this.#count % KEPT] = tookMs
    this.#count += 1
    this.#sumMs += tookMs
    let at = 0
    while (at < FLUSH_BOUNDS_MS.length && tookMs > FLUSH_BOUNDS_MS[at]!) at++
    this.#countsByBound[at]! += 1
  }

  get times(): FlushTimes {
    const sorted = this.#timesMs.slice(0, Math.min(this.#count, KEPT)).sort()
    const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
    const all = { count: this.#count, sumMs: this.#sumMs, countsByBound: [...this.#countsByBound] }
    return { ...all, medianMs: at(0.5), p99Ms: at(0.99), mostMs: at(1) }
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
