import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import { ERRORS, LIMITS, SUBPROTOCOL, type ConnectionEvents } from '../../protocol/index.ts'
import type { HubConnection } from '../core/ports.ts'
import { Outgoing, TurnWriter } from './ws-outgoing.ts'

const HEARTBEAT_MS = 25_000
const CLOSE_TIMEOUT_MS = 5_000
/** The headers of the WebSocket frames that a first message comes in. */
const HEADER_BYTES = 64
/** ws's own defences; its type declarations do not know all of them. */
export const HARDENED = {
  noServer: true,
  maxPayload: LIMITS.maxFrameBytes,
  maxFragments: 64,
  maxBufferedChunks: 4_096,
  maxPendingAutoPongs: 8,
  perMessageDeflate: false,
  skipUTF8Validation: false,
  clientTracking: false,
  closeTimeout: CLOSE_TIMEOUT_MS
}

/** Takes HTTP upgrades and makes connections of them. */
export interface WsTransport {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, remote: string): void
  /** Connections now. */
  readonly count: number
  /** Closes every socket, those that do not answer by force. Resolves when the last has gone. */
  close(): Promise<void>
}

/** How the clients of one door speak. */
export interface WsDoor {
  /** The subprotocol that is agreed to when it is offered; any, when there is none. */
  readonly subprotocol?: string
  /** The first message of someone not yet known. */
  readonly maxFirstBytes: number
  /** Is given each new connection, with the request that it began as. */
  accept(connection: HubConnection, request: IncomingMessage): void
}

/** The door of Lectern's own protocol. */
export const lecternDoor = (accept: (connection: HubConnection) => void): WsDoor => ({
  subprotocol: SUBPROTOCOL,
  maxFirstBytes: LIMITS.maxHelloBytes,
  accept
})

/** Cuts off whoever sends more before it is known: `ws` would gather a whole frame of a stranger. */
export function boundFirstBytes(socket: Duplex, maxBytes: number, isKnown: () => boolean): void {
  let bytes = 0
  const count = (chunk: Buffer): void => {
    bytes += chunk.length
    // The chunk may have completed the hello just now, and hold what the client sent behind it.
    if (isKnown()) socket.off('data', count)
    else if (bytes > maxBytes) socket.destroy()
  }
  socket.on('data', count)
}

/** The `ws` carrier: one binary message is one frame. */
export function createWsTransport(door: WsDoor): WsTransport {
  const { subprotocol, maxFirstBytes } = door
  const server = new WebSocketServer({
    ...HARDENED,
    handleProtocols: ([...offered]) => offered.find(name => subprotocol === undefined || name === subprotocol) ?? false
  })
  const live = new Set<WsConnection>()
  const writer = new TurnWriter()
  const heartbeat = setInterval(() => {
    for (const connection of live) connection.beat()
  }, HEARTBEAT_MS)
  heartbeat.unref()
  return {
    get count() {
      return live.size
    },
    upgrade(request, socket, head, remote) {
      server.handleUpgrade(request, socket, head, webSocket => {
        const connection = new WsConnection(webSocket, socket, remote, writer, maxFirstBytes)
        live.add(connection)
        void connection.gone.then(() => live.delete(connection))
        door.accept(connection, request)
      })
    },
    async close() {
      clearInterval(heartbeat)
      for (const connection of live) connection.close(ERRORS['shutting-down'].close, '')
      await Promise.all(Array.from(live, ({ gone }) => gone))
    }
  }
}

class WsConnection implements HubConnection {
  readonly remote: string
  /** Resolves when nothing is left of it. */
  readonly gone: Promise<void>
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #outgoing: Outgoing
  /** Of the last beat. */
  #readBytes = -1

  constructor(webSocket: WebSocket, socket: Duplex, remote: string, writer: TurnWriter, maxFirstBytes: number) {
    this.#webSocket = webSocket
    this.#outgoing = new Outgoing(socket, writer, () => webSocket.readyState === WebSocket.OPEN)
    this.#socket = socket
    this.remote = remote
    webSocket.binaryType = 'nodebuffer'
    // A socket without this listener takes the process down with its first broken frame. The close that follows tells the session.
    webSocket.on('error', () => undefined)
    this.gone = new Promise(resolve => webSocket.once('close', () => resolve()))
    let hasSpoken = false
    webSocket.once('message', () => (hasSpoken = true))
    boundFirstBytes(socket, maxFirstBytes + HEADER_BYTES, () => hasSpoken)
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount + this.#outgoing.bytes
  }

  listen(events: ConnectionEvents): void {
    this.#webSocket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) events.onFrame(data)
      else this.close(ERRORS['bad-frame'].close, 'frames are binary')
    })
    this.#socket.on('drain', () => events.onDrain())
    this.#webSocket.on('pong', pong => this.#outgoing.hasRead(pong) && events.onDrain())
    this.#webSocket.on('close', (code, text) => events.onClose({ code, text: text.toString() }))
  }

  send(bytes: Uint8Array, mayWait?: boolean): void {
    if (this.#webSocket.readyState === WebSocket.OPEN) this.#outgoing.add(bytes, mayWait)
  }

  pause(): void {
    this.#webSocket.pause()
  }

  resume(): void {
    this.#webSocket.resume()
  }

  close(code: number, text: string): void {
    this.#outgoing.write()
    this.#webSocket.resume()
    this.#webSocket.close(code, text)
  }

  /** Cuts the other end off if nothing came since the last beat: no answer to it, and no part of a message that takes long on a slow line. */
  beat(): void {
    const { bytesRead } = this.#socket as Socket
    // Of one that the hub does not read from, nothing can come.
    if (bytesRead === this.#readBytes && !this.#webSocket.isPaused) return this.#webSocket.terminate()
    this.#readBytes = bytesRead
    if (this.#webSocket.readyState === WebSocket.OPEN) this.#webSocket.ping()
  }
}
