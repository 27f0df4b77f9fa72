import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, HubError, LIMITS } from '../../../protocol/index.ts'
import type { Moment } from '../change.ts'
import { isRestored } from '../ids.ts'
import type { SnapshotRecord } from '../records.ts'
import { annotationIds, listAnnotations, type PlainAnnotation } from './annotations.ts'
import { deletionCost, reloadCost, updateCost } from './cost.ts'
import { inspectUpdate } from './gate.ts'
import { Places } from './places.ts'
import { QuietDoc } from './quiet-doc.ts'
import { atOnce, reloadAt, STEP_COST, takeIn, wholeOf, Writing, type Steps } from './steps.ts'
import { hubOwner, Tail, type TailUpdate } from './tail.ts'
import { applyUpdate, decodeUpdate, heldBytesOf } from './updates/sparing-decoder.ts'
import { inOrder } from './updates/steps.ts'
import { inspectStateVector } from './updates/untrusted.ts'
import { Versions, type StoredHistory } from './versions.ts'

/** Takes note of work that was done or is about to be, as `updateCost` counts it. */
export type Spend = (cost: number) => void

/** A snapshot, and how many of the updates since the last one it holds. */
export interface NewSnapshot {
  readonly snapshot: SnapshotRecord
  readonly count: number
}

/** The next snapshot is due after so many updates, where they have half of the last one's bytes too. */
const SNAPSHOT_AFTER_UPDATES = 512
/** It is due as well when the updates since the last one would cost so much to take in again: a second or so. */
const SNAPSHOT_AFTER_COST = 1_000_000
/** The cost of reading one update of the log, as `updateCost` counts it. */
const READING_COST = 30
/** Bytes of a document that are written out in the time that `updateCost` counts as one; as long takes an id that is sorted. */
const WRITTEN_BYTES_PER_COST = 32
/** Items that are looked through in that time. */
const SEEN_PER_COST = 64
/** Memory that each written byte of the hub's own short edits takes at most: by empty maps. */
const BYTES_PER_EDIT_BYTE = 40
const SHORT_EDIT_BYTES = 512

/**
 * A book's annotation document in memory: its snapshot, with the log's updates since applied.
 *
 * Updates enter by `apply` and `edit` only. Either leaves the document changed and the update ready for the log, or throws and leaves no trace.
 */
export class Document {
  readonly #hub: string
  readonly #isRestored: boolean
  readonly #histories: StoredHistory
  readonly #spend: Spend
  #doc!: Y.Doc
  #versions!: Versions
  #snapshot: SnapshotRecord | undefined
  readonly #owners: Map<number, string>
  /** Everything since the snapshot; what the document is rebuilt from when Yjs fails half-way. */
  readonly #tail = new Tail()
  /** The document as it is written out, or was; gone with the next edit. */
  #writing: Writing | undefined
  /** The ids of its annotations in order, once asked for; gone with the next edit. */
  #ids: readonly string[] | undefined
  /** About the most memory that its items and their values take: nothing is taken off until it is read again. */
  #itemBytes = 0
  /** How long the tail was when no snapshot could be made of it. */
  #triedAt = 0
  usedAtMs = 0

  private constructor(epoch: string, snapshot: SnapshotRecord | undefined, histories: StoredHistory, spend: Spend) {
    this.#hub = hubOwner(epoch)
    this.#isRestored = isRestored(epoch)
    this.#histories = histories
    this.#spend = spend
    this.#snapshot = snapshot
    this.#owners = new Map(snapshot?.owners ?? [])
  }

  /**
   * @param histories how annotations stood before, as stored
   * @param spend is told what each update costs that is about to be applied, and what reading costs
   */
  static *opening(
    epoch: string,
    snapshot: SnapshotRecord | undefined,
    tail: readonly TailUpdate[],
    histories: StoredHistory = () => undefined,
    spend: Spend = () => undefined
  ): Steps<Document> {
    const document = new Document(epoch, snapshot, histories, spend)
    for (const each of tail) document.#keep(each, 0)
    yield* document.#building()
    return document
  }

  static open(...parts: Parameters<typeof Document.opening>): Document {
    return atOnce(Document.opening(...parts))
  }

  /** False where an update builds on what is lost: Yjs keeps it waiting, and a snapshot would not have it. */
  get isComplete(): boolean {
    const { pendingStructs, pendingDs } = this.#doc.store
    return pendingStructs === null && pendingDs === null
  }

  /** To read from. Changing it by any other way than `apply` and `edit` would keep the change from the log. */
  get doc(): Y.Doc {
    return this.#doc
  }

  /** The earlier versions of its annotations. */
  get versions(): Versions {
    return this.#versions
  }

  /** About the memory that it takes. */
  get heldBytes(): number {
    const snapshotBytes = this.#snapshot?.update.length ?? 0
    return this.#itemBytes + snapshotBytes + this.#tail.heldBytes + this.#versions.foundBytes + (this.#writing?.writtenBytes ?? 0)
  }

  get #documentBytes(): number {
    return (this.#snapshot?.update.length ?? 0) + this.#tail.bytes
  }

  /** True when enough has come since the snapshot, or since one that failed, to make the next one. */
  get isSnapshotDue(): boolean {
    const isLong =
      this.#tail.length - this.#triedAt >= SNAPSHOT_AFTER_UPDATES && this.#tail.bytes * 2 >= (this.#snapshot?.update.length ?? 0)
    // Edits take room until a snapshot shows what is left of them.
    const isLarge = this.#tail.bytes >= LIMITS.maxDocumentBytes / 4 || this.#tail.cost >= SNAPSHOT_AFTER_COST
    return isLong || (this.#triedAt === 0 && isLarge)
  }

  get hasTail(): boolean {
    return this.#tail.length > 0
  }

  /** False when a snapshot would hold nothing new, or was tried in vain. */
  get canSnapshot(): boolean {
    return this.#tail.length > this.#triedAt
  }

  /**
   * Applies an untrusted Yjs v1 update of the device in `at`.
   * @returns what it brings that the document did not have: the update itself, as a rule
   * @throws HubError `bad-update`, `update-gap`, `foreign-client`, `document-too-large`
   */
  apply(update: Uint8Array, at: Moment): Uint8Array {
    const { device } = at
    this.#mustTake(update.length)
    if (this.#owners.size >= LIMITS.maxDocumentClients)
      throw new HubError('document-too-large', 'too many Yjs clients have edited this book')
    const { ends, fresh, cost } = inspectUpdate(
      update,
      { doc: this.#doc, owners: this.#owners, isRestored: this.#isRestored },
      device
    )
    this.#spend(cost)
    if (cost > LIMITS.maxUpdateCost)
      throw new HubError('bad-update', `the Yjs update costs over ${LIMITS.maxUpdateCost} to take in; send it in parts`)
    if (ends.size > 0) this.#mustHaveRoomForItems()
    try {
      this.#versions.expect(at, fresh)
      this.#itemBytes += applyUpdate(this.#doc, fresh)
    } catch {
      this.#rebuild()
      throw new HubError('bad-update', 'the Yjs update cannot be applied')
    }
    if (!this.isComplete) {
      this.#rebuild()
      throw new HubError('update-gap')
    }
    for (const client of ends.keys()) this.#own(client, device)
    this.#keep({ update: fresh, owner: device, at }, cost)
    return fresh
  }

  /**
   * Lets the hub change the document for a client without Yjs.
   * @returns the change as a Yjs v1 update
   * @throws HubError `document-too-large`, `bad-update`, and what `change` throws
   */
  edit(change: (doc: Y.Doc) => void, at: Moment): Uint8Array {
    this.#mustTake(LIMITS.maxBodyBytes)
    this.#doc.clientID = this.#hubClient()
    let made: Uint8Array | undefined
    const note = (update: Uint8Array): void => {
      made = update
    }
    this.#doc.on('update', note)
    this.#versions.expect(at)
    try {
      this.#doc.transact(() => change(this.#doc))
    } catch (error) {
      const isUnchanged = error instanceof HubError && made === undefined
      if (!isUnchanged) this.#rebuild()
      if (error instanceof HubError) throw error
      throw new HubError('bad-update', 'Yjs cannot change the document in this way')
    } finally {
      this.#doc.off('update', note)
    }
    const update = made ?? EMPTY_UPDATE
    this.#itemBytes += update.length > SHORT_EDIT_BYTES ? heldBytesOf(update) : BYTES_PER_EDIT_BYTE * update.length
    this.#own(this.#doc.clientID, this.#hub)
    this.#keep({ update, owner: this.#hub, at }, 0)
    return update
  }

  /** As `listAnnotations` gives them. The ids are sorted once between two edits, however many pages are read. */
  list(after: string, limit: number): [id: string, annotation: PlainAnnotation][] {
    if (this.#ids === undefined) {
      this.#ids = annotationIds(this.#doc)
      this.#spend(this.#doc.getMap(ANNOTATION_DOCUMENT.root)._map.size)
    }
    const found = listAnnotations(this.#doc, after, limit, this.#ids)
    this.#spend(found.length)
    return found
  }

  /**
   * What a Yjs state vector lacks, as one Yjs v1 update, which MUST NOT be changed.
   * @throws HubError `bad-frame`
   */
  since(stateVector: Uint8Array): Uint8Array {
    if (stateVector.length === 1 && stateVector[0] === 0) return this.encode()
    let update
    try {
      inspectStateVector(stateVector)
      update = Y.encodeStateAsUpdate(this.#doc, stateVector)
    } catch (error) {
      throw new HubError('bad-frame', error instanceof HubError ? error.message : 'the state vector cannot be read')
    }
    this.#spend((stateVector.length + update.length) / WRITTEN_BYTES_PER_COST + this.#itemCount / SEEN_PER_COST)
    return update
  }

  /** The whole document as one Yjs v1 update, which MUST NOT be changed. Written out once between two edits, however many ask. */
  encode(): Uint8Array {
    const isWritten = (this.#writing?.writtenBytes ?? 0) > 0 || (this.#snapshot !== undefined && this.#tail.length === 0)
    const update = atOnce(this.#encoding())
    if (!isWritten) this.#spend(update.length / WRITTEN_BYTES_PER_COST)
    return update
  }

  *#encoding(): Steps<Uint8Array> {
    if (this.#snapshot !== undefined && this.#tail.length === 0) return this.#snapshot.update
    const writing = (this.#writing ??= new Writing(this.#doc))
    try {
      return yield* writing.inSteps()
    } catch (error) {
      if (this.#writing === writing) this.#writing = undefined
      throw error
    }
  }

  /**
   * Makes a snapshot that was loaded again and found equal. Between the steps the document may change, and then stands beyond it; but no other snapshot of
   * it MUST be made.
   *
   * @returns undefined when Yjs cannot write it out or does not give back what it was given, and the tail must stay
   */
  *snapshotting(): Steps<NewSnapshot | undefined> {
    const count = this.#tail.length
    const [owners, burst, state] = [[...this.#owners], this.#versions.burst, Y.snapshot(this.#doc)]
    const cost = reloadCost(this.#doc, STEP_COST)
    const itemBytes = this.#itemBytes
    this.#triedAt = count
    let whole
    try {
      whole = wholeOf(yield* this.#encoding(), cost)
    } catch {
      return undefined
    }
    yield
    const reloadedBytes = yield* reloadAt(whole, state)
    if (reloadedBytes === undefined) return undefined
    yield
    this.#triedAt = 0
    // It may have been built anew meanwhile.
    this.#itemBytes = Math.max(reloadedBytes, this.#itemBytes + reloadedBytes - itemBytes)
    const snapshot = { ...whole, owners, burst }
    this.#snapshot = snapshot
    if (this.#tail.length === count) this.#writing = undefined
    this.#tail.drop(count)
    return { snapshot, count }
  }

  /** Ends the document's life in memory. */
  destroy(): void {
    this.#doc.destroy()
  }

  #rebuild(): void {
    this.#spend(this.#tail.cost)
    atOnce(this.#building())
  }

  *#building(): Steps<void> {
    const doc = new QuietDoc()
    let itemBytes = this.#snapshot === undefined ? 0 : yield* takeIn(doc, this.#snapshot)
    const versions = new Versions(doc, this.#snapshot?.burst, this.#histories, this.#spend)
    let left = STEP_COST
    // One by one, as they came: what an update finds collected already decides what becomes of it.
    for (let index = 0; index < this.#tail.length; index++) {
      const { update, owner, at } = this.#tail.at(index)
      const { structs, ds } = decodeUpdate(update)
      const cost = updateCost(inOrder(structs), ds.clients, new Places(structs, doc), doc, Infinity)
      this.#tail.setCost(index, cost)
      left -= READING_COST + cost
      if (left < 0) {
        left = STEP_COST
        yield
      }
      for (const { id } of structs) this.#own(id.client, owner)
      versions.expect(at, update)
      itemBytes += applyUpdate(doc, update)
    }
    doc.on('afterTransaction', ({ deleteSet }) => this.#spend(deletionCost(deleteSet)))
    this.#doc = doc
    this.#itemBytes = itemBytes
    this.#versions = versions
  }

  /** Comes before each change: what is being written out shows the document as it was. */
  #mustTake(bytes: number): void {
    if (this.#documentBytes + bytes > LIMITS.maxDocumentBytes) throw new HubError('document-too-large')
    if (this.#writing !== undefined) this.encode()
  }

  get #itemCount(): number {
    let items = 0
    for (const made of this.#doc.store.clients.values()) items += made.length
    return items
  }

  #mustHaveRoomForItems(): void {
    if (this.#itemCount > LIMITS.maxDocumentItems)
      throw new HubError(
        'document-too-large',
        `the annotations of this book consist of over ${LIMITS.maxDocumentItems} Yjs items`
      )
  }

  #keep(each: TailUpdate, cost: number): void {
    this.#tail.add(each, cost)
    this.#writing = undefined
    this.#ids = undefined
  }

  /** The first to use a Yjs client id keeps it. */
  #own(client: number, device: string): void {
    if (!this.#owners.has(client)) this.#owners.set(client, device)
  }

  /** One client id serves for the whole life of the document, because the hub makes its edits one after the other. */
  #hubClient(): number {
    for (const [client, owner] of this.#owners) if (owner === this.#hub) return client
    let client = this.#doc.clientID
    while (this.#owners.has(client)) client = new Y.Doc().clientID
    return client
  }
}

const EMPTY_UPDATE = Y.encodeStateAsUpdate(new Y.Doc())
