import type { ServerResponse } from 'node:http'
import type { Socket as EngineSocket, Transport } from 'engine.io'
import type { WebSocket } from 'ws'
import type { CloseReason } from '../../protocol/index.ts'

/** From the end that the hub wants to the one that it makes. */
const CLOSE_TIMEOUT_MS = 5_000
/** Beats without anything sent, although each Engine.IO ping is. */
const MAX_IDLE_BEATS = 2

/** Parts of Engine.IO's transports that its types leave out. */
interface Carrier extends Transport {
  /** Of a websocket. */
  readonly socket?: WebSocket
  /** The poll that is being answered, of one who polls. */
  readonly res?: ServerResponse | null
  /** Of one who polls and is to be told of the end with the next poll: does not wait for it. */
  readonly shouldClose?: (() => void) | null
  /** How long it waits for that poll. */
  closeTimeout?: number
  /** How much a post may hold. */
  maxHttpBufferSize?: number
}

export interface SessionBounds {
  /** From the session's beginning to the packet that says what it is. */
  readonly connectTimeoutMs: number
  /** What may be posted at once, by someone not yet known and by others. */
  readonly strangerBytes: number
  readonly knownBytes: number
}

/** One session of Engine.IO, over whatever transport it goes just now: its life, from the time in which it has to say what it is to the end that the hub makes if nobody else does. */
export abstract class EngineSession {
  readonly remote: string
  /** Resolves when nothing is left of it. */
  readonly gone: Promise<void>
  protected readonly engine: EngineSocket
  /** Why it ends, once it does. */
  protected reason: CloseReason | undefined
  readonly #knownBytes: number
  #isKnown = false
  /** Since something was last sent. */
  #idleBeats = 0
  #timer: NodeJS.Timeout

  constructor(engine: EngineSocket, remote: string, { connectTimeoutMs, strangerBytes, knownBytes }: SessionBounds) {
    this.engine = engine
    this.remote = remote
    this.#knownBytes = knownBytes
    // It holds the whole request, for as long as the session lives.
    ;(engine as { request: unknown }).request = undefined
    this.#timer = setTimeout(() => engine.close(true), connectTimeoutMs)
    this.carrier.closeTimeout = CLOSE_TIMEOUT_MS
    this.#boundPosts(strangerBytes)
    engine.on('flush', () => (this.#idleBeats = 0))
    this.gone = new Promise<CloseReason>(
      resolve =>
        engine.once('close', (text: string) => {
          clearTimeout(this.#timer)
          resolve((this.reason ??= { code: 1006, text }))
        })
      // Not at once: it may have ended within a call of whoever is to be told.
    ).then(reason => this.ended(reason))
  }

  /** Whether more may come in than from someone not yet known. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  get isPolling(): boolean {
    return this.carrier.name === 'polling'
  }

  /** Whoever knows it says so: more may come from it than from a stranger. */
  known(): void {
    this.#isKnown = true
    this.#boundPosts(this.#knownBytes)
  }

  /** Comes with each ping. Cuts off who does not take what it is sent: answers to pings that it was never given keep no session alive. */
  beat(): void {
    if (++this.#idleBeats > MAX_IDLE_BEATS) this.cut(1006, 'silent')
  }

  /** Has what the client posts wait. @returns false when it does not wait */
  hold(_handle: () => void): boolean {
    return false
  }

  /** Ends it, naming the reason. */
  abstract close(code: number, text: string): void

  /** Ends it at once, whatever is still to leave: without a reason as if the network had. */
  cut(code = 1006, text = ''): void {
    this.reason ??= { code, text }
    this.engine.close(true)
    this.carrier.shouldClose?.()
  }

  /** Is called once nothing is left of it. */
  protected abstract ended(reason: CloseReason): void

  protected get carrier(): Carrier {
    return this.engine.transport
  }

  /** It has said in time what it is. */
  protected connected(): void {
    clearTimeout(this.#timer)
  }

  /** Ends it once everything has left, or by force. */
  protected endLater(reason: CloseReason): void {
    this.reason = reason
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.engine.close(true), CLOSE_TIMEOUT_MS)
    // Engine.IO would break off the post that this may be the answer to, and the client not wait for the reason.
    process.nextTick(() => this.engine.close())
  }

  #boundPosts(maxBytes: number): void {
    if (this.carrier.maxHttpBufferSize !== undefined) this.carrier.maxHttpBufferSize = maxBytes
  }
}
