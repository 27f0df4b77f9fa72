import { HubError, type Connection, type FrameFields, type HubFrame, type Plain, type ViewName } from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import type { Emitter } from './emitter.ts'
import type { ClientEvents } from './events.ts'
import { Presence } from './presence.ts'
import { Reader } from './reader.ts'
import type { Replica } from './replica.ts'
import { Session } from './session.ts'

export interface LinkOptions {
  readonly dial: () => Connection
  readonly token: string
  readonly agent: string
  readonly clock: Clock
}

const ACK_EVERY_MS = 1_000
const ACK_EVERY_CHANGES = 256
/** An answer to a ping waits behind what is queued: on a slow uplink for seconds. */
const HIGH_WATER_BYTES = 131_072

/** Joins the replica to the hub: sends what waits in the outbox, passes on what arrives, and says how far it is kept. */
export class Link {
  readonly session: Session
  readonly presence: Presence
  readonly #replica: Replica
  readonly #reader: Reader
  readonly #clock: Clock
  #keptCursor = 0
  #ackedCursor = 0
  #cancelAck: (() => void) | undefined

  constructor(replica: Replica, events: Emitter<ClientEvents>, options: LinkOptions) {
    this.#replica = replica
    this.#clock = options.clock
    this.#reader = new Reader(fields => this.#ask(fields), options.clock)
    this.presence = new Presence(fields => this.session.send('presence', fields), events, options.clock)
    this.session = new Session(
      {
        hello: () => replica.hello,
        cursor: () => replica.cursor,
        onFrame: frame => this.#received(frame),
        onState: (state, reason) => {
          if (state === 'live') void replica.documents.returnLost()
          events.emit('state', state, reason)
        },
        onDisconnected: () => this.#disconnected(),
        onDrain: () => this.#push(),
        onError: error => events.emit('error', error)
      },
      options
    )
    replica.attach({
      push: () => this.#push(),
      kept: cursor => this.#kept(cursor),
      readDocument: async book => {
        const update = await this.read('document', book)
        if (!(update instanceof Uint8Array)) throw new HubError('bad-frame', 'the document view is not bytes')
        return update
      }
    })
  }

  /** @throws OfflineError, HubError */
  read(view: ViewName, key: string, item = ''): Promise<Plain> {
    return this.#reader.read(view, key, item)
  }

  #received(frame: HubFrame): void {
    switch (frame.kind) {
      case 'welcome':
        return this.#welcomed(frame)
      case 'view':
        return this.#reader.received(frame)
      case 'failed':
        return this.#reader.failed(frame)
      case 'present':
        return this.presence.received(frame)
      case 'pong':
      case 'bye':
        return
      default:
        this.#replica.receive(frame)
        this.session.checkLive()
    }
  }

  #welcomed(welcome: Extract<HubFrame, { kind: 'welcome' }>): void {
    try {
      this.#replica.welcome(welcome)
    } catch (error) {
      return this.session.close(error as HubError)
    }
    this.#ackedCursor = 0
    this.#push()
    this.presence.connected()
    this.session.checkLive()
  }

  #disconnected(): void {
    this.#cancelAck?.()
    this.#cancelAck = undefined
    this.#replica.outbox.disconnected()
    this.#reader.disconnected()
    this.presence.disconnected()
  }

  #ask(fields: FrameFields<'read'>): boolean {
    if (this.session.welcome === undefined) return false
    this.session.send('read', fields)
    return true
  }

  #push(): void {
    const { outbox } = this.#replica
    const limits = this.session.welcome?.limits
    if (limits === undefined || !this.#replica.canPush) return
    while (this.session.bufferedBytes < HIGH_WATER_BYTES) {
      const actions = outbox.take(limits)
      if (actions.length === 0) return
      this.session.send('push', { confirmed: outbox.confirmed, actions })
    }
  }

  /** Tells the hub at once after many changes, else within a second. */
  #kept(cursor: number): void {
    this.#keptCursor = cursor
    if (this.session.welcome === undefined || cursor <= this.#ackedCursor) return
    if (cursor - this.#ackedCursor >= ACK_EVERY_CHANGES) return this.#ack()
    this.#cancelAck ??= this.#clock.after(ACK_EVERY_MS, () => this.#ack())
  }

  #ack(): void {
    this.#cancelAck?.()
    this.#cancelAck = undefined
    this.#ackedCursor = this.#keptCursor
    this.session.send('ack', { cursor: this.#keptCursor })
  }
}
