import { HubError, type ErrorCode } from './errors.ts'

/** What a decoded msgpack value can be. */
export type Plain = null | boolean | number | string | Uint8Array | Plain[] | { [key: string]: Plain }

/** The declared form of one value: its words for the spec, and a check that returns the value typed or says where it is wrong. */
export interface Shape<T> {
  readonly words: string
  check(value: unknown, path: string): T
  /** Set where the value may be left out. */
  readonly optional?: true
}

export type Infer<S> = S extends Shape<infer T> ? T : never

type Fields = Readonly<Record<string, Shape<unknown>>>
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends { optional: true } ? K : never }[keyof F]

/** The object that a table of shapes describes; optional fields are absent, never undefined. */
export type InferFields<F extends Fields> = {
  -readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Infer<F[K]>
} & { -readonly [K in OptionalKeys<F>]?: Infer<F[K]> }

/** Thrown by a shape's check; the caller adds the code that fits its place. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError'
  readonly field: string

  constructor(field: string, expected: string) {
    super(`${field}: expected ${expected}`)
    this.field = field
  }
}

const shape = <T>(words: string, test: (value: unknown) => boolean): Shape<T> => ({
  words,
  check(value, path) {
    if (!test(value)) throw new ShapeError(path, words)
    return value as T
  }
})

/** A whole number from 0 to 2^53 - 1. */
export const uint = shape<number>('uint', value => Number.isSafeInteger(value) && (value as number) >= 0)

/** A whole number from 1 to 2^53 - 1. */
export const positive = shape<number>('uint 1..', value => Number.isSafeInteger(value) && (value as number) >= 1)

/** A finite number within bounds. */
export const number = (least: number, most: number): Shape<number> =>
  shape(`number ${least}..${most}`, value => typeof value === 'number' && value >= least && value <= most)

export const bool = shape<boolean>('bool', value => typeof value === 'boolean')

/** Text of at most `maxLength` UTF-16 code units. */
export const str = (maxLength: number, minLength = 0): Shape<string> =>
  shape(
    `str ${minLength}..${maxLength}`,
    value => typeof value === 'string' && value.length <= maxLength && value.length >= minLength
  )

/** A name that keys something: 1 to `maxLength` characters, none of them a control character. */
export const key = (maxLength: number): Shape<string> =>
  shape(
    `key 1..${maxLength}`,
    value => typeof value === 'string' && value.length > 0 && value.length <= maxLength && !/[\u0000-\u001f\u007f]/.test(value)
  )

export const bytes = (maxBytes: number): Shape<Uint8Array> =>
  shape(`bin 1..${maxBytes}`, value => value instanceof Uint8Array && value.length > 0 && value.length <= maxBytes)

export const oneOf = <const T extends string>(...words: readonly T[]): Shape<T> =>
  shape(words.map(word => `"${word}"`).join(' | '), value => words.includes(value as T))

/** Any value that the scan lets through. */
export const any = shape<Plain>('any', value => value !== undefined)

/** Null clears the field; left out, the field stays as it is. */
export const nullable = <T>(inner: Shape<T>): Shape<T | null> => ({
  words: `${inner.words} or nil`,
  check: (value, path) => (value === null ? null : inner.check(value, path))
})

/** May be left out: absent in a map; nil or missing at the end of an array. */
export const opt = <T>(inner: Shape<T>): Shape<T> & { optional: true } => ({ ...inner, optional: true })

export const list = <T>(inner: Shape<T>, maxItems: number): Shape<T[]> => ({
  words: `[${inner.words}] 0..${maxItems}`,
  check(value, path) {
    if (!Array.isArray(value) || value.length > maxItems) throw new ShapeError(path, this.words)
    for (let index = 0; index < value.length; index++) inner.check(value[index], `${path}[${index}]`)
    return value as T[]
  }
})

/** A map with free keys and values of one shape. */
export const dict = <T>(inner: Shape<T>, maxEntries: number): Shape<Record<string, T>> => ({
  words: `{key: ${inner.words}} 0..${maxEntries}`,
  check(value, path) {
    const map = checkMap(value, path, this.words)
    const entries = Object.entries(map)
    if (entries.length > maxEntries) throw new ShapeError(path, this.words)
    for (const [name, item] of entries) inner.check(item, `${path}.${name}`)
    return map as Record<string, T>
  }
})

/** A map with named fields, and no others. */
export const map = <const F extends Fields>(fields: F): Shape<InferFields<F>> & { readonly fields: F } => {
  const names = Object.keys(fields)
  return {
    fields,
    words: `{${names.map(name => `${name}${fields[name]!.optional === true ? '?' : ''}: ${fields[name]!.words}`).join(', ')}}`,
    check(value, path) {
      const found = checkMap(value, path, 'map')
      let left = Object.keys(found).length
      for (const name of names) {
        const item = found[name]
        if (item === undefined) {
          if (fields[name]!.optional !== true) throw new ShapeError(`${path}.${name}`, fields[name]!.words)
        } else {
          fields[name]!.check(item, `${path}.${name}`)
          left -= 1
        }
      }
      if (left > 0) {
        const stranger = Object.keys(found).find(name => !Object.hasOwn(fields, name))!
        throw new ShapeError(`${path}.${stranger}`, 'no such field')
      }
      return found as InferFields<F>
    }
  }
}

/** An array with a fixed place for each named field; those at the end may be optional. */
export const tuple = <T extends readonly unknown[]>(fields: Fields): Shape<T> => {
  const names = Object.keys(fields)
  return {
    words: `[${names.map(name => `${name}${fields[name]!.optional === true ? '?' : ''}: ${fields[name]!.words}`).join(', ')}]`,
    check(value, path) {
      if (!Array.isArray(value) || value.length > names.length) throw new ShapeError(path, `at most ${names.length} places`)
      for (let index = 0; index < names.length; index++) {
        const item: unknown = value[index]
        const field = fields[names[index]!]!
        if (item === undefined || (item === null && field.optional === true)) {
          if (field.optional !== true) throw new ShapeError(`${path}.${names[index]}`, field.words)
        } else field.check(item, `${path}.${names[index]}`)
      }
      return value as unknown as T
    }
  }
}

function checkMap(value: unknown, path: string, words: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw new ShapeError(path, words)
  return value as Record<string, unknown>
}

/** Runs a check and turns its complaint into the error of the place where it stands. */
export function checked<T>(code: ErrorCode, form: Shape<T>, value: unknown, path: string): T {
  try {
    return form.check(value, path)
  } catch (error) {
    if (error instanceof ShapeError) throw new HubError(code, error.message, { field: error.field })
    throw error
  }
}
