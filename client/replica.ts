import {
  CHANGES,
  HubError,
  checked,
  isErrorCode,
  isSameValue,
  splitUpdate,
  type ActionBody,
  type ActionKind,
  type ChangeBody,
  type ChangeKind,
  type Frame,
  type FrameFields,
  type HubFrame,
  type Plain,
  type Refusal,
  type WireChange
} from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import { DOCUMENT_PREFIX, Documents } from './documents.ts'
import type { Emitter } from './emitter.ts'
import type { ClientEvents } from './events.ts'
import { touchedFiles } from './file-news.ts'
import type { Folded } from './fold.ts'
import { Keeper } from './keeper.ts'
import { familyOf, MIRROR_PREFIX, Mirror } from './mirror.ts'
import { Outbox } from './outbox.ts'
import type { Pending } from './pending.ts'
import { OfflineError } from './reader.ts'
import { IncomingSnapshot } from './snapshot.ts'
import type { ClientStorage } from './storage.ts'

type TouchEvent = 'book' | 'annotations' | 'position' | 'file' | 'conflict' | 'setting' | 'device'

/** What the replica asks of its connection. */
export interface ReplicaPort {
  /** More actions can be sent. */
  push(): void
  /** Everything up to `cursor` is durable here. */
  kept(cursor: number): void
  readDocument(book: string): Promise<Uint8Array>
}

/** The account as this client knows it: what the hub has told, what the hub has not answered yet, and both in storage. */
export class Replica {
  readonly mirror: Mirror
  readonly outbox: Outbox
  readonly documents: Documents
  readonly #keeper: Keeper
  readonly #events: Emitter<ClientEvents>
  #port: ReplicaPort = { push() {}, kept() {}, readDocument: () => Promise.reject(new OfflineError()) }
  /** Tables and keys that look different since the last `#tell`. */
  readonly #touched = new Map<string, [event: TouchEvent, key: string]>()
  /** Single events since then, in order. */
  #news: (() => void)[] = []
  /** True between a `welcome` that does not fit our cursor and the `resync` that must follow. */
  #isResyncDue = false
  /** While one arrives. */
  #snapshot: IncomingSnapshot | undefined
  #head = 0
  #isClosed = false

  private constructor(mirror: Mirror, outbox: Outbox, storage: ClientStorage, clock: Clock, events: Emitter<ClientEvents>) {
    this.mirror = mirror
    this.outbox = outbox
    this.#events = events
    const onError = (error: Error): void => events.emit('error', error)
    const onRefused = (pending: Pending, error: Error): void => this.#refused(pending, error)
    this.#keeper = new Keeper({
      storage,
      clock,
      prefixes: [MIRROR_PREFIX, DOCUMENT_PREFIX],
      wiped: entries => this.documents.setAside(entries),
      take: () => {
        const { erasures } = outbox
        const { cursor } = mirror.state
        return {
          changes: [...this.documents.takeWrites(), ...mirror.takeWrites(), ...erasures],
          onKept: () => {
            outbox.erased(erasures.length)
            this.#port.kept(cursor)
          }
        }
      },
      onError
    })
    this.documents = new Documents({
      storage,
      outbox,
      clock,
      stored: async () => {
        await this.#keeper.flush()
        return this.#keeper.untaken
      },
      read: book => this.#port.readDocument(book),
      submit: (book, updates) => this.#edited(book, updates),
      onRefused,
      onError
    })
    outbox.listen({
      onSaved: () => this.#port.push(),
      onLost: (pending, error) => {
        if (pending.kind === 'annotation.update') this.documents.undone(pending.key)
        this.#refused(pending, error)
      }
    })
  }

  static async load(storage: ClientStorage, clock: Clock, events: Emitter<ClientEvents>): Promise<Replica> {
    const [mirror, outbox] = await Promise.all([Mirror.load(storage), Outbox.load(storage, clock)])
    return new Replica(mirror, outbox, storage, clock, events)
  }

  /** MUST come once, before anything is asked of it. */
  attach(port: ReplicaPort): void {
    this.#port = port
  }

  get hello(): Pick<FrameFields<'hello'>, 'client' | 'epoch' | 'cursor'> {
    const { epoch, cursor } = this.mirror.state
    return { client: this.outbox.client, epoch, cursor }
  }

  /**
   * False while the log that it read is not the hub's: what waits is sent after the `resync`, in its order. And while an old copy has not read the
   * log to its head, which says what of its actions is done.
   */
  get canPush(): boolean {
    return !this.#isResyncDue && (!this.outbox.hasOld || this.cursor >= this.#head)
  }

  /** How far it has read; below every head while the log that it read is not the hub's, or a snapshot takes its place. */
  get cursor(): number {
    return this.#isResyncDue || this.#snapshot !== undefined ? -1 : this.mirror.state.cursor
  }

  /**
   * Takes an action: its effect shows at once, and stays if the hub accepts.
   * @throws HubError `unknown-action`, `bad-action`, `too-large`
   */
  submit<K extends ActionKind>(kind: K, key: string, body: ActionBody<K>): Pending {
    const pending = this.outbox.add(kind, key, body)
    this.#touchAction(pending)
    this.#tell()
    return pending
  }

  /** @throws HubError `forbidden` when the hub's account is another than the one that is kept here */
  welcome({ account, device, epoch, head, lastNumber }: Frame<'welcome'>): void {
    const { state } = this.mirror
    if (state.account !== '' && state.account !== account)
      throw new HubError('forbidden', `this storage is of the account ${state.account}, and the token of ${account}`)
    this.#snapshot = undefined
    this.#isResyncDue = state.epoch !== '' && (state.epoch !== epoch || state.cursor > head)
    this.#head = head
    this.mirror.identify(account, device, this.#isResyncDue ? state.epoch : epoch)
    this.outbox.continueFrom(lastNumber)
    this.#keeper.schedule()
  }

  /** @throws HubError or Error when the frame does not fit what came before */
  receive(frame: HubFrame): void {
    try {
      if (frame.kind === 'changes') this.#changes(frame.changes)
      else if (frame.kind === 'acked') this.#acked(frame)
      else if (frame.kind === 'resync') this.#resync(frame)
      else if (frame.kind === 'snapshot') this.#takeSnapshot(frame)
    } finally {
      this.#tell()
    }
  }

  /** Resolves when all that was asked for and told is in storage. Nothing more is stored after that. */
  async close(): Promise<void> {
    this.documents.close()
    this.#isClosed = true
    await this.outbox.save()
    await this.#keeper.stop()
  }

  #changes(changes: readonly WireChange[]): void {
    if (this.#isResyncDue || this.#snapshot !== undefined)
      throw new HubError('cursor-unknown', 'changes of another log came without a resync, or within a snapshot')
    const wasBehind = this.mirror.state.cursor < this.#head
    try {
      for (const change of changes) this.#change(change)
    } finally {
      this.outbox.settle(this.mirror.state.cursor)
      this.#keeper.schedule()
      if (wasBehind && this.mirror.state.cursor >= this.#head) this.#caughtUp()
    }
  }

  #change([cursor, timeUs, device, client, number, atMs, kind, key, body]: WireChange): void {
    const { cursor: last } = this.mirror.state
    if (cursor !== last + 1) throw new HubError('cursor-unknown', `change ${cursor} came after ${last}`)
    const isOwn = client === this.outbox.client && device === this.mirror.state.device
    const change = { cursor, timeMs: timeUs / 1_000, device, client, atMs, kind, key, body } as unknown as Folded
    try {
      if (!Object.hasOwn(CHANGES, kind)) return this.mirror.skip(cursor)
      checked('bad-request', CHANGES[kind as ChangeKind].key, key, 'key')
      checked<unknown>('bad-request', CHANGES[kind as ChangeKind].body, body, 'body')
      if (kind === 'annotation.update') {
        this.mirror.skip(cursor)
        this.documents.receive(key, body as ChangeBody<'annotation.update'>, cursor, isOwn)
        this.#touch('annotations', key)
      } else {
        const table = this.mirror.fold(change)
        if (table !== undefined) this.#touch(table, key)
        for (const [event, name] of touchedFiles(change)) this.#touch(event, name)
      }
      const news = { cursor, timeMs: timeUs / 1_000, device, kind: kind as ChangeKind, key, body, isOwn }
      this.#news.push(() => this.#events.emit('change', news))
    } catch (error) {
      // A newer hub may say what this version cannot read. Stopping here would stop for ever.
      this.mirror.skip(cursor)
      this.#news.push(() => this.#events.emit('error', error as Error))
    } finally {
      if (isOwn) this.#cameBack(number, cursor, kind, key, body)
    }
  }

  /** An own change answers its action, unless this storage is an old copy that gave the number to another: that one is asked for anew. */
  #cameBack(number: number, cursor: number, kind: string, key: string, body: Plain): void {
    const pending = this.outbox.get(number)
    if (pending === undefined) return
    if (pending.kind === kind && pending.key === key && isSameValue(pending.body, body)) this.outbox.accept(number, cursor)
    // The hub leaves out what it has of an update, and makes other changes of some actions. What differs for that is left to the hub's answer.
    else if (isMadeAsAsked(pending.kind) && (pending.stage === 'saved' || pending.stage === 'sent') && pending.round === 0)
      this.outbox.add(pending.kind, pending.key, pending.body, [pending])
  }

  #acked({ accepted, refused }: Frame<'acked'>): void {
    for (const [number, cursor] of accepted) this.outbox.accept(number, cursor)
    const edits: [Pending, HubError][] = []
    for (const refusal of refused) this.#refusal(refusal, edits)
    this.outbox.settle(this.mirror.state.cursor)
    this.#keeper.schedule()
    this.documents.refused(edits)
    this.#port.push()
  }

  /** @param edits takes refused edits of documents */
  #refusal([number, code, message, field]: Refusal, edits: [Pending, HubError][]): void {
    const pending = this.outbox.get(number)
    if (pending === undefined || pending.stage !== 'sent') return
    const error = new HubError(isErrorCode(code) ? code : 'internal', message, { field })
    const isOfAnother = error.code === 'action-conflict' || (error.code === 'already-done' && this.outbox.isOld(pending))
    if (isOfAnother && pending.round === 0) this.outbox.add(pending.kind, pending.key, pending.body, [pending])
    else if (error.code === 'already-done') this.outbox.accept(number, 0, this.#head)
    else if (pending.kind === 'annotation.update') edits.push([pending, error])
    else {
      this.outbox.refuse(pending, error)
      this.#note(pending, error)
    }
  }

  /** What was read goes on to count until all of the snapshot is there: the connection may break off before. */
  #resync({ epoch, cursor }: Frame<'resync'>): void {
    this.#snapshot = new IncomingSnapshot(epoch, cursor)
    if (cursor === 0) this.#finish(this.#snapshot)
  }

  #takeSnapshot({ entries, isLast }: Frame<'snapshot'>): void {
    const snapshot = this.#snapshot
    if (snapshot === undefined) throw new HubError('out-of-place', 'a snapshot came without a resync')
    for (const entry of entries)
      try {
        snapshot.take(entry)
      } catch (error) {
        this.#news.push(() => this.#events.emit('error', error as Error))
      }
    // Of the log that is known already, documents can only grow.
    if (!this.#isOfAnotherLog(snapshot)) this.#receiveDocuments(snapshot)
    if (isLast) this.#finish(snapshot)
    else this.#keeper.schedule()
  }

  #finish(snapshot: IncomingSnapshot): void {
    const { tables, epoch, cursor } = snapshot
    const isOfAnotherLog = this.#isOfAnotherLog(snapshot)
    for (const event of ['book', 'position', 'setting', 'device'] as const)
      for (const { [event]: table } of [this.mirror.tables, tables]) for (const key of table.keys()) this.#touch(event, key)
    for (const [event, key] of snapshot.files) this.#touch(event, key)
    this.#isResyncDue = false
    this.#snapshot = undefined
    this.mirror.replace(tables, epoch, cursor)
    if (isOfAnotherLog) {
      this.outbox.restart()
      this.#keeper.wipe(this.documents.restart())
      this.#receiveDocuments(snapshot)
    }
    this.outbox.settle(cursor)
    this.#keeper.schedule()
    if (cursor >= this.#head) this.#caughtUp()
    else this.#port.push()
  }

  #caughtUp(): void {
    this.#news.push(() => this.documents.restarted())
    this.#port.push()
  }

  #isOfAnotherLog({ epoch, cursor }: IncomingSnapshot): boolean {
    const { state } = this.mirror
    return state.epoch !== epoch || state.cursor > cursor
  }

  #receiveDocuments(snapshot: IncomingSnapshot): void {
    for (const { book, update, index } of snapshot.takeUpdates()) {
      this.documents.receivePart(book, update, snapshot.cursor, index)
      this.#touch('annotations', book)
    }
  }

  /** The edits of one turn of a Y.Doc. */
  #edited(book: string, updates: readonly Uint8Array[]): void {
    if (this.#isClosed) return
    try {
      for (const update of updates) this.outbox.addAll('annotation.update', book, splitUpdate(update))
    } catch (error) {
      // Those behind it build on it.
      this.documents.undone(book)
      this.#news.push(() => this.#events.emit('refused', { number: 0, kind: 'annotation.update', key: book }, error as Error))
    }
    this.#touch('annotations', book)
    this.#tell()
  }

  #refused(pending: Pending, error: Error): void {
    this.#note(pending, error)
    this.#tell()
  }

  #note(pending: Pending, error: Error): void {
    const { number, kind, key } = pending
    this.#touchAction(pending)
    this.#keeper.schedule()
    this.#news.push(() => this.#events.emit('refused', { number, kind, key }, error))
  }

  #touchAction({ kind, key }: Pending): void {
    const family = familyOf(kind)
    // What becomes of an action of files only the hub knows.
    if (family === 'file' || family === 'conflict') return
    this.#touch(family === 'annotation' ? 'annotations' : (family as TouchEvent), key)
  }

  #touch(event: TouchEvent, key: string): void {
    this.#touched.set(`${event}\n${key}`, [event, key])
  }

  /** Calls the listeners: MUST come last. */
  #tell(): void {
    const touched = [...this.#touched.values()]
    this.#touched.clear()
    for (const tell of this.#news.splice(0)) tell()
    for (const [event, key] of touched) this.#events.emit(event, key)
  }
}

/** Whether the hub makes the very change that is asked for, when it takes the action. Of files it decides whether there is a conflict, and how one ends. */
const isMadeAsAsked = (kind: string): boolean => Object.hasOwn(CHANGES, kind) && !/^(?:file|conflict)\./.test(kind)
