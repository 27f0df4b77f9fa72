import { changesOf } from './fold-log.ts'
import type { Change } from './fold.ts'
import { foldIdentifiers } from './identifiers.ts'
import type { LogHead, Store } from './store.ts'
import type { Views } from './views.ts'

/** What the records of an account have in `fold` since they have all tables. 1: `identifiers`. */
export const TABLES = 1

const READ_BYTES = 262_144
const PAGE_BOOKS = 256

/**
 * Makes the records of tables that there were none of when this account's were last stored. They follow the log as far as the others do.
 *
 * Of a log that was trimmed they come from the books as they stand, and then from what is left of it.
 */
export async function fillTables(views: Views, store: Pick<Store, 'read'>, account: string, { floor }: LogHead): Promise<void> {
  const folded = views.get('fold')
  if (folded === undefined || (folded.tables ?? 0) >= TABLES) return
  if (floor > 1) nameBooks(views)
  for (let cursor = floor - 1; cursor < folded.foldedTo;) {
    const before = cursor
    for (const stored of await store.read(account, cursor, READ_BYTES))
      for (const { change } of changesOf(stored)) {
        if (change.cursor <= cursor || change.cursor > folded.foldedTo) continue
        cursor = change.cursor
        if (change.kind === 'book.put') foldIdentifiers(views, change as Change<'book.put'>)
      }
    if (cursor === before) throw new Error(`the log of ${account} ends at ${cursor}, before its records`)
  }
}

/** Of books that share an identifier the one that changed last gets it. */
function nameBooks(views: Views): void {
  const known = new Map<string, number>()
  for (let after = ''; ;) {
    const page = views.range('books', [], after, PAGE_BOOKS)
    for (const [book, { identifiers, cursor }] of page)
      for (const identifier of Object.keys(identifiers)) {
        if ((known.get(identifier) ?? 0) > cursor) continue
        known.set(identifier, cursor)
        foldIdentifiers(views, { key: book, body: { identifiers: { [identifier]: '' } }, cursor: 0 } as Change<'book.put'>)
      }
    if (page.length < PAGE_BOOKS) return
    after = page.at(-1)![0]
  }
}
