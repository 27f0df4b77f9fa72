import * as assert from 'uvu/assert'
import { HubError } from '../../protocol/index.ts'
import {
  any,
  bool,
  bytes,
  checked,
  dict,
  key,
  list,
  map,
  nullable,
  number,
  oneOf,
  opt,
  positive,
  str,
  tuple,
  uint,
  type Shape
} from '../../protocol/shapes.ts'
import { suite } from '../util/suite.ts'

function holds(form: Shape<unknown>, ...values: unknown[]): void {
  for (const value of values) assert.is(checked('bad-request', form, value, 'v'), value)
}

/** @param field where the fault lies, behind the value's own name */
function faults(form: Shape<unknown>, field: string, expected: string, ...values: unknown[]): void {
  for (const value of values) {
    try {
      checked('bad-request', form, value, 'v')
    } catch (error) {
      assert.instance(error, HubError)
      assert.is((error as HubError).field, `v${field}`)
      assert.is((error as HubError).message, `v${field}: expected ${expected}`)
      continue
    }
    assert.unreachable(`${form.words} takes ${String(value)}`)
  }
}

const test = suite('protocol/shapes')

test('uint takes whole numbers from 0 to 2^53 - 1', () => {
  holds(uint, 0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER)
  faults(uint, '', 'uint', -1, 0.5, 2 ** 53, Number.NaN, Infinity, '1', null, undefined, 1n, [1])
})

test('positive takes whole numbers from 1', () => {
  holds(positive, 1, Number.MAX_SAFE_INTEGER)
  faults(positive, '', 'uint 1..', 0, -1, 1.5, '1', null)
})

test('number takes what lies within its bounds, both included', () => {
  holds(number(0, 5), 0, 2.5, 5)
  faults(number(0, 5), '', 'number 0..5', -0.001, 5.001, Number.NaN, Infinity, '2', null)
})

test('bool takes true and false', () => {
  holds(bool, true, false)
  faults(bool, '', 'bool', 0, 1, 'true', null, undefined)
})

test('str takes text of its lengths, counted in UTF-16 code units', () => {
  holds(str(2), '', 'a', 'ab', 'é', '😀', '\n')
  faults(str(2), '', 'str 0..2', 'abc', '😀a', 1, null, undefined, ['a'])
  holds(str(3, 2), 'ab', 'abc')
  faults(str(3, 2), '', 'str 2..3', 'a', 'abcd')
})

test('half of a surrogate pair is no text, because UTF-8 cannot write it', () => {
  faults(str(5), '', 'str 0..5', '\ud83d', 'a\ude00', '\ude00\ud83d')
  faults(key(5), '', 'key 1..5', '\ud83d', 'a\ude00')
})

test('key takes text without control characters, and not none', () => {
  holds(key(3), 'a', 'a b', 'é/ü', '😀')
  faults(key(3), '', 'key 1..3', '', 'abcd', 'a\u0000', '\n', '\u001f', '\u007f', 1, null)
  holds(key(3), '\u0080')
})

test('bytes takes some bytes, and not too many', () => {
  holds(bytes(2), Uint8Array.of(1), Buffer.from([1, 2]))
  faults(bytes(2), '', 'bin 1..2', new Uint8Array(), new Uint8Array(3), [1], 'a', new Uint16Array(1), null)
})

test('oneOf takes its words', () => {
  holds(oneOf('a', 'b'), 'a', 'b')
  faults(oneOf('a', 'b'), '', '"a" | "b"', 'c', '', 'A', null, 0)
})

test('any takes everything but nothing', () => {
  holds(any, null, 0, '', [], {}, false)
  faults(any, '', 'any', undefined)
})

test('nullable takes nil beside its form', () => {
  holds(nullable(uint), null, 1)
  faults(nullable(uint), '', 'uint', 'x', undefined)
  assert.is(nullable(uint).words, 'uint or nil')
})

test('list names the item at fault', () => {
  holds(list(uint, 2), [], [1], [1, 2])
  faults(list(uint, 2), '', '[uint] 0..2', [1, 2, 3], { 0: 1, length: 1 }, 'ab', null, undefined)
  faults(list(uint, 2), '[1]', 'uint', [1, -1], [1, undefined])
  faults(list(list(bool, 3), 2), '[0][2]', 'bool', [[true, true, 1]])
})

test('dict names the entry at fault', () => {
  holds(dict(uint, 2), {}, { a: 1 }, { a: 1, b: 2 }, Object.create(null))
  faults(dict(uint, 2), '', '{key: uint} 0..2', { a: 1, b: 2, c: 3 }, [], null, 'a', new Uint8Array(1), undefined)
  faults(dict(uint, 2), '.b', 'uint', { a: 1, b: 'x' })
})

test('map takes its fields and no others, and names the one at fault', () => {
  const form = map({ id: key(8), size: opt(nullable(uint)) })
  holds(form, { id: 'a' }, { id: 'a', size: 1 }, { size: null, id: 'a' })
  faults(form, '', 'map', null, [], 'a', 1, undefined, new Uint8Array(1))
  faults(form, '.id', 'key 1..8', {}, { id: null }, { id: '' }, { size: 1 })
  faults(form, '.size', 'uint', { id: 'a', size: 'x' })
  faults(form, '.other', 'no such field', { id: 'a', other: 1 })
  faults(form, '.toString', 'no such field', { id: 'a', toString: 1 })
  assert.is(form.words, '{id: key 1..8, size?: uint or nil}')
})

test('map without fields takes an empty map alone', () => {
  holds(map({}), {})
  faults(map({}), '.a', 'no such field', { a: 1 })
})

test('what every object inherits is no field', () => {
  faults(map({ id: opt(any) }), '.constructor', 'no such field', { constructor: 1 })
  faults(map({ valueOf: uint }), '.valueOf', 'uint', {})
})

test('tuple takes its places in order', () => {
  const form = tuple<[number, string]>({ number: uint, text: str(3) })
  holds(form, [1, 'a'])
  faults(form, '', 'array of at most 2', [1, 'a', 2], {}, null, 'ab', undefined)
  faults(form, '.number', 'uint', [], [null], ['a'])
  faults(form, '.text', 'str 0..3', [1], [1, 2], [1, null], [1, 'abcd'])
  assert.is(form.words, '[number: uint, text: str 0..3]')
})

test('the words of a form say how its parts nest', () => {
  assert.is(
    list(map({ a: dict(nullable(number(0, 1)), 4), b: opt(oneOf('x')) }), 9).words,
    '[{a: {key: number 0..1 or nil} 0..4, b?: "x"}] 0..9'
  )
})

test('a sound value comes back as itself', () => {
  const value = { id: 'a', list: [1] }
  assert.is(checked('bad-request', map({ id: key(8), list: list(uint, 2) }), value, 'body'), value)
})

test('a fault becomes the error of its place, with the whole path', () => {
  const form = map({ items: list(map({ size: uint }), 5) })
  try {
    checked('bad-action', form, { items: [{ size: 1 }, { size: -1 }] }, 'body')
    assert.unreachable()
  } catch (error) {
    assert.instance(error, HubError)
    const { code, field, message } = error as HubError
    assert.equal([code, field, message], ['bad-action', 'body.items[1].size', 'body.items[1].size: expected uint'])
  }
})

test.run()
