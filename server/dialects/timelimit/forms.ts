import type { Shape } from '../../../protocol/index.ts'

/** A value of one form, which is said in words. */
const form = <T>(words: string, test: (value: unknown) => boolean): Shape<T> => {
  const wrong = { path: '', expected: words }
  return { words, fault: value => (test(value) ? undefined : wrong) }
}

const text = (words: string, pattern: RegExp): Shape<string> =>
  form(words, value => typeof value === 'string' && pattern.test(value))

/** Any text at all, however long: what bounds it is the body that it is in. */
export const anyText = form<string>('str', value => typeof value === 'string')

/** What names a device, a user, a category, a rule, a task, a network or a ping. */
export const id = text('id', /^[0-9a-zA-Z]{6}$/)

/** The same, or nothing. */
export const idOrNone = text('id or ""', /^(?:[0-9a-zA-Z]{6})?$/)

/** The hash of a password as bcrypt writes it. */
export const passwordHash = text('bcrypt hash', /^\$2a\$[123][0-9]\$[./A-Za-z0-9]{53}$/)

export const passwordSalt = text('bcrypt salt', /^\$2a\$[123][0-9]\$[./A-Za-z0-9]{22}$/)

/** Whole numbers. */
export const whole = (least: number, most = Number.MAX_SAFE_INTEGER): Shape<number> =>
  form(
    most === Number.MAX_SAFE_INTEGER ? `whole ${least}..` : `whole ${least}..${most}`,
    value => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
  )

/** A minute of the day. */
export const minute = whole(0, 1_439)

/** Bits. */
export const flags = (all = 0x7fff_ffff): Shape<number> =>
  form(
    `bits of ${all}`,
    value => Number.isSafeInteger(value) && (value as number) >= 0 && ((value as number) & ~all) === 0 && (value as number) <= all
  )

/** Lower-case or upper-case hexadecimal digits. */
export const hex = (minLength: number, maxLength: number): Shape<string> =>
  text(`hex ${minLength}..${maxLength}`, new RegExp(`^(?:[0-9a-fA-F]{2}){${minLength / 2},${maxLength / 2}}$`))

/** Bytes in Base64, as an encoder writes them. */
export const base64 = (minBytes: number, maxBytes: number): Shape<string> =>
  form(`Base64 of ${minBytes}..${maxBytes} bytes`, value => {
    if (typeof value !== 'string' || value.length > Math.ceil(maxBytes / 3) * 4) return false
    const bytes = Buffer.from(value, 'base64')
    return bytes.length >= minBytes && bytes.length <= maxBytes && bytes.toString('base64') === value
  })

/** A list in which nothing is twice. */
export const distinct = <T>(
  inner: Shape<T>,
  maxItems: number,
  { least = 1, keyOf = item => item }: { readonly least?: number; readonly keyOf?: (item: T) => unknown } = {}
): Shape<T[]> => {
  const words = `[${inner.words}] ${least}..${maxItems}, none twice`
  return {
    words,
    fault(value) {
      if (!Array.isArray(value) || value.length < least || value.length > maxItems) return { path: '', expected: words }
      for (const [index, item] of value.entries()) {
        const found = inner.fault(item)
        if (found !== undefined) return { path: `[${index}]${found.path}`, expected: found.expected }
      }
      return new Set(value.map(keyOf)).size === value.length ? undefined : { path: '', expected: words }
    }
  }
}

/** A list with a number in each of its places, which together pass the test. */
export const numbers = <T extends number[]>(
  names: string,
  inner: Shape<number>,
  count: number,
  test: (value: T) => boolean
): Shape<T> =>
  form(
    `[${names}]`,
    value =>
      Array.isArray(value) && value.length === count && value.every(item => inner.fault(item) === undefined) && test(value as T)
  )

/** Some hundred times within a week. Whoever looks at any category reads those of all. */
const MAX_BLOCKED_TIMES_LENGTH = 4_096

/** Minutes of a week: where blocked times begin and end, by turns and rising. */
export const blockedTimes = form<string>(`minutes of the week, rising, in str 0..${MAX_BLOCKED_TIMES_LENGTH}`, value => {
  if (typeof value !== 'string' || value.length > MAX_BLOCKED_TIMES_LENGTH) return false
  if (value === '') return true
  const bounds = value.split(',')
  let before = -1
  for (const bound of bounds) {
    if (!/^(?:0|[1-9]\d{0,4})$/.test(bound) || Number(bound) <= before || Number(bound) > 10_080) return false
    before = Number(bound)
  }
  return bounds.length % 2 === 0
})
