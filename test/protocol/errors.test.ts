import * as assert from 'uvu/assert'
import { ERRORS, HubError, isErrorCode, type ErrorCode } from '../../protocol/index.ts'
import { suite } from '../util/suite.ts'

const rows = Object.entries(ERRORS)

const test = suite('protocol/errors')

test('every close code is one that RFC 6455 lets an endpoint send', () => {
  const standard = new Set([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014])
  for (const [code, { close }] of rows) assert.ok(close === 0 || standard.has(close) || (close >= 4000 && close < 5000), code)
})

test('a close code of our own is 4000 and the HTTP status', () => {
  for (const [code, { close, http }] of rows) if (close >= 4000) assert.is(close, 4000 + http, code)
})

test('every HTTP status is that of an error', () => {
  for (const [code, { http }] of rows) assert.ok(http >= 400 && http < 600, code)
})

test('every text is its own, and fits into a frame', () => {
  assert.is(new Set(rows.map(([, { text }]) => text)).size, rows.length)
  for (const [code, { text }] of rows) assert.ok(text.length > 0 && text.length <= 1_024, code)
})

test('every code fits into a close reason and is in kebab case', () => {
  for (const [code] of rows) assert.ok(/^[a-z]+(-[a-z]+)*$/.test(code) && code.length <= 64, code)
})

test('errors that share a close code ask for the same, so that the code alone is enough', () => {
  const retries = new Map<number, Set<string>>()
  for (const [, { close, retry }] of rows) if (close !== 0) retries.set(close, (retries.get(close) ?? new Set()).add(retry))
  for (const [close, found] of retries) assert.is(found.size, 1, `${close} stands for ${[...found].join(' and ')}`)
})

test('names that every object has are no error codes', () => {
  for (const name of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) assert.not(isErrorCode(name))
  assert.ok(isErrorCode('slow'))
})

test('an error without words or a delay of its own has those of the table', () => {
  const error = new HubError('slow' satisfies ErrorCode)
  assert.is(error.message, ERRORS.slow.text)
  assert.is(error.field, '')
  assert.is(error.retryAfterMs, ERRORS.slow.retryAfterMs)
  assert.is(new HubError('bad-request').retryAfterMs, undefined)
  assert.ok(error instanceof Error && error.name === 'HubError')
})

test.run()
