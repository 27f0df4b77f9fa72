import type { Socket as EngineSocket } from 'engine.io'
import { ERRORS, HubError, LIMITS, type CloseReason, type ConnectionEvents } from '../../protocol/index.ts'
import type { HubConnection } from '../core/ports.ts'
import { EngineSession } from './engine-session.ts'
import { PacketReader, type Message, type Packet, type PacketWriter } from './socket-io-packets.ts'

/** From a session to its first packet. */
const CONNECT_TIMEOUT_MS = 5_000
/** With less than this unsent, nobody waits for more to leave. */
const LOW_WATER_BYTES = 16_384
/** Who polls sends bytes as base64, behind a header and a mark. */
const encodedBytes = (bytes: number): number => Math.ceil(bytes / 3) * 4 + 1_024
/** A frame of the greatest length, in whatever form it comes. */
export const MAX_MESSAGE_BYTES = encodedBytes(LIMITS.maxFrameBytes)
/** What someone not yet known may send: a packet that connects, and a hello. */
export const MAX_FIRST_BYTES = encodedBytes(LIMITS.maxHelloBytes)

/** One client of socket.io: its Engine.IO session, over whatever transport that goes just now, as a `HubConnection`. */
export class SocketIoConnection extends EngineSession implements HubConnection {
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
  #heldPost: (() => void) | undefined

  /** @param onConnect is called once the client has said what it is; then it may be listened to */
  constructor(engine: EngineSocket, remote: string, onConnect: (connection: SocketIoConnection) => void) {
    super(engine, remote, { connectTimeoutMs: CONNECT_TIMEOUT_MS, strangerBytes: MAX_FIRST_BYTES, knownBytes: MAX_MESSAGE_BYTES })
    // Of an empty message Engine.IO says nothing.
    engine.on('data', (message: Message | undefined) => this.#received(message ?? '', onConnect))
    engine.on('flush', () => this.#flushed())
    engine.on('upgrade', () => {
      if (this.#isPaused) this.carrier.socket?.pause()
    })
  }

  get bufferedBytes(): number {
    return this.#turnBytes + this.#queuedBytes + this.#inFlightBytes
  }

  listen(events: ConnectionEvents): void {
    this.#events = events
  }

  send(bytes: Uint8Array): void {
    if (this.reason !== undefined) return
    this.#turnBytes += bytes.length
    if (this.bufferedBytes > LOW_WATER_BYTES) this.#isFull = true
    this.#write(this.#writer!.frame(bytes))
  }

  pause(): void {
    this.#isPaused = true
    this.carrier.socket?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.carrier.socket?.resume()
    this.#heldPost?.()
    this.#heldPost = undefined
  }

  close(code: number, text: string): void {
    if (this.reason !== undefined) return
    if (this.#writer !== undefined) this.#write(this.#writer.closed(code, text))
    this.#leave({ code, text })
  }

  /**
   * Has what the client posts wait while nothing more is read from it.
   * @returns false when it does not wait, or when one waits already, which no client sends
   */
  override hold(handle: () => void): boolean {
    if (!this.#isPaused || this.#heldPost !== undefined) return false
    this.#heldPost = handle
    return true
  }

  get #writer(): PacketWriter | undefined {
    return this.#reader.writer
  }

  #received(message: Message, onConnect: (connection: SocketIoConnection) => void): void {
    if (this.reason !== undefined) return
    let packet: Packet | undefined
    try {
      packet = this.#reader.read(message)
    } catch (error) {
      const code = error instanceof HubError ? error.code : 'internal'
      return this.close(ERRORS[code].close, (error as Error).message)
    }
    if (packet === undefined) return
    if (packet.kind === 'frame') return this.#receivedFrame(packet.bytes)
    if (packet.kind === 'disconnect') return this.#leave({ code: 1000, text: '' })
    this.connected()
    this.#write(this.#writer!.connected(crypto.randomUUID()))
    onConnect(this)
  }

  #receivedFrame(bytes: Uint8Array): void {
    if (bytes.length > LIMITS.maxFrameBytes) return this.close(ERRORS['frame-too-large'].close, 'frame-too-large')
    if (!this.isKnown) this.known()
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
    const { transport } = this.engine
    const isWritable = transport.writable
    transport.writable = false
    for (let index = 0; index < messages.length - 1; index++) this.engine.send(messages[index]!)
    transport.writable = isWritable
    this.engine.send(messages.at(-1)!)
  }

  /** Engine.IO is about to give all that it has to the transport. */
  #flushed(): void {
    const bytes = this.#queuedBytes
    if (bytes === 0) return
    this.#queuedBytes = 0
    this.#inFlightBytes += bytes
    const left = (): void => {
      this.#inFlightBytes -= bytes
      this.#drained()
    }
    const carrier = this.carrier
    if (carrier.res) carrier.res.once('close', left)
    else carrier.once('drain', left)
  }

  #drained(): void {
    if (!this.#isFull || this.reason !== undefined) return
    if (this.bufferedBytes <= LOW_WATER_BYTES) this.#isFull = false
    this.#events?.onDrain()
  }

  #leave(reason: CloseReason): void {
    this.endLater(reason)
    this.#writeTurn()
    this.resume()
  }

  protected override ended(reason: CloseReason): void {
    this.resume()
    this.#events?.onClose(reason)
  }
}
