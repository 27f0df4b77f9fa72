/** A time as .NET has it: units of 100 ns since the beginning of the year 1. A `number` could not hold it exactly. */
export type Ticks = bigint

const TICKS_PER_MS = 10_000n
const TICKS_AT_1970 = 621_355_968_000_000_000n
const TICKS_PER_MINUTE = 600_000_000n
/** The end of the year 9999. */
const MAX_TICKS = 3_155_378_975_999_999_999n

/** @param us microseconds since 1970, as the hub has times */
export const ticksOfUs = (us: number): Ticks => TICKS_AT_1970 + BigInt(us) * 10n

/** Microseconds since 1970, what is finer cut off. */
export const usOfTicks = (ticks: Ticks): number => Number((ticks - TICKS_AT_1970) / 10n)

/** A day and a time of it, as a calendar and a clock show them. */
export interface Reading {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** The digits behind the second's point; what is finer than 100 ns is cut off, never rounded up. */
  readonly fraction: string
}

/**
 * When a clock shows this.
 * @param offsetMinutes how far the clock is before UTC
 * @returns undefined when no clock ever does; the nearest end for what lies beyond the years 1 to 9999
 */
export function ticksOf({ year, month, day, hour, minute, second, fraction }: Reading, offsetMinutes: number): Ticks | undefined {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  // A month of 13 or a 30th of February would go on into the next one.
  const isDay = year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  if (!isDay || hour > 23 || minute > 59 || second > 59 || Math.abs(offsetMinutes) > 14 * 60) return undefined
  date.setUTCHours(hour, minute, second)
  const ticks =
    TICKS_AT_1970 +
    BigInt(date.getTime()) * TICKS_PER_MS +
    BigInt(fraction.slice(0, 7).padEnd(7, '0')) -
    BigInt(offsetMinutes) * TICKS_PER_MINUTE
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

/** Without XML's own blanks, and no others, at both ends. By hand: an expression looks at a row of blanks within once for each of them, and a text may be of a million. */
export function trimmed(text: string): string {
  const isBlank = (at: number): boolean => ' \t\r\n'.includes(text.charAt(at))
  let [start, end] = [0, text.length]
  while (start < end && isBlank(start)) start += 1
  while (start < end && isBlank(end - 1)) end -= 1
  return text.slice(start, end)
}

/** Text that can stand between tags. What no XML 1.0 document can hold becomes U+FFFD. */
export const escapeXml = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, '\ufffd')
    .replace(/[&<>\r]/g, character => ESCAPES[character]!)

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#xD;' }
