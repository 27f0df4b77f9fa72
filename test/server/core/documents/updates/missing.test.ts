import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { inspectUpdate } from '../../../../../server/core/documents/gate.ts'
import { missingUpdates } from '../../../../../server/core/documents/updates/missing.ts'
import { isSame } from '../../../../util/many-authors.ts'
import { suite } from '../../../../util/suite.ts'

const test = suite('server/core/documents/updates/missing')

test('a state of many values is taken in parts, though one update may not hold as many', () => {
  const doc = new Y.Doc()
  for (const key of 'abc') doc.getMap('m').set(key, { list: Array.from({ length: 50_000 }, () => 1) })
  const hub = new Y.Doc()
  const parts = missingUpdates(Y.encodeStateAsUpdate(doc), hub)
  assert.is(parts.length, 2)
  for (const part of parts) {
    inspectUpdate(part, { doc: hub, owners: new Map() }, 'device')
    Y.applyUpdate(hub, part)
  }
  assert.ok(isSame(hub, doc))
})

test('a state of far more values than a document is sent with is refused before anything of it is built', () => {
  const doc = new Y.Doc()
  for (let at = 0; at < 300; at++) doc.getMap('m').set(String(at), { list: Array.from({ length: 1_000 }, () => 1) })
  assert.throws(() => missingUpdates(Y.encodeStateAsUpdate(doc), new Y.Doc()), /holds over 262144 values/)
})

test.run()
