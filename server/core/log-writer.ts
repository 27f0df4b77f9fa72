import { ACTIONS, CHANGES, encodeName, RunWriter } from '../../protocol/index.ts'
import type { NewChange, Note } from './change.ts'
import type { Origin } from './origin.ts'
import { PendingCommit } from './pending-commit.ts'

const encodedKinds = new Map<string, Uint8Array>(Object.keys({ ...ACTIONS, ...CHANGES }).map(kind => [kind, encodeName(kind)]))

/** A kind of action or change as the log and the digest have it; any text, for a client may ask for a kind that is none. */
export const encodeKind = (kind: string): Uint8Array => encodedKinds.get(kind) ?? encodeName(kind)

/** A clock that is so far behind the log was put back. Many changes that come at once take the log a little ahead of it, too. */
const PUT_BACK_MS = 1_000

/** The end of an account's log: its newest change, and the commit that the next one is gathered for. */
export class LogWriter {
  /** The newest change, durable or not. */
  head: number
  timeUs: number
  /** Beside `timeUs`, what the next change is later than. */
  #sealedUs = 0
  readonly #writer = new RunWriter()
  /**
   * Undefined until something is gathered: an empty one that waits would be promoted to V8's old generation, and what it then gathers would outlive the collections of the
   * young one.
   */
  #pending: PendingCommit | undefined

  constructor(head: number, timeUs: number) {
    this.head = head
    this.timeUs = timeUs
  }

  /** Gathers what the next commit is to hold. */
  get pending(): PendingCommit {
    return (this.#pending ??= new PendingCommit(this.#writer))
  }

  /** True when something was gathered since `takePending` was last called. */
  get hasGathered(): boolean {
    return this.#pending !== undefined && !this.#pending.isEmpty
  }

  /** When the next change will have been made: strictly later than the newest one, even where the clock goes back. */
  nextTimeUs(nowMs: number): number {
    return Math.max(this.timeUs + 1, this.#sealedUs + 1, Math.floor(nowMs * 1_000))
  }

  /**
   * When a position is taken to have been set: at a claimed time that is not later than the hub's. Where that was put back behind the log, the log's own stands
   * for it, or those that were made before would outrun all others until it is there again.
   */
  positionMs(atMs: number, nowMs: number): number {
    const logMs = Math.floor(this.timeUs / 1_000)
    return logMs - nowMs > PUT_BACK_MS ? logMs : Math.min(atMs, Math.floor(nowMs))
  }

  /**
   * Ends the millisecond of the newest change. MUST be called when a log is opened, so that a restart gives the same time.
   * @returns in whole milliseconds: no change so far is later, and every later one is
   */
  seal(): number {
    const sealedMs = Math.ceil(this.timeUs / 1_000)
    this.#sealedUs = Math.max(this.#sealedUs, sealedMs * 1_000)
    return sealedMs
  }

  /** Gathers the next change, which MUST stand right behind `head`. */
  append({ deviceName, clientName }: Origin, { cursor, timeUs, number, atMs, kind, key, encoded }: NewChange, note: Note): void {
    this.head = cursor
    this.timeUs = timeUs
    const parts = {
      cursor,
      timeUs,
      device: deviceName,
      client: clientName,
      number,
      atMs,
      kind: encodeKind(kind),
      key: encodeName(key),
      body: encoded
    }
    this.pending.add(parts, note)
  }

  /** Hands over what was gathered, and begins anew. */
  takePending(): PendingCommit {
    const { pending } = this
    pending.close()
    this.#pending = undefined
    return pending
  }
}
