import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { hubKey } from '../../../server/auth/hub-key.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/auth/hub-key')

const random = (count: number): Uint8Array => randomBytes(count)

test('a purpose has one key, made at first and found again; another purpose has another', async () => {
  const store = new MemoryStore()
  const first = await hubKey(store, 'one', random)
  assert.is(first.length, 32)
  assert.equal(Buffer.from(await hubKey(store, 'one', random)), Buffer.from(first))
  assert.not.equal(Buffer.from(await hubKey(store, 'two', random)), Buffer.from(first))
})

test('another hub has another key', async () => {
  const keys = await Promise.all([1, 2].map(() => hubKey(new MemoryStore(), 'one', random)))
  assert.not.equal(Buffer.from(keys[0]!), Buffer.from(keys[1]!))
})

test.run()
