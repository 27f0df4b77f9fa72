import { activityRecords } from './activity-index.ts'
import { noteActivity } from './activity.ts'
import { changesOf } from './fold-log.ts'
import type { Change } from './fold.ts'
import { foldIdentifiers } from './identifiers.ts'
import { nextTurn, type Clock } from './ports.ts'
import type { LogHead, Store } from './store.ts'
import type { Views } from './views.ts'

/** Tables that came later than others, and what the records of an account have in `fold` since they have them. */
export const SINCE = { identifiers: 1, activity: 2, openConflicts: 3 } as const
/** That of an account that has all. */
export const TABLES = 3

const READ_BYTES = 262_144
const PAGE = 256

interface FillParts {
  readonly store: Pick<Store, 'read'>
  readonly clock: Clock
}

/**
 * Makes the records of tables that there were none of when this account's were last stored. They follow the log as far as the others do.
 * @returns true when there are such records now, to be stored
 */
export async function fillTables(views: Views, parts: FillParts, account: string, log: LogHead): Promise<boolean> {
  const folded = views.get('fold')
  const tables = folded === undefined ? TABLES : (folded.tables ?? 0)
  if (tables < SINCE.identifiers) await fillIdentifiers(views, parts.store, account, log, folded!.foldedTo)
  if (tables < SINCE.activity) await fillActivity(views, parts.clock)
  if (tables < SINCE.openConflicts) fillOpenConflicts(views)
  return tables < TABLES
}

/** Of a log that was trimmed they come from the books as they stand, and then from what is left of it. */
async function fillIdentifiers(
  views: Views,
  store: Pick<Store, 'read'>,
  account: string,
  { floor }: LogHead,
  foldedTo: number
): Promise<void> {
  if (floor > 1) nameBooks(views)
  for (let cursor = floor - 1; cursor < foldedTo;) {
    const before = cursor
    for (const stored of await store.read(account, cursor, READ_BYTES))
      for (const { change } of changesOf(stored)) {
        if (change.cursor <= cursor || change.cursor > foldedTo) continue
        cursor = change.cursor
        if (change.kind === 'book.put') foldIdentifiers(views, change as Change<'book.put'>)
      }
    if (cursor === before) throw new Error(`the log of ${account} ends at ${cursor}, before its records`)
  }
}

async function fillActivity(views: Views, clock: Clock): Promise<void> {
  for (const page of activityRecords(views)) {
    for (const [table, book, record] of page) noteActivity(views, table, book, record)
    await nextTurn(clock)
  }
}

/** Of books that share an identifier the one that changed last gets it. */
function nameBooks(views: Views): void {
  const known = new Map<string, number>()
  for (const page of views.pages('books', [], PAGE))
    for (const [book, { identifiers, cursor }] of page)
      for (const identifier of Object.keys(identifiers)) {
        if ((known.get(identifier) ?? 0) > cursor) continue
        known.set(identifier, cursor)
        foldIdentifiers(views, { key: book, body: { identifiers: { [identifier]: '' } }, cursor: 0 } as Change<'book.put'>)
      }
}

function fillOpenConflicts(views: Views): void {
  for (const page of views.pages('conflicts', [], PAGE))
    for (const [id, { cursor, resolvedAtUs }] of page)
      if (resolvedAtUs === undefined) views.put('openConflicts', [id], { cursor })
}
