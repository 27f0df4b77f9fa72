import type { CloseReason, Connection, ConnectionEvents } from '../protocol/index.ts'
import { DrainWatch } from './drain-watch.ts'

/** The parts of a socket of `socket.io-client` that are used. */
export interface SocketIoSocket {
  readonly connected: boolean
  readonly io: {
    readonly engine: {
      on(event: 'drain', listener: () => void): unknown
      readonly transport: { readonly name: string }
    }
  }
  on(event: string, listener: (...details: never[]) => void): unknown
  emit(event: string, bytes: Uint8Array): unknown
  disconnect(): unknown
}

/** `io` of `socket.io-client`, version 4. */
export type SocketIo = (
  url: string,
  options: { path: string; transports: ('polling' | 'websocket')[]; reconnection: boolean; forceNew: boolean }
) => SocketIoSocket

/** One session of socket.io, of a function that is given, as a `Connection`. It begins by polling and goes over to a WebSocket if one opens. */
export class SocketIoConnection implements Connection {
  readonly #socket: SocketIoSocket
  readonly #drain = new DrainWatch(
    () => this.bufferedBytes,
    () => this.#events?.onDrain()
  )
  readonly #onEnd: (hasHeard: boolean) => void
  #events: ConnectionEvents | undefined
  #unsentBytes = 0
  #hasHeard = false
  #reason: CloseReason = { code: 1006, text: '' }
  #isClosed = false

  /**
   * @param origin of the hub, `http://` or `https://`
   * @param onEnd is told at the end whether the hub ever said anything
   */
  constructor(origin: string, path: string, io: SocketIo, onEnd: (hasHeard: boolean) => void = () => undefined) {
    this.#onEnd = onEnd
    const socket = io(origin, { path, transports: ['polling', 'websocket'], reconnection: false, forceNew: true })
    this.#socket = socket
    // What was sent before the session began waits above the engine.
    socket.io.engine.on('drain', () => {
      if (socket.connected) this.#unsentBytes = 0
    })
    socket.on('frame', (bytes: unknown) => this.#received(bytes))
    socket.on('close', (code: number, text: string) => (this.#reason = { code, text }))
    socket.on('disconnect', () => this.#ended())
    socket.on('connect_error', () => this.#ended())
  }

  get bufferedBytes(): number {
    const { ws } = this.#socket.io.engine.transport as { ws?: { bufferedAmount: number } }
    return this.#unsentBytes + (ws?.bufferedAmount ?? 0)
  }

  listen(events: ConnectionEvents): void {
    this.#events = events
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed) return
    this.#unsentBytes += bytes.length
    this.#socket.emit('frame', bytes)
    this.#drain.sent()
  }

  /** A client cannot say why. */
  close(code: number, text: string): void {
    if (this.#isClosed) return
    this.#reason = { code, text }
    // It tells of the end before it returns, and of none when it had not begun.
    queueMicrotask(() => {
      this.#socket.disconnect()
      this.#ended()
    })
  }

  /** Text is no frame; as empty bytes it is refused like any other bad one. */
  #received(data: unknown): void {
    this.#hasHeard = true
    if (this.#isClosed) return
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data instanceof ArrayBuffer ? data : new ArrayBuffer(0))
    this.#events?.onFrame(bytes)
  }

  #ended(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#drain.stop()
    this.#onEnd(this.#hasHeard)
    this.#events?.onClose(this.#reason)
  }
}
