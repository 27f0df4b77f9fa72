import { decodeValue, isSameValue, type ChangeBody, type ChangeKind } from '../../protocol/index.ts'
import { isListed, SOURCES, timeKey, type Activity, type Source } from './activity.ts'
import { changesOf, type Change, type LoggedChange } from './change.ts'
import { DocumentsCheck, type DocumentUpdates } from './documents/check-documents.ts'
import { FILE_FOLDS } from './files/fold.ts'
import { fold, foldCounter, foldLogged } from './fold.ts'
import type { HouseholdRules } from './household.ts'
import { positionVersions } from './position-history.ts'
import type {
  ClientRecord,
  ContentRecord,
  FileRecord,
  FoldRecord,
  PositionHistoryRecord,
  PositionRecord,
  Table
} from './records.ts'
import { recordPages, StoreDamage, type LogHead, type ReadableStore } from './store.ts'
import { SEPARATOR, Views } from './views.ts'

/** Told of each thing that is wrong, in words that name the record. */
export type Report = (what: string) => void

const READ_BYTES = 1_048_576
const PAGE = 1_000
/** Tables that no log gives. */
const BESIDE_LOG: ReadonlySet<Table> = new Set(['fold', 'readers', 'tellings'])
/** Tables that `DocumentsCheck` compares, by what the documents hold. */
const OF_DOCUMENTS: ReadonlySet<Table> = new Set(['documents', 'snapshots', 'annotationHistories'])
/** Tables that are compared with the records that they are derived from. */
const OF_ACTIVITY: ReadonlySet<Table> = new Set(['activity', 'touched'])
/** Changes of files write these, and no others. */
const OF_FILES: ReadonlySet<Table> = new Set([
  'contents',
  'files',
  'fileHistories',
  'fileTotals',
  'folders',
  'conflicts',
  'openConflicts'
])
const NOTHING: ReadableStore = {
  head: async () => undefined,
  read: async () => [],
  get: () => undefined,
  range: () => [],
  keys: () => []
}

/**
 * Checks one account: its log is dense and in order, each client's numbers rise, and every stored record is what the log folds into.
 *
 * Clients' refusals and confirmations are not in the log; of their records what can be known from it is compared. What a log that was trimmed had led to is
 * taken from the records: folding the rest again must leave them as they are.
 *
 * @param household what folds households; without it one is reported
 * @returns how many changes the log holds
 */
export async function checkAccount(
  store: ReadableStore,
  account: string,
  report: Report,
  household?: HouseholdRules
): Promise<number> {
  try {
    const log = await store.head(account)
    if (log !== undefined) return await new AccountCheck(store, account, log, report, household).run()
    // How far an account without changes has followed its log may be stored; anything else came from a change.
    for (const [[, table]] of store.range([account], undefined, 2)) if (table !== 'fold') report('there are records, and no log')
  } catch (error) {
    if (!(error instanceof StoreDamage)) throw error
    report(`${error.message}; what hangs on it was not compared`)
  }
  return 0
}

class AccountCheck {
  readonly #store: ReadableStore
  readonly #account: string
  readonly #log: LogHead
  readonly #report: Report
  readonly #isTrimmed: boolean
  /** The records that the log folds into, made anew. */
  readonly #views: Views
  /** The stored records, with the rest of a trimmed log folded over them. */
  readonly #over: Views
  /** The positions of each device in each book that a trimmed log still holds, by cursor. */
  readonly #positions = new Map<string, Map<number, Change<'position.set'>>>()
  /** The changes of files that a trimmed log still holds, by cursor: folding them again does nothing. */
  readonly #ofFiles = new Map<number, Change>()
  /** The greatest number of each client so far. */
  readonly #numbers = new Map<string, number>()
  /** The cursors of each document's updates, and their bytes. */
  readonly #documents = new Map<string, DocumentUpdates>()
  readonly #household: HouseholdRules | undefined
  #timeUs = 0

  constructor(store: ReadableStore, account: string, log: LogHead, report: Report, household?: HouseholdRules) {
    this.#household = household
    this.#store = store
    this.#account = account
    this.#log = log
    this.#report = report
    this.#isTrimmed = log.floor > 1
    this.#views = new Views(NOTHING, account)
    this.#over = new Views(store, account)
  }

  async run(): Promise<number> {
    const folded: FoldRecord = this.#over.get('fold') ?? { foldedTo: 0, timeUs: 0, heldBytes: 0 }
    const { head, floor } = this.#log
    if (folded.foldedTo > head) this.#report(`the records have followed to ${folded.foldedTo}, and the log ends at ${head}`)
    const hasFolded = await this.#fold(floor - 1, Math.min(folded.foldedTo, head))
    if (hasFolded) {
      if (folded.foldedTo >= floor && folded.timeUs !== this.#timeUs)
        this.#report(`the record fold has the time ${folded.timeUs}, not ${this.#timeUs}`)
      this.#compareRecords()
      this.#compareActivity()
      await new DocumentsCheck(this.#store, this.#account, this.#log, this.#report).run(this.#documents)
      // What was not stored yet must fold too: the next start does it.
      await this.#fold(folded.foldedTo, head)
    }
    return head - floor + 1
  }

  /** Folds the changes behind `after`; false when one cannot be, and all behind it are unknown. */
  async #fold(after: number, last: number): Promise<boolean> {
    for (let cursor = after; cursor < last;) {
      const runs = await this.#store.read(this.#account, cursor, READ_BYTES)
      const before = cursor
      for (const stored of runs)
        for (const logged of changesOf(stored)) {
          if (logged.change.cursor <= before || logged.change.cursor > last) continue
          if (!this.#foldOne(logged, cursor)) return false
          cursor = logged.change.cursor
        }
      if (cursor === before) {
        this.#report(`the log ends at ${cursor}, before ${last}`)
        return false
      }
    }
    return true
  }

  #foldOne({ change, note }: LoggedChange, before: number): boolean {
    const { cursor, timeUs, device, client, number, kind, key } = change
    if (cursor !== before + 1) {
      this.#report(`the change ${cursor} follows on ${before}`)
      return false
    }
    if (timeUs <= this.#timeUs) this.#report(`the change ${cursor} is not later than the one before it`)
    this.#timeUs = timeUs
    if (number > 0) {
      const outbox = `${device}/${client}`
      const last = this.#numbers.get(outbox) ?? 0
      if (number <= last) this.#report(`the change ${cursor} is action ${number} of ${outbox}, which was at ${last} already`)
      this.#numbers.set(outbox, number)
    }
    if (kind === ('annotation.update' satisfies ChangeKind)) this.#countUpdate(key, cursor, (change.body as Uint8Array).length)
    try {
      if (this.#isTrimmed) this.#foldOver({ change, note })
      else foldLogged(this.#views, change, note, this.#household)
      return true
    } catch (error) {
      this.#report(`the change ${cursor} (${kind}) cannot be folded: ${(error as Error).message}`)
      return false
    }
  }

  /**
   * Folding changes once more leaves all records as they are but positions, because a change below the floor may have stood in the way of one, and households:
   * what they did once would be done twice.
   */
  #foldOver({ change, note }: LoggedChange): void {
    foldCounter(this.#views, change, note)
    if (change.kind === 'household.act') return
    if (change.kind in FILE_FOLDS) this.#ofFiles.set(change.cursor, change)
    if (change.kind !== 'position.set') return fold(this.#over, change, note)
    const name = `${change.key}/${change.device}`
    const known = this.#positions.get(name) ?? new Map<number, Change<'position.set'>>()
    this.#positions.set(name, known.set(change.cursor, change as Change<'position.set'>))
  }

  #countUpdate(book: string, cursor: number, bytes: number): void {
    let updates = this.#documents.get(book)
    if (updates === undefined) this.#documents.set(book, (updates = { cursors: [], bytes: 0 }))
    updates.cursors.push(cursor)
    updates.bytes += bytes
  }

  #compareRecords(): void {
    const writes = [...this.#views.takeWrites(), ...this.#over.takeWrites()].filter(
      ({ key }) => !OF_ACTIVITY.has(key[1] as Table)
    )
    const rebuilt = new Map(
      writes.flatMap(({ key, value }) => (value === undefined ? [] : [[key.slice(1).join('/'), decodeValue(value)]]))
    )
    for (const page of recordPages(this.#store, [this.#account], PAGE))
      for (const [key, bytes] of page) {
        const [, table, ...rest] = key
        const name = [table, ...rest].join('/')
        this.#compare(table as Table, name, decodeValue(bytes), rebuilt.get(name))
        rebuilt.delete(name)
      }
    for (const name of rebuilt.keys()) this.#report(`the record ${name} is missing`)
  }

  #compareActivity(): void {
    const stored = new Views(this.#store, this.#account)
    const expected = activityOf(stored)
    for (const [key, { book, isListed }] of stored.range('activity', [], '', Infinity)) {
      const known = expected.get(book)
      if (known === undefined || timeKey(known.timeUs) !== key || known.isListed !== isListed)
        this.#report(`the record activity/${key} is not what its book comes to`)
    }
    for (const [book, { timeUs }] of stored.range('touched', [], '', Infinity)) {
      const known = expected.get(book)
      if (known?.timeUs !== timeUs || stored.get('activity', timeKey(timeUs)) === undefined)
        this.#report(`the record touched/${book} is not what its book comes to`)
      expected.delete(book)
    }
    for (const book of expected.keys()) this.#report(`the record touched/${book} is missing`)
  }

  #compare(table: Table, name: string, stored: unknown, rebuilt: unknown): void {
    if (BESIDE_LOG.has(table) || OF_DOCUMENTS.has(table) || OF_ACTIVITY.has(table)) return
    if (table === 'clients') return this.#compareClient(name, stored as ClientRecord, rebuilt as ClientRecord | undefined)
    if (this.#isTrimmed && table === 'positions') return this.#comparePositions(name, [stored as PositionRecord])
    if (this.#isTrimmed && table === 'positionHistories')
      return this.#comparePositions(name, positionVersions(stored as PositionHistoryRecord))
    if (this.#isTrimmed && table === 'household') return
    if (rebuilt === undefined && this.#isTrimmed) {
      const { cursor } = stored as { cursor: number }
      const change = OF_FILES.has(table) ? this.#ofFiles.get(cursor) : undefined
      if (cursor < this.#log.floor || (change !== undefined && isFrom(change, name, stored))) return
    }
    if (rebuilt === undefined) this.#report(`the record ${name} does not come from the log`)
    else if (!isSameValue(stored, rebuilt)) this.#report(`the record ${name} is not what the log folds into`)
  }

  #comparePositions(name: string, positions: readonly Pick<PositionRecord, 'cursor' | 'fields' | 'atMs'>[]): void {
    const inLog = this.#positions.get(name.slice(name.indexOf('/') + 1))
    const isWrong = positions.some(({ cursor, fields, atMs }) => {
      const change = inLog?.get(cursor)
      return cursor >= this.#log.floor && (change?.atMs !== atMs || !isSameValue(change.body, fields))
    })
    if (isWrong) this.#report(`the record ${name} is not what the log folds into`)
  }

  #compareClient(name: string, stored: ClientRecord, rebuilt: ClientRecord | undefined): void {
    if (stored.lastNumber < (rebuilt?.lastNumber ?? 0))
      this.#report(`the record ${name} is at action ${stored.lastNumber}, and the log at ${rebuilt!.lastNumber}`)
    const inLog = new Map(rebuilt?.answers.map(answer => [answer[0], answer]))
    let last = 0
    for (const answer of stored.answers) {
      const [number, , cursor] = answer
      if (number <= last || number > stored.lastNumber) this.#report(`the record ${name} has the answer ${number} out of place`)
      last = number
      if (cursor > 0 && cursor < this.#log.floor) continue
      if (cursor > 0 ? !isSameValue(answer, inLog.get(number)) : inLog.has(number))
        this.#report(`the record ${name} answers action ${number} with another change than the log has`)
    }
  }
}

/** The activity that the records of books, positions and documents come to: each book's newest time, and whether it is listed. */
function activityOf(views: Views): Map<string, Omit<Activity, 'book'>> {
  const all = new Map<string, Omit<Activity, 'book'>>()
  for (const table of SOURCES)
    for (const page of views.pages<Source>(table, [], PAGE))
      for (const [key, { changedAtUs: timeUs }] of page) {
        const book = key.split(SEPARATOR)[0]!
        if (timeUs > (all.get(book)?.timeUs ?? 0)) all.set(book, { timeUs, isListed: isListed(views.get('books', book)) })
      }
  return all
}

/** False for a record that says something else than the change of files that it came from. */
function isFrom({ kind, key, body }: Change, name: string, stored: unknown): boolean {
  if (kind === 'content.put') {
    if (!name.startsWith('contents/')) return true
    const { sizeBytes } = stored as ContentRecord
    return name === `contents/${key}` && sizeBytes === (body as ChangeBody<'content.put'>).sizeBytes
  }
  if (kind !== 'file.put' || !name.startsWith('files/')) return true
  const { content, removed } = stored as FileRecord
  return name === `files/${key}` && !removed && content.sha256 === (body as ChangeBody<'file.put'>).sha256
}
