import { HIGH_WATER_BYTES } from './log-reader.ts'
import type { Clock, HubConnection } from './ports.ts'

/** A connection that is full and lets less than `LEAST_BYTES` go in so long is slow: others may wait for what it holds. */
export const SLOW_AFTER_MS = 10_000
export const LEAST_BYTES = 16_384

export interface SenderParts {
  readonly connection: Pick<HubConnection, 'bufferedBytes' | 'send'>
  readonly clock: Clock
  /** Something has left: there may be room for what waits. */
  onMoved(): void
  /** The connection did not take what it was sent. */
  onSlow(): void
}

/** Sends over a connection, and counts it: so what was sent meanwhile does not hide how much has left. Everything MUST be sent through it. */
export class Sender {
  readonly #parts: SenderParts
  readonly #connection: SenderParts['connection']
  #sentBytes = 0
  #cancelSlowTimer: (() => void) | undefined
  #isClosed = false

  constructor(parts: SenderParts) {
    this.#parts = parts
    this.#connection = parts.connection
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes
  }

  send(bytes: Uint8Array, mayWait?: boolean): void {
    this.#sentBytes += bytes.length
    this.#connection.send(bytes, mayWait)
  }

  /** The connection has sent what it held. */
  moved(): void {
    this.#cancelSlowTimer?.()
    this.#cancelSlowTimer = undefined
    this.#parts.onMoved()
    this.watch()
  }

  /** From here on a connection that stays full and lets hardly anything go is slow. */
  watch(): void {
    if (this.#isClosed || this.#cancelSlowTimer !== undefined || this.bufferedBytes < HIGH_WATER_BYTES) return
    const leftBytes = this.#leftBytes
    this.#cancelSlowTimer = this.#parts.clock.setTimer(SLOW_AFTER_MS, () => {
      if (this.#leftBytes - leftBytes >= LEAST_BYTES) this.moved()
      else this.#parts.onSlow()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#cancelSlowTimer?.()
  }

  get #leftBytes(): number {
    return this.#sentBytes - this.bufferedBytes
  }
}
