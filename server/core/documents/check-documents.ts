import * as Y from 'yjs'
import { isSameValue } from '../../../protocol/index.ts'
import { changesOf } from '../change.ts'
import type { Report } from '../check-account.ts'
import type { SnapshotRecord } from '../records.ts'
import { StoreDamage, type LogHead, type ReadableStore } from '../store.ts'
import { Views } from '../views.ts'
import { listAnnotations } from './annotations.ts'
import { checkVersions } from './check-versions.ts'
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

/** Checks that each document's snapshot, and the updates since, are what its updates in the log come to. */
export async function checkDocuments(
  store: ReadableStore,
  account: string,
  log: LogHead,
  updates: ReadonlyMap<string, DocumentUpdates>,
  report: Report
): Promise<void> {
  const stored = new Views(store, account)
  for (const books of groupsOf(updates)) {
    const found = await readUpdates(store, account, log, books)
    for (const [book, all] of found)
      try {
        checkDocument(stored, log, book, updates.get(book)!.cursors, all, report)
      } catch (error) {
        report(
          error instanceof StoreDamage ? error.message : `the document of ${book} cannot be built: ${(error as Error).message}`
        )
      }
  }
  for (const table of ['documents', 'snapshots', 'annotationHistories'] as const)
    for (const [key] of store.range([account, table], undefined, Infinity)) {
      const book = key[2]!
      if (updates.has(book)) continue
      if (log.floor === 1) report(`the record ${key.slice(1).join('/')} does not come from the log`)
      else if (table === 'annotationHistories') checkVersions(stored, log, book, 0, [], report)
      else if (table === 'documents') checkOld(stored, log, book, report)
    }
}

/** A document of which the log holds nothing any more. */
function checkOld(views: Views, { epoch, floor }: LogHead, book: string, report: Report): void {
  const { tail, folded = 0 } = views.get('documents', book)!
  const snapshot = views.get('snapshots', book)
  if (tail.length > 0 || folded >= floor) report(`the record documents/${book} does not come from the log`)
  if (snapshot === undefined) return report(`the record snapshots/${book} is missing`)
  try {
    if (!Document.open(epoch, snapshot, []).isComplete) report(`the record snapshots/${book} is not whole`)
  } catch (error) {
    report(`the document of ${book} cannot be built: ${(error as Error).message}`)
  }
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

async function readUpdates(
  store: ReadableStore,
  account: string,
  { head, floor }: LogHead,
  books: ReadonlySet<string>
): Promise<Map<string, TailUpdate[]>> {
  const found = new Map<string, TailUpdate[]>(Array.from(books, book => [book, []]))
  for (let cursor = floor - 1; cursor < head;)
    for (const stored of await store.read(account, cursor, READ_BYTES)) {
      for (const logged of changesOf(stored)) {
        const { change } = logged
        if (change.cursor <= cursor) continue
        cursor = change.cursor
        if (change.kind === 'annotation.update') found.get(change.key)?.push(tailUpdateOf(logged))
      }
    }
  return found
}

function checkDocument(
  views: Views,
  log: LogHead,
  book: string,
  cursors: readonly number[],
  all: readonly TailUpdate[],
  report: Report
): void {
  const { epoch, floor } = log
  const record = views.get('documents', book)
  if (record === undefined) return report(`the record documents/${book} is missing`)
  const { tail, folded } = record
  const held = cursors.length - tail.length
  const isAfterFolded = held === 0 ? (folded ?? 0) < floor : folded === cursors[held - 1]
  if (held < 0 || !isSameValue(tail, cursors.slice(held)) || !isAfterFolded)
    return report(`the record documents/${book} does not name the newest changes of the document`)
  if (record.changedAtUs !== all[cursors.length - 1]!.at.timeUs)
    report(`the record documents/${book} has another time than the newest change of the document`)
  const snapshot = views.get('snapshots', book)
  if (folded === undefined && snapshot !== undefined) return report(`the record snapshots/${book} stands for no change`)
  if (folded !== undefined && snapshot === undefined) return report(`the record snapshots/${book} is missing`)
  // The log may go on behind the last of these.
  const rest = all.slice(held, cursors.length)
  const kept = all.slice(0, held)
  const stored = Document.open(epoch, snapshot, [])
  // Of a trimmed log, what is left must be in the snapshot already.
  const rebuilt = Document.open(epoch, floor > 1 ? snapshot : undefined, kept)
  if (!rebuilt.isComplete || !isSameDocument(stored.doc, rebuilt.doc))
    report(`the record snapshots/${book} is not what its changes come to`)
  else if (snapshot !== undefined) compareOwners(book, snapshot.owners, ownersOf(kept), floor > 1, report)
  if (snapshot !== undefined && floor === 1 && !isSameValue(snapshot.burst, rebuilt.versions.burst))
    report(`the record snapshots/${book} names another time of edits than the log`)
  checkVersions(views, log, book, folded ?? 0, all, report)
  if (!Document.open(epoch, snapshot, rest).isComplete) report(`the document of ${book} builds on changes that are not there`)
}

/** Whoever uses a Yjs client id first owns it. */
function ownersOf(updates: readonly TailUpdate[]): Map<number, string> {
  const owners = new Map<number, string>()
  for (const { update, owner } of updates)
    for (const client of Y.parseUpdateMeta(update).to.keys()) if (!owners.has(client)) owners.set(client, owner)
  return owners
}

/**
 * Owners are those that the log shows. The hub may own more: it takes an id before it writes anything; and of a trimmed log, anyone may have been there before.
 */
function compareOwners(
  book: string,
  stored: SnapshotRecord['owners'],
  inLog: ReadonlyMap<number, string>,
  isTrimmed: boolean,
  report: Report
): void {
  const known = new Map(stored)
  const isWrong =
    stored.some(([client, owner]) => !inLog.has(client) && !isTrimmed && !owner.startsWith('@')) ||
    [...inLog].some(([client, owner]) => (isTrimmed ? !known.has(client) : known.get(client) !== owner))
  if (isWrong) report(`the record snapshots/${book} names other owners of Yjs clients than the log`)
}

function isSameDocument(left: Y.Doc, right: Y.Doc): boolean {
  return Y.equalSnapshots(Y.snapshot(left), Y.snapshot(right)) && isSameValue(listAnnotations(left), listAnnotations(right))
}
