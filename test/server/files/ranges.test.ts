import * as assert from 'uvu/assert'
import { planContent, type ContentRequest } from '../../../server/files/ranges.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/files/ranges')

const TAG = '"abc"'

/** `status start-end content-range` */
function plan(headers: Partial<ContentRequest>, sizeBytes = 1_000): string {
  const { status, start, end, contentRange = '' } = planContent({ method: 'GET', ...headers }, sizeBytes, TAG)
  return `${status} ${start}-${end} ${contentRange}`.trim()
}

test('without a range all of it comes', () => {
  assert.is(plan({}), '200 0-1000')
  assert.is(plan({}, 0), '200 0-0')
})

const SATISFIED: Readonly<Record<string, string>> = {
  'bytes=0-0': '206 0-1 bytes 0-0/1000',
  'bytes=0-499': '206 0-500 bytes 0-499/1000',
  'bytes=500-999': '206 500-1000 bytes 500-999/1000',
  'bytes=999-999': '206 999-1000 bytes 999-999/1000',
  'bytes=500-': '206 500-1000 bytes 500-999/1000',
  'bytes=0-': '206 0-1000 bytes 0-999/1000',
  'bytes=-1': '206 999-1000 bytes 999-999/1000',
  'bytes=-500': '206 500-1000 bytes 500-999/1000',
  'bytes=-1000': '206 0-1000 bytes 0-999/1000',
  'bytes=-5000': '206 0-1000 bytes 0-999/1000',
  'bytes=900-5000': '206 900-1000 bytes 900-999/1000',
  'bytes=0-99999999999999999999999999': '206 0-1000 bytes 0-999/1000',
  'BYTES=0-0': '206 0-1 bytes 0-0/1000',
  'bytes= 0-0 ': '206 0-1 bytes 0-0/1000',
  'bytes=,0-0,,': '206 0-1 bytes 0-0/1000',
  'bytes=0000-0001': '206 0-2 bytes 0-1/1000'
}

for (const [range, expected] of Object.entries(SATISFIED))
  test(`of 1000 bytes, ${range} is ${expected}`, () => assert.is(plan({ range }), expected))

test('a range behind the end, or of no last bytes, cannot be satisfied', () => {
  for (const range of ['bytes=1000-', 'bytes=1000-2000', 'bytes=99999999999999999999-', 'bytes=-0'])
    assert.is(plan({ range }), '416 0-0 bytes */1000', range)
  for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-0']) assert.is(plan({ range }, 0), '416 0-0 bytes */0', range)
})

test('the last bytes of an empty content are all of it', () => assert.is(plan({ range: 'bytes=-5' }, 0), '200 0-0'))

test('what is no single range of bytes is passed over', () => {
  for (const range of [
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=1',
    'bytes=5-4',
    'bytes=99999999999999999999-99999999999999999998',
    'bytes=1-2-3',
    'bytes=--1',
    'bytes=0x1-2',
    'bytes=1.5-2',
    'bytes=+1-2',
    'bytes 0-1',
    'lines=0-1',
    'chars=0-1',
    ' =0-1',
    'bytes=0-1,4-5',
    'bytes=0-1,4-',
    'bytes=0-1,nonsense',
    'bytes=2000-,3000-'
  ])
    assert.is(plan({ range }), '200 0-1000', range)
})

test('a range is of a GET alone', () => assert.is(plan({ method: 'HEAD', range: 'bytes=0-1' }), '200 0-1000'))

test('a range holds under the tag that it was asked for, and not under another, a weak one or a date', () => {
  assert.is(plan({ range: 'bytes=0-1', ifRange: TAG }), '206 0-2 bytes 0-1/1000')
  assert.is(plan({ range: 'bytes=2000-', ifRange: TAG }), '416 0-0 bytes */1000')
  for (const ifRange of ['"other"', `W/${TAG}`, 'abc', 'Sat, 21 Nov 2026 10:00:00 GMT', ''])
    for (const range of ['bytes=0-1', 'bytes=2000-']) assert.is(plan({ range, ifRange }), '200 0-1000', ifRange)
})

test('who has the content already is told so, before any range', () => {
  for (const ifNoneMatch of [TAG, `W/${TAG}`, `"x", ${TAG}`, `"x,y",W/${TAG} , "z"`, '*'])
    for (const method of ['GET', 'HEAD']) assert.is(plan({ method, ifNoneMatch, range: 'bytes=2000-' }), '304 0-0', ifNoneMatch)
  for (const ifNoneMatch of ['"x"', 'abc', '', '"ab', `"x${TAG}`]) assert.is(plan({ ifNoneMatch }), '200 0-1000', ifNoneMatch)
})

test('who wants this content and no other gets nothing of another', () => {
  for (const ifMatch of [TAG, '*', `"x", ${TAG}`])
    assert.is(plan({ ifMatch, range: 'bytes=0-1' }), '206 0-2 bytes 0-1/1000', ifMatch)
  for (const ifMatch of ['"x"', `W/${TAG}`, '']) assert.is(plan({ ifMatch, ifNoneMatch: TAG }), '412 0-0', ifMatch)
})

test.run()
