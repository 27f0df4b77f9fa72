import {
  checked,
  decodeValue,
  encodeValue,
  filePath,
  HubError,
  key as keyOf,
  LIMITS,
  type Plain,
  type ViewName
} from '../../protocol/index.ts'
import type { Account } from './account.ts'
import type { PlainAnnotation } from './documents/annotations.ts'
import { fileAt } from './files/contents.ts'
import { positionVersions, type PositionVersion } from './position-history.ts'
import type {
  AnnotationVersion,
  BookRecord,
  ConflictRecord,
  DeviceRecord,
  FileRecord,
  FolderRecord,
  PositionRecord
} from './records.ts'
import type { Views } from './views.ts'

/** A list view's page ends once it has this many entries or bytes. */
const PAGE_ENTRIES = 1_000
const PAGE_BYTES = 131_072
/** An entry that a Yjs client has let grow larger fits no frame, and is left out. */
const ENTRY_BYTES = LIMITS.maxFrameBytes - PAGE_BYTES - 4_096
/** Only a few entries are read at first: how large they are shows only then. */
const FIRST_ENTRIES = 20
const PAGE_HISTORIES = 16
const keyShape = keyOf(128)
/** Views whose entries or whose `key` are paths. */
const BY_PATH: ReadonlySet<ViewName> = new Set<ViewName>(['files', 'file-history', 'folders'])

export interface PageOptions {
  readonly item?: string
  readonly maxEntryBytes?: number
}

/** One page of a list view. */
export interface Page {
  readonly value: Plain
  /** Where the next page begins; empty on the last. */
  readonly next: string
}

type ListView = Exclude<ViewName, 'document'>

/** Which page of a list view is wanted: where it begins, and of how many entries at most. */
interface PageRequest {
  readonly key: string
  readonly item: string
  readonly after: string
  readonly limit: number
}

/** How each list view is read, from the records as they stand. The book's document MUST be in memory for those of annotations. */
const VIEW_READERS: { readonly [V in ListView]: (account: Account, request: PageRequest) => [string, Plain][] } = {
  books: ({ views }, { after, limit }) => views.range('books', [], after, limit).map(([id, book]) => [id, publicBook(book)]),
  book: ({ views }, { key, after }) => {
    const book = views.get('books', key)
    if (book === undefined) throw new HubError('not-found', `there is no book ${key}`, { field: 'key' })
    return after === '' ? [[key, publicBook(book)]] : []
  },
  annotations: ({ documents }, { key, after, limit }) => (documents.isKnown(key) ? documents.use(key).list(after, limit) : []),
  'annotation-history': ({ documents }, { key, item, after, limit }) => {
    if (item === '') throw new HubError('bad-request', 'this view is read of one annotation at a time', { field: 'item' })
    const versions = documents.versions(key, item).filter(({ cursor }) => versionId(cursor) > after)
    return versions.slice(0, limit).map(publicAnnotationVersion)
  },
  positions: ({ views }, { key, after, limit }) =>
    views.range('positions', [key], after, limit).map(([device, position]) => [device, publicPosition(position)]),
  'position-history': ({ views }, { key, after, limit }) => {
    let first: { readonly device: string; readonly version: PositionVersion }[] = []
    // Only what may be on the page is kept from one part of the histories to the next: they are up to 128 KiB each.
    for (const histories of views.pages('positionHistories', [key], PAGE_HISTORIES))
      first = [
        ...first,
        ...histories.flatMap(([device, history]) => positionVersions(history).map(version => ({ device, version })))
      ]
        .filter(({ version }) => versionId(version.cursor) > after)
        .sort((left, right) => left.version.cursor - right.version.cursor)
        .slice(0, limit)
    return first.map(({ device, version }) => publicPositionVersion(device, version))
  },
  files: ({ views }, { after, limit }) => views.range('files', [], after, limit).map(([path, file]) => [path, publicFile(file)]),
  'file-history': ({ views }, { key, after, limit }) =>
    (views.get('fileHistories', key)?.versions ?? [])
      .map(({ content, device, cursor, timeUs }): [string, Plain] => [
        versionId(cursor),
        { ...content, device, cursor, changedAtUs: timeUs }
      ])
      .filter(([id]) => id > after)
      .slice(0, limit),
  folders: ({ views }, { after, limit }) =>
    views.range('folders', [], after, limit).map(([path, folder]) => [path, publicFolder(folder)]),
  conflicts: ({ views }, { after, limit }) =>
    views.range('openConflicts', [], after, limit).map(([id]) => [id, publicConflict(views, views.get('conflicts', id)!)]),
  settings: ({ views }, { after, limit }) =>
    views
      .range('settings', [], after, limit)
      .map(([name, { value, cursor, changedAtUs }]) => [name, { value, cursor, changedAtUs }]),
  devices: ({ views }, { after, limit }) =>
    views.range('devices', [], after, limit).map(([id, device]) => [id, publicDevice(device)])
}

/**
 * Checks what a reader names: it goes into keys of records, where not every text can stand.
 * @throws HubError `bad-request`
 */
export function mustBeReadable(view: ViewName, key: string, after: string, item = ''): void {
  const shape = BY_PATH.has(view) ? filePath : keyShape
  if (key !== '') checked('bad-request', shape, key, 'key')
  if (item !== '') checked('bad-request', keyShape, item, 'item')
  if (after !== '') checked('bad-request', view === 'file-history' ? keyShape : shape, after, 'after')
}

/**
 * Reads a page of a list view, as the records stand now: show it only once they are durable.
 * @param options `item`: the annotation, in the view that is of one; `maxEntryBytes`: larger ones are left out, which is what fits no frame where none is given
 * @throws HubError `not-found`, `bad-request`
 */
export function readPage(account: Account, view: ListView, key: string, after: string, options: PageOptions = {}): Page {
  const { item = '', maxEntryBytes = ENTRY_BYTES } = options
  mustBeReadable(view, key, after, item)
  const value: [string, Plain][] = []
  let bytes = 0
  let next = after
  for (let limit = FIRST_ENTRIES; ; limit *= 2) {
    const entries = VIEW_READERS[view](account, { key, item, after: next, limit })
    for (const entry of entries) {
      if (value.length >= PAGE_ENTRIES || bytes >= PAGE_BYTES) return { value, next }
      const size = encodeValue(entry).length
      next = entry[0]
      if (size > maxEntryBytes) continue
      value.push(entry)
      bytes += size
    }
    if (entries.length < limit) return { value, next: '' }
  }
}

const publicFile = ({ id, content, removed, movedTo, device, cursor, createdAtUs, changedAtUs }: FileRecord): Plain => ({
  id,
  ...content,
  removed,
  ...(movedTo !== undefined && { movedTo }),
  device,
  cursor,
  createdAtUs,
  changedAtUs
})

const publicFolder = ({ id, entries, createdAtUs, changedAtUs }: FolderRecord): Plain => ({
  id,
  removed: entries === 0,
  createdAtUs,
  changedAtUs
})

/** With what the path has now as the server's side. */
const publicConflict = (views: Views, { path, client, device, cursor, createdAtUs }: ConflictRecord): Plain => ({
  path,
  client,
  server: fileAt(views, path)?.content ?? null,
  device,
  cursor,
  createdAtUs
})

const publicBook = ({ fields, identifiers, removed, cursor, changedAtUs }: BookRecord): Plain => ({
  ...fields,
  identifiers: { ...identifiers },
  removed,
  cursor,
  changedAtUs
})

const publicPosition = ({ fields, atMs, cursor, changedAtUs }: PositionRecord): Plain => ({
  ...fields,
  atMs,
  cursor,
  changedAtUs
})

/** Sorts as the cursor does. */
const versionId = (cursor: number): string => String(cursor).padStart(16, '0')

const publicAnnotationVersion = ({ fields, device, cursor, timeUs }: AnnotationVersion): [string, Plain] => [
  versionId(cursor),
  { ...(decodeValue(fields) as PlainAnnotation), device, cursor, changedAtUs: timeUs }
]

const publicPositionVersion = (device: string, { fields, atMs, cursor, timeUs }: PositionVersion): [string, Plain] => [
  versionId(cursor),
  { ...fields, device, atMs, cursor, changedAtUs: timeUs }
]

const publicDevice = ({ name, app, readOnly, disabled = false, revoked, registeredAtUs }: DeviceRecord): Plain => ({
  name,
  app,
  readOnly,
  disabled,
  revoked,
  registeredAtUs
})
