import type { ScalarName } from '../model.ts'
import { parseDate } from '../dates.ts'

/** What errors call them. */
export const CLR_NAMES: Readonly<Record<ScalarName, string>> = {
  int: 'System.Int64',
  byte: 'System.Byte',
  bool: 'System.Boolean',
  guid: 'System.Guid',
  date: 'System.DateTime',
  application: 'ApplicationTypes'
}

/** How a boolean may be written: XML knows digits, and is strict about the case. */
export type Booleans = 'words' | 'xml'

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const BARE_GUID = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/
const MAX_QUOTED = 100

/**
 * Reads a scalar that is written as text.
 * @returns undefined for what is none
 */
export function scalarOf(scalar: ScalarName, written: string, booleans: Booleans): number | string | boolean | undefined {
  // None is longer, and what is not is cheap to look at.
  if (written.length > 1_000) return undefined
  const text = written.trim()
  if (scalar === 'int') return wholeOf(text)
  if (scalar === 'byte') return byteOf(text)
  if (scalar === 'bool') return boolOf(booleans === 'words' ? text.toLowerCase() : text, booleans)
  if (scalar === 'guid') return guidOf(text.toLowerCase())
  if (scalar === 'date') return parseDate(text)
  return wholeOf(text) ?? (/^[a-z_]\w{0,63}$/i.test(text) ? text : undefined)
}

function byteOf(text: string): number | undefined {
  const number = wholeOf(text)
  return number === undefined || number < 0 || number > 255 ? undefined : number
}

/** Whole numbers that a `number` holds exactly: how wide the API's are is not told. */
function wholeOf(text: string): number | undefined {
  const number = /^[+-]?\d+$/.test(text) ? Number(text) : NaN
  return Number.isSafeInteger(number) ? number + 0 : undefined
}

function boolOf(text: string, booleans: Booleans): boolean | undefined {
  if (text === 'true' || (booleans === 'xml' && text === '1')) return true
  if (text === 'false' || (booleans === 'xml' && text === '0')) return false
  return undefined
}

/** With dashes or without, bare or in one pair of braces or parentheses. */
function guidOf(text: string): string | undefined {
  if (GUID.test(text)) return text
  const within = /^\{(.*)\}$/.exec(text)?.[1] ?? /^\((.*)\)$/.exec(text)?.[1]
  if (within !== undefined) return GUID.test(within) ? within : undefined
  return BARE_GUID.exec(text)?.slice(1).join('-')
}

/** A value as an error shows it: cut where it is long. */
export const shown = (text: string): string => (text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text)
