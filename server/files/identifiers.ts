import { LIMITS } from '../../protocol/index.ts'

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/** How `identifier-type` names ISBNs: ONIX code list 5. */
const ISBN_SCHEMES = ['isbn', '02', '15']

/**
 * The key under which a book's identifiers keep what an EPUB says: `isbn:9780306406157`, `uuid:…`, `url:https://…`, or `epub:…` for all that
 * is its own. Undefined when it is empty, or too long for a key of an action's map: a shortened one would name something else.
 *
 * @param scheme what the file says about the value's kind; empty when it says nothing
 */
export function identifierKey(value: string, scheme: string): string | undefined {
  const key = keyOf(value.trim(), scheme.trim().toLowerCase())
  return key !== undefined && Buffer.byteLength(key) <= LIMITS.maxMapKeyBytes ? key : undefined
}

function keyOf(value: string, scheme: string): string | undefined {
  if (value === '') return undefined
  const isIsbn = ISBN_SCHEMES.includes(scheme) || /^(?:urn:)?isbn\b/i.test(value)
  const isbn = normaliseIsbn(value.replace(/^(?:urn:)?isbn[\s:]*/i, ''))
  // Ten bare digits may be any number of a shop's; thirteen with the right start and check digit are hardly anything else.
  if (isbn !== undefined && (isIsbn || /^97[89]/.test(value))) return `isbn:${isbn}`
  const uuid = value.replace(/^(?:urn:)?uuid:/i, '')
  if (UUID.test(uuid)) return `uuid:${uuid.toLowerCase()}`
  return /^https?:\/\//i.test(value) ? `url:${value}` : `epub:${value}`
}

/** An ISBN's thirteen digits, from either form of it and with or without hyphens; undefined when the check digit is wrong. */
export function normaliseIsbn(text: string): string | undefined {
  const digits = text.replace(/[\s\p{Dash_Punctuation}]/gu, '').toUpperCase()
  if (/^97[89]\d{10}$/.test(digits)) return checkDigit13(digits) === digits[12] ? digits : undefined
  if (!/^\d{9}[\dX]$/.test(digits) || weigh(digits, index => 10 - index) % 11 !== 0) return undefined
  const body = `978${digits.slice(0, 9)}`
  return body + checkDigit13(body)
}

function checkDigit13(digits: string): string {
  return String((10 - (weigh(digits.slice(0, 12), index => (index % 2 === 0 ? 1 : 3)) % 10)) % 10)
}

function weigh(digits: string, weight: (index: number) => number): number {
  return Array.from(digits, (digit, index) => (digit === 'X' ? 10 : Number(digit)) * weight(index)).reduce(
    (sum, part) => sum + part,
    0
  )
}
