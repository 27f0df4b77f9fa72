import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import {
  countValues,
  encodeFrame,
  encodeValue,
  HubError,
  LIMITS,
  maxValuesIn,
  objectFrom,
  scan,
  type Plain
} from '../../protocol/index.ts'
import { isSparse } from '../util/sparse.ts'
import { suite } from '../util/suite.ts'

const test = suite('protocol/values')

const name = fc.oneof(
  fc.nat({ max: 12_000 }).map(String),
  fc.constantFrom('007', '0', '1.5', '-1', 'n', '', '12a', '__proto__'),
  fc.string({ maxLength: 5 })
)
const value = fc.letrec<{ value: Plain }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.nat(),
    fc.string({ maxLength: 9 }),
    fc.uint8Array({ maxLength: 9 }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(
      name.filter(name => name !== '__proto__'),
      tie('value'),
      { maxKeys: 20, noNullPrototype: true }
    )
  )
})).value

/** Why bytes are refused; empty when they are not. */
function fault(work: () => void): string {
  try {
    work()
    return ''
  } catch (error) {
    return (error as HubError).message
  }
}

test('values are counted as the scan of their bytes counts them', () => {
  fc.assert(
    fc.property(value, value => {
      const bytes = encodeValue(value)
      const count = countValues(value)
      scan(bytes, count)
      assert.match(
        fault(() => scan(bytes, count - 1)),
        new RegExp(`^over ${count - 1} values`)
      )
    })
  )
})

test('of a map the greatest key that an engine keeps room up to counts, one value for each 8', () => {
  const counts = [{ 7: 0 }, { 8: 0 }, { 1023: 0 }, { 1000: 0, 1023: 0, 3: 0 }, { 3321: 0 }, { 3322: 0 }, { n1023: 0 }]
  assert.equal(
    counts.map(map => countValues(map)),
    [3, 4, 130, 134, 418, 3, 3]
  )
  assert.is(countValues([{ 80: { 80: 0 } }, [new Uint8Array(9)]]), 1 + (1 + 11) + (1 + 11 + 1) + 2)
})

test('one map with the greatest such key is taken in the shortest frame', () => {
  scan(encodeFrame('push', { confirmed: 0, actions: [[1, 0, 'setting.put', 's', { value: { 3321: 0 } }]] }))
})

test('what is nested too deep counts for infinitely many', () => {
  assert.is(countValues([[[1]]], 3), 4)
  assert.is(countValues([[{ a: 1 }]], 2), Infinity)
  assert.is(countValues(1, 0), 1)
})

test('a client cannot make the hub keep room by small frames: values are bounded by the bytes, too', () => {
  const maps = (count: number, key: string): Uint8Array =>
    encodeFrame('push', {
      confirmed: 0,
      actions: [[1, 0, 'setting.put', 's', { value: Array.from({ length: count }, () => ({ [key]: 0 })) }]]
    })
  assert.is(
    fault(() => scan(maps(2, '1023'))),
    ''
  )
  assert.match(
    fault(() => scan(maps(10, '1023'))),
    /^over \d+ values/
  )
  assert.is(
    fault(() => scan(maps(10_000, 'page'))),
    ''
  )
  assert.is(maxValuesIn(LIMITS.maxFrameBytes), LIMITS.maxFrameValues)
})

test('an object is what Object.fromEntries makes, without room up to its keys', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.oneof(fc.nat(), fc.string()))), entries => {
      const [made, expected] = [objectFrom(entries), Object.fromEntries(entries)]
      assert.equal(new Map(Object.entries(made)), new Map(Object.entries(expected)))
      assert.is(Object.getPrototypeOf(made), Object.prototype)
    })
  )
  assert.is(isSparse(Object.fromEntries([['1023', 0]])), false)
  assert.is(isSparse(objectFrom([['1023', 0]])), true)
  assert.is(
    isSparse(
      objectFrom([
        ['3', {}],
        ['1000', {}]
      ])
    ),
    true
  )
})

test.run()
