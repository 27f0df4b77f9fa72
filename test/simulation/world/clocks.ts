import type { Clock as ClientClock } from '../../../client/clock.ts'
import type { Clock as HubClock } from '../../../server/core/ports.ts'
import type { Random } from '../../util/random.ts'
import type { Life, Loop } from './loop.ts'

/** When a run begins, in the world's calendar. */
const BEGIN_MS = 1_700_000_000_000

/** What a machine believes the time to be. Outlives its processes. */
export class WallClock {
  /** How far it is off. */
  offMs: number
  readonly #loop: Loop

  constructor(loop: Loop, offMs: number) {
    this.#loop = loop
    this.offMs = offMs
  }

  nowMs(): number {
    return BEGIN_MS + this.#loop.nowMs + this.offMs
  }
}

/** The clock of a hub's process. Timers keep true time, as those of machines do. */
export class SeededHubClock implements HubClock {
  /** Timers that were set and neither ran nor were cancelled. */
  timers = 0
  readonly #loop: Loop
  readonly #life: Life
  readonly #wall: WallClock
  readonly #random: Random

  constructor(loop: Loop, life: Life, wall: WallClock, random: Random) {
    this.#loop = loop
    this.#life = life
    this.#wall = wall
    this.#random = random
  }

  nowMs(): number {
    return this.#wall.nowMs()
  }

  nextTurn(task: () => void): void {
    this.#loop.after(this.#random.chance(0.5) ? 0 : this.#random.next(), this.#life, task)
  }

  setTimer(delayMs: number, task: () => void): () => void {
    let isDone = false
    const done = (): void => {
      if (!isDone) this.timers -= 1
      isDone = true
    }
    this.timers += 1
    const cancel = this.#loop.after(delayMs, this.#life, () => {
      done()
      task()
    })
    return () => {
      done()
      cancel()
    }
  }
}

/** The clock and the chance of an app's process. */
export const seededClientClock = (loop: Loop, life: Life, wall: WallClock, random: Random): ClientClock => ({
  nowMs: () => wall.nowMs(),
  after: (delayMs, task) => loop.after(delayMs, life, task),
  random: () => random.next()
})
