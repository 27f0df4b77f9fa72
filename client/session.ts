import {
  ERRORS,
  HubError,
  LIMITS,
  PROTOCOL_VERSION,
  decodeFrame,
  encodeFrame,
  isErrorCode,
  type CloseReason,
  type Connection,
  type ErrorCode,
  type Frame,
  type FrameFields,
  type FrameKind,
  type HubFrame,
  type Retry
} from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import { Backoff } from './backoff.ts'
import { StorageFailedError } from './storage.ts'

/**
 * `offline`: waiting for the next try. `connecting`: until the hub has let us in. `catching-up`: reading what was missed. `live`: at the
 * head of the log. `closed`: no more tries, until `retry`.
 */
export type State = 'offline' | 'connecting' | 'catching-up' | 'live' | 'closed'

/** Why a session closed itself: what the hub said, or that the storage is gone. */
export type ClosedReason = HubError | StorageFailedError

/** A `changes` frame's place in the log is checked by whoever holds the cursor; the session asks it. */
export interface SessionOwner {
  hello(): Omit<FrameFields<'hello'>, 'version' | 'token' | 'agent'>
  cursor(): number
  /** Anything that it throws is a fault of the stream: the connection is dropped and made anew. */
  onFrame(frame: HubFrame): void
  onState(state: State, reason: ClosedReason | undefined): void
  onDisconnected(): void
  onDrain(): void
  onError(error: Error): void
}

export interface SessionOptions {
  readonly dial: () => Connection
  readonly token: string
  readonly agent: string
  readonly clock: Clock
}

/** How long a connection must have been live for the next wait to be short again. */
const HELD_MS = 5_000
const WELCOME_TIMEOUT_MS = 15_000
const PROBE_TIMEOUT_MS = 5_000
/** Of a megabyte on the slowest of lines. */
const MOST_SILENT_MS = 16 * LIMITS.idleTimeoutMs

/** Keeps one connection to the hub alive for as long as it is wanted: signs in, notices silence, waits and tries again. */
export class Session {
  readonly #owner: SessionOwner
  readonly #options: SessionOptions
  readonly #clock: Clock
  readonly #backoff: Backoff
  #token: string
  #state: State = 'offline'
  #reason: ClosedReason | undefined
  #connection: Connection | undefined
  #welcome: Frame<'welcome'> | undefined
  #bye: Frame<'bye'> | undefined
  #liveSinceMs: number | undefined
  /** Ticks of the heartbeat without a word from the hub. */
  #silentTicks = 0
  /** What it may be silent for: of a long frame on a slow line nothing is heard before its end. Twice as long after each that was given up before it was live. */
  #mostSilentMs: number = LIMITS.idleTimeoutMs
  #hasSent = false
  #isProbing = false
  /** It came back after being replaced, and has not held since. */
  #hasComeBack = false
  #cancelTimer = (): void => {}

  constructor(owner: SessionOwner, options: SessionOptions) {
    this.#owner = owner
    this.#options = options
    this.#clock = options.clock
    this.#backoff = new Backoff(options.clock)
    this.#token = options.token
  }

  get state(): State {
    return this.#state
  }

  /** Why the session is closed. */
  get reason(): ClosedReason | undefined {
    return this.#reason
  }

  /** What the hub said when it let us in; undefined while it has not. */
  get welcome(): Frame<'welcome'> | undefined {
    return this.#welcome
  }

  get bufferedBytes(): number {
    return this.#connection?.bufferedBytes ?? 0
  }

  /** Connects now, whatever it was waiting for: with another token also in the place of a connection that was not let in yet. */
  start(token = this.#token): void {
    const isOutdated = this.#welcome === undefined && token !== this.#token
    this.#token = token
    if (this.#connection !== undefined && !isOutdated) return
    this.#disconnect(1000, 'another token')
    this.#reason = undefined
    this.#dial()
  }

  /** The network or the user is back: tries at once, or makes sure that the connection is not a dead one. */
  wake(): void {
    if (this.#state === 'offline') this.#dial()
    else if (this.#welcome !== undefined) this.#probe()
  }

  send<K extends FrameKind>(kind: K, fields: FrameFields<K>): void {
    this.#hasSent = true
    this.#connection?.send(encodeFrame(kind, fields))
  }

  /** Ends for good. `reason` is undefined when it was wished for. */
  close(reason?: ClosedReason): void {
    this.#disconnect(reason instanceof HubError ? 4400 : 1000, reason?.message ?? 'closed')
    this.#reason = reason
    this.#enter('closed')
  }

  /** Goes live when the owner's cursor has reached the head that `welcome` named. */
  checkLive(): void {
    if (this.#state !== 'catching-up' || this.#welcome === undefined || this.#owner.cursor() < this.#welcome.head) return
    this.#liveSinceMs = this.#clock.nowMs()
    this.#mostSilentMs = LIMITS.idleTimeoutMs
    this.#enter('live')
  }

  #dial(): void {
    this.#cancelTimer()
    let connection: Connection
    try {
      connection = this.#options.dial()
    } catch (error) {
      this.#wait()
      return this.#owner.onError(error as Error)
    }
    this.#connection = connection
    this.#bye = undefined
    this.#isProbing = false
    const isCurrent = (): boolean => this.#connection === connection
    connection.listen({
      onFrame: bytes => isCurrent() && this.#received(bytes, isCurrent),
      onDrain: () => isCurrent() && this.#owner.onDrain(),
      onClose: reason => isCurrent() && this.#lost(reason)
    })
    this.#cancelTimer = this.#clock.after(WELCOME_TIMEOUT_MS, () =>
      this.#fault(new HubError('hello-timeout', 'the hub did not answer the hello'))
    )
    this.send('hello', { version: PROTOCOL_VERSION, token: this.#token, agent: this.#options.agent, ...this.#owner.hello() })
    this.#enter('connecting')
  }

  #received(bytes: Uint8Array, isCurrent: () => boolean): void {
    this.#silentTicks = 0
    this.#isProbing = false
    try {
      this.#handle(decodeFrame(bytes, 'hub'))
    } catch (error) {
      if (isCurrent()) this.#fault(error as Error)
    }
  }

  #handle(frame: HubFrame): void {
    if (frame.kind === 'bye') {
      this.#bye = frame
      return
    }
    if (frame.kind === 'welcome') {
      if (this.#welcome !== undefined) throw new HubError('out-of-place', 'a second welcome')
      if (frame.version !== PROTOCOL_VERSION) return this.close(new HubError('version-unsupported'))
      this.#welcome = frame
      this.#heartbeat()
      this.#enter('catching-up')
      if (this.#welcome !== frame) return
    } else if (this.#welcome === undefined) throw new HubError('out-of-place', `${frame.kind} before welcome`)
    this.#owner.onFrame(frame)
  }

  /** The other end does not keep to the protocol, or is silent. What was read so far stays; the rest is asked for again. */
  #fault(error: Error): void {
    this.#disconnect(4400, error.message)
    this.#wait()
    this.#owner.onError(error)
  }

  #lost(reason: CloseReason): void {
    const bye = this.#bye
    const code = bye !== undefined && isErrorCode(bye.code) ? bye.code : codeOf(reason.code)
    this.#disconnect(1000, '')
    // A hello of our own that was held up on the way may have taken our place; another client, which holds its own, is let have it.
    const isOwnDoing = code === 'replaced' && !this.#hasComeBack
    if (isOwnDoing) this.#hasComeBack = true
    const retry: Retry = code === undefined || isOwnDoing ? 'backoff' : ERRORS[code].retry
    if (code !== undefined && (retry === 'never' || retry === 'refresh')) {
      this.#reason = new HubError(code, bye?.message ?? reason.text)
      this.#enter('closed')
    } else this.#wait(bye?.retryAfterMs)
  }

  #disconnect(code: number, text: string): void {
    this.#cancelTimer()
    const connection = this.#connection
    if (connection === undefined) return
    if (this.#liveSinceMs !== undefined && this.#clock.nowMs() - this.#liveSinceMs >= HELD_MS) {
      this.#backoff.reset()
      this.#hasComeBack = false
    }
    this.#connection = undefined
    this.#welcome = undefined
    this.#liveSinceMs = undefined
    connection.close(code, text)
    this.#owner.onDisconnected()
  }

  #wait(retryAfterMs?: number): void {
    this.#cancelTimer()
    this.#cancelTimer = this.#clock.after(this.#backoff.nextDelayMs(retryAfterMs), () => this.#dial())
    this.#enter('offline')
  }

  /** Says something whenever either end was silent for an interval, and gives up when the hub was for too long. Counts ticks: clocks jump. */
  #heartbeat(): void {
    this.#silentTicks = 0
    this.#hasSent = false
    let bufferedBytes = 0
    const tick = (): void => {
      // What goes out shows that the other end takes it: of a long action on a slow uplink there is nothing to say before its end.
      if (this.bufferedBytes < bufferedBytes) this.#silentTicks = 0
      bufferedBytes = this.bufferedBytes
      if (this.#silentTicks * LIMITS.pingIntervalMs >= this.#mostSilentMs) {
        if (this.#state !== 'live') this.#mostSilentMs = Math.min(2 * this.#mostSilentMs, MOST_SILENT_MS)
        return this.#fault(silence())
      }
      if (this.#silentTicks > 0 || !this.#hasSent) this.send('ping', { nonce: 0 })
      this.#silentTicks += 1
      this.#hasSent = false
      this.#cancelTimer = this.#clock.after(LIMITS.pingIntervalMs, tick)
    }
    this.#cancelTimer()
    this.#cancelTimer = this.#clock.after(LIMITS.pingIntervalMs, tick)
  }

  /** A connection that slept with the machine may be dead without knowing. */
  #probe(): void {
    if (this.#isProbing) return
    this.#isProbing = true
    this.send('ping', { nonce: 0 })
    this.#cancelTimer()
    this.#cancelTimer = this.#clock.after(PROBE_TIMEOUT_MS, () => {
      if (this.#isProbing) this.#fault(silence())
      else this.#heartbeat()
    })
  }

  /** Whoever hears of it may close the session or start it anew: MUST come last, or be looked behind. */
  #enter(state: State): void {
    if (this.#state === state) return
    this.#state = state
    this.#owner.onState(state, this.#reason)
  }
}

const silence = (): HubError => new HubError('slow', 'the hub is silent')

/** What a close code says when no `bye` came before it. Only the hub's own codes are trusted: the others come from proxies too. */
function codeOf(close: number): ErrorCode | undefined {
  if (close === ERRORS.unauthenticated.close) return 'unauthenticated'
  if (close === ERRORS.forbidden.close) return 'forbidden'
  if (close === ERRORS['version-unsupported'].close) return 'version-unsupported'
  return undefined
}
