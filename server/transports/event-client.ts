import type { Socket as EngineSocket } from 'engine.io'
import { EngineSession } from './engine-session.ts'
import { hasAtMostValues } from './json-bounds.ts'

/** From a session to the packet that connects it. */
const CONNECT_TIMEOUT_MS = 10_000
/** Packets that a client may send in the time of two beats; what is written for it and not fetched. */
const MAX_PACKETS_PER_BEAT = 60
const MAX_UNSENT = 64
const MAX_NAMESPACE_LENGTH = 64
/** Of one event's arguments, nested ones included. */
const MAX_EVENT_VALUES = 1_024
/** What comes from a client that is not known by anything. */
export const MAX_STRANGER_BYTES = 65_536
/** The longest message, from anyone. */
export const MAX_EVENT_BYTES = 1_000_000

/** Who listens to one client. */
export interface EventListener {
  /** @param answer sends an acknowledgement with these arguments; absent when none was asked for */
  onEvent(name: string, values: readonly unknown[], answer: ((...values: unknown[]) => void) | undefined): void
  onClose(): void
}

/** Anything that was sent is no packet of a client that only sends events. */
class BadPacket extends Error {}

/**
 * One client of socket.io, of Engine.IO 3 or 4, that exchanges events whose arguments are JSON. Namespaces, rooms and binary arguments there are none;
 * acknowledgements go to the client only.
 *
 * @see https://socket.io/docs/v4/socket-io-protocol/
 */
export class EventClient extends EngineSession {
  readonly #listener: EventListener
  /** Clients of Engine.IO 3 are connected by the hub; those of 4 ask for it. */
  readonly #isOld: boolean
  #isConnected = false
  #packets = 0
  #unsent = 0

  constructor(engine: EngineSocket, remote: string, accept: (client: EventClient) => EventListener) {
    super(engine, remote, {
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      strangerBytes: MAX_STRANGER_BYTES,
      knownBytes: MAX_EVENT_BYTES
    })
    this.#isOld = engine.protocol === 3
    // Engine.IO answers pings by itself, and keeps the answers until they are fetched.
    engine.on('packet', () => this.#count())
    engine.on('data', (message: unknown) => this.#received(message))
    engine.on('flush', () => (this.#unsent = 0))
    this.#listener = accept(this)
    if (this.#isOld) this.#connect('0')
  }

  get isConnected(): boolean {
    return this.#isConnected && this.reason === undefined
  }

  /** Sends an event. A client that leaves too many unfetched is cut off. */
  emit(name: string, ...values: unknown[]): void {
    if (this.isConnected) this.#send(`2${JSON.stringify([name, ...values])}`)
  }

  override beat(): void {
    this.#packets = 0
    super.beat()
  }

  close(): void {
    if (this.reason !== undefined) return
    if (this.#isConnected) this.engine.send('1')
    this.endLater({ code: 1000, text: '' })
  }

  protected override ended(): void {
    this.#listener.onClose()
  }

  #count(): void {
    if (++this.#packets > MAX_PACKETS_PER_BEAT && this.reason === undefined) this.cut()
  }

  #received(message: unknown): void {
    if (this.reason !== undefined) return
    try {
      this.#read(message)
    } catch (error) {
      if (!(error instanceof BadPacket)) throw error
      this.cut()
    }
  }

  #read(message: unknown): void {
    if (typeof message !== 'string') throw new BadPacket()
    const { type, namespace, rest } = partsOf(message)
    if (namespace !== '/') {
      if (type === '0') this.#send(`4${namespace},${JSON.stringify(this.#isOld ? INVALID : { message: INVALID })}`)
      return
    }
    if (type === '0') {
      if (!this.#isOld && !this.#isConnected) this.#connect(`0${JSON.stringify({ sid: crypto.randomUUID() })}`)
      return
    }
    if (!this.#isConnected) throw new BadPacket()
    if (type === '1') return this.close()
    // What it acknowledges nobody asked for.
    if (type === '2') this.#event(rest)
    else if (type !== '3') throw new BadPacket()
  }

  #event(text: string): void {
    const id = /^\d{0,15}/.exec(text)![0]
    const [name, ...values] = readArray(text.slice(id.length))
    if (typeof name !== 'string') throw new BadPacket()
    const answer = (...given: unknown[]): void => {
      if (this.isConnected) this.#send(`3${id}${JSON.stringify(given)}`)
    }
    this.#listener.onEvent(name, values, id === '' ? undefined : answer)
  }

  #connect(packet: string): void {
    this.connected()
    this.#isConnected = true
    this.#send(packet)
  }

  #send(packet: string): void {
    if (++this.#unsent > MAX_UNSENT) return this.cut()
    this.engine.send(packet)
  }
}

const INVALID = 'Invalid namespace'

/** @throws BadPacket */
function partsOf(message: string): { type: string; namespace: string; rest: string } {
  const type = message.charAt(0)
  if (message.charAt(1) !== '/') return { type, namespace: '/', rest: message.slice(1) }
  const end = message.indexOf(',')
  const [namespace] = message.slice(1, end < 0 ? undefined : end).split('?')
  if (namespace!.length > MAX_NAMESPACE_LENGTH) throw new BadPacket()
  return { type, namespace: namespace!, rest: end < 0 ? '' : message.slice(end + 1) }
}

/** @throws BadPacket */
function readArray(text: string): unknown[] {
  if (!hasAtMostValues(text, MAX_EVENT_VALUES)) throw new BadPacket()
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value)) return value
  } catch {
    // It is no JSON.
  }
  throw new BadPacket()
}
