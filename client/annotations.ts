import type * as Y from 'yjs'
import {
  ACTIONS,
  ANNOTATION_DOCUMENT,
  checked,
  countValues,
  encodeValue,
  HubError,
  LIMITS,
  markAnnotation,
  openNote,
  putAnnotation,
  type ActionBody,
  type Plain
} from '../protocol/index.ts'
import { copied } from './action-check.ts'
import { readAnnotation, readAnnotations, type Annotation } from './annotation-entries.ts'
import type { BookDocument } from './book-document.ts'
import type { Ack } from './pending.ts'
import { ClosedError } from './closed-error.ts'
import { randomId, type Clock } from './clock.ts'

type PutBody = ActionBody<'annotation.put'>

/** What `put` takes: fields that are not given stay as they are, null clears one. */
export type AnnotationFields = Omit<PutBody, 'id'> & { readonly id?: string }

/** How an annotation was, before the change at `cursor`. */
export interface AnnotationVersion extends Omit<Annotation, 'removedAtMs'> {
  readonly cursor: number
  readonly changedAtMs: number
  /** Who made that change. */
  readonly device: string
}

/** What a handle needs of its client. */
export interface AnnotationsHost {
  /** The view `annotation-history` of an annotation. */
  versions(id: string): Promise<Plain>
  restore(id: string, cursor: number): Promise<Ack>
  release(): void
}

/** A book's annotations: plain to read and write, and live as a Y.Doc. What is changed here shows at once and goes to the hub by itself. */
export class Annotations {
  readonly book: string
  readonly #document: BookDocument
  readonly #clock: Clock
  readonly #host: AnnotationsHost
  readonly #stops: (() => void)[] = []
  #isClosed = false

  constructor(book: string, document: BookDocument, clock: Clock, host: AnnotationsHost) {
    this.book = book
    this.#document = document
    this.#clock = clock
    this.#host = host
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
   * @throws HubError `bad-action`, `too-large`, with the field; ClosedError
   */
  put({ id = randomId(), ...fields }: AnnotationFields): string {
    this.#checkOpen()
    const body = copied({ id, ...fields }) as PutBody
    checked('bad-action', ACTIONS['annotation.put'].body, body, 'annotation')
    mustFitOneUpdate(body)
    const { id: known, ...put } = body
    this.doc.transact(() => putAnnotation(this.doc, known, put, this.#clock.nowMs()))
    return body.id
  }

  /** Marks an annotation as removed. Its content stays. @throws ClosedError */
  remove(id: string): void {
    this.#checkOpen()
    markAnnotation(this.doc, id, this.#clock.nowMs())
  }

  /** Takes the mark away. @throws ClosedError */
  restore(id: string): void
  /**
   * Asks the hub to make the annotation what it was before the change at `cursor`, one of `versions`. It shows once the hub has done so.
   * @returns resolves when that is durable
   * @throws HubError `not-found` when that version is not kept
   */
  restore(id: string, cursor: number): Promise<Ack>
  restore(id: string, cursor?: number): Promise<Ack> | void {
    this.#checkOpen()
    if (cursor === undefined) return void markAnnotation(this.doc, id, undefined)
    // What was edited here until now comes before it.
    this.#document.flush()
    return this.#host.restore(id, cursor)
  }

  /**
   * Reads from the hub how an annotation was before, the oldest first: before each burst of edits, each other device's edit, and each removal; thinned out with time.
   * @throws OfflineError without a connection; ClosedError
   */
  async versions(id: string): Promise<AnnotationVersion[]> {
    const entries = (await this.#host.versions(id)) as [
      string,
      Omit<AnnotationVersion, 'id' | 'changedAtMs'> & { changedAtUs: number }
    ][]
    return entries.map(([, { changedAtUs, ...version }]) => ({ ...version, id, changedAtMs: changedAtUs / 1_000 }))
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
    this.#host.release()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError(`the annotations of ${this.book} are closed`)
  }
}

/** The text of a note can be sent in parts; a value cannot, and with one that the hub refuses all later edits would go that build on it. */
function mustFitOneUpdate(body: PutBody): void {
  for (const [name, value] of Object.entries(body)) {
    if (name === ANNOTATION_DOCUMENT.textField) continue
    const field = `annotation.${name}`
    if (countValues(value, LIMITS.maxDocumentDepth) > LIMITS.maxUpdateValues)
      throw new HubError('bad-action', `${field}: too many values, or nested too deep`, { field })
    if (encodeValue(value).length > LIMITS.maxBodyBytes)
      throw new HubError('too-large', `${field}: over ${LIMITS.maxBodyBytes} bytes`, { field })
  }
}
