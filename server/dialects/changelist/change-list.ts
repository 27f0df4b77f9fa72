import { folderOf, HubError, nameOf } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import { mustBeLetIn, permits, type Bearer } from '../../core/policy.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import type { FileRecord, FolderRecord, Tables } from '../../core/records.ts'
import { StoreTrimmed, type Store } from '../../core/store.ts'
import { changedPaths, timeUsOf, type ChangedPaths } from './changed-paths.ts'
import { escapeXml, formatDateTime, ticksOfUs, usOfTicks, type Ticks } from '../dot-net.ts'
import type { Fields } from './fields.ts'
import { mayKnowLost } from './lost-changes.ts'
import { API } from './soap.ts'
import { formatDouble, parseDateTime, parseInteger } from './values.ts'

/** Records that are read in one turn of the event loop. */
const PAGE = 100
const FILES_ONLY = 1n
const FOLDERS_ONLY = 2n

/** The codes of what happened to an item. FilesAnywhere published none: these are ours. */
export const ACTION_CODES = { created: 1, modified: 2, removed: 3, renamed: 4 } as const

/** What a client asks for. */
export interface ChangeListRequest {
  /** What it knows already: everything up to this time. */
  readonly localDate: Ticks
  readonly changeType: bigint
  /** Ids as texts: numbers could be chosen to share a hash. */
  readonly exceptFolders: ReadonlySet<string>
  readonly exceptFiles: ReadonlySet<string>
}

export interface ChangeListParts {
  readonly store: Store
  readonly clock: Clock
}

/**
 * @param parameters the fields of the element `Parameters`
 * @throws SoapFault naming the place of a value that is none
 */
export function readChangeList(parameters: Fields, nowMs: number): ChangeListRequest {
  const parseLong = (text: string): bigint => parseInteger(text, 64)
  const parseId = (text: string): string => String(parseLong(text))
  return {
    localDate: parameters.value('LocalDate', text => parseDateTime(text, nowMs), 0n),
    changeType: parameters.value('ChangeType', text => parseInteger(text, 16), 0n),
    exceptFolders: new Set(parameters.list('FolderExceptionList', 'long', parseId)),
    exceptFiles: new Set(parameters.list('FileExceptionList', 'long', parseId))
  }
}

/** The times that a list is about: after `sinceUs`, and up to `untilUs`. */
interface Span {
  readonly sinceUs: number
  readonly untilUs: number
  /** The client begins anew: it is told what is there, and of nothing that is not. */
  readonly isFull: boolean
}

/** A file or a folder, by what happened to it. */
interface Item {
  readonly isThere: boolean
  readonly createdAtUs: number
  readonly movedAtUs?: number | undefined
  readonly changedAtUs: number
}

/**
 * What of an account's files and folders changed since a time, as the content of a response's body, piece by piece.
 *
 * The end of the list is the time of the account's newest change when it begins. Records are read in turns with other work; what is changed meanwhile is told next
 * time, because it is changed after that end.
 *
 * @param offsetSeconds the hub's clock minus the client's
 * @throws HubError
 */
export async function* changeList(
  { store, clock }: ChangeListParts,
  bearer: Bearer,
  request: ChangeListRequest,
  offsetSeconds: number
): AsyncGenerator<string, void, void> {
  const { account } = bearer
  if (!permits(bearer.actor, 'files')) throw new HubError('forbidden')
  const knownUs = usOfTicks(request.localDate)
  const isFull =
    request.localDate === 0n || knownUs < (await floorTimeUs(store, account)) || (await mayKnowLost(store, account, knownUs))
  const span = { sinceUs: isFull ? -Infinity : knownUs, untilUs: account.timeUs, isFull }
  const changed = isFull ? undefined : await changedPaths({ store, clock }, bearer, knownUs)
  const read = { account, clock, bearer, changed }
  const { changeType, exceptFiles, exceptFolders } = request

  yield `<ChangeListResponse xmlns="${API}"><ChangeListResult><HeaderChanged>${await areRootsChanged(read, span)}</HeaderChanged>`
  if (changeType !== FOLDERS_ONLY) yield* listXml('ChangedFileList', fileItems(read, span, exceptFiles))
  if (changeType !== FILES_ONLY) yield* listXml('ChangedFolderList', folderItems(read, span, exceptFolders))
  yield `<SyncEndDate>${dateOf(span.untilUs)}</SyncEndDate><OffsetDate>${formatDouble(offsetSeconds)}</OffsetDate><FullSync>${isFull}</FullSync></ChangeListResult></ChangeListResponse>`
}

interface Reading {
  readonly account: Account
  readonly clock: Clock
  readonly bearer: Bearer
  /** The only places where something may have happened within the span; undefined when it may have anywhere. */
  readonly changed: ChangedPaths | undefined
}

/** When the oldest change was made that the log still holds; -Infinity when it holds all. */
async function floorTimeUs(store: Store, { id, floor }: Account): Promise<number> {
  if (floor <= 1) return -Infinity
  try {
    return await timeUsOf(store, id, floor)
  } catch (error) {
    // It was trimmed once more, just now.
    if (error instanceof StoreTrimmed) return Infinity
    throw error
  }
}

/** Whether the set of synced roots changed: the folders at the top. */
async function areRootsChanged(read: Reading, span: Span): Promise<boolean> {
  if (span.isFull) return true
  for await (const page of changedOf(read, 'folders'))
    if (page.some(([path, folder]) => folderOf(path) === '' && eventOf(itemOfFolder(folder), span) !== undefined)) return true
  return false
}

async function* fileItems(read: Reading, span: Span, except: ReadonlySet<string>): AsyncGenerator<string, void, void> {
  const { views } = read.account
  /** Files that moved and may be nowhere now, by their ids. */
  const lost = new Map<number, string>()
  for await (const page of changedOf(read, 'files')) {
    let text = ''
    for (const [path, file] of page) {
      // A file that moved goes on under another path, and is told there.
      const to = file.movedTo
      if ((to !== undefined && views.get('files', to)?.id === file.id) || except.has(String(file.id))) continue
      const event = eventOf(itemOfFile(file), span)
      if (event === undefined) continue
      const parent = views.get('folders', folderOf(path))?.id ?? 0
      const { sha256, sizeBytes } = file.content
      const item = `<ChangeFileItem>${itemXml(file.id, path, event)}<ParentFolderID>${parent}</ParentFolderID><Name>${escapeXml(nameOf(path))}</Name><Size>${sizeBytes}</Size><Checksum>${sha256}</Checksum></ChangeFileItem>`
      if (to !== undefined) lost.set(file.id, item)
      else text += item
    }
    if (text !== '') yield text
  }
  if (lost.size === 0) return
  // Its next place was given to another file: either it had moved on before, or it is gone and nothing else says so.
  for await (const page of pagesOf(read, 'files'))
    for (const [, { id, movedTo }] of page) if (movedTo === undefined) lost.delete(id)
  if (lost.size > 0) yield [...lost.values()].join('')
}

async function* folderItems(read: Reading, span: Span, except: ReadonlySet<string>): AsyncGenerator<string, void, void> {
  for await (const page of changedOf(read, 'folders')) {
    let text = ''
    for (const [path, folder] of page) {
      const event = except.has(String(folder.id)) ? undefined : eventOf(itemOfFolder(folder), span)
      if (event !== undefined) text += `<ChangeItem>${itemXml(folder.id, path, event)}</ChangeItem>`
    }
    if (text !== '') yield text
  }
}

/** A list that is empty has a form of its own. */
async function* listXml(name: string, items: AsyncGenerator<string, void, void>): AsyncGenerator<string, void, void> {
  let isOpen = false
  for await (const text of items) {
    yield isOpen ? text : `<${name}>${text}`
    isOpen = true
  }
  yield isOpen ? `</${name}>` : `<${name} />`
}

/** The records of a table of which something may have happened within the span; as `pagesOf` gives them. */
async function* changedOf<T extends 'files' | 'folders'>(
  read: Reading,
  table: T
): AsyncGenerator<[string, Tables[T]][], void, void> {
  const { account, clock, bearer, changed } = read
  if (changed === undefined) {
    yield* pagesOf(read, table)
    return
  }
  for (let start = 0; start < changed[table].length; start += PAGE) {
    const page = changed[table].slice(start, start + PAGE).flatMap((path): [string, Tables[T]][] => {
      const record = account.views.get(table, path)
      return record === undefined ? [] : [[path, record]]
    })
    await (account.isSettled ? nextTurn(clock) : account.settled())
    mustBeLetIn(bearer)
    yield page
  }
}

/** All records of a table, with turns of others in between. What they say is durable when they are given. */
async function* pagesOf<T extends 'files' | 'folders'>(
  { account, clock, bearer }: Reading,
  table: T
): AsyncGenerator<[string, Tables[T]][], void, void> {
  for (const page of account.views.pages(table, [], PAGE)) {
    await (account.isSettled ? nextTurn(clock) : account.settled())
    mustBeLetIn(bearer)
    yield page
  }
}

const itemOfFile = ({ removed, createdAtUs, movedAtUs, changedAtUs }: FileRecord): Item => ({
  isThere: !removed,
  createdAtUs,
  movedAtUs,
  changedAtUs
})

const itemOfFolder = ({ entries, createdAtUs, changedAtUs }: FolderRecord): Item => ({
  isThere: entries > 0,
  createdAtUs,
  changedAtUs
})

interface Event {
  readonly code: number
  readonly atUs: number
}

/**
 * What happened to an item within a span, as one code; undefined when nothing did, or when it is told later. A client has to know of something before it can know
 * what became of it: so what came within the span is told even where it changed again behind it. One that moved behind it is not: its old place may have been read.
 */
function eventOf({ isThere, createdAtUs, movedAtUs = -Infinity, changedAtUs }: Item, span: Span): Event | undefined {
  const isWithin = (us: number): boolean => us > span.sinceUs && us <= span.untilUs
  const event = (code: number, firstUs: number): Event => ({ code, atUs: isWithin(changedAtUs) ? changedAtUs : firstUs })
  if (!isThere) return isWithin(changedAtUs) && !span.isFull ? event(ACTION_CODES.removed, changedAtUs) : undefined
  if (movedAtUs > span.untilUs) return undefined
  if (isWithin(createdAtUs)) return event(ACTION_CODES.created, createdAtUs)
  if (isWithin(movedAtUs)) return event(ACTION_CODES.renamed, movedAtUs)
  return isWithin(changedAtUs) ? event(ACTION_CODES.modified, changedAtUs) : undefined
}

const dateOf = (us: number): string => formatDateTime(ticksOfUs(us))

const itemXml = (id: number, path: string, { code, atUs }: Event): string =>
  `<ItemId>${id}</ItemId><Path>${escapeXml(path)}</Path><ActionCode>${code}</ActionCode><LastEventDate>${dateOf(atUs)}</LastEventDate>`
