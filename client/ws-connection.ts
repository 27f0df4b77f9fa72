import { SUBPROTOCOL, type CloseReason, type Connection, type ConnectionEvents } from '../protocol/index.ts'
import { DrainWatch } from './drain-watch.ts'

/** The parts of a WebSocket that are used; the browser's and that of `ws` both fit. */
export interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  readonly bufferedAmount: number
  send(bytes: Uint8Array): void
  close(code: number, reason: string): void
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: never) => void): void
}

export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike

const OPEN = 1

/** One WebSocket, of an injected class, as a `Connection`. What is sent before it is open waits. */
export class WsConnection implements Connection {
  readonly #socket: WebSocketLike
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #events: ConnectionEvents | undefined
  #isClosed = false
  #hasHeard = false
  readonly #onEnd: (hasHeard: boolean) => void
  readonly #drain = new DrainWatch(
    () => this.bufferedBytes,
    () => this.#events?.onDrain()
  )

  /**
   * @param url `ws://` or `wss://`, with its path
   * @param onEnd is told at the end whether the hub ever said anything
   */
  constructor(url: string, WebSocket: WebSocketClass, onEnd: (hasHeard: boolean) => void = () => undefined) {
    this.#onEnd = onEnd
    this.#socket = new WebSocket(url, [SUBPROTOCOL])
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.addEventListener('open', () => this.#opened())
    this.#socket.addEventListener('message', (event: { data: unknown }) => this.#received(event.data))
    this.#socket.addEventListener('close', (event: { code: number; reason: string }) =>
      this.#ended({ code: event.code, text: event.reason })
    )
    this.#socket.addEventListener('error', () => {
      // The close event follows and says all that there is to know.
    })
  }

  get bufferedBytes(): number {
    return this.#waitingBytes + this.#socket.bufferedAmount
  }

  listen(events: ConnectionEvents): void {
    this.#events = events
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed) return
    if (this.#socket.readyState === OPEN) this.#socket.send(bytes)
    else {
      this.#waiting.push(bytes)
      this.#waitingBytes += bytes.length
    }
    this.#drain.sent()
  }

  /** Pages may only use 1000 and 3000 to 4999, so any other code goes as 4400. */
  close(code: number, text: string): void {
    const allowed = code === 1000 || (code >= 3000 && code <= 4999)
    this.#socket.close(allowed ? code : 4400, shortened(text))
  }

  #opened(): void {
    for (const bytes of this.#waiting) this.#socket.send(bytes)
    this.#waiting = []
    this.#waitingBytes = 0
  }

  /** Text is no frame; as empty bytes it is refused like any other bad one. */
  #received(data: unknown): void {
    this.#hasHeard = true
    this.#events?.onFrame(data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array())
  }

  #ended(reason: CloseReason): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#drain.stop()
    this.#onEnd(this.#hasHeard)
    this.#events?.onClose(reason)
  }
}

/** Close reasons hold at most 123 bytes of UTF-8 (RFC 6455, section 5.5). */
function shortened(text: string): string {
  let short = text.slice(0, 123)
  while (new TextEncoder().encode(short).length > 123) short = short.slice(0, -1)
  return short.replaceAll(/\p{Surrogate}/gu, '')
}
