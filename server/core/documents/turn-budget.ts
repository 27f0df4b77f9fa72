import { FairQueue } from '../fair-queue.ts'
import type { Clock } from '../ports.ts'

/** The most that work on documents may cost in one turn of the event loop, as `updateCost` counts it: some 25 ms. */
const TURN_COST = 20_000

/** How much work on documents is left in a turn of the event loop, over all accounts. Most of it costs next to nothing; whoever asks for what is dear waits in line. */
export class TurnBudget {
  readonly #clock: Clock
  readonly #queue = new FairQueue()
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
    const served = this.#queue.wait(account)
    this.#renewLater()
    return served
  }

  #renewLater(): void {
    if (this.#isRenewing) return
    this.#isRenewing = true
    this.#clock.nextTurn(() => {
      this.#isRenewing = false
      this.#left = TURN_COST
      this.#queue.serveNext()
      if (!this.#queue.isEmpty) this.#renewLater()
    })
  }
}
