import * as fc from 'fast-check'
import * as Y from 'yjs'

/** One of the edits for `play`. */
export const edit = fc.record({
  author: fc.nat({ max: 4 }),
  act: fc.constantFrom('type', 'type', 'set', 'note', 'cut', 'drop', 'sync'),
  at: fc.nat({ max: 9_999 }),
  length: fc.integer({ min: 1, max: 40 })
})

/** Many small edits of several authors, each of whom builds on what the others did. */
export function play(authors: Y.Doc[], { author, act, at, length }: typeof edit extends fc.Arbitrary<infer E> ? E : never): void {
  const doc = authors[author]!
  const text = doc.getText('t')
  const map = doc.getMap('annotations')
  const note = map.get(String(at % 20))
  if (act === 'type')
    for (let count = 0; count < length; count++)
      text.insert((at * (count + 1)) % (text.length + 1), 'abcd'.slice(0, 1 + (at % 4)))
  else if (act === 'set') for (let count = 0; count < length; count++) map.set(String((at + count) % 20), count)
  else if (act === 'note' && note instanceof Y.Text) note.insert(at % (note.length + 1), 'note')
  else if (act === 'note') map.set(String(at % 20), new Y.Text('note'))
  else if (act === 'cut')
    for (let count = 0; count < length && text.length > 0; count++) text.delete((at * (count + 1)) % text.length, 1)
  else if (act === 'drop') map.delete(String(at % 20))
  else for (const other of authors) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)))
}

/** Whether two documents hold the same edits, and deleted the same. */
export const isSame = (left: Y.Doc, right: Y.Doc): boolean => Y.equalSnapshots(Y.snapshot(left), Y.snapshot(right))
