import { changesFrame, encodeFrame, LIMITS, valueEnd, type ErrorCode } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import { FAR_BEHIND_CHANGES } from './readers.ts'
import type { Sender } from './sender.ts'
import type { Clock } from './ports.ts'
import { snapshotFrames, type LargeDocuments } from './snapshot-reading.ts'
import { StoreTrimmed, type Store, type StoredRun } from './store.ts'

/** A connection that holds so much unsent is sent nothing more; the rest is read from the log later. */
export const HIGH_WATER_BYTES = 262_144
/** Runs that are shorter share a frame: a frame for each would cost more than the copy. */
const SHARED_BELOW_BYTES = 16_384

export interface LogReaderParts {
  readonly sender: Sender
  readonly store: Store
  readonly clock: Clock
  readonly account: Account
  readonly largeDocuments: LargeDocuments
  /** How far it has read already. */
  readonly cursor: number
  /** It wants every change that is kept, however many, and never a snapshot. */
  readonly wantsChanges: boolean
  onFault(error: unknown): void
}

/** A snapshot that is being read, and the cursor from which the log follows it. */
interface Snapshot {
  readonly frames: AsyncGenerator<Uint8Array, void, void>
  readonly cursor: number
}

/**
 * Sends an account's log to a connection, from a cursor on.
 *
 * At the head it is handed each new run as it becomes durable. Behind the head, because it has just come or does not drain, it reads on from the
 * log at its own pace until it is there. So nothing is queued for it, and it misses nothing. One from which the log cannot be continued is read a
 * snapshot first, in the same way.
 */
export class LogReader {
  readonly #parts: LogReaderParts
  /** Below every cursor while a snapshot is read: no run goes on from there. */
  #cursor: number
  #snapshot: Snapshot | undefined
  #isReadingOn = false
  #isClosed = false
  readonly #waiting: (() => void)[] = []

  constructor(parts: LogReaderParts) {
    this.#parts = parts
    this.#cursor = parts.cursor
  }

  /**
   * Says so when the reader has to begin anew, because the log is not continued from where the other end left off.
   * @param epoch the log's that its cursor is of; may be empty with cursor 0
   * @returns the cursor from which the log follows
   */
  begin(epoch: string): number {
    const { account, wantsChanges } = this.#parts
    const begin = this.#cursor
    const isKnown = begin <= account.durableHead && (epoch === account.epoch || (epoch === '' && begin === 0))
    const isFar = begin + 1 < account.floor || (!wantsChanges && account.durableHead - begin > FAR_BEHIND_CHANGES)
    return !isKnown ? this.#beginAnew('cursor-unknown') : isFar ? this.#beginAnew('far-behind') : begin
  }

  /**
   * Says that the reader begins anew, and how: with a snapshot, with all of a log that is short, or with whatever is kept where it wants the changes.
   * @returns the cursor from which the log follows
   */
  #beginAnew(code: ErrorCode): number {
    const { account, clock, sender, largeDocuments, wantsChanges } = this.#parts
    const isLog = wantsChanges || (account.floor === 1 && account.durableHead <= FAR_BEHIND_CHANGES)
    const cursor = isLog ? account.floor - 1 : account.durableHead
    this.#cursor = isLog ? cursor : -1
    this.#snapshot = isLog ? undefined : { frames: snapshotFrames(account, clock, largeDocuments), cursor }
    sender.send(encodeFrame('resync', { code, epoch: account.epoch, cursor }))
    return cursor
  }

  /** Some of the log is still to be read. */
  get isBehind(): boolean {
    return this.#cursor < this.#parts.account.durableHead
  }

  /** Takes a new run, as the frame that holds it and the cursors of its first and last change. */
  deliver(frame: Uint8Array, first: number, last: number): void {
    const { sender } = this.#parts
    if (this.#cursor === first - 1 && !this.#isReadingOn && sender.bufferedBytes < HIGH_WATER_BYTES) {
      this.#cursor = last
      sender.send(frame, true)
    } else this.readOn()
  }

  /** Reads on from the log until it is at the head, or the connection has as much unsent as it may. */
  readOn(): void {
    if (this.#isReadingOn || this.#isClosed) return
    this.#isReadingOn = true
    this.#copyLog().then(
      () => this.#parts.sender.watch(),
      (error: unknown) => this.#parts.onFault(error)
    )
  }

  /** Resolves once it has sent all that there is, or is closed. */
  async atHead(): Promise<void> {
    while (!this.#isClosed && this.isBehind) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  close(): void {
    this.#isClosed = true
    this.#wakeWaiting()
    void this.#snapshot?.frames.return()
  }

  async #copyLog(): Promise<void> {
    const { account, sender } = this.#parts
    while (this.#cursor < account.durableHead && !this.#isClosed && sender.bufferedBytes < HIGH_WATER_BYTES) {
      if (this.#snapshot !== undefined) {
        await this.#copySnapshot(this.#snapshot)
        continue
      }
      const runs = await this.#readRuns()
      if (this.#isClosed) return
      for (const frame of framesOf(runs, this.#cursor)) sender.send(frame)
      const last = runs.at(-1)
      if (last === undefined) continue
      this.#cursor = last.first + last.count - 1
    }
    // In the same breath: a change that comes between this look at the head and the end of the reading would be told to no one.
    this.#isReadingOn = false
    this.#wakeWaiting()
  }

  #wakeWaiting(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Sends a frame of the snapshot; behind the last one the log goes on. */
  async #copySnapshot({ frames, cursor }: Snapshot): Promise<void> {
    const { done, value } = await frames.next()
    if (this.#isClosed) return
    if (value instanceof Uint8Array) this.#parts.sender.send(value)
    if (done !== true) return
    this.#snapshot = undefined
    this.#cursor = cursor
  }

  /** None where the log was trimmed meanwhile, and the reader begins anew. */
  async #readRuns(): Promise<StoredRun[]> {
    const { account, store } = this.#parts
    try {
      return await store.read(account.id, this.#cursor, HIGH_WATER_BYTES)
    } catch (error) {
      if (!(error instanceof StoreTrimmed) || this.#isClosed) throw error
      account.floor = Math.max(account.floor, error.floor)
      this.#beginAnew('far-behind')
      return []
    }
  }
}

/** Stored runs as frames: long ones as they are, short ones together in one frame, and what the reader has seen already left out. */
function* framesOf(runs: readonly StoredRun[], cursor: number): Generator<Uint8Array> {
  let short: Uint8Array[] = []
  let count = 0
  let bytes = 0
  for (const stored of runs) {
    const seen = Math.max(0, cursor - stored.first + 1)
    const isLong = stored.run.length >= SHARED_BELOW_BYTES
    if (short.length > 0 && (isLong || bytes + stored.run.length > LIMITS.changesFrameBytes)) {
      yield changesFrame(short, count)
      short = []
      count = bytes = 0
    }
    if (isLong && seen === 0 && stored.frame !== undefined) {
      yield stored.frame
      continue
    }
    let start = 0
    for (let index = 0; index < seen; index++) start = valueEnd(stored.run, start)
    short.push(stored.run.subarray(start))
    count += stored.count - seen
    bytes += stored.run.length - start
  }
  if (short.length > 0) yield changesFrame(short, count)
}
