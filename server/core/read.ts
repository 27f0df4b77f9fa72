import { checked, encodeValue, HubError, key as keyShape, LIMITS, type Plain, type ViewName } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import { listAnnotations } from './documents/annotations.ts'
import type { BookRecord, DeviceRecord, PositionRecord } from './records.ts'

/** A list view's page ends once it has this many entries or bytes. */
const PAGE_ENTRIES = 1_000
const PAGE_BYTES = 131_072
/** What a Yjs client has let grow larger than this fits no frame, and is left out. */
const ENTRY_BYTES = LIMITS.maxFrameBytes - PAGE_BYTES - 4_096
const placeShape = keyShape(128)

/** One page of a list view. */
export interface Page {
  readonly value: Plain
  /** Where the next page begins; empty on the last. */
  readonly next: string
}

type ListView = Exclude<ViewName, 'document'>

/** How each list view is read, from the records as they stand. The book's document MUST be in memory for `annotations`. */
const VIEW_READERS: {
  readonly [V in ListView]: (account: Account, key: string, after: string, nowMs: number) => [string, Plain][]
} = {
  books: ({ views }, _, after) => views.range('books', [], after, PAGE_ENTRIES).map(([id, book]) => [id, publicBook(book)]),
  book: ({ views }, id, after) => {
    const book = views.get('books', id)
    if (book === undefined) throw new HubError('not-found', `there is no book ${id}`, { field: 'key' })
    return after === '' ? [[id, publicBook(book)]] : []
  },
  annotations: ({ documents }, book, after, nowMs) =>
    documents.isKnown(book) ? listAnnotations(documents.use(book, nowMs).doc).filter(([id]) => after === '' || id > after) : [],
  positions: ({ views }, book, after) =>
    views.range('positions', [book], after, PAGE_ENTRIES).map(([device, position]) => [device, publicPosition(position)]),
  settings: ({ views }, _, after) =>
    views
      .range('settings', [], after, PAGE_ENTRIES)
      .map(([name, { value, cursor, changedAtUs }]) => [name, { value, cursor, changedAtUs }]),
  devices: ({ views }, _, after) =>
    views.range('devices', [], after, PAGE_ENTRIES).map(([id, device]) => [id, publicDevice(device)])
}

/**
 * Checks what a reader names: both go into keys of records, where not every text can stand.
 * @throws HubError `bad-request`
 */
export function checkPlace(key: string, after: string): void {
  if (key !== '') checked('bad-request', placeShape, key, 'key')
  if (after !== '') checked('bad-request', placeShape, after, 'after')
}

/**
 * Reads a page of a list view, as the records stand now: show it only once they are durable.
 * @throws HubError `not-found`, `bad-request`
 */
export function readPage(account: Account, view: ListView, key: string, after: string, nowMs: number): Page {
  checkPlace(key, after)
  const entries = VIEW_READERS[view](account, key, after, nowMs)
  const value: [string, Plain][] = []
  let bytes = 0
  for (const entry of entries) {
    if (value.length >= PAGE_ENTRIES || bytes >= PAGE_BYTES) return { value, next: value.at(-1)![0] }
    const size = encodeValue(entry).length
    if (size > ENTRY_BYTES) continue
    value.push(entry)
    bytes += size
  }
  return { value, next: entries.length === PAGE_ENTRIES ? entries.at(-1)![0] : '' }
}

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

const publicDevice = ({ name, app, readOnly, revoked, registeredAtUs }: DeviceRecord): Plain => ({
  name,
  app,
  readOnly,
  revoked,
  registeredAtUs
})
