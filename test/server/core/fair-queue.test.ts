import * as assert from 'uvu/assert'
import { FairSemaphore } from '../../../server/core/fair-queue.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/fair-queue')

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

/** Callers that were served, by name; the first letter is their account. */
async function ask(semaphore: FairSemaphore, names: readonly string[]): Promise<Map<string, () => void>> {
  const served = new Map<string, () => void>()
  for (const name of names) void semaphore.acquire(name[0]!).then(release => served.set(name, release))
  await turn()
  return served
}

test('an account has its share of the permits and no more, so that there is one left for another', async () => {
  const served = await ask(new FairSemaphore(4, 2), ['a1', 'a2', 'a3', 'b1'])
  assert.equal([...served.keys()], ['a1', 'a2', 'b1'])
  served.get('a1')!()
  await turn()
  assert.equal([...served.keys()], ['a1', 'a2', 'b1', 'a3'])
})

test('who waits is served by account, however many of another were there before', async () => {
  const served = await ask(new FairSemaphore(2, 2), ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'c1'])
  for (const name of ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']) {
    served.get(name)!()
    await turn()
  }
  assert.equal([...served.keys()], ['a1', 'a2', 'a3', 'b1', 'c1', 'a4', 'b2', 'a5'])
})

test.run()
