import { ACTIONS, isActionKind, type WireAction } from '../../protocol/index.ts'
import type { Documents } from './documents/documents.ts'

/** Actions on documents that may be submitted in one turn: each may take Yjs some milliseconds. */
const MAX_DOCUMENT_ACTIONS = 8

/** True for an action that works on a book's document, which must be in memory then. One that will be refused needs none. */
const needsDocument = (kind: string, key: string): boolean =>
  kind.startsWith('annotation.') && isActionKind(kind) && ACTIONS[kind].key.fault(key) === undefined

/** True when these actions need no document that is not in memory, and not too much work on those that are. */
export function fitOneTurn(actions: readonly WireAction[], documents: Documents): boolean {
  let onDocuments = 0
  for (const [, , kind, key] of actions)
    if (needsDocument(kind, key) && (++onDocuments > MAX_DOCUMENT_ACTIONS || !documents.isLoaded(key))) return false
  return true
}

/** The books whose documents these actions need. */
export const booksOf = (actions: readonly WireAction[]): Set<string> =>
  new Set(actions.filter(([, , kind, key]) => needsDocument(kind, key)).map(([, , , key]) => key))

/** True for an action on a document that is not in memory, or when documents have had their share of this turn of the event loop. */
export const mustWait = ([, , kind, key]: WireAction, documents: Documents): boolean =>
  needsDocument(kind, key) && (documents.isBudgetSpent || !documents.isLoaded(key))

/** Actions in order, in parts of bounded work on documents. */
export function* partsOf(actions: readonly WireAction[]): Generator<WireAction[]> {
  let part: WireAction[] = []
  let onDocuments = 0
  for (const action of actions) {
    if (needsDocument(action[2], action[3]) && ++onDocuments > MAX_DOCUMENT_ACTIONS) {
      yield part
      part = []
      onDocuments = 1
    }
    part.push(action)
  }
  yield part
}
