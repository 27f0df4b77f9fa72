import * as assert from 'uvu/assert'
import { digest } from '../../../server/core/digest.ts'
import { Random } from '../../util/random.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/digest')

const of = (...parts: (string | number[])[]): number =>
  digest(parts.map(part => (typeof part === 'string' ? new TextEncoder().encode(part) : Uint8Array.from(part))))

test('the same content has the same digest, a whole number that a frame can carry', () => {
  assert.is(of('setting.put', 'name', [1, 2, 3]), of('setting.put', 'name', [1, 2, 3]))
  const random = new Random(1)
  for (let count = 0; count < 10_000; count++) {
    const value = of(Array.from({ length: random.below(40) }, () => random.below(256)))
    assert.ok(Number.isSafeInteger(value) && value >= 0)
  }
})

test('every bit counts, and so does where one part ends and the next begins', () => {
  const bytes = Array.from({ length: 32 }, (_, index) => index * 7)
  const seen = new Set([of(bytes)])
  for (let index = 0; index < bytes.length; index++)
    for (let bit = 0; bit < 8; bit++) seen.add(of(bytes.map((byte, at) => (at === index ? byte ^ (1 << bit) : byte))))
  for (let end = 0; end < bytes.length; end++) seen.add(of(bytes.slice(0, end), bytes.slice(end)))
  assert.is(seen.size, 1 + 256 + 32)
  assert.is.not(of('ab', 'c'), of('a', 'bc'))
  assert.is.not(of([0]), of([0, 0]))
  assert.is.not(of('', 'a'), of('a', ''))
})

test('among 200,000 contents that differ little no two share a digest', () => {
  const seen = new Set<number>()
  for (let count = 0; count < 200_000; count++)
    seen.add(of('position.set', `book${count % 100}`, `{"progression":${count / 200_000}}`))
  assert.is(seen.size, 200_000)
})

test.run()
