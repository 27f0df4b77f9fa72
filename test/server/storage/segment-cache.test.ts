import * as assert from 'uvu/assert'
import { SegmentCache } from '../../../server/storage/segment-cache.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/storage/segment-cache')

const segment = (first: number, bytes: number) => {
  const memory = new Uint8Array(bytes)
  return { first, count: 1, run: memory.subarray(1), notes: memory.subarray(0, 1) }
}

test('what was added is found by its account and first cursor', () => {
  const cache = new SegmentCache(100)
  const one = segment(1, 10)
  cache.add('anna', one)
  assert.is(cache.get('anna', 1), one)
  assert.is(cache.get('anna', 2), undefined)
  assert.is(cache.get('ben', 1), undefined)
})

test('when it is full, what was not used for longest goes', () => {
  const cache = new SegmentCache(100)
  for (let first = 1; first <= 4; first++) cache.add('anna', segment(first, 25))
  cache.get('anna', 1)
  cache.add('anna', segment(5, 25))
  assert.equal(
    [1, 2, 3, 4, 5].filter(first => cache.get('anna', first) !== undefined),
    [1, 3, 4, 5]
  )
})

test('what is larger than all of it is not kept, and pushes nothing out', () => {
  const cache = new SegmentCache(100)
  cache.add('anna', segment(1, 50))
  cache.add('anna', segment(2, 101))
  assert.ok(cache.get('anna', 1))
  assert.is(cache.get('anna', 2), undefined)
})

test('the same segment added twice counts once', () => {
  const cache = new SegmentCache(100)
  for (let again = 0; again < 10; again++) cache.add('anna', segment(1, 60))
  assert.ok(cache.get('anna', 1))
})

test.run()
