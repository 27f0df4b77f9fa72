import * as assert from 'uvu/assert'
import { foldPath, isFilePath } from '../../protocol/index.ts'
import { suite } from '../util/suite.ts'

const test = suite('protocol/paths')

test('two spellings of a path are one, whatever marks its names begin and end with', () => {
  const texts = [
    'Bru\u0308der/e\u0301',
    'a/\u0338b',
    'a\u0301/\u0301/a',
    '\u1112\u1161\u11ab/x',
    '\u03b1\u0314\u0301\u0345',
    'a\u0301\u0327'
  ]
  for (const text of texts) {
    assert.is(foldPath(text), text.normalize('NFC'))
    assert.is(foldPath(text.normalize('NFD')), text.normalize('NFC'))
    assert.ok(isFilePath(foldPath(text)))
  }
})

test('the longest name is found in its longest spelling', () => {
  const [composed, decomposed] = ['\u0390', '\u03b9\u0308\u0301'].map(text => text.repeat(127)) as [string, string]
  assert.is(foldPath(decomposed), composed)
  assert.ok(isFilePath(composed))
})

test('a million marks are no path, and cost no more than reading them', () => {
  const text = `a${'\u0301\u0327'.repeat(500_000)}`
  assert.is(isFilePath(text), false)
  assert.is(isFilePath(foldPath(text)), false)
})

test('half a character is no path', () => {
  for (const text of ['\ud800', 'a/\udc00', '\udc00\ud800']) assert.is(isFilePath(text), false)
  assert.ok(isFilePath('\ud83d\ude00'))
})

test.run()
