import { HubError } from '../../../protocol/index.ts'
import { changesOf } from '../change.ts'
import { nextTurn, type Clock } from '../ports.ts'
import type { AnnotationVersion } from '../records.ts'
import { StoreTrimmed, type Store } from '../store.ts'
import type { Views } from '../views.ts'
import { Document } from './document.ts'
import { inTurns, type Background } from './steps.ts'
import { tailUpdateOf, type TailUpdate } from './tail.ts'
import type { TurnBudget } from './turn-budget.ts'

/** The most documents that one account may have in memory at once, and about the most bytes. */
const MAX_LOADED = 500
const MAX_LOADED_BYTES = 67_108_864
/** Bytes of earlier versions that may be found in a document before they are stored. */
const MAX_FOUND_BYTES = 1_048_576
/** From so many updates on a document is loaded for a reader, who would take in each of them by itself. */
const MANY_UPDATES = 32
/** Bytes of the log read and decoded in one turn while a document is loaded. */
const READ_BYTES = 32_768

const NONE: ReadonlySet<string> = new Set()

/** What the documents of an account need of it. */
export interface DocumentsHost {
  readonly store: Store
  /** Makes the snapshots. */
  readonly background: Background
  readonly turnBudget: TurnBudget
  readonly clock: Clock
  /** The newest change that is on disk. */
  durableHead(): number
  /** Resolves once everything submitted so far is durable. */
  settled(): Promise<void>
  /** There are records to store. */
  changed(): void
}

/** The annotation documents of one account that are in memory. They are loaded when first needed and dropped when idle. */
export class Documents {
  readonly #account: string
  readonly #epoch: string
  readonly #views: Views
  readonly #host: DocumentsHost
  readonly #loaded = new Map<string, Document>()
  /** Callers that wait for documents to be loaded. They are served one after the other, so that no more is loaded than there is room for. */
  #waitingCount = 0
  #last: Promise<void> = Promise.resolve()
  /** The books of the caller that is served: their documents stay. */
  #needed: ReadonlySet<string> = NONE
  /** Books whose documents somebody asked for in this turn of the event loop, and found loaded. */
  readonly #asked = new Set<string>()
  readonly #snapshotting = new Map<string, Promise<boolean>>()
  readonly #touched = new Set<string>()

  constructor(account: string, epoch: string, views: Views, host: DocumentsHost) {
    this.#account = account
    this.#epoch = epoch
    this.#views = views
    this.#host = host
  }

  /** How many are in memory. */
  get size(): number {
    return this.#loaded.size
  }

  /** True when anything was ever written into the document. */
  isKnown(book: string): boolean {
    return this.#views.get('documents', book) !== undefined
  }

  /** Documents have had their share of this turn of the event loop: whoever has more to do waits for `waitForBudget`. */
  get isBudgetSpent(): boolean {
    return this.#host.turnBudget.isSpent
  }

  /** @see TurnBudget.spend */
  spend(cost: number): void {
    this.#host.turnBudget.spend(cost)
  }

  /** @see TurnBudget.wait */
  waitForBudget(): Promise<void> {
    return this.#host.turnBudget.wait(this.#account)
  }

  /**
   * Does work on a book's document, once that is in memory and there is something left of the budget.
   * @throws HubError `overloaded` when too many are there
   */
  async withDocument<T>(book: string, work: (document: Document) => T): Promise<T> {
    while (this.#loaded.has(book)) {
      this.use(book)
      await this.waitForBudget()
      // Others may have been first, and it may have had to leave meanwhile.
      if (!this.isBudgetSpent && this.#loaded.has(book)) return work(this.use(book))
    }
    return this.#inLine(new Set([book]), async () => {
      while (this.isBudgetSpent) await this.waitForBudget()
      return work(this.use(book))
    })
  }

  isLoaded(book: string): boolean {
    return this.#loaded.has(book)
  }

  /** A loaded document; whoever asks has waited for `load`. */
  use(book: string): Document {
    const document = this.#loaded.get(book)
    if (document === undefined) throw new Error(`the document of ${book} is not loaded`)
    document.usedAtMs = this.#host.clock.nowMs()
    this.#touched.add(book)
    return document
  }

  /**
   * Brings the documents of these books into memory, where they take the place of those that were not used for longest. Use them in the turn of the event loop
   * in which this resolves: until its end they stay.
   *
   * @throws HubError `overloaded` when too many are there
   * @throws Error for one of which something is lost: what it has is left as it is
   */
  async load(books: ReadonlySet<string>): Promise<void> {
    for (const book of books) if (!this.#loaded.has(book)) return this.#inLine(books, () => undefined)
    if (this.#asked.size === 0) this.#host.clock.nextTurn(() => this.#asked.clear())
    for (const book of books) this.#asked.add(book)
  }

  /** True while a snapshot is made of one. */
  get isSnapshotting(): boolean {
    return this.#snapshotting.size > 0
  }

  /**
   * Begins a snapshot of each document for which enough has come since its last one, puts versions among the changed records where many were found, and drops
   * documents where they take too much.
   * @returns true when it did so
   */
  beforeCommit(): boolean {
    let any = false
    for (const book of this.#touched) {
      const document = this.#loaded.get(book)
      if (document === undefined) continue
      if (document.isSnapshotDue && !this.#snapshotting.has(book)) void this.#snapshot(book, document)
      if (document.versions.foundBytes < MAX_FOUND_BYTES) continue
      this.#keepVersions(book, document)
      any = true
    }
    // Those that are written to may have grown.
    if (this.#touched.size > 0 && !this.#hasRoomFor(0)) this.#makeRoom()
    this.#touched.clear()
    return any
  }

  /**
   * Puts a snapshot of a document, as it stands now, among the changed records, unless it has one that lacks nothing. The document MUST be in memory, and
   * stays there meanwhile. Where it left while another snapshot was made of it, that is the one.
   * @returns false when Yjs does not give back what it was given, and the log has to be kept
   */
  async snapshot(book: string): Promise<boolean> {
    // One that is under way may have begun before the newest changes.
    for (let under = this.#snapshotting.get(book); under !== undefined; under = this.#snapshotting.get(book)) await under
    const document = this.#loaded.get(book)
    return document === undefined || !document.hasTail || this.#snapshot(book, document)
  }

  /** All that a known document consists of, as Yjs v1 updates to be applied in this order. Show it only once it is durable. */
  async updates(book: string): Promise<Uint8Array[]> {
    for (;;) {
      const loaded = this.#loaded.get(book) ?? (await this.#worthLoading(book))
      if (loaded !== undefined) return this.withDocument(book, document => [document.encode()])
      const snapshot = this.#views.get('snapshots', book)
      const cursors = [...(this.#views.get('documents', book)?.tail ?? [])]
      try {
        const tail = await this.#readTail(cursors)
        return [...(snapshot === undefined ? [] : [snapshot.update]), ...tail.map(({ update }) => update)]
      } catch (error) {
        // A snapshot was made meanwhile, which holds it.
        if (!(error instanceof StoreTrimmed)) throw error
      }
    }
  }

  /** A document whose log has many updates since its snapshot, each of which a reader would take in by itself. The next reader finds them in a snapshot. */
  async #worthLoading(book: string): Promise<Document | undefined> {
    const { length } = this.#views.get('documents', book)?.tail ?? []
    if (length < MANY_UPDATES || !this.#hasRoomFor(1)) return undefined
    await this.load(new Set([book]))
    const document = this.#loaded.get(book)
    if (document?.canSnapshot === true && !this.#snapshotting.has(book)) void this.#snapshot(book, document)
    return document
  }

  /** How an annotation stood before, as far as that is kept, by rising cursor. The document MUST be in memory if it is known. */
  versions(book: string, id: string): readonly AnnotationVersion[] {
    return this.#loaded.get(book)?.versions.historyOf(id)?.versions ?? []
  }

  /** Waits for those before, and brings these books' documents into memory. The next one is served in another turn of the event loop. */
  #inLine<T>(books: ReadonlySet<string>, use: () => T | Promise<T>): Promise<T> {
    this.#waitingCount += 1
    const done = this.#last.then(async () => {
      this.#needed = books
      for (const book of books) if (!this.#loaded.has(book)) await this.#load(book)
      return use()
    })
    const leave = async (): Promise<void> => {
      await nextTurn(this.#host.clock)
      this.#waitingCount -= 1
      this.#needed = NONE
    }
    this.#last = done.then(leave, leave)
    return done
  }

  #hasRoomFor(count: number): boolean {
    let bytes = 0
    for (const document of this.#loaded.values()) bytes += document.heldBytes
    return this.#loaded.size + count <= MAX_LOADED && bytes <= MAX_LOADED_BYTES
  }

  /**
   * Drops the documents that were not used for longest, until half of the room is free. Those that are needed stay, however large; so do those with changes
   * that are not durable, which could not be loaded again yet.
   */
  #makeRoom(): void {
    const others = [...this.#loaded].filter(([book]) => !this.#needed.has(book) && !this.#asked.has(book))
    const idlest = others.sort(([, left], [, right]) => left.usedAtMs - right.usedAtMs)
    for (const [book, document] of idlest) {
      if (this.#hasRoomFor(MAX_LOADED / 2)) break
      if ((this.#views.get('documents', book)?.tail.at(-1) ?? 0) <= this.#host.durableHead()) this.#unload(book, document)
    }
  }

  /**
   * Drops documents that no one used since `beforeMs`. Of those that have changed a snapshot is made first, and they go the next time: one by one out of the
   * log they would be loaded slowly. The account MUST have nothing on its way to the store.
   */
  unloadIdle(beforeMs: number): void {
    // Who loads several waits for all of them before the first is used.
    if (this.#waitingCount > 0) return
    for (const [book, document] of this.#loaded) {
      if (document.usedAtMs >= beforeMs || this.#asked.has(book)) continue
      if (this.#snapshotting.has(book)) continue
      if (document.canSnapshot) void this.#snapshot(book, document)
      else this.#unload(book, document)
    }
  }

  /** Its versions are found again when it is loaded. */
  #unload(book: string, document: Document): void {
    if (this.#snapshotting.has(book)) return
    document.destroy()
    this.#loaded.delete(book)
  }

  #snapshot(book: string, document: Document): Promise<boolean> {
    const snapshotting = this.#host.background.run(document.snapshotting()).then(made => {
      this.#snapshotting.delete(book)
      if (made === undefined) return false
      this.#keepVersions(book, document)
      this.#views.put('snapshots', [book], made.snapshot)
      const known = this.#views.get('documents', book)!
      const { tail } = known
      this.#views.put('documents', [book], { ...known, tail: tail.slice(made.count), folded: tail[made.count - 1]! })
      this.#host.changed()
      return true
    })
    this.#snapshotting.set(book, snapshotting)
    return snapshotting
  }

  /** Without a snapshot, they are found again when the document is loaded, and do nothing the second time. */
  #keepVersions(book: string, document: Document): void {
    for (const [id, history] of document.versions.takeHistories()) this.#views.put('annotationHistories', [book, id], history)
  }

  async #load(book: string): Promise<void> {
    if (!this.#hasRoomFor(1)) {
      await this.#host.settled()
      this.#makeRoom()
    }
    if (this.#loaded.size >= MAX_LOADED)
      throw new HubError('overloaded', `the annotations of ${MAX_LOADED} books are in use`, { retryAfterMs: 10_000 })
    const cursors = this.#views.get('documents', book)?.tail ?? []
    const tail = await this.#readTail(cursors)
    const opening = Document.opening(
      this.#epoch,
      this.#views.get('snapshots', book),
      tail,
      id => this.#views.get('annotationHistories', book, id),
      this.#host.turnBudget.spend
    )
    const document = await inTurns(opening, this.#host.clock)
    if (!document.isComplete) throw new Error(`the document of ${book} builds on changes that are not there`)
    this.#loaded.set(book, document)
  }

  async #readTail(cursors: readonly number[]): Promise<TailUpdate[]> {
    const tail: TailUpdate[] = []
    while (tail.length < cursors.length) {
      const found = tail.length
      if (found > 0) await nextTurn(this.#host.clock)
      for (const stored of await this.#host.store.read(this.#account, cursors[tail.length]! - 1, READ_BYTES))
        for (const logged of changesOf(stored)) if (logged.change.cursor === cursors[tail.length]) tail.push(tailUpdateOf(logged))
      if (tail.length === found) throw new Error(`the log of ${this.#account} lacks the change ${cursors[found]}`)
    }
    return tail
  }
}
