import { folderOf, type ChangeKind } from '../../../protocol/index.ts'
import type { Change } from '../change.ts'
import type { Fold } from '../fold.ts'
import type { FileContent, FileRecord } from '../records.ts'
import type { Views } from '../views.ts'

/** Contents of one path that are remembered. */
const MAX_VERSIONS = 100

type FileKind = Extract<ChangeKind, `file.${string}` | 'conflict.resolve' | 'content.put'>

/** The effect of changes of files. A change that took effect before does nothing the second time. */
export const FILE_FOLDS: { readonly [K in FileKind]: Fold<K> } = {
  'content.put': (views, { key, body: { sizeBytes }, cursor }) => {
    if (views.get('contents', key) !== undefined) return
    views.put('contents', [key], { sizeBytes, cursor })
    const { lastId, contentBytes } = totals(views)
    views.put('fileTotals', [], { lastId, contentBytes: contentBytes + sizeBytes, cursor })
  },
  'file.put': (views, change) => {
    const { sha256, sizeBytes, mtimeMs } = change.body
    put(views, change, change.key, { sha256, sizeBytes, ...(mtimeMs !== undefined && { mtimeMs }) })
  },
  'file.remove': (views, change) => mark(views, change, change.key, true),
  'file.restore': (views, change) => mark(views, change, change.key, false),
  'file.move': (views, change) => {
    const { key, body, cursor, timeUs, device } = change
    const known = views.get('files', key)
    if (known === undefined || isOld(known, change)) return
    views.put('files', [key], { ...known, removed: true, movedTo: body.to, device, cursor, changedAtUs: timeUs })
    const there = views.get('files', body.to)
    const { id, content, createdAtUs } = known
    views.put('files', [body.to], {
      id,
      content,
      removed: false,
      device,
      cursor,
      createdAtUs,
      changedAtUs: timeUs,
      movedAtUs: timeUs,
      ...conflictsOf(there)
    })
    addFileVersion(views, change, body.to, content)
    // Before it leaves the other: a folder that is in both does not come and go.
    if (there === undefined || there.removed) enter(views, change, body.to)
    leave(views, change, key)
  },
  'file.conflict': (views, { key, body: { client }, device, cursor, timeUs }) => {
    const id = String(cursor)
    if (views.get('conflicts', id) !== undefined) return
    views.put('conflicts', [id], { path: key, client, device, cursor, createdAtUs: timeUs })
    views.put('openConflicts', [id], { cursor })
    setConflicts(views, key, conflicts => [...conflicts, id])
  },
  'conflict.resolve': (views, change) => {
    const { key, body, cursor, timeUs } = change
    const known = views.get('conflicts', key)
    if (known === undefined || isOld(known, change)) return
    const beside = body.file?.path === body.path ? undefined : body.file?.path
    views.put('conflicts', [key], { ...known, resolvedAtUs: timeUs, cursor, ...(beside !== undefined && { beside }) })
    views.remove('openConflicts', key)
    setConflicts(views, known.path, conflicts => conflicts.filter(id => id !== key))
    if (body.removed === true) mark(views, change, body.path, true)
    if (body.file === undefined) return
    const { path, ...content } = body.file
    put(views, change, path, content)
  }
}

const isOld = (known: { readonly cursor: number } | undefined, { cursor }: Change): boolean =>
  known !== undefined && known.cursor >= cursor

const totals = (views: Views): { lastId: number; contentBytes: number } =>
  views.get('fileTotals') ?? { lastId: 0, contentBytes: 0 }

function newId(views: Views, { cursor }: Change): number {
  const { lastId, contentBytes } = totals(views)
  views.put('fileTotals', [], { lastId: lastId + 1, contentBytes, cursor })
  return lastId + 1
}

function put(views: Views, change: Change, path: string, content: FileContent): void {
  const { device, cursor, timeUs } = change
  const known = views.get('files', path)
  if (isOld(known, change)) return
  const isThere = known !== undefined && !known.removed
  const goesOn = known !== undefined && known.movedTo === undefined ? known : undefined
  const file: FileRecord = {
    id: goesOn?.id ?? newId(views, change),
    content,
    removed: false,
    device,
    cursor,
    createdAtUs: isThere ? known.createdAtUs : timeUs,
    changedAtUs: timeUs,
    ...(isThere && known.movedAtUs !== undefined && { movedAtUs: known.movedAtUs }),
    ...conflictsOf(known)
  }
  views.put('files', [path], file)
  addFileVersion(views, change, path, content)
  if (!isThere) enter(views, change, path)
}

const conflictsOf = (known: FileRecord | undefined): Pick<FileRecord, 'conflicts'> =>
  known?.conflicts === undefined ? {} : { conflicts: known.conflicts }

/** A path that there is a conflict over has a record. */
function setConflicts(views: Views, path: string, change: (conflicts: readonly string[]) => readonly string[]): void {
  const { conflicts = [], ...file } = views.get('files', path)!
  const next = change(conflicts)
  views.put('files', [path], { ...file, ...(next.length > 0 && { conflicts: next }) })
}

function mark(views: Views, change: Change, path: string, removed: boolean): void {
  const { device, cursor, timeUs } = change
  const known = views.get('files', path)
  if (known === undefined || isOld(known, change)) return
  const createdAtUs = removed ? known.createdAtUs : timeUs
  views.put('files', [path], { ...known, removed, device, cursor, createdAtUs, changedAtUs: timeUs })
  if (removed === known.removed) return
  if (removed) leave(views, change, path)
  else enter(views, change, path)
}

function addFileVersion(views: Views, { cursor, timeUs, device }: Change, path: string, content: FileContent): void {
  const versions = views.get('fileHistories', path)?.versions ?? []
  const last = versions.at(-1)
  if (last?.content.sha256 === content.sha256) return
  views.put('fileHistories', [path], {
    versions: [...versions, { cursor, timeUs, device, content }].slice(-MAX_VERSIONS),
    cursor
  })
}

/** Something came to be at a path: so did the folders that it is in. */
function enter(views: Views, change: Change, path: string): void {
  const { cursor, timeUs } = change
  for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) {
    const known = views.get('folders', folder)
    if (known !== undefined && known.entries > 0) {
      views.put('folders', [folder], { ...known, entries: known.entries + 1 })
      return
    }
    const id = known?.id ?? newId(views, change)
    views.put('folders', [folder], { id, entries: 1, cursor, createdAtUs: timeUs, changedAtUs: timeUs })
  }
}

/** Nothing is at a path any more: the folders that are empty now go with it. */
function leave(views: Views, { cursor, timeUs }: Change, path: string): void {
  for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) {
    const known = views.get('folders', folder)
    if (known === undefined || known.entries === 0) return
    const entries = known.entries - 1
    views.put('folders', [folder], { ...known, entries, ...(entries === 0 && { cursor, changedAtUs: timeUs }) })
    if (entries > 0) return
  }
}
