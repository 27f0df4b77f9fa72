import { formatDateTime, ticksOf, ticksOfUs, usOfTicks, type Reading, type Ticks } from '../dot-net.ts'

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,99}))?)?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?$/i
/** As .NET's invariant culture has it: the month first. */
const MONTH_FIRST = /^(\d\d?)\/(\d\d?)\/(\d{4})(?: (\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,99}))?)?(?: ?([AP]M))?)?$/i
/** Milliseconds since 1970, and in which zone to show that. */
const MICROSOFT = /^\/Date\((-?\d{1,15})([+-]\d{4})?\)\/$/
/** What stands for no date. */
export const NO_DATE = '0001-01-01T00:00:00'

interface Parts {
  readonly reading: Reading
  /** Minutes before UTC; `Z` for UTC itself; empty where none is told. */
  readonly zone: number | 'Z' | ''
}

/**
 * Reads a date in any of the forms that .NET takes, and writes it as .NET does. What is finer than 100 ns is cut off; a date without a zone stays without one, and one with a zone keeps it.
 * @returns undefined for what is no date
 */
export function parseDate(text: string): string | undefined {
  const parts = partsOf(text.trim())
  return parts === undefined || momentOf(parts) === undefined ? undefined : written(parts)
}

/**
 * When a date is, as the hub has times: microseconds since 1970. One without a zone is UTC.
 * @param date as a model holds it
 */
export const usOfDate = (date: string): number => usOfTicks(ticksOfDate(date))

/** The same to the last of seven digits. */
export function ticksOfDate(date: string): Ticks {
  const parts = partsOf(date)
  return (parts && momentOf(parts)) ?? 0n
}

/** The date of a time of the hub, in UTC. */
export const dateOfUs = (us: number): string => formatDateTime(ticksOfUs(us))

const momentOf = ({ reading, zone }: Parts): Ticks | undefined => ticksOf(reading, typeof zone === 'number' ? zone : 0)

function partsOf(text: string): Parts | undefined {
  if (text.length > 150) return undefined
  const date = DATE.exec(text)
  if (date !== null) {
    const [, year, month, day, hour, minute, second, fraction, zone = ''] = date
    return { reading: readingOf(year, month, day, hour, minute, second, fraction), zone: zoneOf(zone) }
  }
  const monthFirst = MONTH_FIRST.exec(text)
  if (monthFirst !== null) {
    const [, month, day, year, hour = '0', minute, second, fraction, half] = monthFirst
    if (half !== undefined && (Number(hour) < 1 || Number(hour) > 12)) return undefined
    const inHalf = half === undefined ? Number(hour) : (Number(hour) % 12) + (half.toUpperCase() === 'PM' ? 12 : 0)
    return { reading: readingOf(year, month, day, inHalf, minute, second, fraction), zone: '' }
  }
  const microsoft = MICROSOFT.exec(text)
  if (microsoft === null) return undefined
  const [, ms, offset] = microsoft
  const zone = offset === undefined ? 'Z' : zoneOf(offset)
  const shown = new Date(Number(ms) + (typeof zone === 'number' ? zone * 60_000 : 0))
  return Number.isNaN(shown.getTime()) || shown.getUTCFullYear() < 1 || shown.getUTCFullYear() > 9999
    ? undefined
    : partsOf(shown.toISOString()) && { reading: partsOf(shown.toISOString())!.reading, zone }
}

function readingOf(
  year: string | undefined,
  month: string | undefined,
  day: string | undefined,
  hour: string | number = 0,
  minute = '0',
  second = '0',
  fraction = ''
): Reading {
  return {
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    fraction: fraction.slice(0, 7)
  }
}

function zoneOf(zone: string): Parts['zone'] {
  if (zone === '') return ''
  if (zone.toUpperCase() === 'Z') return 'Z'
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)) * (zone.length > 3 ? 1 : 0)
  // Sixty minutes are no part of an hour, and no zone is so far.
  if (zone.length > 3 && Number(zone.slice(-2)) > 59) return Number.POSITIVE_INFINITY
  return zone.startsWith('-') ? -minutes : minutes
}

function written({ reading, zone }: Parts): string {
  const { year, month, day, hour, minute, second, fraction } = reading
  const digits = fraction.replace(/0+$/, '')
  const [date, time] = [
    [padded(year, 4), padded(month), padded(day)].join('-'),
    [padded(hour), padded(minute), padded(second)].join(':')
  ]
  const offset =
    typeof zone === 'string'
      ? zone
      : `${zone < 0 ? '-' : '+'}${padded(Math.floor(Math.abs(zone) / 60))}:${padded(Math.abs(zone) % 60)}`
  return `${date}T${time}${digits === '' ? '' : `.${digits}`}${offset}`
}

const padded = (number: number, digits = 2): string => String(number).padStart(digits, '0')
