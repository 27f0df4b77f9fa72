import { ticksOf, trimmed, type Ticks } from '../dot-net.ts'

const MAX_QUOTED = 100

const DATE = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?)?)?(Z|[+-]\d\d:\d\d)?$/
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$/

/** What is wrong with a value, in the words of .NET. */
export class BadValue extends Error {
  override readonly name = 'BadValue'
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
  const [, , , , , , fraction = '', zone = 'Z'] = parts
  const offset = zone === 'Z' ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))
  const ticks = ticksOf({ year, month, day, hour, minute, second, fraction }, zone.startsWith('-') ? -offset : offset)
  if (ticks === undefined || Number(zone.slice(4)) > 59) throw bad()
  return ticks
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

/** What was sent, cut where it is long. */
const shown = (text: string): string => (text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text)
