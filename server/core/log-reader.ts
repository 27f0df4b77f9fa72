import { changesFrame, LIMITS, valueEnd, type Connection } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import type { Clock } from './ports.ts'
import type { Store, StoredRun } from './store.ts'

/** What a connection may hold unsent before nothing more is sent to it, and the rest is read from the log later. */
export const HIGH_WATER_BYTES = 262_144
const SLOW_AFTER_MS = 10_000

export interface LogReaderParts {
  readonly connection: Connection
  readonly store: Store
  readonly clock: Clock
  readonly account: Account
  /** How far it has read already. */
  readonly cursor: number
  onFault(error: unknown): void
  /** The connection did not take what it was sent. */
  onSlow(): void
}

/**
 * Sends an account's log to a connection, from a cursor on.
 *
 * At the head it is handed each new run as it becomes durable. Behind the head, because it has just come or does not drain, it reads on from the
 * log at its own pace until it is there. So nothing is queued for it, and it misses nothing.
 */
export class LogReader {
  readonly #parts: LogReaderParts
  #cursor: number
  #isReadingOn = false
  #isClosed = false
  #cancelSlowTimer: (() => void) | undefined

  constructor(parts: LogReaderParts) {
    this.#parts = parts
    this.#cursor = parts.cursor
  }

  /** Takes a new run, as the frame that holds it and the cursors of its first and last change. */
  deliver(frame: Uint8Array, first: number, last: number): void {
    const { connection } = this.#parts
    if (this.#cursor === first - 1 && !this.#isReadingOn && connection.bufferedBytes < HIGH_WATER_BYTES) {
      this.#cursor = last
      connection.send(frame)
    } else this.readOn()
  }

  /** Reads on from the log until it is at the head, or the connection has as much unsent as it may. */
  readOn(): void {
    if (this.#isReadingOn || this.#isClosed) return
    this.#isReadingOn = true
    this.#copyLog().then(
      () => this.watchSlowness(),
      (error: unknown) => this.#parts.onFault(error)
    )
  }

  /** The connection has sent what it held. */
  drained(): void {
    this.#cancelSlowTimer?.()
    this.#cancelSlowTimer = undefined
    this.readOn()
  }

  /** A connection that stays full and lets nothing go is slow; it comes back and catches up. */
  watchSlowness(): void {
    const { connection, clock } = this.#parts
    const { bufferedBytes } = connection
    if (this.#isClosed || this.#cancelSlowTimer !== undefined || bufferedBytes < HIGH_WATER_BYTES) return
    this.#cancelSlowTimer = clock.setTimer(SLOW_AFTER_MS, () => {
      if (connection.bufferedBytes < bufferedBytes) this.drained()
      else this.#parts.onSlow()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#cancelSlowTimer?.()
  }

  async #copyLog(): Promise<void> {
    const { account, connection, store } = this.#parts
    while (this.#cursor < account.durableHead && !this.#isClosed && connection.bufferedBytes < HIGH_WATER_BYTES) {
      const runs = await store.read(account.id, this.#cursor, LIMITS.changesFrameBytes)
      if (this.#isClosed) return
      for (const [parts, count] of gatherFrames(runs, this.#cursor)) connection.send(changesFrame(parts, count))
      const last = runs.at(-1)!
      this.#cursor = last.first + last.count - 1
    }
    // In the same breath: a change that comes between this look at the head and the end of the reading would be told to no one.
    this.#isReadingOn = false
  }
}

/** Stored runs as the parts of frames: small ones share a frame, and what the reader has seen already is left out. */
function gatherFrames(runs: readonly StoredRun[], cursor: number): [parts: Uint8Array[], count: number][] {
  const frames: [Uint8Array[], number][] = []
  let bytes = Infinity
  for (const { first, count, run } of runs) {
    const seen = Math.max(0, cursor - first + 1)
    let start = 0
    for (let index = 0; index < seen; index++) start = valueEnd(run, start)
    const rest = run.subarray(start)
    if (bytes + rest.length > LIMITS.changesFrameBytes) {
      frames.push([[], 0])
      bytes = 0
    }
    const frame = frames.at(-1)!
    frame[0].push(rest)
    frame[1] += count - seen
    bytes += rest.length
  }
  return frames
}
