import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { Origin } from '../../../server/core/origin.ts'
import { LargeDocuments, Places, snapshotFrames } from '../../../server/core/snapshot-reading.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'
import { until } from '../../util/until.ts'

const test = suite('server/core/large-documents')

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

/** Readers that ask for a place, by name; the first letter is their account. */
async function ask(large: Places, names: readonly string[]): Promise<Map<string, () => void>> {
  const served = new Map<string, () => void>()
  for (const name of names) void large.take(name[0]!).then(leave => served.set(name, leave))
  await turn()
  return served
}

test('an account has its share of the places and no more, so that there is one left for another', async () => {
  const served = await ask(new Places(4, 2), ['a1', 'a2', 'a3', 'b1'])
  assert.equal([...served.keys()], ['a1', 'a2', 'b1'])
  served.get('a1')!()
  await turn()
  assert.equal([...served.keys()], ['a1', 'a2', 'b1', 'a3'])
})

test('who waits has its turn by account, however many of another were there before', async () => {
  const served = await ask(new Places(2, 2), ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'c1'])
  for (const name of ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']) {
    served.get(name)!()
    await turn()
  }
  assert.equal([...served.keys()], ['a1', 'a2', 'a3', 'b1', 'c1', 'a4', 'b2', 'a5'])
})

test('a document of many short edits takes a place like a long one, and who waits for one holds nothing of it', async () => {
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
