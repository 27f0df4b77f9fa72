import * as assert from 'uvu/assert'
import { BadValue, formatDouble, parseDateTime, parseInteger } from '../../../server/dialects/changelist/values.ts'
import { escapeXml, formatDateTime, ticksOfUs, usOfTicks } from '../../../server/dialects/dot-net.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/changelist/values')

const NOW_MS = Date.UTC(2026, 10, 21, 18)
const read = (text: string): string => formatDateTime(parseDateTime(text, NOW_MS))
const refusal = (task: () => unknown): string => {
  try {
    task()
  } catch (error) {
    if (error instanceof BadValue) return error.message
    throw error
  }
  return ''
}

test('a date is read with and without a zone, a time, a day, a month and a fraction', () => {
  const dates: Record<string, string> = {
    '2025-01-02T03:04:05': '2025-01-02T03:04:05Z',
    '2025-01-02T03:04:05Z': '2025-01-02T03:04:05Z',
    '2025-01-02T03:04:05+02:00': '2025-01-02T01:04:05Z',
    '2025-01-02T03:04:05-14:00': '2025-01-02T17:04:05Z',
    '2025-01-02': '2025-01-02T00:00:00Z',
    '2025-01-02+01:00': '2025-01-01T23:00:00Z',
    '2025-01': '2025-01-01T00:00:00Z',
    '2025': '2025-01-01T00:00:00Z',
    '2025-01:00': '2025-01-01T01:00:00Z',
    '12:00:00': '2026-11-21T12:00:00Z',
    '12:00:00.25+01:00': '2026-11-21T11:00:00.25Z',
    ' \n2025-01-02\t': '2025-01-02T00:00:00Z',
    '2025-01-02T03:04:05.1234567Z': '2025-01-02T03:04:05.1234567Z',
    '2025-01-02T03:04:05.12345678901234567890Z': '2025-01-02T03:04:05.1234567Z',
    '2025-01-02T03:04:05.1000Z': '2025-01-02T03:04:05.1Z',
    '2024-02-29': '2024-02-29T00:00:00Z',
    '0001-01-01T00:00:00': '0001-01-01T00:00:00',
    '0001-01-01T00:00:00.0000001': '0001-01-01T00:00:00.0000001Z',
    '0001-01-01T00:00:00+01:00': '0001-01-01T00:00:00',
    '1969-12-31T23:59:59.9999999': '1969-12-31T23:59:59.9999999Z',
    '9999-12-31T23:59:59.9999999': '9999-12-31T23:59:59.9999999Z',
    '9999-12-31T23:59:59-01:00': '9999-12-31T23:59:59.9999999Z'
  }
  for (const [text, expected] of Object.entries(dates)) assert.is(read(text), expected, text)
})

test('what is no date is refused by what it was', () => {
  const none = ['', 'x', '2025-01-02 03:04:05', '2025-01-02T24:00:00', '2025-02-30', '2025-13-01', '2025-00-01', '2025-01-00', '2023-02-29', '10000-01-01', '-0001-01-01', '0000-01-01', '2025-01-02T03:04', '2025-01-02T03:04:60', '2025-01-02T03:60:05', '2025-01-02T03:04:05.', '2025-01-02T03:04:05+15:00', '2025-01-02T03:04:05+01:60', '2025-1-2', '20250102', '2025-01-02T03:04:05z', '１２:00:00'] // prettier-ignore
  for (const text of none) assert.is(refusal(() => read(text)), `The string '${text}' is not a valid AllXsd value.`, text) // prettier-ignore
  assert.is(refusal(() => read('9'.repeat(1_000_000))).length < 200, true)
})

test("the hub's times are written and read back exactly, microsecond by microsecond", () => {
  for (const us of [0, 1, 1_763_748_000_123_456, 1_763_748_000_123_457, 1_763_748_000_999_999, 253_402_300_799_999_000 / 100]) {
    const text = formatDateTime(ticksOfUs(us))
    assert.is(usOfTicks(parseDateTime(text, NOW_MS)), us, text)
    assert.not.match(text, /\.\d*0Z$|\.\d{8}/)
  }
})

test('whole numbers are read in their full range, with blanks, a sign and zeros before them', () => {
  const ranges = [
    [16, '-32768', '32767', '32768'],
    [32, '-2147483648', '2147483647', '-2147483649'],
    [64, '-9223372036854775808', '9223372036854775807', '9223372036854775808']
  ] as const
  for (const [bits, least, most, beyond] of ranges) {
    assert.is(String(parseInteger(` ${least}\n`, bits)), least)
    assert.is(String(parseInteger(`\t+${most} `, bits)), most)
    assert.is(parseInteger('-0', bits), 0n)
    assert.is(parseInteger('000000000000000000000000000000001', bits), 1n)
    for (const text of [beyond, '9'.repeat(1_000_000), `-${'9'.repeat(30)}`])
      assert.is(
        refusal(() => parseInteger(text, bits)),
        `Value was either too large or too small for an Int${bits}.`
      )
    for (const text of ['', ' ', '1.0', '1e2', '0x1', '1,000', '1 000', '--1', '+', '1-', '١', '1\u00a0', '\u00a01'])
      assert.is(
        refusal(() => parseInteger(text, bits)),
        'Input string was not in a correct format.',
        text
      )
  }
})

test('doubles are written as .NET does', () => {
  const doubles: Record<string, number> = {
    '0': 0,
    '-0': -0,
    '1.5': 1.5,
    '-2': -2,
    '0.0001': 0.0001,
    '1E-05': 0.00001,
    '1.5E-07': 1.5e-7,
    '123456789012345': 123_456_789_012_345,
    '1E+15': 1e15,
    '1.25E+300': 1.25e300,
    '5E-324': Number.MIN_VALUE,
    INF: Infinity,
    '-INF': -Infinity,
    NaN: NaN
  }
  for (const [text, value] of Object.entries(doubles)) assert.is(formatDouble(value), text)
})

test('text is written so that it can stand between tags, whatever it holds', () => {
  assert.is(escapeXml('a<b>&"\'é😀\t\n\r'), 'a&lt;b&gt;&amp;"\'é😀\t\n&#xD;')
  assert.is(escapeXml('\u0000\u0001\u000b\ud800x\udfff\ufffe\uffff'), '\ufffd\ufffd\ufffd\ufffdx\ufffd\ufffd\ufffd')
})

test.run()
