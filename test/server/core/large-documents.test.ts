import * as assert from 'uvu/assert'
import { LargeDocuments } from '../../../server/core/snapshot-reading.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/large-documents')

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

/** Readers that ask for a place, by name; the first letter is their account. */
async function ask(large: LargeDocuments, names: readonly string[]): Promise<Map<string, () => void>> {
  const served = new Map<string, () => void>()
  for (const name of names) void large.take(name[0]!).then(leave => served.set(name, leave))
  await turn()
  return served
}

test('an account has its share of the places and no more, so that there is one left for another', async () => {
  const served = await ask(new LargeDocuments(4, 2), ['a1', 'a2', 'a3', 'b1'])
  assert.equal([...served.keys()], ['a1', 'a2', 'b1'])
  served.get('a1')!()
  await turn()
  assert.equal([...served.keys()], ['a1', 'a2', 'b1', 'a3'])
})

test('who waits has its turn by account, however many of another were there before', async () => {
  const served = await ask(new LargeDocuments(2, 2), ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'c1'])
  for (const name of ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']) {
    served.get(name)!()
    await turn()
  }
  assert.equal([...served.keys()], ['a1', 'a2', 'a3', 'b1', 'c1', 'a4', 'b2', 'a5'])
})

test.run()
