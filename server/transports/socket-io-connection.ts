import type { ServerResponse } from 'node:http'
import type { Socket as EngineSocket, Transport } from 'engine.io'
import type { WebSocket } from 'ws'
import { ERRORS, HubError, LIMITS, type CloseReason, type Connection, type ConnectionEvents } from '../../protocol/index.ts'
import type { EngineClient } from './engine.ts'
import { PacketReader, type Message, type Packet, type PacketWriter } from './socket-io-packets.ts'

/** Time from an Engine.IO session to its first packet, and from the end that the hub wants to the one that it makes. */
const CONNECT_TIMEOUT_MS = 5_000
const CLOSE_TIMEOUT_MS = 5_000
/** Beats without anything sent, although each Engine.IO ping is. */
const MAX_IDLE_BEATS = 2
/** With less than this unsent, nobody waits for more to leave. */
const LOW_WATER_BYTES = 16_384
/** Who polls sends bytes as base64, behind a header and a mark. */
const encodedBytes = (bytes: number): number => Math.ceil(bytes / 3) * 4 + 1_024
/** A frame of the greatest length, in whatever form it comes. */
export const MAX_MESSAGE_BYTES = encodedBytes(LIMITS.maxFrameBytes)
/** What someone not yet known may send: a packet that connects, and a hello. */
export const MAX_FIRST_BYTES = encodedBytes(LIMITS.maxHelloBytes)

/** Parts of Engine.IO's transports that its types leave out. */
interface Carrier extends Transport {
  /** Of a websocket. */
  readonly socket?: WebSocket
  /** The poll that is being answered, of one who polls. */
  readonly res?: ServerResponse | null
  /** Of one who polls and is to be told of the end with the next poll: does not wait for it. */
  readonly shouldClose?: (() => void) | null
  maxHttpBufferSize?: number
  closeTimeout?: number
}

/** One client of socket.io: its Engine.IO session, over whatever transport that goes just now, as a `Connection`. */
export class SocketIoConnection implements Connection, EngineClient {
  readonly remote: string
  readonly #engine: EngineSocket
  readonly #reader = new PacketReader()
  #events: ConnectionEvents | undefined
  /** What this turn of the event loop sends: it leaves together, which for one who polls is one answer. */
  #turn: Message[] = []
  #turnBytes = 0
  /** Waits in Engine.IO for the transport, or for the next poll. */
  #queuedBytes = 0
  /** The transport has it, and the system has not. */
  #inFlightBytes = 0
  /** Someone waits for what was sent to leave. */
  #isFull = false
  #isPaused = false
  #isKnown = false
  #reason: CloseReason | undefined
  /** Beats since something was last sent. */
  #idleBeats = 0
  #heldPost: (() => void) | undefined
  #timer: NodeJS.Timeout
  /** Resolves when nothing is left of it. */
  readonly gone: Promise<void>

  /** @param onConnect is called once the client has said what it is; then it may be listened to */
  constructor(engine: EngineSocket, remote: string, onConnect: (connection: SocketIoConnection) => void) {
    this.#engine = engine
    this.remote = remote
    // It holds the whole request, for as long as the session lives.
    ;(engine as { request: unknown }).request = undefined
    this.#timer = setTimeout(() => engine.close(true), CONNECT_TIMEOUT_MS)
    if (this.#carrier.maxHttpBufferSize !== undefined) this.#carrier.maxHttpBufferSize = MAX_FIRST_BYTES
    this.#carrier.closeTimeout = CLOSE_TIMEOUT_MS
    // Of an empty message Engine.IO says nothing.
    engine.on('data', (message: Message | undefined) => this.#received(message ?? '', onConnect))
    engine.on('flush', () => this.#flushed())
    engine.on('upgrade', () => {
      if (this.#isPaused) this.#carrier.socket?.pause()
    })
    this.gone = new Promise(resolve => {
      engine.once('close', (reason: string) => {
        this.#ended({ code: 1006, text: reason })
        resolve()
      })
    })
  }

  get bufferedBytes(): number {
    return this.#turnBytes + this.#queuedBytes + this.#inFlightBytes
  }

  /** Whether more may come in than from someone not yet known. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  get isPolling(): boolean {
    return this.#carrier.name === 'polling'
  }

  get #carrier(): Carrier {
    return this.#engine.transport
  }

  listen(events: ConnectionEvents): void {
    this.#events = events
  }

  send(bytes: Uint8Array): void {
    if (this.#reason !== undefined) return
    this.#turnBytes += bytes.length
    if (this.bufferedBytes > LOW_WATER_BYTES) this.#isFull = true
    this.#write(this.#writer!.frame(bytes))
  }

  pause(): void {
    this.#isPaused = true
    this.#carrier.socket?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#carrier.socket?.resume()
    this.#heldPost?.()
    this.#heldPost = undefined
  }

  close(code: number, text: string): void {
    if (this.#reason !== undefined) return
    this.#reason = { code, text }
    const writer = this.#reader.writer
    if (writer !== undefined) this.#write(writer.closed(code, text))
    this.#leave()
  }

  /** Ends a session whose requests came to nothing. */
  cut(code: number, text: string): void {
    this.#reason ??= { code, text }
    this.#engine.close(true)
    this.#carrier.shouldClose?.()
  }

  /**
   * Has what the client posts wait while nothing more is read from it.
   * @returns false when it does not wait, or when one waits already, which no client sends
   */
  hold(handle: () => void): boolean {
    if (!this.#isPaused || this.#heldPost !== undefined) return false
    this.#heldPost = handle
    return true
  }

  /** Cuts off who does not take what it is sent: answers to pings that it was never given keep no session alive. */
  beat(): void {
    if (++this.#idleBeats > MAX_IDLE_BEATS) this.cut(1006, 'silent')
  }

  get #writer(): PacketWriter | undefined {
    return this.#reader.writer
  }

  #received(message: Message, onConnect: (connection: SocketIoConnection) => void): void {
    if (this.#reason !== undefined) return
    let packet: Packet | undefined
    try {
      packet = this.#reader.read(message)
    } catch (error) {
      const code = error instanceof HubError ? error.code : 'internal'
      return this.close(ERRORS[code].close, (error as Error).message)
    }
    if (packet === undefined) return
    if (packet.kind === 'frame') return this.#receivedFrame(packet.bytes)
    if (packet.kind === 'disconnect') {
      this.#reason = { code: 1000, text: '' }
      return this.#leave()
    }
    clearTimeout(this.#timer)
    this.#write(this.#writer!.connected(crypto.randomUUID()))
    onConnect(this)
  }

  #receivedFrame(bytes: Uint8Array): void {
    if (bytes.length > LIMITS.maxFrameBytes) return this.close(ERRORS['frame-too-large'].close, 'frame-too-large')
    if (!this.#isKnown) {
      this.#isKnown = true
      if (this.#carrier.maxHttpBufferSize !== undefined) this.#carrier.maxHttpBufferSize = MAX_MESSAGE_BYTES
    }
    this.#events?.onFrame(bytes)
  }

  #write(messages: readonly Message[]): void {
    if (this.#turn.length === 0) process.nextTick(this.#writeTurn)
    this.#turn.push(...messages)
  }

  /** Gives the whole turn to Engine.IO, which would send the first message by itself, and have the others wait for the next poll. */
  readonly #writeTurn = (): void => {
    const messages = this.#turn
    if (messages.length === 0) return
    this.#turn = []
    this.#queuedBytes += this.#turnBytes
    this.#turnBytes = 0
    const { transport } = this.#engine
    const isWritable = transport.writable
    transport.writable = false
    for (let index = 0; index < messages.length - 1; index++) this.#engine.send(messages[index]!)
    transport.writable = isWritable
    this.#engine.send(messages.at(-1)!)
  }

  /** Engine.IO is about to give all that it has to the transport. */
  #flushed(): void {
    this.#idleBeats = 0
    const bytes = this.#queuedBytes
    if (bytes === 0) return
    this.#queuedBytes = 0
    this.#inFlightBytes += bytes
    const left = (): void => {
      this.#inFlightBytes -= bytes
      this.#drained()
    }
    const carrier = this.#carrier
    if (carrier.res) carrier.res.once('close', left)
    else carrier.once('drain', left)
  }

  #drained(): void {
    if (!this.#isFull || this.#reason !== undefined) return
    if (this.bufferedBytes <= LOW_WATER_BYTES) this.#isFull = false
    this.#events?.onDrain()
  }

  /** Ends the session once everything has left, or by force. */
  #leave(): void {
    this.#writeTurn()
    this.resume()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#engine.close(true), CLOSE_TIMEOUT_MS)
    // Engine.IO would break off the post that this may be the answer to, and the client not wait for the reason.
    process.nextTick(() => this.#engine.close())
  }

  #ended(reason: CloseReason): void {
    clearTimeout(this.#timer)
    this.#reason ??= reason
    const why = this.#reason
    this.resume()
    // It may have ended within a call of `send` or `close`.
    process.nextTick(() => this.#events?.onClose(why))
  }
}
