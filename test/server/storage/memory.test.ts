import * as assert from 'uvu/assert'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { appendOf, bytes, storeContract } from '../../contract/store.ts'

const test = storeContract('server/storage/memory', async () => {
  const store = new MemoryStore()
  return { store, drop: () => store.close() }
})

test('commits become visible in the order of the calls, however the disk answers', async () => {
  const flushes: (() => void)[] = []
  const store = new MemoryStore(() => new Promise(resolve => flushes.push(resolve)))
  const first = store.commit({ appends: [appendOf('a', 0)], writes: [{ key: ['x'], value: bytes('1') }] })
  const second = store.commit({ appends: [appendOf('a', 1)], writes: [] })
  flushes[1]!()
  assert.is(await store.head('a'), undefined)
  flushes[0]!()
  await Promise.all([first, second])
  assert.is((await store.head('a'))?.head, 2)
})

test.run()
