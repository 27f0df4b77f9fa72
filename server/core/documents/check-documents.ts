import * as Y from 'yjs'
import { isSameValue } from '../../../protocol/index.ts'
import { changesOf } from '../change.ts'
import type { Report } from '../check-account.ts'
import type { AnnotationHistoryRecord, SnapshotRecord } from '../records.ts'
import { StoreDamage, type LogHead, type ReadableStore } from '../store.ts'
import { Views } from '../views.ts'
import { listAnnotations } from './annotations.ts'
import { Document } from './document.ts'
import { tailUpdateOf, type TailUpdate } from './tail.ts'

/** The changes of one book's document that a log holds. */
export interface DocumentUpdates {
  readonly cursors: number[]
  bytes: number
}

/** Updates held in memory at once; the log is read once for each such part of the documents. */
const GROUP_BYTES = 67_108_864
const READ_BYTES = 1_048_576

/** Checks an account's documents: each one's snapshot, earlier versions, and updates since, are what its updates in the log come to. */
export class DocumentsCheck {
  readonly #store: ReadableStore
  readonly #account: string
  readonly #log: LogHead
  readonly #report: Report
  readonly #views: Views
  readonly #isTrimmed: boolean

  constructor(store: ReadableStore, account: string, log: LogHead, report: Report) {
    this.#store = store
    this.#account = account
    this.#log = log
    this.#report = report
    this.#views = new Views(store, account)
    this.#isTrimmed = log.floor > 1
  }

  async run(updates: ReadonlyMap<string, DocumentUpdates>): Promise<void> {
    for (const books of groupsOf(updates)) {
      const found = await this.#readUpdates(books)
      for (const [book, all] of found)
        try {
          this.#checkDocument(book, updates.get(book)!.cursors, all)
        } catch (error) {
          if (error instanceof StoreDamage) this.#report(error.message)
          else this.#cannotBeBuilt(book, error)
        }
    }
    for (const table of ['documents', 'snapshots', 'annotationHistories'] as const)
      for (const [key] of this.#store.range([this.#account, table], undefined, Infinity)) {
        const book = key[2]!
        if (updates.has(book)) continue
        if (!this.#isTrimmed) this.#report(`the record ${key.slice(1).join('/')} does not come from the log`)
        else if (table === 'annotationHistories') this.#checkVersions(book, 0, [])
        else if (table === 'documents') this.#checkOld(book)
      }
  }

  async #readUpdates(books: ReadonlySet<string>): Promise<Map<string, TailUpdate[]>> {
    const { head, floor } = this.#log
    const found = new Map<string, TailUpdate[]>(Array.from(books, book => [book, []]))
    for (let cursor = floor - 1; cursor < head;)
      for (const stored of await this.#store.read(this.#account, cursor, READ_BYTES)) {
        for (const logged of changesOf(stored)) {
          const { change } = logged
          if (change.cursor <= cursor) continue
          cursor = change.cursor
          if (change.kind === 'annotation.update') found.get(change.key)?.push(tailUpdateOf(logged))
        }
      }
    return found
  }

  /** A document of which the log holds nothing any more. */
  #checkOld(book: string): void {
    const { tail, folded = 0 } = this.#views.get('documents', book)!
    const snapshot = this.#views.get('snapshots', book)
    if (tail.length > 0 || folded >= this.#log.floor) this.#report(`the record documents/${book} does not come from the log`)
    if (snapshot === undefined) return this.#report(`the record snapshots/${book} is missing`)
    try {
      if (!Document.open(this.#log.epoch, snapshot, []).isComplete) this.#report(`the record snapshots/${book} is not whole`)
    } catch (error) {
      this.#cannotBeBuilt(book, error)
    }
  }

  #cannotBeBuilt(book: string, error: unknown): void {
    this.#report(`the document of ${book} cannot be built: ${(error as Error).message}`)
  }

  #checkDocument(book: string, cursors: readonly number[], all: readonly TailUpdate[]): void {
    const { epoch, floor } = this.#log
    const record = this.#views.get('documents', book)
    if (record === undefined) return this.#report(`the record documents/${book} is missing`)
    const { tail, folded } = record
    const held = cursors.length - tail.length
    const isAfterFolded = held === 0 ? (folded ?? 0) < floor : folded === cursors[held - 1]
    if (held < 0 || !isSameValue(tail, cursors.slice(held)) || !isAfterFolded)
      return this.#report(`the record documents/${book} does not name the newest changes of the document`)
    if (record.changedAtUs !== all[cursors.length - 1]!.at.timeUs)
      this.#report(`the record documents/${book} has another time than the newest change of the document`)
    const snapshot = this.#views.get('snapshots', book)
    if (folded === undefined && snapshot !== undefined) return this.#report(`the record snapshots/${book} stands for no change`)
    if (folded !== undefined && snapshot === undefined) return this.#report(`the record snapshots/${book} is missing`)
    // The log may go on behind the last of these.
    const rest = all.slice(held, cursors.length)
    const kept = all.slice(0, held)
    const stored = Document.open(epoch, snapshot, [])
    // Of a trimmed log, what is left must be in the snapshot already.
    const rebuilt = Document.open(epoch, this.#isTrimmed ? snapshot : undefined, kept)
    if (!rebuilt.isComplete || !isSameDocument(stored.doc, rebuilt.doc))
      this.#report(`the record snapshots/${book} is not what its changes come to`)
    else if (snapshot !== undefined) this.#compareOwners(book, snapshot.owners, ownersOf(kept))
    if (snapshot !== undefined && !this.#isTrimmed && !isSameValue(snapshot.burst, rebuilt.versions.burst))
      this.#report(`the record snapshots/${book} names another time of edits than the log`)
    this.#checkVersions(book, folded ?? 0, all)
    if (!Document.open(epoch, snapshot, rest).isComplete)
      this.#report(`the document of ${book} builds on changes that are not there`)
  }

  /**
   * Owners are those that the log shows. The hub may own more: it takes an id before it writes anything; and of a trimmed log, anyone may have been there before.
   */
  #compareOwners(book: string, stored: SnapshotRecord['owners'], inLog: ReadonlyMap<number, string>): void {
    const known = new Map(stored)
    const isWrong =
      stored.some(([client, owner]) => !inLog.has(client) && !this.#isTrimmed && !owner.startsWith('@')) ||
      [...inLog].some(([client, owner]) => (this.#isTrimmed ? !known.has(client) : known.get(client) !== owner))
    if (isWrong) this.#report(`the record snapshots/${book} names other owners of Yjs clients than the log`)
  }

  /**
   * Checks how a book's annotations stood before: as stored, against what the updates in the log show.
   *
   * Of a trimmed log it is not known how they stood at its floor. Then only when versions were made, and by whom, is compared.
   *
   * @param folded what the snapshot holds, of these updates; 0 when there is none
   */
  #checkVersions(book: string, folded: number, updates: readonly TailUpdate[]): void {
    const { epoch, floor } = this.#log
    const stored = new Map(this.#views.range('annotationHistories', [book], '', Infinity))
    if (this.#isTrimmed) {
      for (const [id, history] of stored)
        if (!isMadeBy(history, floor, updates))
          this.#report(`the record annotationHistories/${book}/${id} is not what the log folds into`)
      return
    }
    // Where many versions were found they are stored ahead of the snapshot, those of all annotations at once.
    const last = Math.max(folded, ...Array.from(stored.values(), ({ versions }) => versions.at(-1)?.cursor ?? 0))
    const upTo = updates.filter(({ at }) => at.cursor <= last)
    const found = Document.open(epoch, undefined, upTo).versions.takeHistories()
    for (const id of new Set([...stored.keys(), ...found.keys()]))
      if (!isSameValue(stored.get(id), found.get(id)))
        this.#report(`the record annotationHistories/${book}/${id} is not what the log folds into`)
  }
}

/** True when each version that a change of the log led to names that change. */
function isMadeBy({ versions }: AnnotationHistoryRecord, floor: number, updates: readonly TailUpdate[]): boolean {
  const made = new Map(updates.map(({ at }) => [at.cursor, at]))
  return versions.every(({ cursor, timeUs, device }) => {
    const at = made.get(cursor)
    return cursor < floor || (at?.timeUs === timeUs && at.device === device)
  })
}

/** Books whose updates fit into memory together. */
function* groupsOf(updates: ReadonlyMap<string, DocumentUpdates>): Generator<Set<string>> {
  let group = new Set<string>()
  let groupBytes = 0
  for (const [book, { bytes }] of updates) {
    if (group.size > 0 && groupBytes + bytes > GROUP_BYTES) {
      yield group
      group = new Set()
      groupBytes = 0
    }
    group.add(book)
    groupBytes += bytes
  }
  if (group.size > 0) yield group
}

/** Whoever uses a Yjs client id first owns it. */
function ownersOf(updates: readonly TailUpdate[]): Map<number, string> {
  const owners = new Map<number, string>()
  for (const { update, owner } of updates)
    for (const client of Y.parseUpdateMeta(update).to.keys()) if (!owners.has(client)) owners.set(client, owner)
  return owners
}

function isSameDocument(left: Y.Doc, right: Y.Doc): boolean {
  return Y.equalSnapshots(Y.snapshot(left), Y.snapshot(right)) && isSameValue(listAnnotations(left), listAnnotations(right))
}
