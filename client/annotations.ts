import type * as Y from 'yjs'
import { ACTIONS, HubError, checked, type ActionBody } from '../protocol/index.ts'
import { copied } from './action-check.ts'
import {
  markAnnotation,
  openNote,
  readAnnotation,
  readAnnotations,
  writeAnnotation,
  type Annotation
} from './annotation-entries.ts'
import type { BookDocument } from './book-document.ts'
import { randomId, type Clock } from './clock.ts'

type PutBody = ActionBody<'annotation.put'>

/** What `put` takes: fields that are not given stay as they are, null clears one. */
export type AnnotationFields = Omit<PutBody, 'id'> & { readonly id?: string }

/** A book's annotations: plain to read and write, and live as a Y.Doc. What is changed here shows at once and goes to the hub by itself. */
export class Annotations {
  readonly book: string
  readonly #document: BookDocument
  readonly #clock: Clock
  readonly #onClose: () => void
  readonly #stops: (() => void)[] = []
  #isClosed = false

  constructor(book: string, document: BookDocument, clock: Clock, onClose: () => void) {
    this.book = book
    this.#document = document
    this.#clock = clock
    this.#onClose = onClose
  }

  /**
   * The live document, to bind an editor to. Edits of it are sent like those made by `put`. After `replaced` it is another one, and edits of
   * the old one go nowhere.
   */
  get doc(): Y.Doc {
    return this.#document.doc
  }

  /** Every annotation by rising id; those that are removed only when asked for. */
  list({ removed = false } = {}): Annotation[] {
    const all = readAnnotations(this.doc)
    return removed ? all : all.filter(({ removedAtMs }) => removedAtMs === undefined)
  }

  get(id: string): Annotation | undefined {
    return readAnnotation(this.doc, id)
  }

  /**
   * Makes an annotation, or changes the fields that are given. A note is changed only where it differs.
   *
   * @returns its id, which is random when none was given
   * @throws HubError `bad-action`, with the field
   */
  put({ id = randomId(), ...fields }: AnnotationFields): string {
    this.#checkOpen()
    const body = copied({ id, ...fields }) as PutBody
    checked('bad-action', ACTIONS['annotation.put'].body, body, 'annotation')
    this.doc.transact(() => writeAnnotation(this.doc, body, this.#clock.nowMs()))
    return id
  }

  /** Marks an annotation as removed. Its content stays. */
  remove(id: string): void {
    this.#checkOpen()
    markAnnotation(this.doc, id, this.#clock.nowMs())
  }

  /** Takes the mark away. */
  restore(id: string): void {
    this.#checkOpen()
    markAnnotation(this.doc, id, undefined)
  }

  /**
   * The live text of an annotation's note.
   * @throws HubError `not-found`
   */
  note(id: string): Y.Text {
    const text = openNote(this.doc, id)
    if (text === undefined) throw new HubError('not-found', `there is no annotation ${id} in this book`)
    return text
  }

  /**
   * Calls `listener` when anything changed, here or elsewhere; or when `doc` became another one, because the hub refused an edit or
   * began anew.
   */
  on(event: 'change' | 'replaced', listener: () => void): () => void {
    const stop = this.#document.on(event, listener)
    this.#stops.push(stop)
    return stop
  }

  /** Stops the listeners, and lets go of the document. What was edited is still sent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const stop of this.#stops) stop()
    this.#document.flush()
    this.#onClose()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new Error(`the annotations of ${this.book} are closed`)
  }
}
