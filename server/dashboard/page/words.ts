import { NoConnectionError } from '../../../client/index.ts'

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000]
]
const format = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' })

/** How long ago something was, such as “5 minutes ago”; a date once that is more than a week. */
export function ago(atMs: number): string {
  const passedMs = Date.now() - atMs
  if (passedMs > 7 * 86_400_000) return new Date(atMs).toLocaleDateString()
  const found = UNITS.find(([, unitMs]) => passedMs >= unitMs)
  return found === undefined ? 'just now' : format.format(-Math.floor(passedMs / found[1]), found[0])
}

/** A part of a book, such as “42 %”. */
export const percent = (progression: number): string => `${Math.round(progression * 100)} %`

/** What went wrong, for a person. */
export function said(error: unknown): string {
  if (error instanceof NoConnectionError) return 'The hub cannot be reached now.'
  return error instanceof Error ? error.message : String(error)
}
