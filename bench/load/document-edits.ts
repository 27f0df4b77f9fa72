import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT } from '../../protocol/index.ts'
import type { DeviceUpdates } from './annotation-updates.ts'

const { root, textField } = ANNOTATION_DOCUMENT
/** Characters that are typed before the writer goes elsewhere in the note. */
const RUN = 60
/** Of so many keys, the last three take something back: 100,000 edits come to some 7,000 Yjs structs, as those of a paper that was really written do. */
const CORRECTED = 40
const YJS_CLIENT = 7

/** Updates of one Yjs client, and the clock that they lead to. */
type Edits = DeviceUpdates & { readonly clock: number }

/** A note that is typed key by key, by someone who goes back and forth and corrects what was typed: so many updates, each the same every time. */
export function noteEdits(count: number): Edits {
  const { doc, updates } = recorded()
  const text = new Y.Text()
  doc.getMap(root).set('note', new Y.Map<unknown>([[textField, text]]))
  let at = 0
  while (updates.length < count) {
    const edit = updates.length
    if (edit % RUN === 0) at = (edit * 7_919) % (text.length + 1)
    if (edit % CORRECTED >= CORRECTED - 3 && at > 0) text.delete(--at, 1)
    else text.insert(at++, String.fromCharCode(97 + (edit % 26)))
  }
  return { yjsClient: YJS_CLIENT, updates, ends: [], clock: clockOf(doc) }
}

/** So many highlights, each put by an update of its own: Yjs can merge none of them. */
export function highlightEdits(count: number): Edits {
  const { doc, updates } = recorded()
  while (updates.length < count) doc.getMap(root).set(`highlight ${updates.length}`, new Y.Map([['color', 'yellow']]))
  return { yjsClient: YJS_CLIENT, updates, ends: [], clock: clockOf(doc) }
}

/** Documents of many edits, by what they are. */
export const EDITS_OF = { note: noteEdits, highlights: highlightEdits } as const
export type EditKind = keyof typeof EDITS_OF

function recorded(): { doc: Y.Doc; updates: Uint8Array[] } {
  const doc = new Y.Doc()
  doc.clientID = YJS_CLIENT
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => void updates.push(update))
  return { doc, updates }
}

/** How far a document has come in these edits: the clock of their writer. */
export const clockOf = (doc: Y.Doc): number => Y.getState(doc.store, YJS_CLIENT)
