import { decodeFrame, HubError, type Frame, type HubFrame } from '../../protocol/index.ts'
import type { Follower } from './account-host.ts'
import { LogReader } from './log-reader.ts'
import { Sender } from './sender.ts'
import { mustBeLetIn, type Bearer } from './policy.ts'
import type { LiveSession, SessionHost } from './session.ts'

/** A request for an account's log, from a cursor on. */
export interface FeedRequest {
  readonly token: string
  /** The epoch that `cursor` is of; may be empty with cursor 0. */
  readonly epoch: string
  readonly cursor: number
  /** The log is kept for it until it says that it has got further; else from where it last read on. */
  readonly acks?: boolean
}

/** How a carrier without frames says what is in the log. */
export interface FeedOutlet {
  /** Bytes that it holds unsent. */
  readonly bufferedBytes: number
  /** Signed in; the log follows. @param head its newest cursor */
  begin(epoch: string, head: number): void
  /** The next changes of the log, or the word that it begins anew. */
  frame(frame: Frame<'changes' | 'resync' | 'snapshot'>): void
  /** That is all there is now. */
  atHead(): void
  end(error: HubError): void
}

/** Frames are decoded once for all who are told the same. */
const decoded = new WeakMap<Uint8Array, HubFrame>()

/** One device that reads its account's log, and says nothing: the same reader of the log as a session's, with another writer at its end. */
export class Feed implements LiveSession, Follower {
  /** It is no outbox. */
  readonly client = ''
  readonly #outlet: FeedOutlet
  readonly #host: SessionHost
  readonly #sender: Sender
  #bearer: Bearer | undefined
  #log: LogReader | undefined
  #isClosed = false

  constructor(outlet: FeedOutlet, host: SessionHost, request: FeedRequest) {
    this.#outlet = outlet
    this.#host = host
    this.#sender = new Sender({
      connection: {
        get bufferedBytes() {
          return outlet.bufferedBytes
        },
        send: bytes => this.#write(bytes)
      },
      clock: host.clock,
      onMoved: () => this.#log?.readOn(),
      onSlow: () => this.end(new HubError('slow'))
    })
    this.#open(request).catch((error: unknown) => this.#fault(error))
  }

  get device(): string {
    return this.#bearer?.device ?? ''
  }

  refusal(): HubError | undefined {
    return this.#bearer?.refusal()
  }

  get isBehind(): boolean {
    return this.#log?.isBehind ?? false
  }

  /** The newest cursor that can be read. */
  get head(): number {
    return this.#bearer?.account.durableHead ?? 0
  }

  deliver(frame: Uint8Array, first: number, last: number): void {
    try {
      this.#log?.deliver(frame, first, last)
    } catch (error) {
      this.#fault(error)
    }
  }

  /** The carrier has sent what it held. */
  drained(): void {
    this.#sender.moved()
  }

  end(error: HubError): void {
    if (this.#isClosed) return
    this.close()
    this.#outlet.end(error)
  }

  /** Nobody listens any more. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#log?.close()
    this.#sender.close()
    this.#bearer?.account.followers.delete(this)
    this.#host.closed(this)
  }

  async #open({ token, epoch, cursor, acks = false }: FeedRequest): Promise<void> {
    const bearer = await this.#host.authenticate(token)
    const { account, device } = bearer
    if (this.#isClosed) return
    mustBeLetIn(bearer)
    account.follow(this)
    this.#bearer = bearer
    const outlet = this.#outlet
    outlet.begin(account.epoch, account.durableHead)
    const log = new LogReader({
      sender: this.#sender,
      store: this.#host.store,
      clock: this.#host.clock,
      largeDocuments: this.#host.largeDocuments,
      account,
      cursor,
      wantsChanges: false,
      onFault: error => this.#fault(error)
    })
    this.#log = log
    const from = log.begin(epoch)
    const nowMs = this.#host.clock.nowMs()
    if (acks) account.readers.lowerCursor(device, this.client, from, nowMs)
    else account.readers.setCursor(device, this.client, from, nowMs)
    log.readOn()
    await log.atHead()
    if (!this.#isClosed) outlet.atHead()
  }

  #write(bytes: Uint8Array): void {
    let frame = decoded.get(bytes)
    if (frame === undefined) decoded.set(bytes, (frame = decodeFrame(bytes, 'hub')))
    if (frame.kind === 'changes' || frame.kind === 'resync' || frame.kind === 'snapshot') this.#outlet.frame(frame)
  }

  #fault(error: unknown): void {
    if (error instanceof HubError) return this.end(error)
    this.#host.logger.error({ err: error, device: this.device }, 'a feed failed')
    this.end(new HubError('internal'))
  }
}
