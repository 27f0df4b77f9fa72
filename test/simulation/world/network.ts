import type { CloseReason, ConnectionEvents } from '../../../protocol/index.ts'
import type { Random } from '../../util/random.ts'
import type { HubConnection } from '../../../server/core/ports.ts'
import { Life, type Loop } from './loop.ts'

/** What the system takes from a connection before anything counts as unsent. */
const SYSTEM_BYTES = 65_536
/** A carrier cuts off who was silent for so long. */
const SILENCE_MS = 60_000

export interface Weather {
  /** The longest that a frame takes. */
  readonly latencyMs: number
  /** What one byte counts as. More than one brings the bounds for megabytes within reach of small worlds. */
  readonly weight: number
}

/** Sees what is sent and what arrives. */
export interface Observer {
  sent(session: number, from: 'hub' | 'client', bytes: Uint8Array, bufferedBytes: number): void
  arrived(session: number, at: 'hub' | 'client', bytes: Uint8Array): void
  closed(session: number, at: 'hub' | 'client', reason: CloseReason): void
}

/** The connections of a world: each keeps what it carries in order, and all else may happen to it. */
export class Network {
  readonly loop: Loop
  readonly random: Random
  readonly observer: Observer
  weather: Weather
  readonly lines = new Map<number, Line>()
  #sessions = 0

  constructor(loop: Loop, random: Random, weather: Weather, observer: Observer) {
    this.loop = loop
    this.random = random
    this.weather = weather
    this.observer = observer
  }

  /** A new connection between two processes. */
  open(): Line {
    const line = new Line(this, ++this.#sessions)
    this.lines.set(line.session, line)
    return line
  }

  /** Nothing is on its way, and nobody waits on a connection that is dead. */
  get isQuiet(): boolean {
    return [...this.lines.values()].every(line => !line.isDead && line.hub.waiting === 0 && line.client.waiting === 0)
  }

  latencyMs(): number {
    return this.random.chance(0.8)
      ? this.random.next() * Math.min(20, this.weather.latencyMs)
      : this.random.next() * this.weather.latencyMs
  }
}

/** One connection. */
export class Line {
  readonly session: number
  readonly network: Network
  readonly hub: LineEnd
  readonly client: LineEnd
  /** Nothing arrives before. */
  stalledUntilMs = 0
  /** Nothing arrives any more, and no end knows. */
  isDead = false

  constructor(network: Network, session: number) {
    this.network = network
    this.session = session
    this.hub = new LineEnd(this, 'hub')
    this.client = new LineEnd(this, 'client')
  }

  /** Cuts it: what was on its way arrives in part, and both ends are told, each in its time. */
  cut(): void {
    for (const end of [this.hub, this.client]) end.lose()
  }

  /** Nothing arrives any more; the carriers notice after a while. */
  kill(): void {
    if (this.isDead) return
    this.isDead = true
    for (const end of [this.hub, this.client]) {
      const noticeMs = SILENCE_MS * (1 + this.network.random.next() / 2)
      this.network.loop.after(noticeMs, new Life(), () => end.finish({ code: 1006, text: '' }))
    }
  }

  stall(forMs: number): void {
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.network.loop.nowMs + forMs)
  }

  /** Both ends know that it is over. */
  get isOver(): boolean {
    return this.hub.isFinished && this.client.isFinished
  }

  forgotten(): void {
    if (this.isOver) this.network.lines.delete(this.session)
  }
}

interface Message {
  readonly dueMs: number
  /** A frame, or why it ends. */
  readonly content: Uint8Array | CloseReason
}

/** One end of a connection. */
export class LineEnd implements HubConnection {
  readonly remote: string
  readonly #line: Line
  readonly #side: 'hub' | 'client'
  #events: ConnectionEvents | undefined
  #inbox: Message[] = []
  #inboxBytes = 0
  #isPumping = false
  #isPaused = false
  #isStuck = false
  #isClosing = false
  isFinished = false
  /** Set when its process ended: it hears and says nothing. */
  isAbandoned = false

  constructor(line: Line, side: 'hub' | 'client') {
    this.#line = line
    this.#side = side
    this.remote = `session ${line.session}`
  }

  get #other(): LineEnd {
    return this.#side === 'hub' ? this.#line.client : this.#line.hub
  }

  /** How many messages are on their way to this end. */
  get waiting(): number {
    return this.isFinished || this.isAbandoned ? 0 : this.#inbox.length
  }

  get bufferedBytes(): number {
    if (this.#isClosing) return 0
    return Math.max(0, this.#other.#inboxBytes * this.#line.network.weather.weight - SYSTEM_BYTES)
  }

  listen(events: ConnectionEvents): void {
    this.#events = events
    this.#pump()
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosing || this.isAbandoned) return
    this.#other.#take(bytes)
    this.#line.network.observer.sent(this.#line.session, this.#side, bytes, this.bufferedBytes)
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#pump()
  }

  close(code: number, text: string): void {
    if (this.#isClosing || this.isAbandoned) return
    this.#isClosing = true
    this.#isPaused = false
    this.#other.#take({ code, text })
    this.#later(() => this.finish({ code, text }))
  }

  /** The process at this end reads nothing, or goes on. */
  set isStuck(isStuck: boolean) {
    this.#isStuck = isStuck
    this.#pump()
  }

  /** The process at this end is gone: the other end is told, or not even that. */
  abandon(isTold: boolean): void {
    if (this.isAbandoned) return
    this.isAbandoned = true
    this.finish({ code: 1006, text: '' })
    if (isTold) this.#other.lose()
    else this.#line.kill()
  }

  /** What is on its way arrives in part, and then the end: a broken connection shows to whoever does not read too. */
  lose(): void {
    this.#isClosing = true
    this.#isPaused = false
    this.#isStuck = false
    const kept = this.#line.network.random.below(this.#inbox.length + 1)
    for (const { content } of this.#inbox.splice(kept)) if (content instanceof Uint8Array) this.#inboxBytes -= content.length
    this.#take({ code: 1006, text: '' })
  }

  /** Tells this end that it is over. */
  finish(reason: CloseReason): void {
    if (this.isFinished) return
    this.isFinished = true
    this.#inbox = []
    this.#inboxBytes = 0
    this.#line.forgotten()
    this.#line.network.observer.closed(this.#line.session, this.#side, reason)
    if (!this.isAbandoned) this.#events?.onClose(reason)
  }

  #take(content: Uint8Array | CloseReason): void {
    if (this.isFinished) return
    const { loop } = this.#line.network
    const dueMs = Math.max(this.#inbox.at(-1)?.dueMs ?? 0, loop.nowMs + this.#line.network.latencyMs())
    if (content instanceof Uint8Array) this.#inboxBytes += content.length
    this.#inbox.push({ dueMs, content })
    this.#pump()
  }

  #pump(): void {
    const [next] = this.#inbox
    if (next === undefined || this.#isPumping || this.#events === undefined) return
    this.#isPumping = true
    const { network, stalledUntilMs } = this.#line
    network.loop.after(Math.max(next.dueMs, stalledUntilMs) - network.loop.nowMs, new Life(), () => this.#deliver())
  }

  #deliver(): void {
    this.#isPumping = false
    const [next] = this.#inbox
    const { network, isDead, stalledUntilMs, session } = this.#line
    if (next === undefined || isDead || this.isFinished) return
    if (stalledUntilMs > network.loop.nowMs) return this.#pump()
    const { content } = next
    if (!(content instanceof Uint8Array)) return this.finish(content)
    // Who does not read learns of no end either, but for a broken connection.
    if (this.#isStuck || this.#isPaused) return
    const wasFull = this.#other.bufferedBytes > 0
    this.#inbox.shift()
    this.#inboxBytes -= content.length
    if (wasFull && this.#other.bufferedBytes === 0) this.#other.#later(() => this.#other.#drained())
    this.#pump()
    if (this.isAbandoned) return
    network.observer.arrived(session, this.#side, content)
    this.#events!.onFrame(content)
  }

  #drained(): void {
    if (!this.isFinished && !this.isAbandoned) this.#events?.onDrain()
  }

  #later(task: () => void): void {
    this.#line.network.loop.after(this.#line.network.random.next(), new Life(), task)
  }
}
