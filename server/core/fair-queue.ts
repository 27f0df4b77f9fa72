/** Callers that wait, each for an account. The accounts are served one after the other; within one, it goes by who came first. */
export class FairQueue {
  /** The account that is served next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>()

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** Resolves once `serveNext` has chosen this caller. */
  wait(account: string): Promise<void> {
    return new Promise(resolve => {
      const callers = this.#waiting.get(account)
      if (callers === undefined) this.#waiting.set(account, [resolve])
      else callers.push(resolve)
    })
  }

  /**
   * Lets the next caller go on.
   * @param mayGo false for an account whose callers have to wait longer
   * @returns the caller's account; undefined when nobody may go
   */
  serveNext(mayGo: (account: string) => boolean = () => true): string | undefined {
    for (const [account, callers] of this.#waiting) {
      if (!mayGo(account)) continue
      // Behind all others, where it comes round to it again.
      this.#waiting.delete(account)
      if (callers.length > 1) this.#waiting.set(account, callers)
      callers.shift()!()
      return account
    }
    return undefined
  }
}

/** A semaphore of which one account cannot take all permits. */
export class FairSemaphore {
  readonly #queue = new FairQueue()
  readonly #maxPerAccount: number
  /** Permits that are taken, by account. */
  readonly #taken = new Map<string, number>()
  #free: number

  constructor(permits: number, maxPerAccount: number) {
    this.#free = permits
    this.#maxPerAccount = maxPerAccount
  }

  /** @returns gives the permit back; MUST be called once */
  async acquire(account: string): Promise<() => void> {
    const served = this.#queue.wait(account)
    this.#giveOut()
    await served
    return () => {
      this.#free += 1
      const taken = this.#takenBy(account) - 1
      if (taken === 0) this.#taken.delete(account)
      else this.#taken.set(account, taken)
      this.#giveOut()
    }
  }

  #giveOut(): void {
    while (this.#free > 0) {
      const account = this.#queue.serveNext(waiting => this.#takenBy(waiting) < this.#maxPerAccount)
      if (account === undefined) return
      this.#free -= 1
      this.#taken.set(account, this.#takenBy(account) + 1)
    }
  }

  #takenBy(account: string): number {
    return this.#taken.get(account) ?? 0
  }
}
