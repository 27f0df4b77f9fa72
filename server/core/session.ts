import {
  changesFrame,
  decodeFrame,
  encodeFrame,
  ERRORS,
  HubError,
  LIMITS,
  MIN_PROTOCOL_VERSION,
  PROTOCOL_VERSION,
  valueEnd,
  type ClientFrame,
  type CloseReason,
  type Connection,
  type ErrorCode,
  type Frame,
  type Plain
} from '../../protocol/index.ts'
import { Origin, type Account, type Answers, type Follower, type Submitter } from './account.ts'
import type { Clock, Logger } from './ports.ts'
import { checkPlace, readPage } from './read.ts'
import type { Store, StoredRun } from './store.ts'

/** What a session may hold unsent before it stops sending and reads on from the log later. */
const HIGH_WATER_BYTES = 262_144
/** What a session may have asked for and not been answered before it stops listening. */
const MAX_UNANSWERED_BYTES = 1_048_576
const SLOW_AFTER_MS = 10_000
const MAX_REFUSED_IN_A_ROW = 1_000
const DOCUMENT_PART_BYTES = 262_144
/** More answers than this, which may come with long reasons, are parted into several frames. */
const ANSWERS_PER_FRAME = 250
const ACCEPTED_PER_FRAME = 10_000

/** A document without any edit, as a Yjs v1 update. */
const EMPTY_UPDATE = Uint8Array.of(0, 0)

/** What sessions need of the hub that they belong to. */
export interface SessionHost {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  /** Who a token stands for. @throws HubError `unauthenticated`, `device-revoked` */
  authenticate(token: string): Promise<{ account: Account; device: string; readOnly: boolean }>
  /** The session starts to hold a document for reading in parts; another one may have to let go of its own. */
  holdsReading(session: Session): void
  /** It holds none any more. */
  endsReading(session: Session): void
  closed(session: Session): void
  /** Something threw that should not have: the account in memory can no longer be trusted to equal its log. */
  failed(account: Account, error: unknown): void
}

/** Who a session speaks for, once it has said hello. */
interface Member {
  readonly account: Account
  readonly origin: Origin
}

/**
 * One device on one live connection: a reader of its account's log, with a cursor.
 *
 * At the head it is handed each new run as it becomes durable. Behind the head, because it has just come or does not drain, it reads on from the
 * log at its own pace until it is there. So nothing is queued for it, and it misses nothing.
 */
export class Session implements Follower, Submitter {
  readonly #connection: Connection
  readonly #host: SessionHost
  #member: Member | undefined
  #cursor = 0
  #isReadingOn = false
  #isClosed = false
  /** A frame waits for the disk; those behind it queue. */
  #isBusy = false
  readonly #queue: Uint8Array[] = []
  #queuedBytes = 0
  /** Of the pushes that await their answers. */
  #unansweredBytes = 0
  #isPaused = false
  #refusedInARow = 0
  #cancelHelloTimer: () => void
  #cancelSlowTimer: (() => void) | undefined
  /** A document that is being read in parts: every part is of the same state. */
  #reading: { readonly book: string; readonly cursor: number; readonly bytes: Uint8Array } | undefined

  constructor(connection: Connection, host: SessionHost) {
    this.#connection = connection
    this.#host = host
    this.#cancelHelloTimer = host.clock.setTimer(LIMITS.helloTimeoutMs, () => this.end('hello-timeout'))
    connection.listen({
      onFrame: bytes => this.#receive(bytes),
      onDrain: () => this.#drained(),
      onClose: reason => this.#gone(reason)
    })
  }

  get device(): string {
    return this.#member?.origin.device ?? ''
  }

  get remote(): string {
    return this.#connection.remote
  }

  deliver(frame: Uint8Array, first: number, last: number): void {
    const isNext = this.#cursor === first - 1 && !this.#isReadingOn
    if (isNext && frame.length <= LIMITS.maxFrameBytes && this.#connection.bufferedBytes < HIGH_WATER_BYTES) {
      this.#cursor = last
      this.#connection.send(frame)
    } else this.#readOn()
  }

  answered({ accepted, refused }: Answers): void {
    if (refused.length <= ANSWERS_PER_FRAME && accepted.length <= ACCEPTED_PER_FRAME) this.#send('acked', { accepted, refused })
    else
      for (let at = 0; at < Math.max(accepted.length, refused.length); at += ANSWERS_PER_FRAME) {
        const end = at + ANSWERS_PER_FRAME
        this.#send('acked', { accepted: accepted.slice(at, end), refused: refused.slice(at, end) })
      }
    this.#refusedInARow = accepted.length > 0 ? 0 : this.#refusedInARow + refused.length
    if (this.#refusedInARow > MAX_REFUSED_IN_A_ROW) return this.end('too-many-refused', { retryAfterMs: 60_000 })
    this.#unansweredBytes = 0
    if (this.#isPaused) this.#goOn()
  }

  /** Lets go of a document that is being read in parts; the reader starts again. */
  dropReading(): void {
    this.#reading = undefined
    this.#host.endsReading(this)
  }

  /** Says why, and closes. */
  end(code: ErrorCode, { message = ERRORS[code].text, retryAfterMs }: { message?: string; retryAfterMs?: number } = {}): void {
    if (this.#isClosed) return
    this.#send('bye', { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
    this.#connection.close(ERRORS[code].close === 0 ? ERRORS['bad-frame'].close : ERRORS[code].close, code)
    this.#leave()
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isClosed) return
    if (this.#queue.length === 0 && !this.#isHeld) return this.#take(bytes)
    this.#queue.push(bytes)
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes > 2 * MAX_UNANSWERED_BYTES) return this.end('overloaded')
    this.#pause()
    this.#watchSlowness()
  }

  /** Nothing more is taken now: a frame waits for the disk, or what was sent has not left. Who does not listen is not talked to. */
  get #isHeld(): boolean {
    return this.#isBusy || this.#connection.bufferedBytes >= HIGH_WATER_BYTES
  }

  #take(bytes: Uint8Array): void {
    try {
      const later = this.#handle(bytes)
      if (later !== undefined) this.#waitFor(later)
    } catch (error) {
      this.#fault(error)
    }
  }

  /** Frames are handled in order: while one waits for the disk, the next ones queue. */
  #waitFor(later: Promise<void>): void {
    this.#isBusy = true
    this.#pause()
    later.then(
      () => {
        this.#isBusy = false
        this.#goOn()
      },
      (error: unknown) => this.#fault(error)
    )
  }

  /** Takes what queued, and listens again, as far as nothing holds it up. */
  #goOn(): void {
    while (this.#queue.length > 0 && !this.#isHeld && !this.#isClosed) {
      const bytes = this.#queue.shift()!
      this.#queuedBytes -= bytes.length
      this.#take(bytes)
    }
    if (!this.#isHeld && this.#unansweredBytes <= MAX_UNANSWERED_BYTES) this.#resume()
  }

  #handle(bytes: Uint8Array): Promise<void> | undefined {
    const member = this.#member
    if (member === undefined) {
      if (bytes.length > LIMITS.maxHelloBytes) throw new HubError('frame-too-large', 'the first frame is over the limit')
      const frame = decodeFrame(bytes, 'client')
      if (frame.kind !== 'hello') throw new HubError('out-of-place', 'the first frame must be hello')
      return this.#hello(frame)
    }
    const frame = decodeFrame(bytes, 'client')
    return this.#handleFrame(member, frame, bytes.length)
  }

  #handleFrame(member: Member, frame: ClientFrame, size: number): Promise<void> | undefined {
    switch (frame.kind) {
      case 'hello':
        throw new HubError('out-of-place', 'hello was said already')
      case 'push':
        return this.#push(member, frame, size)
      case 'read':
        return this.#read(member, frame)
      case 'ping':
        this.#send('pong', { nonce: frame.nonce, timeMs: Math.floor(this.#host.clock.nowMs()) })
        break
      case 'ack':
    }
    return undefined
  }

  async #hello({ version, token, client, epoch, cursor }: Frame<'hello'>): Promise<void> {
    if (version < MIN_PROTOCOL_VERSION || version > PROTOCOL_VERSION) {
      const spoken = `${MIN_PROTOCOL_VERSION} to ${PROTOCOL_VERSION}`
      throw new HubError('version-unsupported', `the hub speaks versions ${spoken}, not ${version}`)
    }
    const { account, device, readOnly } = await this.#host.authenticate(token)
    if (this.#isClosed) return
    // It may have been revoked since its token was looked at; from here on it is among those whom that ends.
    if (account.views.get('devices', device)?.revoked === true) throw new HubError('device-revoked')
    this.#cancelHelloTimer()
    this.#member = { account, origin: new Origin(device, client, readOnly) }
    const canContinue = cursor <= account.durableHead && (epoch === account.epoch || (epoch === '' && cursor === 0))
    this.#cursor = canContinue ? cursor : 0
    const { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs } = LIMITS
    this.#send('welcome', {
      version,
      account: account.id,
      device,
      epoch: account.epoch,
      head: account.durableHead,
      lastNumber: account.lastNumber(device, client),
      timeMs: Math.floor(this.#host.clock.nowMs()),
      limits: { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs }
    })
    if (!canContinue) this.#send('resync', { code: 'cursor-unknown', epoch: account.epoch, cursor: 0 })
    account.followers.add(this)
    this.#readOn()
  }

  #push(member: Member, frame: Frame<'push'>, size: number): Promise<void> | undefined {
    const loading = member.account.prepare(frame.actions)
    if (loading !== undefined) return loading.then(() => this.#submit(member, frame, size))
    this.#submit(member, frame, size)
    return undefined
  }

  #submit({ account, origin }: Member, { confirmed, actions }: Frame<'push'>, size: number): void {
    if (this.#isClosed) return
    this.#unansweredBytes += size
    if (this.#unansweredBytes > MAX_UNANSWERED_BYTES) this.#pause()
    account.usedAtMs = this.#host.clock.nowMs()
    account.submit(origin, confirmed, actions, this)
  }

  /** Views are read as they stand, and sent once that is durable. */
  async #read({ account }: Member, { id, view, key, after }: Frame<'read'>): Promise<void> {
    let page: { value: Plain; next: string; cursor: number } | HubError
    try {
      checkPlace(key, after)
      if ((view === 'annotations' || view === 'document') && account.documents.isKnown(key)) await account.documents.load([key])
      page =
        view === 'document'
          ? this.#documentPart(account, key, after)
          : { ...readPage(account, view, key, after), cursor: account.head }
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      page = error
    }
    const answer = page
    await account.settled()
    if (answer instanceof HubError) this.#send('failed', { id, code: answer.code, message: answer.message, field: answer.field })
    else this.#send('view', { id, ...answer })
    if (view === 'document' && (answer instanceof HubError || answer.next === '')) this.dropReading()
  }

  #documentPart(account: Account, book: string, after: string): { value: Plain; next: string; cursor: number } {
    if (after === '') {
      const isKnown = account.documents.isKnown(book)
      const bytes = isKnown ? account.documents.use(book, this.#host.clock.nowMs()).encode() : EMPTY_UPDATE
      this.#reading = { book, cursor: account.head, bytes }
      if (bytes.length > DOCUMENT_PART_BYTES) this.#host.holdsReading(this)
    }
    const reading = this.#reading
    const start = Number(after)
    if (reading === undefined || reading.book !== book || !Number.isInteger(start) || start < 0 || start > reading.bytes.length)
      throw new HubError('bad-request', 'no reading of this document is under way there; start again', { field: 'after' })
    const end = start + DOCUMENT_PART_BYTES
    return { value: reading.bytes.slice(start, end), next: end < reading.bytes.length ? String(end) : '', cursor: reading.cursor }
  }

  /** Reads on from the log until the session is at the head, or has as much unsent as it may. */
  #readOn(): void {
    if (this.#isReadingOn || this.#isClosed || this.#member === undefined) return
    this.#isReadingOn = true
    this.#copyLog(this.#member.account).then(
      () => this.#watchSlowness(),
      (error: unknown) => this.#fault(error)
    )
  }

  async #copyLog(account: Account): Promise<void> {
    while (this.#cursor < account.durableHead && !this.#isClosed && this.#connection.bufferedBytes < HIGH_WATER_BYTES) {
      const runs = await this.#host.store.read(account.id, this.#cursor, LIMITS.changesFrameBytes)
      if (this.#isClosed) return
      for (const [parts, count] of gatherFrames(runs, this.#cursor)) this.#connection.send(changesFrame(parts, count))
      const last = runs.at(-1)!
      this.#cursor = last.first + last.count - 1
    }
    // In the same breath: a change that comes between this look at the head and the end of the reading would be told to no one.
    this.#isReadingOn = false
  }

  /** A session that stays behind with what it was sent undrained is closed; it comes back and catches up. */
  #watchSlowness(): void {
    const { bufferedBytes } = this.#connection
    if (this.#isClosed || this.#cancelSlowTimer !== undefined || bufferedBytes < HIGH_WATER_BYTES) return
    this.#cancelSlowTimer = this.#host.clock.setTimer(SLOW_AFTER_MS, () => {
      this.#cancelSlowTimer = undefined
      if (this.#connection.bufferedBytes < bufferedBytes) this.#drained()
      else this.end('slow', { retryAfterMs: 1_000 })
    })
  }

  #drained(): void {
    this.#cancelSlowTimer?.()
    this.#cancelSlowTimer = undefined
    this.#readOn()
    this.#goOn()
  }

  #fault(error: unknown): void {
    if (error instanceof HubError) return this.end(error.code, { message: error.message, ...retryAfter(error) })
    const account = this.#member?.account
    this.#host.logger.error({ err: error, account: account?.id, device: this.device }, 'a session failed')
    this.end('internal', { retryAfterMs: 1_000 })
    if (account !== undefined) this.#host.failed(account, error)
  }

  #gone(reason: CloseReason): void {
    this.#host.logger.debug({ remote: this.remote, device: this.device, ...reason }, 'connection closed')
    this.#leave()
  }

  #leave(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelHelloTimer()
    this.#cancelSlowTimer?.()
    this.#queue.length = 0
    this.dropReading()
    this.#member?.account.followers.delete(this)
    this.#host.closed(this)
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#connection.pause()
  }

  #resume(): void {
    if (!this.#isPaused || this.#isClosed) return
    this.#isPaused = false
    this.#connection.resume()
  }

  #send<K extends 'welcome' | 'acked' | 'resync' | 'view' | 'failed' | 'bye' | 'pong'>(
    kind: K,
    fields: Parameters<typeof encodeFrame<K>>[1]
  ): void {
    if (!this.#isClosed) this.#connection.send(encodeFrame(kind, fields))
  }
}

/** Stored runs as the parts of frames: small ones share a frame, and what the reader has seen already is left out. */
function gatherFrames(runs: readonly StoredRun[], cursor: number): [parts: Uint8Array[], count: number][] {
  const frames: [Uint8Array[], number][] = []
  let bytes = Infinity
  for (const { first, count, run } of runs) {
    const seen = Math.max(0, cursor - first + 1)
    let start = 0
    for (let index = 0; index < seen; index++) start = valueEnd(run, start)
    const rest = run.subarray(start)
    if (bytes + rest.length > LIMITS.changesFrameBytes) {
      frames.push([[], 0])
      bytes = 0
    }
    const frame = frames.at(-1)!
    frame[0].push(rest)
    frame[1] += count - seen
    bytes += rest.length
  }
  return frames
}

const retryAfter = ({ retryAfterMs }: HubError): { retryAfterMs?: number } => (retryAfterMs === undefined ? {} : { retryAfterMs })
