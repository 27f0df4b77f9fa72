/** A time as .NET has it: units of 100 ns since the beginning of the year 1. A `number` could not hold it exactly. */
export type Ticks = bigint

const TICKS_PER_MS = 10_000n
const TICKS_AT_1970 = 621_355_968_000_000_000n
const TICKS_PER_MINUTE = 600_000_000n
/** The end of the year 9999. */
const MAX_TICKS = 3_155_378_975_999_999_999n
const MAX_QUOTED = 100

const DATE = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?)?)?(Z|[+-]\d\d:\d\d)?$/
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$/

/** What is wrong with a value, in the words of .NET. */
export class BadValue extends Error {
  override readonly name = 'BadValue'
}

/** @param us microseconds since 1970, as the hub has times */
export const ticksOfUs = (us: number): Ticks => TICKS_AT_1970 + BigInt(us) * 10n

/** Microseconds since 1970, what is finer cut off. */
export const usOfTicks = (ticks: Ticks): number => Number((ticks - TICKS_AT_1970) / 10n)

/** Without XML's own blanks, and no others, at both ends. By hand: an expression looks at a row of blanks within once for each of them, and a text may be of a million. */
function trimmed(text: string): string {
  const isBlank = (at: number): boolean => ' \t\r\n'.includes(text.charAt(at))
  let [start, end] = [0, text.length]
  while (start < end && isBlank(start)) start += 1
  while (start < end && isBlank(end - 1)) end -= 1
  return text.slice(start, end)
}

/**
 * Reads an `xsd:dateTime`, or less: a date, a month, a year, or a time of today. Without a zone it is UTC.
 * What is finer than 100 ns is cut off, never rounded up.
 * @throws BadValue
 */
export function parseDateTime(text: string, nowMs: number): Ticks {
  const value = trimmed(text)
  const bad = (): BadValue => new BadValue(`The string '${shown(value)}' is not a valid AllXsd value.`)
  let parts = DATE.exec(value)?.slice(1)
  if (parts === undefined) {
    const time = TIME.exec(value)?.slice(1)
    if (time === undefined) throw bad()
    parts = [...new Date(nowMs).toISOString().slice(0, 10).split('-'), ...time]
  }
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts
    .slice(0, 6)
    .map(part => (part === undefined ? undefined : Number(part)))
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  // A month of 13 or a 30th of February would go on into the next one.
  const isDay = year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  if (!isDay || hour > 23 || minute > 59 || second > 59) throw bad()
  date.setUTCHours(hour, minute, second)
  const [, , , , , , fraction = '', zone = 'Z'] = parts
  const offset = zone === 'Z' ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))
  if (offset > 14 * 60 || Number(zone.slice(4)) > 59) throw bad()
  const ticks =
    TICKS_AT_1970 +
    BigInt(date.getTime()) * TICKS_PER_MS +
    BigInt(fraction.slice(0, 7).padEnd(7, '0')) -
    BigInt(zone.startsWith('-') ? -offset : offset) * TICKS_PER_MINUTE
  return ticks < 0n ? 0n : ticks > MAX_TICKS ? MAX_TICKS : ticks
}

/** In UTC, with as many digits as it takes; the time that stands for none has no zone. */
export function formatDateTime(ticks: Ticks): string {
  const sinceMs = (ticks - TICKS_AT_1970) / TICKS_PER_MS
  const isEarly = ticks < TICKS_AT_1970 && ticks % TICKS_PER_MS !== 0n
  const date = new Date(Number(isEarly ? sinceMs - 1n : sinceMs)).toISOString().slice(0, 19)
  const fraction = (ticks % 10_000_000n).toString().padStart(7, '0').replace(/0+$/, '')
  return `${date}${fraction === '' ? '' : `.${fraction}`}${ticks === 0n ? '' : 'Z'}`
}

/**
 * Reads a whole number of 16, 32 or 64 bits.
 * @throws BadValue
 */
export function parseInteger(text: string, bits: 16 | 32 | 64): bigint {
  const match = /^([+-]?)(\d+)$/.exec(trimmed(text))
  if (match === null) throw new BadValue('Input string was not in a correct format.')
  const [, sign, padded] = match
  const digits = padded!.replace(/^0+(?=\d)/, '')
  // Long before it is one, a number of a million digits would take seconds.
  const value = digits.length > 20 ? undefined : BigInt(`${sign === '-' ? '-' : ''}${digits}`)
  if (value === undefined || BigInt.asIntN(bits, value) !== value)
    throw new BadValue(`Value was either too large or too small for an Int${bits}.`)
  return value
}

/** As .NET writes it: `1.5E-07` where others write `1.5e-7`, INF and NaN. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'INF' : '-INF'
  if (Object.is(value, -0)) return '-0'
  const [mantissa, exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  if (power > -5 && power < 15) return String(value)
  return `${mantissa}E${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

/** Text that can stand between tags. What no XML 1.0 document can hold becomes U+FFFD. */
export const escapeXml = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, '\ufffd')
    .replace(/[&<>\r]/g, character => ESCAPES[character]!)

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#xD;' }

/** What was sent, cut where it is long. */
const shown = (text: string): string => (text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text)
