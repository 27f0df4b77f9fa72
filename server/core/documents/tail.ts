import type { LoggedChange, Moment } from '../change.ts'

/** One of the log's updates of a document, and whose Yjs client made it. */
export interface TailUpdate {
  readonly update: Uint8Array
  readonly owner: string
  readonly at: Moment
}

/**
 * The owner of the Yjs client id under which the hub edits for clients without Yjs. One for each epoch: a restored log may lack
 * edits that devices have, and the same clocks must not be given out twice.
 */
export const hubOwner = (epoch: string): string => `@${epoch}`

/** An `annotation.update` of the log. */
export function tailUpdateOf({ change, note }: LoggedChange): TailUpdate {
  const { cursor, timeUs, device, body } = change
  const madeIn = typeof note === 'object' ? note.madeIn : undefined
  const owner = madeIn === undefined ? device : hubOwner(madeIn)
  // A copy: what was read is a small part of a large block, which it would keep.
  return { update: new Uint8Array(body as Uint8Array), owner, at: { cursor, timeUs, device } }
}

/** The least room that is made with each growth. */
const SPARE_BYTES = 2_048

/** The columns of `#numbers`, which has a row for each update. */
const END = 0
const COST = 1
const CURSOR = 2
const TIME_US = 3
const COLUMNS = 4

/**
 * The updates of a document since its snapshot, in order. They are kept as numbers and bytes, because objects that live so long outlive V8's young generation.
 */
export class Tail {
  #bytes = new Uint8Array(0)
  readonly #numbers: number[] = []
  /** For each update its owner, and the device that asked for it. */
  readonly #names: string[] = []
  #cost = 0

  get length(): number {
    return this.#numbers.length / COLUMNS
  }

  get bytes(): number {
    return this.#endOf(this.length)
  }

  /** The memory that they take, with the room for more. */
  get heldBytes(): number {
    return this.#bytes.length
  }

  /** The cost of all of them, as `updateCost` counts it. */
  get cost(): number {
    return this.#cost
  }

  /** The update is copied. */
  add({ update, owner, at }: TailUpdate, cost: number): void {
    const start = this.bytes
    const end = start + update.length
    if (end > this.#bytes.length) this.#makeRoom(0, end + Math.max(SPARE_BYTES, end))
    this.#bytes.set(update, start)
    this.#numbers.push(end, cost, at.cursor, at.timeUs)
    this.#names.push(owner, at.device)
    this.#cost += cost
  }

  /** @param index from 0 */
  at(index: number): TailUpdate {
    const row = index * COLUMNS
    return {
      // A copy: Yjs keeps views of the values in it that are bytes.
      update: this.#bytes.slice(this.#endOf(index), this.#endOf(index + 1)),
      owner: this.#names[index * 2]!,
      at: {
        cursor: this.#numbers[row + CURSOR]!,
        timeUs: this.#numbers[row + TIME_US]!,
        device: this.#names[index * 2 + 1]!
      }
    }
  }

  /** Replaces what an update costs. */
  setCost(index: number, cost: number): void {
    const at = index * COLUMNS + COST
    this.#cost += cost - this.#numbers[at]!
    this.#numbers[at] = cost
  }

  /** Lets go of the first ones. */
  drop(count: number): void {
    const start = this.#endOf(count)
    const gone = this.#numbers.splice(0, count * COLUMNS)
    this.#names.splice(0, count * 2)
    for (let row = 0; row < gone.length; row += COLUMNS) this.#cost -= gone[row + COST]!
    for (let row = 0; row < this.#numbers.length; row += COLUMNS) this.#numbers[row + END]! -= start
    this.#makeRoom(start, this.bytes)
  }

  /** Where the first `count` updates end. */
  #endOf(count: number): number {
    return count === 0 ? 0 : this.#numbers[(count - 1) * COLUMNS + END]!
  }

  #makeRoom(from: number, size: number): void {
    const bytes = new Uint8Array(size)
    bytes.set(this.#bytes.subarray(from, from + Math.min(size, this.#bytes.length - from)))
    this.#bytes = bytes
  }
}
