import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT } from '../protocol/index.ts'
import { copyAnnotations, writeBack } from './annotation-entries.ts'
import { Emitter } from './emitter.ts'

/** Marks what comes from the hub or from the outbox, so that it is not taken for an edit. */
const NOT_AN_EDIT = Symbol('not an edit')

/** Updates that are joined into one when more than this many have gathered. */
const MOST_PARTS = 64

/** Edits of one turn are sent as one action while they are no longer than this together: an import of a thousand annotations stays within what one update may hold. */
const EDIT_BYTES = 16_384

export interface BookDocumentOptions {
  /** What the hub holds, as far as is known here. */
  readonly updates: readonly Uint8Array[]
  /** The edits that the hub has not answered. */
  readonly pending: () => Iterable<Uint8Array>
  /** Takes the edits of one turn: as one update, or several when they are many. */
  readonly onEdit: (updates: readonly Uint8Array[]) => void
  readonly onError: (error: Error) => void
}

/** A book's annotation document in memory: what the hub holds with the unanswered edits on top. Turns edits of its Y.Doc into updates. */
export class BookDocument extends Emitter<{ change: []; replaced: [] }> {
  readonly #options: BookDocumentOptions
  #updates: Uint8Array[]
  #edits: Uint8Array[] = []
  /** Annotations of which the hub has taken an entry away or brought another while edits were on the way, and how all stood before. */
  readonly #contested = new Set<string>()
  #before: { readonly updates: readonly Uint8Array[]; readonly edits: readonly Uint8Array[] } | undefined
  #isRestarting = false
  #doc: Y.Doc

  constructor(options: BookDocumentOptions) {
    super()
    this.#options = options
    this.#updates = [...options.updates]
    this.#doc = this.#build()
  }

  /** Another one after `replaced`. */
  get doc(): Y.Doc {
    return this.#doc
  }

  /** True when something here builds on edits that are not here. */
  get hasGap(): boolean {
    return this.#doc.store.pendingStructs !== null || this.#doc.store.pendingDs !== null
  }

  /** Takes an update from the hub. Where it takes an annotation away that edits are on the way for, those are made again. */
  receive(update: Uint8Array): void {
    const before = [...this.#updates]
    this.#updates.push(update)
    if (this.#updates.length > MOST_PARTS) this.#updates = [Y.mergeUpdates(this.#updates)]
    if (this.#isRestarting) return
    if (this.#before === undefined) this.#contested.clear()
    const known = this.#contested.size
    this.#apply(this.#doc, update)
    if (this.#contested.size > known && this.#before === undefined) this.#willWriteBack(before)
  }

  /** What this document lacks of `update`; undefined when it lacks nothing, or when that cannot be told without what neither of them holds. */
  lackingOf(update: Uint8Array): Uint8Array | undefined {
    const both = new Y.Doc()
    Y.applyUpdate(both, Y.encodeStateAsUpdate(this.#doc))
    Y.applyUpdate(both, update)
    const { pendingStructs, pendingDs } = both.store
    if (pendingStructs !== null || pendingDs !== null || Y.equalSnapshots(Y.snapshot(both), Y.snapshot(this.#doc)))
      return undefined
    return Y.encodeStateAsUpdate(both, Y.encodeStateVector(this.#doc))
  }

  /** Shows edits that are among the pending ones by now. */
  show(update: Uint8Array): void {
    this.#apply(this.#doc, update)
  }

  /** Hands over the edits of this turn now instead of at its end. */
  flush(): void {
    this.#writeBack()
    const edits = this.#edits.splice(0)
    const updates: Uint8Array[] = []
    for (let start = 0; start < edits.length;) {
      let end = start + 1
      for (let bytes = edits[start]!.length; end < edits.length; end++) {
        bytes += edits[end]!.length
        if (bytes > EDIT_BYTES) break
      }
      updates.push(end - start === 1 ? edits[start]! : Y.mergeUpdates(edits.slice(start, end)))
      start = end
    }
    if (updates.length > 0) this.#options.onEdit(updates)
  }

  /** Puts the document together anew, without what was refused meanwhile. */
  rebuild(): void {
    this.flush()
    if (this.#isRestarting) return
    const old = this.#doc
    this.#doc = this.#build()
    this.#tellOfAnother(old)
  }

  /** The hub's log begins anew. The document stays as it is until `restarted`: whoever looked at a part of what the hub has would take the rest for lost. */
  restart(): void {
    this.#updates = []
    this.#isRestarting = true
  }

  /** What the hub holds has come anew: it is shown, with the unanswered edits, in the place of all else. */
  restarted(): void {
    if (!this.#isRestarting) return
    this.#isRestarting = false
    this.rebuild()
  }

  /** All that the hub lacks, when `held` is what it holds. */
  lacking(held: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc, Y.encodeStateVectorFromUpdate(held))
  }

  /**
   * Makes the edits in `refused` again, under another Yjs client id.
   *
   * @param forget called when the document still shows them; afterwards `pending` MUST be without them
   * @param take gets them as one update, before anyone hears of the new document
   */
  reissue(forget: () => void, take: (update: Uint8Array) => void): void {
    const old = this.#doc
    const wanted = new Y.Doc()
    Y.applyUpdate(wanted, Y.encodeStateAsUpdate(old))
    forget()
    this.#doc = this.#build()
    const before = Y.encodeStateVector(this.#doc)
    this.#doc.transact(() => copyAnnotations(wanted, this.#doc), NOT_AN_EDIT)
    take(Y.encodeStateAsUpdate(this.#doc, before))
    this.#tellOfAnother(old)
  }

  destroy(): void {
    this.flush()
    this.clear()
    this.#doc.destroy()
  }

  /** Once all that comes in this turn is there. @param updates what the hub held until now */
  #willWriteBack(updates: readonly Uint8Array[]): void {
    const edits = [...this.#options.pending(), ...this.#edits]
    if (edits.length === 0) return this.#contested.clear()
    this.#before = { updates, edits }
    queueMicrotask(() => this.#writeBack())
  }

  #writeBack(): void {
    if (this.#before === undefined) return
    const { updates, edits } = this.#before
    const ids = [...this.#contested]
    this.#before = undefined
    this.#contested.clear()
    const docs = { base: this.#docOf(updates), own: this.#docOf([...updates, ...edits]), theirs: this.#docOf(this.#updates) }
    this.#doc.transact(() => {
      // Where a rival came and lost, Yjs has merged what was edited already.
      for (const id of ids) if (!isSameEntry(entryItem(docs.base, id), entryItem(docs.theirs, id))) writeBack(id, docs, this.#doc)
    })
  }

  #docOf(updates: readonly Uint8Array[]): Y.Doc {
    const doc = new Y.Doc()
    doc.transact(() => {
      for (const update of updates) this.#apply(doc, update)
    })
    return doc
  }

  /** A new Y.Doc has a Yjs client id of its own: one that was used before may have edits that are not here. */
  #build(): Y.Doc {
    const doc = this.#docOf([...this.#updates, ...this.#options.pending()])
    const entries = doc.getMap(ANNOTATION_DOCUMENT.root)
    doc.on('afterTransaction', ({ changed, origin }: Y.Transaction) => {
      for (const [type, names] of origin === NOT_AN_EDIT ? changed : [])
        for (const id of (type as unknown) === entries ? names : [])
          if (id !== null && hasHadAnother(entries._map.get(id))) this.#contested.add(id)
    })
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== NOT_AN_EDIT) this.#edited(update)
      this.emit('change')
    })
    return doc
  }

  #tellOfAnother(old: Y.Doc): void {
    old.destroy()
    this.emit('replaced')
    this.emit('change')
  }

  #apply(doc: Y.Doc, update: Uint8Array): void {
    try {
      Y.applyUpdate(doc, update, NOT_AN_EDIT)
    } catch (error) {
      // Later: whoever hears of it finds the document whole.
      queueMicrotask(() => this.#options.onError(error as Error))
    }
  }

  #edited(update: Uint8Array): void {
    this.#edits.push(update)
    if (this.#edits.length === 1) queueMicrotask(() => this.flush())
  }
}

const hasHadAnother = (newest: Y.Item | undefined): boolean => newest !== undefined && (newest.deleted || newest.left !== null)

/** What stands under an id in a document. */
const entryItem = (doc: Y.Doc, id: string): Y.Item | undefined => doc.getMap(ANNOTATION_DOCUMENT.root)._map.get(id)

const isSameEntry = (before: Y.Item | undefined, now: Y.Item | undefined): boolean =>
  before !== undefined && now !== undefined && !before.deleted && !now.deleted && Y.compareIDs(before.id, now.id)
