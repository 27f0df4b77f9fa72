import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { merged } from '../../client/merged.ts'
import { suite } from '../util/suite.ts'

const test = suite('client/merged')

test('updates are one, however many they were and in whatever order', () => {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  const text = doc.getText('t')
  for (let typed = 0; typed < 5_000; typed++) text.insert((typed * 7) % (text.length + 1), String(typed % 10))
  text.delete(100, 50)
  for (const all of [updates.slice(0, 1), updates.slice(0, 65), updates, updates.toReversed()]) {
    const copy = new Y.Doc()
    Y.applyUpdate(copy, merged(all))
    const expected = new Y.Doc()
    for (const update of all) Y.applyUpdate(expected, update)
    assert.equal(copy.getText('t').toDelta(), expected.getText('t').toDelta())
    assert.is(copy.store.pendingStructs, null)
  }
})

test.run()
