import * as Y from 'yjs'
import { HubError, splitUpdate } from '../protocol/index.ts'
import { BookDocument } from './book-document.ts'
import type { Clock } from './clock.ts'
import type { Outbox } from './outbox.ts'
import { merged } from './merged.ts'
import type { Pending } from './pending.ts'
import { OfflineError } from './reader.ts'
import type { ClientStorage, StorageChange } from './storage.ts'

export interface DocumentsOptions {
  readonly storage: ClientStorage
  readonly outbox: Outbox
  readonly clock: Clock
  /** Resolves when everything that came so far was given to storage, with what that did not take. */
  readonly stored: () => Promise<readonly StorageChange[]>
  /** The hub's document of a book, as one update. */
  readonly read: (book: string) => Promise<Uint8Array>
  /** Takes the edits of one turn. */
  readonly submit: (book: string, updates: readonly Uint8Array[]) => void
  readonly onRefused: (pending: Pending, error: HubError) => void
  readonly onError: (error: Error) => void
}

export const DOCUMENT_PREFIX = 'document\n'
/** What this replica held of a book under another epoch, until the hub was given what it lacks of it. */
const LOST_PREFIX = 'lost\n'

/** Pieces of a stored document that are joined when it is opened. */
const MOST_PIECES = 32
/** How often edits that were refused for what the hub lacks are put together anew. */
const MOST_ROUNDS = 3
const HEAL_RETRY_MS = 5_000

interface Open {
  readonly document: Promise<BookDocument>
  /** Set once it is there. */
  now?: BookDocument
  /** What came while it was being read from storage, with its key there. */
  arrived: (readonly [key: string, update: Uint8Array])[]
  /** The edits that were on the way when it began to be read: by its end they may be done, and what arrived meanwhile may have taken away what they are about. */
  edits: readonly Pending[]
  isStale: boolean
  users: number
}

/** The annotation documents of the account: in storage, and open ones in memory. */
export class Documents {
  readonly #options: DocumentsOptions
  readonly #open = new Map<string, Open>()
  readonly #healing = new Set<string>()
  /** The hub's documents on their way, for whose sake edits are made again. */
  readonly #reading = new Map<string, Promise<Uint8Array>>()
  /** Actions whose edits were made again by another. */
  readonly #superseded = new WeakSet<Pending>()
  readonly #cancelHeals = new Set<() => void>()
  #isClosed = false
  #mayHaveLost = true
  #writes: StorageChange[] = []

  constructor(options: DocumentsOptions) {
    this.#options = options
  }

  /** Opens a book's document, or joins those who have it open. Every call needs one `release`. */
  open(book: string): Promise<BookDocument> {
    let open = this.#open.get(book)
    if (open === undefined) {
      const edits = this.#pendingOf(book)
      const entry: Open = { document: this.#load(book, () => entry), arrived: [], edits, isStale: false, users: 0 }
      open = entry
      this.#open.set(book, open)
      entry.document.catch(() => this.#open.delete(book))
    }
    open.users += 1
    return open.document
  }

  release(book: string): void {
    const open = this.#open.get(book)
    if (open === undefined || --open.users > 0) return
    this.#open.delete(book)
    open.now?.destroy()
  }

  /** Takes an update out of the log. A document that is not open is only stored, unless it may take away what edits on the way are about. */
  receive(book: string, update: Uint8Array, cursor: number, isOwn: boolean): void {
    if (!isOwn) this.#openEdited(book)
    this.#take(book, update, pieceKey(book, cursor))
  }

  /** Takes an update out of a snapshot, which may have several of one book: it is joined with what is there. */
  receivePart(book: string, update: Uint8Array, cursor: number, index: number): void {
    this.#openEdited(book)
    this.#take(book, update, `${pieceKey(book, cursor)}\n${String(index).padStart(8, '0')}`)
  }

  /** Until what comes in this turn is there. */
  #openEdited(book: string): void {
    if (this.#isClosed || this.#open.has(book) || this.#pendingOf(book).length === 0) return
    this.#using(book, () => undefined).catch(this.#options.onError)
  }

  #take(book: string, update: Uint8Array, key: string): void {
    this.#writes.push([key, update])
    const open = this.#open.get(book)
    if (open?.now !== undefined) open.now.receive(update)
    else open?.arrived.push([key, update])
  }

  /** Hands over all edits of this turn now. */
  flush(): void {
    for (const { now } of this.#open.values()) now?.flush()
  }

  /**
   * Another log begins: what is held of the old one is not the hub's.
   * @returns what was not handed over to be stored yet
   */
  restart(): StorageChange[] {
    this.#mayHaveLost = true
    const unstored = this.#writes
    this.#writes = []
    for (const open of this.#open.values()) {
      open.arrived = []
      open.isStale = true
      open.now?.restart()
    }
    return unstored
  }

  /** What the hub has of the log that `restart` told of has been read. */
  restarted(): void {
    for (const { now } of this.#open.values()) now?.restarted()
  }

  /** Puts what another log has left behind aside, joined by book, until `returnLost`. @param entries all of it */
  async setAside(entries: readonly StorageChange[]): Promise<StorageChange[]> {
    const updates = new Map<string, Uint8Array[]>()
    for (const [key, update] of [...entries, ...(await this.#options.storage.load(LOST_PREFIX))]) {
      const [family, book = ''] = key.split('\n')
      if (update === undefined || (family !== 'document' && family !== 'lost')) continue
      updates.set(book, [...(updates.get(book) ?? []), update])
    }
    return [...updates].map(([book, all]) => [LOST_PREFIX + book, merged(all)])
  }

  /**
   * Gives the hub what it lacks of what was set aside, as edits of this client: a hub that came out of a backup has lost them, and this may be the
   * only place where they are left. What the hub has MUST have been read. What fails is told by `onError`, and tried again by the next connection.
   */
  async returnLost(): Promise<void> {
    const { storage, outbox, onError } = this.#options
    if (!this.#mayHaveLost) return
    this.#mayHaveLost = false
    let all
    try {
      all = await this.#loadLost()
    } catch (error) {
      this.#mayHaveLost = true
      return onError(error as Error)
    }
    for (const [key, lost] of all) {
      const book = key.slice(LOST_PREFIX.length)
      try {
        await this.#using(book, document => {
          const lacking = document.lackingOf(lost)
          if (lacking === undefined) return
          document.flush()
          outbox.addAll('annotation.update', book, splitUpdate(lacking))
          document.show(lacking)
        })
        if (this.#isClosed) return
        await outbox.save()
        await storage.write([[key, undefined]])
      } catch (error) {
        this.#mayHaveLost = true
        onError(error as Error)
      }
    }
  }

  /** What was set aside of this book, or of all, and not given back yet. */
  async #loadLost(book = ''): Promise<[key: string, update: Uint8Array][]> {
    await this.#options.stored()
    const all = await this.#options.storage.load(LOST_PREFIX + book)
    return all.filter(([key]) => book === '' || key === LOST_PREFIX + book)
  }

  takeWrites(): StorageChange[] {
    return this.#writes.splice(0)
  }

  /** Hands over all edits, and mends nothing any more. */
  close(): void {
    this.flush()
    this.#isClosed = true
    for (const cancel of this.#cancelHeals) cancel()
  }

  /** Deals with refused `annotation.update`s: mends what can be mended, and undoes the rest. */
  refused(refusals: readonly (readonly [pending: Pending, error: HubError])[]): void {
    const lost = refusals.filter(([pending, { code }]) => {
      const canMend = pending.round < MOST_ROUNDS && !this.#superseded.has(pending)
      if (!canMend || (code !== 'update-gap' && code !== 'foreign-client')) return true
      pending.stage = 'held'
      void (code === 'update-gap' ? this.#heal(pending.key) : this.#reissue(pending))
      return false
    })
    this.#undo(lost)
  }

  /** Shows the document without what was forgotten. */
  undone(book: string): void {
    this.#open.get(book)?.now?.rebuild()
  }

  #undo(all: readonly (readonly [pending: Pending, error: HubError])[]): void {
    for (const [pending, error] of all) this.#options.outbox.refuse(pending, error)
    for (const book of new Set(all.map(([{ key }]) => key))) this.undone(book)
    for (const [pending, error] of all) this.#options.onRefused(pending, error)
  }

  /** The hub lacks edits that ours build on: sends all that it lacks as one action, which takes the place of those that it could not use. */
  async #heal(book: string): Promise<void> {
    if (this.#healing.has(book)) return
    this.#healing.add(book)
    try {
      const held = await this.#options.read(book)
      const lost = await this.#loadLost(book)
      await this.#using(book, document => {
        document.receive(held)
        document.restarted()
        document.flush()
        const stuck = this.#updatesOf(book).filter(({ stage }) => stage === 'held' || stage === 'saved')
        const refused = stuck.filter(({ stage }) => stage === 'held')
        if (refused.length === 0) return
        // What ours build on may be what a hub that came out of a backup has lost, and is about to be given back.
        if (document.hasGap) for (const [, update] of lost) document.show(update)
        if (document.hasGap) this.#undo(refused.map(pending => [pending, new HubError('update-gap')]))
        else this.#replace(book, stuck, document.lacking(held))
      })
    } catch (error) {
      if (this.#isClosed) return
      // Without a connection there is nothing to do: what was held is sent again by the next, and refused again.
      this.#later(() => {
        if (this.#updatesOf(book).some(({ stage }) => stage === 'held')) void this.#heal(book)
      })
      this.#options.onError(error as Error)
    } finally {
      this.#healing.delete(book)
    }
  }

  /** The Yjs client id belongs to another device: makes all edits under it again, under a new one. */
  async #reissue(pending: Pending): Promise<void> {
    const book = pending.key
    const isHeld = (): boolean => pending.stage === 'held' && this.#options.outbox.get(pending.number) === pending
    let held: Uint8Array
    try {
      // Whoever has the id may have given the hub some of these very edits: those are not made twice.
      held = await this.#readOnce(book)
    } catch (error) {
      // Without a connection it stays as it is: the next one sends it again, and it is refused again.
      if (this.#isClosed || error instanceof OfflineError) return
      this.#later(() => isHeld() && void this.#reissue(pending))
      return this.#options.onError(error as Error)
    }
    try {
      await this.#using(book, document => {
        document.receive(held)
        document.restarted()
        document.flush()
        if (!isHeld()) return
        const clients = yjsClientsOf(pending)
        const stuck = this.#updatesOf(book).filter(other => [...yjsClientsOf(other)].some(client => clients.has(client)))
        const forget = (): void => {
          for (const other of stuck) this.#superseded.add(other)
        }
        document.reissue(forget, update => this.#replace(book, stuck, update))
      })
    } catch (error) {
      if (!this.#isClosed) this.#undo([[pending, error instanceof HubError ? error : new HubError('foreign-client')]])
    }
  }

  /** The hub's document of a book, for all who wait for it. */
  #readOnce(book: string): Promise<Uint8Array> {
    const known = this.#reading.get(book)
    if (known !== undefined) return known
    const reading = this.#options.read(book).finally(() => this.#reading.delete(book))
    this.#reading.set(book, reading)
    return reading
  }

  #later(task: () => void): void {
    const cancel = this.#options.clock.after(HEAL_RETRY_MS, () => {
      this.#cancelHeals.delete(cancel)
      task()
    })
    this.#cancelHeals.add(cancel)
  }

  #replace(book: string, stuck: readonly Pending[], update: Uint8Array): void {
    try {
      this.#options.outbox.addAll('annotation.update', book, splitUpdate(update), stuck)
    } catch (error) {
      this.#undo(stuck.map(pending => [pending, error as HubError]))
    }
  }

  async #using(book: string, use: (document: BookDocument) => void): Promise<void> {
    const document = await this.open(book)
    try {
      if (!this.#isClosed) use(document)
    } finally {
      this.release(book)
    }
  }

  #updatesOf(book: string): Pending[] {
    return this.#pendingOf(book).filter(({ stage }) => stage !== 'done')
  }

  /** The edits whose effect has not come back. */
  #pendingOf(book: string): Pending[] {
    return [...this.#options.outbox.about('annotation', book)].filter(
      pending => pending.kind === 'annotation.update' && !this.#superseded.has(pending)
    )
  }

  async #load(book: string, entry: () => Open): Promise<BookDocument> {
    const { storage, stored, submit, onError } = this.#options
    const prefix = `${DOCUMENT_PREFIX}${book}\n`
    const untaken = (await stored()).flatMap(([key, update]) =>
      key.startsWith(prefix) && update !== undefined ? [[key, update] as const] : []
    )
    const pieces = await storage.load(prefix)
    const open = entry()
    if (!open.isStale && pieces.length > MOST_PIECES) this.#join(pieces)
    const [[first] = [undefined]] = open.arrived
    const stood = [...pieces, ...untaken].filter(([key]) => !open.isStale && (first === undefined || key < first))
    const document = new BookDocument({
      updates: stood.map(([, update]) => update),
      pending: () => {
        const done = open.edits.filter(({ stage }) => stage === 'done')
        return [...done, ...this.#pendingOf(book)].map(({ body }) => body as Uint8Array)
      },
      onEdit: updates => submit(book, updates),
      onError
    })
    open.now = document
    for (const [, update] of open.arrived.splice(0)) document.receive(update)
    open.edits = []
    return document
  }

  #join(pieces: readonly (readonly [key: string, update: Uint8Array])[]): void {
    const last = pieces.at(-1)!
    for (const [key] of pieces) if (key !== last[0]) this.#writes.push([key, undefined])
    this.#writes.push([last[0], merged(pieces.map(([, update]) => update))])
  }
}

const pieceKey = (book: string, cursor: number): string => `${DOCUMENT_PREFIX}${book}\n${String(cursor).padStart(16, '0')}`

const yjsClientsOf = ({ body }: Pending): Set<number> => new Set(Y.parseUpdateMeta(body as Uint8Array).from.keys())
