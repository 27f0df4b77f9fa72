import * as assert from 'uvu/assert'
import { LIMITS } from '../../../protocol/index.ts'
import { annotationOf } from '../../../server/annotations/annotation.ts'
import { jsonOf, plainOf } from '../../../server/annotations/json-values.ts'
import { readKoreader } from '../../../server/annotations/koreader.ts'
import { placeOf } from '../../../server/annotations/selectors.ts'
import { isSparse } from '../../util/sparse.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/annotations: keys that are small numbers')

const held = (value: unknown, ...names: string[]): object =>
  names.reduce((inner, name) => (inner as Record<string, unknown>)[name], value) as object

test('values of files are kept without room up to them', () => {
  const json: unknown = JSON.parse('{"a": {"1023": {"900": 0}}}')
  for (const value of [plainOf(json), jsonOf(plainOf(json))])
    assert.equal([isSparse(held(value, 'a')), isSparse(held(value, 'a', '1023'))], [true, true])
})

test('so are locators of annotations', () => {
  const { locators } = annotationOf('a', { locators: { 1023: 'x', cfi: null } })
  assert.equal([locators, isSparse(locators!)], [{ 1023: 'x' }, true])
})

test('more selectors than locators are kept are not looked through', () => {
  const { locators } = placeOf(Array.from({ length: 100_000 }, () => 0))
  assert.ok(Object.keys(locators!).length <= LIMITS.maxMapEntries + 1)
})

test('so are tables of Lua', () => {
  const lua =
    'return { ["annotations"] = { { ["datetime"] = "2024-01-01 00:00:00", ["odd"] = { [1023] = { [900] = 1 } }, [1000] = 1 } } }'
  const koreader = held(readKoreader(Buffer.from(lua))[0]!.annotations[0]!.extra, 'koreader')
  assert.equal(koreader, { 1000: 1, odd: { 1023: { 900: 1 } } })
  assert.equal([koreader, held(koreader, 'odd'), held(koreader, 'odd', '1023')].map(isSparse), [true, true, true])
})

test.run()
