import { HubError, type ErrorCode } from './errors.ts'
import { isFilePath } from './paths.ts'
import { isRecord } from './values.ts'

/** What a decoded msgpack value can be. */
export type Plain = null | boolean | number | string | Uint8Array | Plain[] | { [key: string]: Plain }

/** Where a value is not of its form: the path from the value to the fault, such as `[0].kind`, and what should stand there. */
export interface Fault {
  readonly path: string
  readonly expected: string
}

/** The declared form of one value, to be held by `checked`. */
export interface Shape<T> {
  /** For the written spec. */
  readonly words: string
  /** Finds the first fault. A sound value costs no memory. */
  fault(value: unknown): Fault | undefined
  /** Set where the value may be left out. */
  readonly optional?: true
  /** Nothing is ever there: it carries the type of a sound value. */
  readonly type?: T
}

export type Infer<S> = S extends Shape<infer T> ? T : never

type Fields = Readonly<Record<string, Shape<unknown>>>
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends { optional: true } ? K : never }[keyof F]

/** The object that a table of shapes describes; optional fields are absent, never undefined. */
export type InferFields<F extends Fields> = {
  -readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Infer<F[K]>
} & { -readonly [K in OptionalKeys<F>]?: Infer<F[K]> }

const shape = <T>(words: string, fault: (value: unknown) => Fault | undefined): Shape<T> => ({ words, fault })

/** A value without parts. */
const leaf = <T>(words: string, test: (value: unknown) => boolean): Shape<T> => {
  const wrong: Fault = { path: '', expected: words }
  return shape(words, value => (test(value) ? undefined : wrong))
}

const within = (part: string, { path, expected }: Fault): Fault => ({ path: part + path, expected })

/** A whole number from 0 to 2^53 - 1. */
export const uint = leaf<number>('uint', value => Number.isSafeInteger(value) && (value as number) >= 0)

/** A whole number from 1 to 2^53 - 1. */
export const positive = leaf<number>('uint 1..', value => Number.isSafeInteger(value) && (value as number) >= 1)

/** A finite number within bounds. */
export const number = (least: number, most: number): Shape<number> =>
  leaf(`number ${least}..${most}`, value => typeof value === 'number' && value >= least && value <= most)

export const bool = leaf<boolean>('bool', value => typeof value === 'boolean')

/** Text of at most `maxLength` UTF-16 code units. What UTF-8 cannot write, half a surrogate pair, is no text. */
export const str = (maxLength: number, minLength = 0): Shape<string> =>
  leaf(`str ${minLength}..${maxLength}`, value => isText(value) && value.length <= maxLength && value.length >= minLength)

/** A name that keys something: `minLength` to `maxLength` UTF-16 code units, none of them a control character. */
export const key = (maxLength: number, minLength = 1): Shape<string> =>
  leaf(
    `key ${minLength}..${maxLength}`,
    value => isText(value) && value.length >= minLength && value.length <= maxLength && !/[\u0000-\u001f\u007f]/.test(value)
  )

/** In every engine since 2023, and in TypeScript's declarations from ES2024 on. */
type Es2024String = string & { isWellFormed(): boolean }

const isText = (value: unknown): value is string => typeof value === 'string' && (value as Es2024String).isWellFormed()

/** How the SHA-256 of some bytes is written: 64 lower-case hexadecimal digits. */
export const SHA256 = /^[0-9a-f]{64}$/

export const sha256 = leaf<string>('sha256', value => typeof value === 'string' && SHA256.test(value))

/** Where a file is. @see isFilePath */
export const filePath = leaf<string>('path', value => isText(value) && isFilePath(value))

export const bytes = (maxBytes: number): Shape<Uint8Array> =>
  leaf(`bin 1..${maxBytes}`, value => value instanceof Uint8Array && value.length > 0 && value.length <= maxBytes)

export const oneOf = <const T extends string>(...words: readonly T[]): Shape<T> =>
  leaf(words.map(word => `"${word}"`).join(' | '), value => words.includes(value as T))

/** A value of one form or of another. */
export const either = <A, B>(one: Shape<A>, other: Shape<B>): Shape<A | B> =>
  leaf(`${one.words} | ${other.words}`, value => one.fault(value) === undefined || other.fault(value) === undefined)

/** Any value that the scan lets through. */
export const any = leaf<Plain>('any', value => value !== undefined)

/** Null clears the field; left out, the field stays as it is. */
export const nullable = <T>(inner: Shape<T>): Shape<T | null> =>
  shape(`${inner.words} or nil`, value => (value === null ? undefined : inner.fault(value)))

/** May be left out: absent in a map; nil or missing at the end of an array. */
export const opt = <T>(inner: Shape<T>): Shape<T> & { optional: true } => ({ ...inner, optional: true })

export const list = <T>(inner: Shape<T>, maxItems: number): Shape<T[]> => {
  const words = `[${inner.words}] 0..${maxItems}`
  return shape(words, value => {
    if (!Array.isArray(value) || value.length > maxItems) return { path: '', expected: words }
    for (let index = 0; index < value.length; index++) {
      const found = inner.fault(value[index])
      if (found !== undefined) return within(`[${index}]`, found)
    }
    return undefined
  })
}

/** A map with free keys and values of one shape. */
export const dict = <T>(inner: Shape<T>, maxEntries: number): Shape<Record<string, T>> => {
  const words = `{key: ${inner.words}} 0..${maxEntries}`
  return shape(words, value => {
    if (!isRecord(value)) return { path: '', expected: words }
    const names = Object.keys(value)
    if (names.length > maxEntries) return { path: '', expected: words }
    for (const name of names) {
      const found = inner.fault(value[name])
      if (found !== undefined) return within(`.${name}`, found)
    }
    return undefined
  })
}

/** A map with named fields, and no others. */
export const map = <const F extends Fields>(fields: F): Shape<InferFields<F>> & { readonly fields: F } => {
  const entries = Object.entries(fields)
  const faultOf = (value: unknown): Fault | undefined => {
    if (!isRecord(value)) return { path: '', expected: 'map' }
    let left = 0
    // `Object.keys` would make a list for every map that comes in.
    for (const _ in value) left += 1
    for (const [name, field] of entries) {
      const item = value[name]
      if (item === undefined) {
        if (field.optional !== true) return { path: `.${name}`, expected: field.words }
      } else {
        const found = field.fault(item)
        if (found !== undefined) return within(`.${name}`, found)
        left -= 1
      }
    }
    if (left === 0) return undefined
    const stranger = Object.keys(value).find(name => !Object.hasOwn(fields, name))!
    return { path: `.${stranger}`, expected: 'no such field' }
  }
  return { ...shape<InferFields<F>>(`{${wordsOf(fields)}}`, faultOf), fields }
}

/** An array with a fixed place for each named field. */
export const tuple = <T extends readonly unknown[]>(fields: Fields): Shape<T> => {
  const entries = Object.entries(fields)
  return shape(`[${wordsOf(fields)}]`, value => {
    if (!Array.isArray(value) || value.length > entries.length)
      return { path: '', expected: `array of at most ${entries.length}` }
    for (let index = 0; index < entries.length; index++) {
      const [name, field] = entries[index]!
      const item: unknown = value[index]
      if (item === undefined) return { path: `.${name}`, expected: field.words }
      const found = field.fault(item)
      if (found !== undefined) return within(`.${name}`, found)
    }
    return undefined
  })
}

const wordsOf = (fields: Fields): string =>
  Object.entries(fields)
    .map(([name, { optional, words }]) => `${name}${optional === true ? '?' : ''}: ${words}`)
    .join(', ')

/** Checks a value, and says what is wrong with the code of the place where it stands. @throws HubError `code`, naming the field */
export function checked<T>(code: ErrorCode, form: Shape<T>, value: unknown, path: string): T {
  const found = form.fault(value)
  if (found === undefined) return value as T
  const field = path + found.path
  throw new HubError(code, `${field}: expected ${found.expected}`, { field })
}
