import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT } from '../../../protocol/index.ts'
import type { Random } from '../../util/random.ts'
import { annotationOf, textOf } from './contents.ts'

const { root, textField, removedField } = ANNOTATION_DOCUMENT

/** The books' documents of a client that binds Yjs to the protocol by itself. */
export class YjsBooks {
  readonly #docs = new Map<string, Y.Doc>()
  /** What the log has brought. */
  readonly #updates = new Map<string, Uint8Array[]>()
  /** Yjs client ids of other devices. */
  readonly #foreign = new Map<string, Set<number>>()

  /** @param isOwn the edit is of this client's device */
  receive(book: string, update: Uint8Array, isOwn: boolean): void {
    const foreign = this.#foreign.get(book) ?? new Set()
    this.#foreign.set(book, foreign)
    if (!isOwn) for (const client of Y.parseUpdateMeta(update).to.keys()) foreign.add(client)
    const updates = this.#updates.get(book) ?? []
    updates.push(update)
    this.#updates.set(book, updates)
    const doc = this.#docs.get(book)
    if (doc !== undefined) Y.applyUpdate(doc, update)
  }

  /** Edits a document. @returns the edit as an update; undefined when there was nothing to do */
  edit(book: string, random: Random): Uint8Array | undefined {
    const doc = this.#docs.get(book) ?? this.#build(book)
    let made: Uint8Array | undefined
    const note = (update: Uint8Array): void => {
      made = update
    }
    doc.on('update', note)
    doc.transact(() => change(doc, random))
    doc.off('update', note)
    return made
  }

  /** An edit that the hub must refuse: cut short, or under the Yjs client id of another device. It is made in no document of this client. */
  badEdit(book: string, random: Random): Uint8Array | undefined {
    const doc = new Y.Doc()
    for (const update of this.#updates.get(book) ?? []) Y.applyUpdate(doc, update)
    const foreign = [...(this.#foreign.get(book) ?? [])]
    const isForeign = foreign.length > 0 && random.chance(0.5)
    if (isForeign) doc.clientID = random.pick(foreign)
    const before = Y.encodeStateVector(doc)
    doc.transact(() => change(doc, random))
    const update = Y.encodeStateAsUpdate(doc, before)
    return isForeign ? update : update.slice(0, -1)
  }

  /** Edits that the hub refused are in the document: the next edit is made in one without them. */
  forget(book: string): void {
    this.#docs.delete(book)
  }

  /** The process ends; what the log has brought is kept. */
  close(): void {
    this.#docs.clear()
  }

  /** The log begins anew. */
  clear(): void {
    this.#docs.clear()
    this.#updates.clear()
    this.#foreign.clear()
  }

  #build(book: string): Y.Doc {
    const doc = new Y.Doc()
    for (const update of this.#updates.get(book) ?? []) Y.applyUpdate(doc, update)
    this.#docs.set(book, doc)
    return doc
  }
}

function change(doc: Y.Doc, random: Random): void {
  const entries = doc.getMap<Y.Map<unknown>>(root)
  const id = annotationOf(random)
  const known = entries.get(id)
  if (known === undefined) {
    entries.set(id, new Y.Map<unknown>([[textField, new Y.Text(textOf(random))], ['createdAtMs', 1]])) // prettier-ignore
    return
  }
  const note = known.get(textField)
  if (random.chance(0.6) && note instanceof Y.Text) note.insert(random.below(note.length + 1), textOf(random))
  else if (known.has(removedField)) known.delete(removedField)
  else known.set(removedField, 2)
}
