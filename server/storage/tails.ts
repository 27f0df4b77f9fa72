import { firstIndex } from '../core/first-index.ts'
import type { StoredRun } from '../core/store.ts'
import { lastOf, storedRun, type JournaledRun } from './journal.ts'
import { bytesOf, pack, type SegmentLimits } from './segments.ts'

/** The runs of one account that are in no segment yet, without a gap; all of them are on disk, in the journal. */
interface Tail {
  readonly runs: JournaledRun[]
  bytes: number
  changes: number
  /** How many of the first runs a commit under way writes into segments. */
  moving: number
}

/** The first runs of a tail, as the segments that they become. */
export interface Move {
  readonly account: string
  readonly segments: JournaledRun[][]
}

/** What one commit moves at most: no further account once one of them is reached. */
export interface MoveBudget {
  readonly accounts: number
  readonly bytes: number
}

const sumBytes = (runs: readonly JournaledRun[]): number => runs.reduce((sum, run) => sum + bytesOf(run), 0)
const sumChanges = (runs: readonly JournaledRun[]): number => runs.reduce((sum, run) => sum + run.count, 0)

/** The end of every log, kept in memory until there is enough of it for a segment. */
export class Tails {
  readonly #limits: SegmentLimits
  /** The account whose tail is oldest stands first. */
  readonly #tails = new Map<string, Tail>()
  /** Accounts whose tail is enough for a segment. */
  readonly #due = new Set<string>()

  constructor(limits: SegmentLimits) {
    this.#limits = limits
  }

  /** The first cursor that is to be read from the tail; undefined when there is none. */
  first(account: string): number | undefined {
    return this.#tails.get(account)?.runs[0]!.first
  }

  last(account: string): number | undefined {
    const run = this.#tails.get(account)?.runs.at(-1)
    return run && lastOf(run)
  }

  /** The epoch of a log that has no segment yet. */
  epoch(account: string): string | undefined {
    const run = this.#tails.get(account)?.runs[0]
    return run?.first === 1 ? run.epoch : undefined
  }

  /** Adds a run that is on disk; it MUST begin where the log ends. */
  add(run: JournaledRun): void {
    const { account } = run
    let tail = this.#tails.get(account)
    if (tail === undefined) this.#tails.set(account, (tail = { runs: [], bytes: 0, changes: 0, moving: 0 }))
    tail.runs.push(run)
    tail.bytes += bytesOf(run)
    tail.changes += run.count
    if (this.#isDue(tail)) this.#due.add(account)
  }

  /** Adds the runs from that which holds `after + 1` to `into`; none once it holds `maxBytes`. */
  read(account: string, after: number, maxBytes: number, into: StoredRun[]): void {
    const runs = this.#tails.get(account)?.runs ?? []
    let bytes = into.reduce((sum, { run }) => sum + run.length, 0)
    if (into.length > 0 && bytes >= maxBytes) return
    for (let index = firstIndex(runs.length, at => lastOf(runs[at]!) <= after); index < runs.length; index++) {
      into.push(storedRun(runs[index]!))
      bytes += bytesOf(runs[index]!)
      if (bytes >= maxBytes) break
    }
  }

  /**
   * What to move next: of each tail that is enough for a segment what fills segments, and with `areOldDue` the oldest tails whole.
   * Of a tail that is more than the budget, its first segments.
   */
  select(budget: MoveBudget, areOldDue: boolean): Move[] {
    const moves = new Map<string, Move>()
    let bytes = 0
    const take = (account: string, mustFill: boolean): void => {
      const tail = this.#tails.get(account)!
      if (tail.moving > 0 || moves.has(account)) return
      const all = pack(tail.runs, this.#limits)
      if (mustFill && all.length > 1 && !this.#fills(all.at(-1)!)) all.pop()
      const segments: JournaledRun[][] = []
      for (const segment of all) {
        if (segments.length > 0 && bytes >= budget.bytes) break
        segments.push(segment)
        bytes += sumBytes(segment)
      }
      moves.set(account, { account, segments })
    }
    const isSpent = (): boolean => moves.size >= budget.accounts || bytes >= budget.bytes
    for (const account of this.#due) {
      if (isSpent()) break
      take(account, true)
    }
    if (areOldDue)
      for (const account of this.#tails.keys()) {
        if (isSpent()) break
        take(account, false)
      }
    return [...moves.values()]
  }

  /** The moves are on their way to disk: their runs are still read here, and the journal does without them. */
  begin(moves: readonly Move[]): void {
    for (const { account, segments } of moves) {
      const tail = this.#tails.get(account)!
      for (const segment of segments) {
        tail.moving += segment.length
        for (const { record } of segment) record.live--
      }
    }
  }

  /** The moves are on disk. */
  settle(moves: readonly Move[]): void {
    for (const { account } of moves) {
      const tail = this.#tails.get(account)!
      const moved = tail.runs.splice(0, tail.moving)
      tail.moving = 0
      tail.bytes -= sumBytes(moved)
      tail.changes -= sumChanges(moved)
      if (!this.#isDue(tail)) this.#due.delete(account)
      // What is left came later than what others have.
      this.#tails.delete(account)
      if (tail.runs.length > 0) this.#tails.set(account, tail)
    }
  }

  #isDue({ bytes, changes }: Tail): boolean {
    return bytes >= this.#limits.segmentBytes || changes >= this.#limits.segmentChanges
  }

  #fills(segment: readonly JournaledRun[]): boolean {
    return sumBytes(segment) >= this.#limits.segmentBytes || sumChanges(segment) >= this.#limits.segmentChanges
  }
}
