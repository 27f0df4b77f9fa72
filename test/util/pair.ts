import type { CloseReason, ConnectionEvents } from '../../protocol/index.ts'
import type { HubConnection } from '../../server/core/ports.ts'

/** One end of an in-memory connection. Delivers in a turn of its own, as the network would. */
export class PairEnd implements HubConnection {
  readonly remote = 'pair'
  readonly bufferedBytes = 0
  /** Everything that was sent from this end, in order. */
  readonly sent: Uint8Array[] = []
  /** Why the connection ended, as this end was told. */
  closed: CloseReason | undefined
  #other: PairEnd | undefined
  #events: ConnectionEvents | undefined
  #inbox: ((events: ConnectionEvents) => void)[] = []
  #isEnding = false

  static link(left: PairEnd, right: PairEnd): void {
    left.#other = right
    right.#other = left
  }

  listen(events: ConnectionEvents): void {
    this.#events = events
    setImmediate(() => this.#deliver())
  }

  send(bytes: Uint8Array): void {
    if (this.#isEnding) return
    this.sent.push(bytes)
    const other = this.#other!
    other.#receive(events => events.onFrame(bytes))
  }

  pause(): void {}

  resume(): void {}

  close(code: number, text: string): void {
    if (this.#isEnding) return
    this.#end({ code, text })
    const other = this.#other!
    other.#end({ code, text })
  }

  #end(reason: CloseReason): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#receive(events => {
      this.closed = reason
      events.onClose(reason)
    })
  }

  #receive(message: (events: ConnectionEvents) => void): void {
    this.#inbox.push(message)
    setImmediate(() => this.#deliver())
  }

  #deliver(): void {
    const events = this.#events
    if (events === undefined) return
    for (let message = this.#inbox.shift(); message !== undefined; message = this.#inbox.shift())
      if (this.closed === undefined) message(events)
  }
}

/** Two linked connections. */
export function pair(): [PairEnd, PairEnd] {
  const ends: [PairEnd, PairEnd] = [new PairEnd(), new PairEnd()]
  PairEnd.link(...ends)
  return ends
}
