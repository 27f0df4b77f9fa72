/** A process of the world. What it has planned ends with it. */
export class Life {
  isOver = false
}

interface Event {
  readonly atMs: number
  readonly order: number
  readonly task: () => void
  readonly life: Life
}

/** A world in which so much happens does not come to an end. */
const MOST_STEPS = 1_000_000

/** Time, and all that is to happen: the one order of events of a run. */
export class Loop {
  /** True time since the run began. The clocks of hubs and clients show something else. */
  nowMs = 0
  /** Events that took place. */
  steps = 0
  #order = 0
  readonly #heap: Event[] = []

  /** Lets `task` happen `delayMs` from now, if the process still lives then. */
  after(delayMs: number, life: Life, task: () => void): () => void {
    const event = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, task, life }
    let isCancelled = false
    this.#push({ ...event, task: () => isCancelled || task() })
    return () => {
      isCancelled = true
    }
  }

  /** Lets everything happen up to `endMs`, each event with all that follows from it at once. */
  async runUntil(endMs: number): Promise<void> {
    await quiet()
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop()
      if (next.life.isOver) continue
      this.nowMs = next.atMs
      if (++this.steps > MOST_STEPS) throw new Error(`over ${MOST_STEPS} events, and no end`)
      next.task()
      await quiet()
    }
    this.nowMs = endMs
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

const isBefore = (left: Event, right: Event): boolean =>
  left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order)

/** Resolves when every promise that can go on has: Node empties the queue of promises before the next tick. */
export const quiet = (): Promise<void> => new Promise(resolve => process.nextTick(resolve))
