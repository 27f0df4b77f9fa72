import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { Origin } from '../../../server/core/origin.ts'
import { LargeDocuments, snapshotFrames } from '../../../server/core/snapshot-reading.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'
import { until } from '../../util/until.ts'

const test = suite('server/core/large-documents')

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

test('a document of many short edits takes a permit like a long one, and who waits for one holds nothing of it', async () => {
  const hub = coreHub()
  const account = await hub.hub.ensureAccount('a')
  const doc = new Y.Doc()
  for (let at = 0; at < 3; at++) {
    const before = Y.encodeStateVector(doc)
    doc.getMap('annotations').set(`note ${at}`, 'x'.repeat(250_000))
    await account.documents.load(new Set(['b']))
    await account.perform(new Origin('phone', ''), 'annotation.update', 'b', Y.encodeStateAsUpdate(doc, before))
  }
  const large = new LargeDocuments()
  const taken: unknown[] = []
  const readers = Array.from({ length: 6 }, () => snapshotFrames(account, hub.clock, large))
  for (const [index, reader] of readers.entries()) void reader.next().then(() => taken.push(index))
  await until(() => taken.length === 4)
  await turn()
  assert.is(taken.length, 4)
  await readers[0]!.return()
  await until(() => taken.length === 5)
})

test.run()
