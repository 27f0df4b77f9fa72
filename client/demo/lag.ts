import { decodeFrame, encodeFrame, type Connection, type ConnectionEvents, type WireChange } from '../../protocol/index.ts'

/**
 * A network so slow that what another device typed arrives only when it may: what a replay of two people typing at the same time needs,
 * because each of them must know just as much of the other as they did then.
 */
export class Lag {
  /** How many of the other's actions may have arrived. */
  #allowed = 0
  #arrived = 0
  /** Actions that did not arrive in their turn: early, late or twice. */
  faults = 0
  #held: WireChange[] = []
  #deliver: ((bytes: Uint8Array) => void) | undefined
  readonly #ordinalOf: (change: WireChange) => number
  #waiting: { readonly ordinal: number; readonly resolve: () => void } | undefined

  /** @param ordinalOf which of the other's actions a change is, counted from 1; 0 for any other change */
  constructor(ordinalOf: (change: WireChange) => number) {
    this.#ordinalOf = ordinalOf
  }

  get arrived(): number {
    return this.#arrived
  }

  /** Lets the other's actions arrive up to this one. Resolves when they have. */
  async allow(ordinal: number): Promise<void> {
    this.#allowed = Math.max(this.#allowed, ordinal)
    this.#release()
    if (this.#arrived < ordinal) await new Promise<void>(resolve => (this.#waiting = { ordinal, resolve }))
  }

  /** A connection behind this lag. What an earlier one still held is sent again by the hub. */
  wrap(connection: Connection): Connection {
    this.#held = []
    return {
      get bufferedBytes() {
        return connection.bufferedBytes
      },
      listen: events => this.#listen(connection, events),
      send: bytes => connection.send(bytes),
      close: (code, text) => connection.close(code, text)
    }
  }

  #listen(connection: Connection, events: ConnectionEvents): void {
    const deliver = (bytes: Uint8Array): void => events.onFrame(bytes)
    this.#deliver = deliver
    connection.listen({
      onDrain: () => events.onDrain(),
      onClose: reason => events.onClose(reason),
      onFrame: bytes => {
        const frame = decodeFrame(bytes, 'hub')
        if (frame.kind !== 'changes') return deliver(bytes)
        if (this.#deliver !== deliver) return
        this.#held.push(...frame.changes)
        this.#release()
      }
    })
  }

  #count(ordinal: number): void {
    if (ordinal === 0) return
    if (ordinal !== this.#arrived + 1) this.faults += 1
    this.#arrived = ordinal
  }

  /** Order is kept: behind a change that must wait, all wait. */
  #release(): void {
    const stop = this.#held.findIndex(change => this.#ordinalOf(change) > this.#allowed)
    const free = this.#held.splice(0, stop === -1 ? this.#held.length : stop)
    if (free.length === 0) return
    this.#deliver?.(encodeFrame('changes', { changes: free }))
    for (const change of free) this.#count(this.#ordinalOf(change))
    if (this.#waiting !== undefined && this.#arrived >= this.#waiting.ordinal) {
      this.#waiting.resolve()
      this.#waiting = undefined
    }
  }
}
