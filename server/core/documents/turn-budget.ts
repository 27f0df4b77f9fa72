import type { Clock } from '../ports.ts'

/** What work on documents may cost in one turn of the event loop, as `updateCost` counts it: some 25 ms. */
const TURN_COST = 20_000

/** How much work on documents is left in a turn of the event loop, over all accounts. Most of it costs next to nothing; whoever asks for what is dear waits in line. */
export class TurnBudget {
  readonly #clock: Clock
  /** By whom they wait for; a Map keeps the order in which it was filled. */
  readonly #waiting = new Map<string, (() => void)[]>()
  #left = TURN_COST
  #isRenewing = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Nothing more should be begun in this turn. */
  get isSpent(): boolean {
    return this.#left <= 0
  }

  readonly spend = (cost: number): void => {
    this.#left -= cost
    if (this.isSpent) this.#renewLater()
  }

  /**
   * Resolves when there is something left: at once, or in a later turn, for one caller in each. The accounts that wait are served one after the other; within one, it goes by who came first.
   * Whoever has waited for anything else since MUST look at `isSpent` again.
   */
  wait(account: string): Promise<void> {
    if (!this.isSpent) return Promise.resolve()
    return new Promise(resolve => {
      const line = this.#waiting.get(account)
      if (line === undefined) this.#waiting.set(account, [resolve])
      else line.push(resolve)
      this.#renewLater()
    })
  }

  #renewLater(): void {
    if (this.#isRenewing) return
    this.#isRenewing = true
    this.#clock.nextTurn(() => {
      this.#isRenewing = false
      this.#left = TURN_COST
      this.#letNextGo()
      if (this.#waiting.size > 0) this.#renewLater()
    })
  }

  #letNextGo(): void {
    for (const [account, line] of this.#waiting) {
      this.#waiting.delete(account)
      line.shift()!()
      if (line.length > 0) this.#waiting.set(account, line)
      return
    }
  }
}
