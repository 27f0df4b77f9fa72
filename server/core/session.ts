import {
  countValues,
  decodeFrame,
  encodeFrame,
  ERRORS,
  HubError,
  LIMITS,
  MIN_PROTOCOL_VERSION,
  PROTOCOL_VERSION,
  type ClientFrame,
  type CloseReason,
  type Frame,
  type ViewName,
  type WireAction
} from '../../protocol/index.ts'
import type { Follower } from './account-host.ts'
import type { Account } from './account.ts'
import { admits } from './answers.ts'
import type { DocumentReadings, Part } from './document-reading.ts'
import { Intake } from './intake.ts'
import { LogReader } from './log-reader.ts'
import { Origin } from './origin.ts'
import { Sender } from './sender.ts'
import { booksOf, fitOneTurn, partsOf } from './document-work.ts'
import { mustBeLetIn, permits, type Bearer } from './policy.ts'
import { nextTurn, type Clock, type HubConnection, type Logger } from './ports.ts'
import { mustBeReadable, readPage } from './read.ts'
import { Seats } from './seats.ts'
import type { LargeDocuments } from './snapshot-reading.ts'
import type { Store } from './store.ts'
import type { Answers, Submitter } from './pending-commit.ts'

const MAX_REFUSED_IN_A_ROW = 1_000
/** Yjs may have failed on each half-way, and the document been built anew. */
const MAX_BAD_UPDATES_IN_A_ROW = 10
/** Views that are read from a book's document. */
const OF_DOCUMENTS: ReadonlySet<string> = new Set<ViewName>(['annotations', 'annotation-history', 'document'])
/** More answers than this, which may come with long reasons, are parted into several frames. */
const ANSWERS_PER_FRAME = 250
/** Values of a view that are read and written out in the time that `updateCost` counts as one. */
const READ_VALUES_PER_COST = 4

/** Whoever is on a live connection, in the language of its carrier. */
export interface LiveSession {
  /** It reads on from the log, behind its head; left out of one that reads no log. */
  readonly isBehind?: boolean
  /** Says why, and closes. */
  end(reason: HubError): void
}

/** What sessions need of the hub that they belong to. */
export interface SessionHost {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly readings: DocumentReadings
  readonly largeDocuments: LargeDocuments
  /** Finds whom a token stands for. @throws HubError `unauthenticated`, `device-revoked`, `device-disabled` */
  authenticate(token: string): Promise<Bearer>
  /** @throws HubError `storage-full` while nothing may be written */
  mustTakeWrites(): void
  closed(session: LiveSession): void
}

/** Who a session speaks for, once it has said hello. */
interface Member {
  readonly account: Account
  readonly bearer: Bearer
  readonly origin: Origin
  readonly log: LogReader
  readonly seats: Seats
}

/** One device on one live connection: it reads its account's log, asks for actions and for views, and is told what became of them. */
export class Session implements LiveSession, Follower, Submitter {
  readonly #connection: HubConnection
  readonly #host: SessionHost
  readonly #intake: Intake
  readonly #sender: Sender
  #member: Member | undefined
  #isClosed = false
  #refusedInARow = 0
  #badUpdatesInARow = 0
  readonly #cancelHelloTimer: () => void

  constructor(connection: HubConnection, host: SessionHost) {
    this.#connection = connection
    this.#host = host
    this.#cancelHelloTimer = host.clock.setTimer(LIMITS.helloTimeoutMs, () => this.end(new HubError('hello-timeout')))
    this.#intake = new Intake({
      connection,
      clock: host.clock,
      handle: bytes => this.#handle(bytes),
      onFault: error => this.#fault(error),
      onHeldUp: () => this.#sender.watch()
    })
    this.#sender = new Sender({
      connection,
      clock: host.clock,
      onMoved: () => this.#moved(),
      onSlow: () => this.end(new HubError('slow'))
    })
    connection.listen({
      onFrame: bytes => this.#intake.receive(bytes),
      onDrain: () => this.#sender.moved(),
      onClose: reason => this.#gone(reason)
    })
  }

  get device(): string {
    return this.#member?.origin.device ?? ''
  }

  get client(): string {
    return this.#member?.origin.client ?? ''
  }

  refusal(): HubError | undefined {
    return this.#member?.bearer.refusal()
  }

  get isBehind(): boolean {
    return this.#member?.log.isBehind ?? false
  }

  get remote(): string {
    return this.#connection.remote
  }

  deliver(frame: Uint8Array, first: number, last: number): void {
    try {
      this.#member?.log.deliver(frame, first, last)
    } catch (error) {
      this.#broken(error)
    }
  }

  answered({ accepted, refused }: Answers): void {
    for (let at = 0; at < Math.max(accepted.length, refused.length); at += ANSWERS_PER_FRAME) {
      const end = at + ANSWERS_PER_FRAME
      this.#send('acked', { accepted: accepted.slice(at, end), refused: refused.slice(at, end) })
    }
    if (accepted.length > 0) this.#refusedInARow = this.#badUpdatesInARow = 0
    else {
      this.#refusedInARow += refused.length
      for (const [, code] of refused) if (code === 'bad-update') this.#badUpdatesInARow += 1
    }
    if (this.#refusedInARow > MAX_REFUSED_IN_A_ROW || this.#badUpdatesInARow > MAX_BAD_UPDATES_IN_A_ROW)
      return this.end(new HubError('too-many-refused'))
    this.#intake.answered(accepted.length + refused.length)
  }

  /** Says why, and closes. */
  end({ code, message, retryAfterMs }: HubError): void {
    if (this.#isClosed) return
    this.#send('bye', { code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) })
    this.#connection.close(ERRORS[code].close === 0 ? ERRORS['bad-frame'].close : ERRORS[code].close, code)
    this.#leave()
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
      case 'presence':
        member.seats.say(frame.book, frame.id, frame.state)
        break
      case 'ping':
        this.#send('pong', { nonce: frame.nonce, timeMs: Math.floor(this.#host.clock.nowMs()) })
        break
      case 'ack':
        member.account.readers.acked(this.device, this.client, frame.cursor, this.#host.clock.nowMs())
    }
    return undefined
  }

  async #hello({ version, token, client, epoch, cursor, agent, wantsChanges = false }: Frame<'hello'>): Promise<void> {
    if (version < MIN_PROTOCOL_VERSION || version > PROTOCOL_VERSION) {
      const spoken = `${MIN_PROTOCOL_VERSION} to ${PROTOCOL_VERSION}`
      throw new HubError('version-unsupported', `the hub speaks versions ${spoken}, not ${version}`)
    }
    const bearer = await this.#host.authenticate(token)
    const { account, device, actor } = bearer
    if (this.#isClosed) return
    if (!admits(account.views, device, client)) throw new HubError('too-many-clients')
    replace(account, device, client)
    // The number that is told must be durable; of those that come after it there are none, since this client has no other connection.
    const lastNumber = account.lastNumber(device, client)
    if (lastNumber > 0 && !account.isSettled) await account.settled()
    if (this.#isClosed) return
    // It may have been cut off since its token was looked at; from here on it is among those whom that ends.
    mustBeLetIn(bearer)
    replace(account, device, client)
    account.follow(this)
    this.#cancelHelloTimer()
    this.#host.logger.info({ account: account.id, device, agent, remote: this.remote }, 'signed in')
    const log = new LogReader({
      sender: this.#sender,
      store: this.#host.store,
      clock: this.#host.clock,
      largeDocuments: this.#host.largeDocuments,
      account,
      cursor,
      wantsChanges,
      onFault: error => this.#fault(error)
    })
    this.#member = {
      account,
      bearer,
      origin: new Origin(device, client, actor),
      log,
      seats: new Seats(account, device, this.#sender)
    }
    const { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs } = LIMITS
    this.#send('welcome', {
      version,
      account: account.id,
      device,
      epoch: account.epoch,
      head: account.durableHead,
      lastNumber,
      timeMs: Math.floor(this.#host.clock.nowMs()),
      limits: { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs }
    })
    account.readers.setCursor(device, client, log.begin(epoch), this.#host.clock.nowMs())
    log.readOn()
  }

  #push({ account, origin, log }: Member, { confirmed, actions }: Frame<'push'>, size: number): Promise<void> | undefined {
    if (actions.length === 0) {
      account.confirm(origin, confirmed)
      return undefined
    }
    this.#intake.owes(size, actions.length)
    try {
      this.#host.mustTakeWrites()
    } catch (error) {
      return this.#refuse(log, error)
    }
    const taken = fitOneTurn(actions, account.documents) ? account.submit(origin, confirmed, actions, this) : 0
    return taken === actions.length ? undefined : this.#submitInParts(account, origin, confirmed, actions.slice(taken))
  }

  /** Nothing can be taken: the client is told once it has read what there is to read. */
  async #refuse(log: LogReader, reason: unknown): Promise<void> {
    await log.atHead()
    throw reason
  }

  /** Work on documents is done in parts: as they come into memory, with turns of the event loop for others in between. */
  async #submitInParts(account: Account, origin: Origin, confirmed: number, actions: readonly WireAction[]): Promise<void> {
    for (const part of partsOf(actions))
      for (let left = part; left.length > 0;) {
        await account.documents.waitForBudget()
        await account.documents.load(booksOf(left))
        if (this.#isClosed) return
        left = left.slice(account.submit(origin, confirmed, left, this))
        await nextTurn(this.#host.clock)
      }
  }

  /** Views are read as they stand, and sent once that is durable. */
  async #read({ account, origin }: Member, { id, view, key, after, item = '' }: Frame<'read'>): Promise<void> {
    const pageOf = (): Part | undefined => {
      if (this.#isClosed) return undefined
      if (view === 'document') return this.#host.readings.next(this, account, key, after)
      const page = readPage(account, view, key, after, { item })
      account.documents.spend(countValues(page.value) / READ_VALUES_PER_COST)
      return { ...page, cursor: account.head }
    }
    let answer: Part | HubError | undefined
    try {
      if (!permits(origin.actor, view)) throw new HubError('forbidden')
      mustBeReadable(view, key, after, item)
      // A page may take some milliseconds, and many may ask for one.
      while (account.documents.isBudgetSpent) await account.documents.waitForBudget()
      // The parts of a document are all made with the first.
      const isReady = !OF_DOCUMENTS.has(view) || (view === 'document' && after !== '') || !account.documents.isKnown(key)
      answer = isReady ? pageOf() : await account.documents.withDocument(key, pageOf)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      answer = error
    }
    if (answer === undefined) return
    // Written out before the wait: many may wait.
    const frame =
      answer instanceof HubError
        ? encodeFrame('failed', { id, code: answer.code, message: answer.message, field: answer.field })
        : encodeFrame('view', { id, ...answer })
    await account.settled()
    this.#sendFrame(frame)
  }

  #moved(): void {
    this.#member?.log.readOn()
    this.#member?.seats.drained()
    this.#intake.goOn()
  }

  #fault(error: unknown): void {
    if (error instanceof HubError) return this.end(error)
    this.#host.logger.error({ err: error, account: this.#member?.account.id, device: this.device }, 'a session failed')
    this.end(new HubError('internal'))
  }

  /** The carrier failed to send. That concerns this session alone, whoever it was that sent. */
  #broken(error: unknown): void {
    if (this.#isClosed) return
    this.#host.logger.error({ err: error, remote: this.remote, device: this.device }, 'a connection failed to send')
    this.#leave()
    this.#connection.close(ERRORS.internal.close, 'internal')
  }

  #gone({ code: closeCode, ...reason }: CloseReason): void {
    this.#host.logger.debug({ remote: this.remote, device: this.device, closeCode, ...reason }, 'connection closed')
    this.#leave()
  }

  #leave(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelHelloTimer()
    this.#intake.close()
    this.#sender.close()
    this.#host.readings.drop(this)
    this.#member?.log.close()
    this.#member?.seats.leave()
    this.#member?.account.followers.delete(this)
    this.#host.closed(this)
  }

  #send<K extends 'welcome' | 'acked' | 'bye' | 'pong'>(kind: K, fields: Parameters<typeof encodeFrame<K>>[1]): void {
    this.#sendFrame(encodeFrame(kind, fields))
  }

  #sendFrame(frame: Uint8Array): void {
    if (this.#isClosed) return
    try {
      this.#sender.send(frame)
    } catch (error) {
      this.#broken(error)
    }
  }
}

/** Ends the other connections of an outbox: of two, each would take the other's numbers for its own. */
function replace(account: Account, device: string, client: string): void {
  for (const follower of account.followers)
    if (follower.device === device && follower.client === client) follower.end(new HubError('replaced'))
}
