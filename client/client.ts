import {
  ACTIONS,
  checked,
  type ActionBody,
  type ActionKind,
  type Connection,
  type Plain,
  type ViewName
} from '../protocol/index.ts'
import { Annotations } from './annotations.ts'
import { ClosedError } from './closed-error.ts'
import { systemClock, type Clock } from './clock.ts'
import { dialOf } from './dial.ts'
import { Emitter } from './emitter.ts'
import type { ClientEvents } from './events.ts'
import { Files } from './files.ts'
import { summarise, type Book, type Device, type Position, type Positions, type PositionVersion } from './fold.ts'
import type { Hash } from './hash.ts'
import { Link } from './link.ts'
import { Overlay, type Table } from './overlay.ts'
import type { PresenceState, PresentReader } from './presence.ts'
import { OfflineError } from './reader.ts'
import { Replica } from './replica.ts'
import type { Ack } from './pending.ts'
import type { ClosedReason, State } from './session.ts'
import type { SocketIo } from './socket-io-connection.ts'
import { MemoryStorage, type ClientStorage } from './storage.ts'
import { onWake } from './wake.ts'
import { WatchedStorage } from './watched-storage.ts'
import type { WebSocketClass } from './ws-connection.ts'

/** Where the hub is: `http://host:4747`, or with `https`, `ws` or `wss`, to which `/live` is added; or a carrier other than WebSocket. */
type Way = { readonly url: string; readonly dial?: () => Connection } | { readonly url?: string; readonly dial: () => Connection }

export type ConnectOptions = Way & {
  /** The device's token. It travels in the first frame, never in the URL. */
  readonly token: string
  /**
   * Where the outbox and the mirror are kept. Closed with the client.
   * @default MemoryStorage, which forgets what was not sent when the process ends
   */
  readonly storage?: ClientStorage
  /** @default the platform's own, where there is one */
  readonly webSocket?: WebSocketClass
  /** `io` of `socket.io-client` 4: takes the place of WebSockets on networks that they do not get through, and only there. */
  readonly socketIo?: SocketIo
  /** The app's name and version, which the hub logs when it says hello. At most 256 characters. */
  readonly agent?: string
  /** Makes a SHA-256 for files, where the platform has a faster one than the SDK. */
  readonly newHash?: () => Hash
  /** Time and chance, for tests. */
  readonly clock?: Clock
}

/**
 * Opens the storage and begins to connect. Resolves when what is stored can be read and changed, online or not.
 *
 * @throws TypeError when the URL is none, or when the platform has no WebSocket and none was given; StorageFailedError
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { clock = systemClock, token, agent = 'lectern-client' } = options
  const storage = new WatchedStorage(options.storage ?? new MemoryStorage())
  try {
    const { url = '', webSocket, socketIo } = options
    const dial = options.dial ?? dialOf({ url, webSocket, socketIo, clock })
    const events = new Emitter<ClientEvents>()
    const replica = await Replica.load(storage, clock, events)
    const link = new Link(replica, events, { dial, token, agent: agent.slice(0, 256), clock })
    return new Client({ replica, link, events, storage, clock, url, token, newHash: options.newHash })
  } catch (error) {
    await storage.close()
    throw error
  }
}

interface Parts {
  readonly replica: Replica
  readonly link: Link
  readonly events: Emitter<ClientEvents>
  readonly storage: WatchedStorage
  readonly clock: Clock
  readonly url: string
  readonly token: string
  readonly newHash: (() => Hash) | undefined
}

/** One outbox's view of an account: all of it can be read and changed at any time, and is brought in line with the hub whenever there is a connection. */
export class Client {
  /** Books by id, removed ones included. */
  readonly books: Table<Book>
  /** The account's settings by name. */
  readonly settings: Table<Plain>
  /** The account's devices by id, revoked ones included. */
  readonly devices: Table<Device>
  /** The account's files, by HTTP: needs `url`, also beside a `dial`. */
  readonly files: Files
  readonly #positions: Table<ReadonlyMap<string, Position>>
  readonly #parts: Parts
  readonly #stopWaking: () => void
  readonly #ended = new AbortController()
  /** Handles that are open. */
  readonly #annotations = new Set<Annotations>()
  #token: string
  #closing: Promise<void> | undefined

  /** @see connect */
  constructor(parts: Parts) {
    const { replica, link, storage } = parts
    this.#parts = parts
    this.books = new Overlay('book', replica.mirror, replica.outbox)
    this.settings = new Overlay('setting', replica.mirror, replica.outbox)
    this.devices = new Overlay('device', replica.mirror, replica.outbox)
    this.#positions = new Overlay('position', replica.mirror, replica.outbox)
    const { url, token, newHash, clock } = parts
    this.#token = token
    this.files = new Files({
      url,
      token: () => this.#token,
      read: view => this.read(view),
      resolve: (id, body) => this.submit('conflict.resolve', id, body),
      newHash,
      clock,
      ended: this.#ended.signal
    })
    storage.onGone(error => this.#closing === undefined && link.session.close(error))
    this.#stopWaking = onWake(() => link.session.wake())
    link.session.start()
  }

  get state(): State {
    return this.#parts.link.session.state
  }

  /** Why the state is `closed`; undefined when `close` was called. */
  get reason(): ClosedReason | undefined {
    return this.#parts.link.session.reason
  }

  /** This client's device at the hub; empty until it was connected once. */
  get device(): string {
    return this.#parts.replica.mirror.state.device
  }

  /** Which log the hub's is, once it is known: another one after the hub was put back to a backup. */
  get epoch(): string {
    return this.#parts.replica.mirror.state.epoch
  }

  /** How many actions the hub has not answered. */
  get unanswered(): number {
    return this.#parts.replica.outbox.unanswered.length
  }

  /** Calls `listener` at every `event` from now on, until the returned function is called. */
  on<K extends keyof ClientEvents>(event: K, listener: (...details: ClientEvents[K]) => void): () => void {
    return this.#parts.events.on(event, listener)
  }

  /**
   * Resolves when the state is `live`, which may be now.
   * @throws the reason, when the client is closed instead: HubError, StorageFailedError, or ClosedError after `close`
   */
  live(): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): boolean => {
        if (this.state === 'live') resolve()
        else if (this.state === 'closed') reject(this.reason ?? new ClosedError())
        else return false
        return true
      }
      if (check()) return
      const stop = this.on('state', () => check() && stop())
    })
  }

  /** Resolves when the hub has answered everything that was asked until now, refusals included. */
  async settled(): Promise<void> {
    const { documents, outbox } = this.#parts.replica
    documents.flush()
    await Promise.allSettled(outbox.unanswered.map(({ answer }) => answer.promise))
  }

  /** Resolves when everything that was asked until now is in storage: there it outlives the process. What storage did not take has been refused. */
  async saved(): Promise<void> {
    const { documents, outbox } = this.#parts.replica
    documents.flush()
    await outbox.save()
  }

  /**
   * Asks for an action of the protocol. Its effect shows at once, and goes away if the hub refuses. Annotations are changed by `annotations`.
   *
   * @returns resolves when the action is durable at the hub, with its place in the log (0 when an earlier answer was lost)
   * @throws HubError `unknown-action`, `bad-action`, `too-large` before anything is sent, or what the hub refused it for; StorageFailedError; ClosedError
   */
  submit<K extends Exclude<ActionKind, `annotation.${string}`>>(kind: K, key: string, body: ActionBody<K>): Promise<Ack> {
    return this.#submit(kind, key, body)
  }

  /** Makes a book, or changes the fields that are given; null clears one. */
  putBook(id: string, fields: ActionBody<'book.put'>): Promise<Ack> {
    return this.submit('book.put', id, fields)
  }

  /** Marks a book as removed. Its annotations and positions stay. */
  removeBook(id: string): Promise<Ack> {
    return this.submit('book.remove', id, {})
  }

  /** Takes the mark away. */
  restoreBook(id: string): Promise<Ack> {
    return this.submit('book.restore', id, {})
  }

  /** Sets this device's place in a book; replaces the one before. */
  setPosition(book: string, fields: ActionBody<'position.set'>): Promise<Ack> {
    return this.submit('position.set', book, fields)
  }

  /** Sets this device's place to an earlier one of it or of another device, named by the `cursor` of one of `positionVersions`. */
  restorePosition(book: string, cursor: number): Promise<Ack> {
    return this.submit('position.restore', book, { cursor })
  }

  /** Every device's place in a book. */
  positions(book: string): Positions {
    return summarise(this.#positions.get(book))
  }

  /**
   * Reads from the hub which places all devices had in a book, the oldest first; thinned out with time.
   * @throws OfflineError without a connection; ClosedError
   */
  async positionVersions(book: string): Promise<PositionVersion[]> {
    type Entry = Omit<PositionVersion, 'changedAtMs'> & { readonly changedAtUs: number }
    const entries = (await this.read('position-history', book)) as unknown as [string, Entry][]
    return entries.map(([, { changedAtUs, ...version }]) => ({ ...version, changedAtMs: changedAtUs / 1_000 }))
  }

  /**
   * Says where this client reads in a book, to all who read it now, until it says otherwise. Nothing of it is stored.
   * @param state plain JSON, at most `LIMITS.maxPresenceLength` characters of it; undefined when the client leaves the book
   * @throws RangeError when it is too long, or of one book more than `LIMITS.maxPresenceBooks`; HubError `bad-request` for no name of a book or no object
   */
  sayPresence(book: string, state: PresenceState | undefined): void {
    if (this.#closing === undefined) this.#parts.link.presence.say(book, state)
  }

  /** Who reads a book now, this client included, while it is connected and has said where it reads there itself. */
  presence(book: string): ReadonlyMap<number, PresentReader> {
    return this.#parts.link.presence.in(book)
  }

  /** Sets a setting of the account; null clears it. */
  putSetting(name: string, value: Plain): Promise<Ack> {
    return this.submit('setting.put', name, { value })
  }

  /**
   * Opens a book's annotations, from storage. Every handle should be closed, and is with the client.
   * @throws HubError `bad-action` for what can be no book's id; StorageFailedError; ClosedError
   */
  async annotations(book: string): Promise<Annotations> {
    if (this.#closing !== undefined) throw new ClosedError()
    checked('bad-action', ACTIONS['annotation.update'].key, book, 'book')
    const { replica, clock } = this.#parts
    const document = await replica.documents.open(book).catch((error: unknown) => {
      throw this.#ended.signal.aborted ? new ClosedError() : error
    })
    const annotations = new Annotations(book, document, clock, {
      versions: id => this.read('annotation-history', book, id),
      restore: (id, cursor) => this.#submit('annotation.restore', book, { id, cursor }),
      release: () => {
        this.#annotations.delete(annotations)
        replica.documents.release(book)
      }
    })
    this.#annotations.add(annotations)
    if (this.#ended.signal.aborted) {
      annotations.close()
      throw new ClosedError()
    }
    return annotations
  }

  /**
   * Reads a whole view from the hub, as it is there: list views as `[[id, map], …]`, `document` as one Yjs update.
   * @param item the annotation, for `annotation-history`
   * @throws OfflineError without a connection; HubError with what the hub answered, or `bad-request` for what can be no key; ClosedError
   */
  async read(view: ViewName, key = '', item = ''): Promise<Plain> {
    try {
      return await this.#parts.link.read(view, key, item)
    } catch (error) {
      throw this.#closing !== undefined && error instanceof OfflineError ? new ClosedError() : error
    }
  }

  /** Connects now, from whatever state, with a new token if one is given. Everything that was not answered is sent again. */
  retry(token?: string): void {
    if (this.#closing !== undefined) return
    this.#token = token ?? this.#token
    this.#parts.link.session.start(token)
  }

  /**
   * Ends the connection, closes what is open of annotations, ends uploads and downloads, and closes the storage, with everything in it that was not
   * answered yet.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** The very promise of the answer: a refusal that nobody waits for is no unhandled rejection. */
  #submit<K extends ActionKind>(kind: K, key: string, body: ActionBody<K>): Promise<Ack> {
    if (this.#closing !== undefined) return Promise.reject(new ClosedError())
    try {
      return this.#parts.replica.submit(kind, key, body).answer.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #close(): Promise<void> {
    const { replica, link, events, storage } = this.#parts
    this.#stopWaking()
    this.#ended.abort(new ClosedError())
    link.session.close()
    for (const annotations of this.#annotations) annotations.close()
    await replica.close()
    events.clear()
    for (const { answer } of replica.outbox.unanswered) answer.reject(new ClosedError())
    await storage.close()
  }
}
