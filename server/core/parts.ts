import type { WireAction } from '../../protocol/index.ts'
import { MAX_DOCUMENT_ACTIONS } from './account.ts'
import { needsDocument } from './actions.ts'

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
