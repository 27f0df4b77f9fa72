/**
 * The time of a clock without a time zone, in milliseconds since 1970: readers that write such times are taken to stand where this machine stands.
 * Undefined for what is no date.
 */
export function localTimeMs(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number
): number | undefined {
  const date = new Date(year, month - 1, day, hour, minute, second)
  const isSame = date.getMonth() === month - 1 && date.getDate() === day && hour < 24 && minute < 60 && second < 60
  return isSame && date.getTime() >= 0 ? date.getTime() : undefined
}
