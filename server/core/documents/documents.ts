import { decodeValue, decodeValues, HubError, type WireChange } from '../../../protocol/index.ts'
import type { Note } from '../fold.ts'
import type { AnnotationVersion } from '../records.ts'
import { StoreTrimmed, type Store } from '../store.ts'
import type { Views } from '../views.ts'
import { Document, hubOwner, type TailUpdate } from './document.ts'

/** What one account's documents may take in memory at once: so many, and so many bytes as encoded. */
const MAX_LOADED = 500
const MAX_LOADED_BYTES = 16_777_216
/** What may be found of a document's earlier versions before they are stored. */
const MAX_FOUND_BYTES = 1_048_576
/** Bytes of the log read at once while a document is loaded. */
const READ_BYTES = 262_144

/** The annotation documents of one account that are in memory. They are loaded when first needed and dropped when idle. */
export class Documents {
  readonly #account: string
  readonly #epoch: string
  readonly #store: Store
  readonly #views: Views
  readonly #loaded = new Map<string, Document>()
  readonly #loading = new Map<string, Promise<void>>()
  readonly #touched = new Set<string>()

  constructor(account: string, epoch: string, store: Store, views: Views) {
    this.#account = account
    this.#epoch = epoch
    this.#store = store
    this.#views = views
  }

  /** How many are in memory. */
  get size(): number {
    return this.#loaded.size
  }

  /** True when anything was ever written into the document. */
  isKnown(book: string): boolean {
    return this.#views.get('documents', book) !== undefined
  }

  isLoaded(book: string): boolean {
    return this.#loaded.has(book)
  }

  /** A loaded document; whoever asks has waited for `load`. */
  use(book: string, nowMs: number): Document {
    const document = this.#loaded.get(book)
    if (document === undefined) throw new Error(`the document of ${book} is not loaded`)
    document.usedAtMs = nowMs
    this.#touched.add(book)
    return document
  }

  /**
   * Brings the documents of these books into memory.
   * @throws HubError `overloaded` when too many are there
   */
  async load(books: Iterable<string>): Promise<void> {
    for (const book of books) {
      if (this.#loaded.has(book)) continue
      let loading = this.#loading.get(book)
      if (loading === undefined) {
        if (this.#loaded.size + this.#loading.size >= MAX_LOADED)
          throw new HubError('overloaded', `the annotations of ${MAX_LOADED} books are in use`, { retryAfterMs: 10_000 })
        loading = this.#load(book).finally(() => this.#loading.delete(book))
        this.#loading.set(book, loading)
      }
      await loading
    }
  }

  /**
   * Puts a snapshot of each document for which enough has come since the last one among the changed records, and versions where many were found.
   * @returns true when there is something to store
   */
  snapshotDue(): boolean {
    let any = false
    for (const book of this.#touched) {
      const document = this.#loaded.get(book)
      if (document?.isSnapshotDue === true) any = this.#snapshot(book) || any
      else if (document !== undefined && document.versions.foundBytes >= MAX_FOUND_BYTES) {
        this.#keepVersions(book, document)
        any = true
      }
    }
    this.#touched.clear()
    return any
  }

  /**
   * Puts a snapshot of a document among the changed records, unless it has one that lacks nothing. It MUST be in memory.
   * @returns false when Yjs does not give back what it was given, and the log has to be kept
   */
  foldTail(book: string): boolean {
    return this.#loaded.get(book)!.hasTail ? this.#snapshot(book) : true
  }

  /** All that a known document consists of, as Yjs v1 updates to be applied in this order. Show it only once it is durable. */
  async updates(book: string): Promise<Uint8Array[]> {
    for (;;) {
      const loaded = this.#loaded.get(book)
      if (loaded !== undefined) return [loaded.encode()]
      const snapshot = this.#views.get('snapshots', book)
      const cursors = [...(this.#views.get('documents', book)?.tail ?? [])]
      try {
        const tail = await this.#readTail(cursors)
        return [...(snapshot === undefined ? [] : [snapshot.update]), ...tail.map(({ update }) => update)]
      } catch (error) {
        // It was folded meanwhile; the next snapshot holds it.
        if (!(error instanceof StoreTrimmed)) throw error
      }
    }
  }

  /** How an annotation stood before, as far as that is kept, by rising cursor. The document MUST be in memory if it is known. */
  versions(book: string, id: string): readonly AnnotationVersion[] {
    return this.#loaded.get(book)?.versions.historyOf(id)?.versions ?? []
  }

  /** True when so many more may be brought into memory. */
  hasRoomFor(count: number): boolean {
    let bytes = 0
    for (const document of this.#loaded.values()) bytes += document.heldBytes
    return this.#loaded.size + this.#loading.size + count <= MAX_LOADED && bytes <= MAX_LOADED_BYTES
  }

  /**
   * Drops the documents that were not used for longest, until half of the room is free. Those with changes beyond `durableHead` stay: they could not be
   * loaded again yet.
   * @returns true when there are snapshots to store
   */
  makeRoom(durableHead: number): boolean {
    let any = false
    const idlest = [...this.#loaded].sort(([, left], [, right]) => left.usedAtMs - right.usedAtMs)
    for (const [book, document] of idlest) {
      if (this.hasRoomFor(MAX_LOADED / 2)) break
      if ((this.#views.get('documents', book)?.tail.at(-1) ?? 0) <= durableHead) any = this.#unload(book, document) || any
    }
    return any
  }

  /**
   * Drops documents that no one used since `beforeMs`, after a snapshot of what has changed. The account MUST have nothing on its way to the store.
   * @returns true when there are snapshots to store
   */
  unloadIdle(beforeMs: number): boolean {
    let any = false
    // Who loads several waits for all of them before the first is used.
    if (this.#loading.size > 0) return false
    for (const [book, document] of this.#loaded) if (document.usedAtMs < beforeMs) any = this.#unload(book, document) || any
    return any
  }

  #unload(book: string, document: Document): boolean {
    const any = document.hasTail && this.#snapshot(book)
    document.destroy()
    this.#loaded.delete(book)
    return any
  }

  #snapshot(book: string): boolean {
    const document = this.#loaded.get(book)!
    this.#keepVersions(book, document)
    const snapshot = document.takeSnapshot()
    if (snapshot === undefined) return false
    this.#views.put('snapshots', [book], snapshot)
    const { tail = [], folded = 0 } = this.#views.get('documents', book) ?? {}
    this.#views.put('documents', [book], { tail: [], folded: tail.at(-1) ?? folded })
    return true
  }

  /** Without a snapshot, they are found again when the document is loaded, and do nothing the second time. */
  #keepVersions(book: string, document: Document): void {
    for (const [id, history] of document.versions.takeHistories()) this.#views.put('annotationHistories', [book, id], history)
  }

  async #load(book: string): Promise<void> {
    const cursors = this.#views.get('documents', book)?.tail ?? []
    const tail = await this.#readTail(cursors)
    this.#loaded.set(
      book,
      new Document(this.#epoch, this.#views.get('snapshots', book), tail, id => this.#views.get('annotationHistories', book, id))
    )
  }

  async #readTail(cursors: readonly number[]): Promise<TailUpdate[]> {
    const tail: TailUpdate[] = []
    while (tail.length < cursors.length) {
      const found = tail.length
      for (const { run, notes } of await this.#store.read(this.#account, cursors[tail.length]! - 1, READ_BYTES)) {
        const hubNotes = decodeValue(notes) as unknown as Note[]
        for (const [index, value] of decodeValues(run).entries()) {
          const [cursor, timeUs, device, , , , , , body] = value as unknown as WireChange
          if (cursor !== cursors[tail.length]) continue
          const note = hubNotes[index]
          const madeIn = typeof note === 'object' ? note.madeIn : undefined
          tail.push({
            update: body as Uint8Array,
            owner: madeIn === undefined ? device : hubOwner(madeIn),
            at: { cursor, timeUs, device }
          })
        }
      }
      if (tail.length === found) throw new Error(`the log of ${this.#account} lacks the change ${cursors[found]}`)
    }
    return tail
  }
}
