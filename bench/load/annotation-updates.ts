import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT } from '../../protocol/index.ts'

/** What one device did to its book's annotation document, edit by edit. */
export interface DeviceUpdates {
  readonly yjsClient: number
  /** Yjs v1, in order, each with what the one before lacks. */
  readonly updates: readonly Uint8Array[]
  /** The clock of the Yjs client after each update. */
  readonly ends: readonly number[]
}

const UPDATES_PER_ANNOTATION = 16
const TYPED = ['the ', 'whale ', 'is ', 'not ', 'yet ', 'in ', 'sight, ', 'and ', 'Ahab ', 'waits. ']

/**
 * Real edits: a highlight is put, then its note is typed, a word an update, then comes the next highlight.
 * Each device edits a document of its own, so its updates depend on no one else's and can be made before anything is timed.
 *
 * @param index another one for each device of a workload, for it names the Yjs client
 */
export function annotationUpdates(index: number, count: number): DeviceUpdates {
  const doc = new Y.Doc()
  // As long on the wire as the random 32-bit ids that Yjs takes.
  doc.clientID = 0x90000000 + index
  const updates: Uint8Array[] = []
  const ends: number[] = []
  doc.on('update', (update: Uint8Array) => {
    updates.push(update)
    ends.push(Y.getState(doc.store, doc.clientID))
  })
  const annotations = doc.getMap(ANNOTATION_DOCUMENT.root)
  let note = new Y.Text()
  for (let made = 0; made < count; made++) {
    if (made % UPDATES_PER_ANNOTATION > 0) note.insert(note.length, TYPED[made % TYPED.length]!)
    else {
      note = new Y.Text()
      annotations.set(`${index}-${made}`, highlight(made, note))
    }
  }
  doc.destroy()
  return { yjsClient: doc.clientID, updates, ends }
}

function highlight(made: number, note: Y.Text): Y.Map<unknown> {
  const fields = new Y.Map<unknown>()
  fields.set('kind', 'highlight')
  fields.set('color', 'yellow')
  fields.set('quote', 'Call me Ishmael. Some years ago')
  fields.set('locators', { cfi: `epubcfi(/6/14!/4/2/${made},/1:0,/1:31)` })
  fields.set(ANNOTATION_DOCUMENT.textField, note)
  return fields
}
