import { HubError, LIMITS } from '../../protocol/index.ts'
import { HIGH_WATER_BYTES } from './log-reader.ts'
import type { Clock, HubConnection } from './ports.ts'

/** Bytes of pushes that may await their answers before no more is taken in. */
const MAX_UNANSWERED_BYTES = 1_048_576
/**
 * The work that a connection may make in one turn of the event loop: the bytes of its frames, and a share for each frame. What it sent beyond waits for
 * the next turn, so that everyone else has theirs: one read of a socket can bring thousands of frames.
 */
const TURN_BYTES = 65_536
const FRAME_SHARE_BYTES = 64
/** What may queue behind what was sent and has not left, before the connection is asked not to read: only while it reads it hears that a slow reader moves on. */
const MAX_QUEUED_BYTES = 65_536
/** Counted there for each frame, beside its bytes. */
const QUEUED_FRAME_BYTES = 256

export interface IntakeParts {
  readonly connection: HubConnection
  readonly clock: Clock
  /** Handles one frame. Those behind it wait for the promise, if it gives one. */
  handle(bytes: Uint8Array): Promise<void> | undefined
  onFault(error: unknown): void
  /** A frame had to queue. */
  onHeldUp(): void
}

/**
 * The frames that come in over a connection, handled one by one and in order, at a pace that is fair to others.
 *
 * They queue while one waits for the disk, the turn's share is used up, too much awaits its answer, or what was sent has not left. Meanwhile the
 * connection is asked not to read; in the last case only once some queue.
 */
export class Intake {
  readonly #parts: IntakeParts
  readonly #queue: Uint8Array[] = []
  #queuedBytes = 0
  /** Bytes of the pushes that await their answers. */
  #unansweredBytes = 0
  #unansweredActions = 0
  /** What is left of `TURN_BYTES`; at 0 the next frame waits for another turn. */
  #turnBytesLeft = TURN_BYTES
  /** A frame waits for the disk. */
  #isBusy = false
  #isPaused = false
  #isClosed = false

  constructor(parts: IntakeParts) {
    this.#parts = parts
  }

  receive(bytes: Uint8Array): void {
    if (this.#isClosed) return
    if (this.#queue.length === 0 && !this.#isHeld) return this.#take(bytes)
    // A frame can be a view into a large block, which would be kept for as long as it waits.
    this.#queue.push(bytes.length < bytes.buffer.byteLength ? Uint8Array.from(bytes) : bytes)
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes > 2 * MAX_UNANSWERED_BYTES) return this.#parts.onFault(new HubError('overloaded'))
    if (this.#isOccupied || this.#isQueueLong) this.#pause()
    this.#parts.onHeldUp()
  }

  /** Takes what queued, and listens again, as far as nothing holds it up. */
  goOn(): void {
    while (this.#queue.length > 0 && !this.#isHeld && !this.#isClosed) {
      const bytes = this.#queue.shift()!
      this.#queuedBytes -= bytes.length
      this.#take(bytes)
    }
    if (this.#isPaused && !this.#isOccupied && !this.#isQueueLong && !this.#isClosed) {
      this.#isPaused = false
      this.#parts.connection.resume()
    }
  }

  /** A push of so many bytes awaits its answers. */
  owes(bytes: number, actions: number): void {
    this.#unansweredBytes += bytes
    this.#unansweredActions += actions
    if (this.#isOwedTooMuch) this.#pause()
  }

  answered(actions: number): void {
    this.#unansweredBytes = 0
    this.#unansweredActions -= actions
    if (this.#isPaused) this.goOn()
  }

  close(): void {
    this.#isClosed = true
    this.#queue.length = 0
  }

  get #isHeld(): boolean {
    return this.#isOccupied || this.#parts.connection.bufferedBytes >= HIGH_WATER_BYTES
  }

  get #isOccupied(): boolean {
    return this.#isBusy || this.#turnBytesLeft <= 0 || this.#isOwedTooMuch
  }

  get #isQueueLong(): boolean {
    return this.#queuedBytes + this.#queue.length * QUEUED_FRAME_BYTES > MAX_QUEUED_BYTES
  }

  get #isOwedTooMuch(): boolean {
    return this.#unansweredBytes > MAX_UNANSWERED_BYTES || this.#unansweredActions > LIMITS.maxUnansweredActions
  }

  #take(bytes: Uint8Array): void {
    this.#turnBytesLeft -= bytes.length + FRAME_SHARE_BYTES
    if (this.#turnBytesLeft <= 0) this.#waitForTurn()
    try {
      const later = this.#parts.handle(bytes)
      if (later !== undefined) this.#waitFor(later)
    } catch (error) {
      this.#parts.onFault(error)
    }
  }

  #waitForTurn(): void {
    this.#pause()
    this.#parts.clock.nextTurn(() => {
      this.#turnBytesLeft = TURN_BYTES
      this.goOn()
    })
  }

  #waitFor(later: Promise<void>): void {
    this.#isBusy = true
    this.#pause()
    later.then(
      () => {
        this.#isBusy = false
        this.goOn()
      },
      (error: unknown) => this.#parts.onFault(error)
    )
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#parts.connection.pause()
  }
}
