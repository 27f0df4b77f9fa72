import { StoreDamage, type Append, type LogEnd, type LogHead, type StoredRun } from '../core/store.ts'
import type { Reading } from './environment.ts'
import { Heads } from './heads.ts'
import { Journal, lastOf, openJournal, sealJournal, type JournaledRun, type JournalRecord } from './journal.ts'
import { behind, epochKey, journalKey, journalNumber, journalPrefix, runKey, runPrefix } from './keys.ts'
import { keySum, openRun, openValue, peekRun, sealValue } from './layout.ts'
import { SegmentReader } from './segment-reader.ts'
import { sealSegment, type SegmentLimits } from './segments.ts'
import { Tails, type Move } from './tails.ts'
import { floorOf, trimmedPuts } from './trim.ts'

/** A record to put, or a key to remove. */
export type Put = readonly [key: Buffer, record: Buffer | undefined]

/** Beyond these, which README.md explains, runs move from the journal into segments. */
export interface LogLimits extends SegmentLimits {
  readonly journalBytes: number
  readonly journalRecords: number
}

export const LOG_LIMITS: LogLimits = {
  segmentBytes: 65_536,
  segmentChanges: 512,
  journalBytes: 16_777_216,
  journalRecords: 16_384
}

/** What a commit moves at most; as much again as it brings, so that the journal cannot grow faster than it shrinks. */
const MOVED_ACCOUNTS = 32
const MOVED_BYTES = 262_144
const DROPPED_RECORDS = 256
const REMEMBERED_HEADS = 10_000

/** What one commit does to the logs. */
export interface Step {
  readonly puts: readonly Put[]
  readonly heads: ReadonlyMap<string, LogEnd>
  readonly record: JournalRecord | undefined
  readonly runs: readonly JournaledRun[]
  readonly moves: readonly Move[]
  readonly spent: readonly JournalRecord[]
}

/**
 * The logs of all accounts: segments in the file, and behind them the newest runs, which are in the journal and in memory.
 *
 * A commit is `plan`, the puts in one transaction, `begin`, and `settle` once that is on disk; commits settle in the order in which they began.
 */
export class Logs {
  readonly #db: Reading
  readonly #limits: LogLimits
  readonly #heads = new Heads(account => this.#loadHead(account), REMEMBERED_HEADS)
  readonly #journal = new Journal()
  readonly #tails: Tails
  readonly #segments: SegmentReader

  /** @throws StoreDamage when the journal is not what was written, naming the record */
  constructor(db: Reading, limits: LogLimits) {
    this.#db = db
    this.#limits = limits
    this.#tails = new Tails(limits)
    this.#segments = new SegmentReader(db)
    this.#recover()
  }

  /** True when there is nothing left to move. */
  get isAtRest(): boolean {
    return this.#journal.length === 0
  }

  get journalBytes(): number {
    return this.#journal.sizeBytes
  }

  head(account: string): LogHead | undefined {
    const end = this.#heads.durable(account)
    return end && { ...end, floor: floorOf(this.#db, account) }
  }

  /** @throws StoreDamage */
  read(account: string, after: number, maxBytes: number): StoredRun[] {
    const runs: StoredRun[] = []
    const behindSegments = this.#tails.first(account) ?? (this.#heads.durable(account)?.head ?? 0) + 1
    if (after + 1 < behindSegments && !this.#segments.read(account, after, behindSegments, maxBytes, runs)) return runs
    this.#tails.read(account, after, maxBytes, runs)
    return runs
  }

  /** What lets go of changes below `floor`, and the floor that it leads to; undefined when there is nothing to let go of. */
  planTrim(account: string, floor: number): { puts: Put[]; floor: number } | undefined {
    // What is on its way into segments is read from memory until it is settled.
    return trimmedPuts(this.#db, account, Math.min(floor, this.#tails.first(account) ?? Infinity))
  }

  floor(account: string): number {
    return floorOf(this.#db, account)
  }

  /**
   * Checks and encodes everything, and changes nothing.
   *
   * @param isIdle moves the oldest runs even though there is room for them
   * @throws StoreConflict, TypeError
   */
  plan(appends: readonly Append[], isIdle = false): Step {
    const heads = this.#heads.plan(appends)
    const puts: Put[] = []
    let record: JournalRecord | undefined
    let runs: JournaledRun[] = []
    if (appends.length > 0) {
      ;({ record, runs } = sealJournal(this.#journal.nextNumber, appends))
      puts.push([journalKey(record.number), record.bytes])
    }
    const isFull = this.#journal.sizeBytes > this.#limits.journalBytes || this.#journal.length > this.#limits.journalRecords
    const budget = { accounts: MOVED_ACCOUNTS + runs.length, bytes: MOVED_BYTES + (record?.bytes.length ?? 0) }
    const moves = this.#tails.select(budget, isFull || isIdle)
    for (const move of moves) this.#putSegments(move, puts)
    const spent = this.#journal.spent(DROPPED_RECORDS)
    for (const { number } of spent) puts.push([journalKey(number), undefined])
    return { puts, heads, record, runs, moves, spent }
  }

  begin({ heads, record, moves, spent }: Step): void {
    this.#heads.begin(heads)
    if (record !== undefined) this.#journal.add(record)
    this.#tails.begin(moves)
    this.#journal.drop(spent)
  }

  settle({ heads, runs, moves }: Step): void {
    this.#heads.settle(heads)
    for (const run of runs) this.#tails.add(run)
    this.#tails.settle(moves)
  }

  #putSegments({ account, segments }: Move, puts: Put[]): void {
    const epoch = segments[0]![0]!.first === 1 ? this.#tails.epoch(account) : undefined
    if (epoch !== undefined) {
      const key = epochKey(account)
      puts.push([key, sealValue(Buffer.from(epoch), keySum(key))])
    }
    const prefix = runPrefix(account)
    const sum = keySum(prefix)
    for (const segment of segments) puts.push([runKey(prefix, segment[0]!.first), sealSegment(segment, sum)])
  }

  /** Reads the journal into memory, less the runs that are in segments by now. */
  #recover(): void {
    const ends = new Map<string, number>()
    for (const { key, value } of this.#db.getRange({ start: journalPrefix, end: behind(journalPrefix) })) {
      const { record, runs } = openJournal(journalNumber(key), value)
      this.#journal.add(record)
      for (const run of runs) {
        const { account, first } = run
        const end = ends.get(account) ?? this.#lastInSegments(account)
        if (lastOf(run) > end) {
          if (first !== end + 1) throw new StoreDamage(`the journal lacks the change ${end + 1} of ${account}`)
          record.live++
          this.#tails.add(run)
        }
        ends.set(account, Math.max(end, lastOf(run)))
      }
    }
  }

  /** Takes the newest segment's word for where it ends, so that damage to it is told to those only who read it. */
  #lastInSegments(account: string): number {
    const newest = this.#newestSegment(account)
    if (newest === undefined) return 0
    const { first, count } = peekRun(newest, `the end of the log of ${account}`)
    return first + count - 1
  }

  #newestSegment(account: string): Buffer | undefined {
    const prefix = runPrefix(account)
    const [newest] = this.#db.getRange({ start: behind(prefix), end: prefix, reverse: true, limit: 1 })
    return newest?.value
  }

  #loadHead(account: string): LogEnd | undefined {
    const key = epochKey(account)
    const tailLast = this.#tails.last(account)
    const born = this.#tails.epoch(account)
    if (tailLast !== undefined && born !== undefined) return { epoch: born, head: tailLast }
    const record = this.#db.getBinary(key)
    const last = tailLast ?? this.#checkedLast(account)
    if (record === undefined && last === undefined) return undefined
    if (record === undefined || last === undefined) throw new StoreDamage(`the log of ${account} is incomplete`)
    const epoch = Buffer.from(openValue(record, keySum(key), `the epoch of ${account}`)).toString()
    return { epoch, head: last }
  }

  #checkedLast(account: string): number | undefined {
    const newest = this.#newestSegment(account)
    if (newest === undefined) return undefined
    const prefix = runPrefix(account)
    const { first, count } = openRun(newest, keySum(prefix), `the end of the log of ${account}`)
    if (!this.#db.doesExist(runKey(prefix, first))) throw new StoreDamage(`the log of ${account} lacks ${first}`)
    return first + count - 1
  }
}
