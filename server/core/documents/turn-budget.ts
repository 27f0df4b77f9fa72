/** What updates may cost in one turn of the event loop, as `updateCost` counts it: some 25 ms. */
const TURN_COST = 20_000

/** How much work on documents is left in a turn of the event loop, over all accounts. Most updates cost next to nothing; whoever sends others waits in line. */
export class TurnBudget {
  readonly #nextTurn: (task: () => void) => void
  readonly #waiting: (() => void)[] = []
  #left = TURN_COST
  #isRenewing = false

  constructor(nextTurn: (task: () => void) => void) {
    this.#nextTurn = nextTurn
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
   * Resolves when there is something left: at once, or in a later turn, for one caller in each and in the order in which they came. Whoever has waited for
   * anything else since MUST look at `isSpent` again.
   */
  turn(): Promise<void> {
    if (!this.isSpent) return Promise.resolve()
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      this.#renewLater()
    })
  }

  #renewLater(): void {
    if (this.#isRenewing) return
    this.#isRenewing = true
    this.#nextTurn(() => {
      this.#isRenewing = false
      this.#left = TURN_COST
      this.#waiting.shift()?.()
      if (this.#waiting.length > 0) this.#renewLater()
    })
  }
}
