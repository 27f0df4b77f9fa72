import { HubError } from '../../protocol/index.ts'

export interface AdmissionLimits {
  /** Sessions that poll, at once. Each is two requests and what waits for the next of them. */
  readonly maxPolling: number
  readonly maxPollingPerAddress: number
  /** Sessions that one address may begin, over whatever transport. */
  readonly maxNewPerMinute: number
}

const MINUTE_MS = 60_000

interface Visitor {
  polling: number
  new: number
}

/** Says who may begin a session, before there is one. An address is forgotten when it has no session that polls and its minute is over. */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #visitors = new Map<string, Visitor>()
  #polling = 0
  readonly #timer: NodeJS.Timeout

  constructor(limits: AdmissionLimits) {
    this.#limits = limits
    this.#timer = setInterval(() => this.#nextMinute(), MINUTE_MS)
    this.#timer.unref()
  }

  /** Sessions that poll now. */
  get polling(): number {
    return this.#polling
  }

  /**
   * Counts a session that is about to begin.
   * @returns takes it from those that poll; once, and needless for one that does not
   * @throws HubError `rate-limited`, `overloaded`
   */
  admit(address: string, isPolling: boolean): () => void {
    const { maxPolling, maxPollingPerAddress, maxNewPerMinute } = this.#limits
    const visitor = this.#visitors.get(address) ?? { polling: 0, new: 0 }
    if (visitor.new >= maxNewPerMinute) throw new HubError('rate-limited', '', { retryAfterMs: MINUTE_MS })
    if (isPolling && (visitor.polling >= maxPollingPerAddress || this.#polling >= maxPolling))
      throw new HubError('overloaded', 'too many sessions poll', { retryAfterMs: MINUTE_MS })
    visitor.new += 1
    this.#visitors.set(address, visitor)
    if (!isPolling) return () => undefined
    visitor.polling += 1
    this.#polling += 1
    let isIn = true
    return () => {
      if (!isIn) return
      isIn = false
      visitor.polling -= 1
      this.#polling -= 1
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #nextMinute(): void {
    for (const [address, visitor] of this.#visitors) {
      visitor.new = 0
      if (visitor.polling === 0) this.#visitors.delete(address)
    }
  }
}
