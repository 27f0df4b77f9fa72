import * as fc from 'fast-check'
import type { Plain } from '../../protocol/index.ts'

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** Text is measured in UTF-16 code units, and fast-check counts characters: those of a text of fixed length take one unit each. */
const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  minLength > 0 && minLength === maxLength
    ? fc.string({ minLength, maxLength })
    : fc
        .string({ unit: 'binary', minLength, maxLength: Math.min(maxLength, minLength + 40) })
        .filter(value => value.length <= maxLength)

/** The value with its bytes in plain arrays, because equality looks at classes and Node has one of its own for bytes. */
export function bare(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(bare)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, bare(item)]))
}

const mapKey = fc
  .string({ unit: 'binary', maxLength: 30 })
  .filter(key => !FORBIDDEN_KEYS.has(key) && Buffer.byteLength(key) <= 128)

const sha256 = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: 64, maxLength: 64 })

const path = fc
  .array(fc.string({ unit: fc.constantFrom(...Array.from('aZ7 ._-(),\u00e4\u66f8\u{1f4d6}')), minLength: 1, maxLength: 30 }), {
    minLength: 1,
    maxLength: 32
  })
  .map(names => names.map(name => `f${name}g`).join('/'))
  .filter(made => Buffer.byteLength(made) <= 1_024)

const finite = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(2 ** 32, 2 ** 53, -(2 ** 31) - 1)
)

/** Every kind of value that a frame can carry, nested at most `maxDepth` deep. */
export const plain = (maxDepth = 8): fc.Arbitrary<Plain> =>
  fc.letrec<{ value: Plain }>(tie => ({
    value: fc.oneof(
      { maxDepth, depthIdentifier: 'plain' },
      fc.constant(null),
      fc.boolean(),
      finite,
      text(0, 40),
      fc.uint8Array({ maxLength: 20 }),
      fc.array(tie('value'), { maxLength: 6, depthIdentifier: 'plain' }),
      fc.dictionary(mapKey, tie('value'), { maxKeys: 20, noNullPrototype: true, depthIdentifier: 'plain' })
    )
  })).value

/**
 * Values of a form, made from the form's words in the written spec and from nothing else. So a test that uses it shows, too, that the words
 * mean what the checks do.
 */
export function fromWords(words: string): fc.Arbitrary<unknown> {
  let at = 0
  const take = (token: RegExp): RegExpExecArray | undefined => {
    const match = new RegExp(token.source, 'y')
    match.lastIndex = at
    const found = match.exec(words)
    if (found !== null) at += found[0].length
    return found ?? undefined
  }

  const count = (): number | undefined => {
    const range = take(/ 0\.\.(\d+)/)
    return range && Number(range[1])
  }

  function fields(end: RegExp): [name: string, isOptional: boolean, form: fc.Arbitrary<unknown>][] {
    const found: [string, boolean, fc.Arbitrary<unknown>][] = []
    while (take(end) === undefined) {
      take(/, /)
      const field = take(/(\w+)(\??): /)
      if (field === undefined) throw new Error(`no field at ${at} of ${words}`)
      found.push([field[1]!, field[2] === '?', value()])
    }
    return found
  }

  function map(): fc.Arbitrary<unknown> {
    const named = fields(/\}/)
    const most = count()
    if (most !== undefined) return fc.dictionary(mapKey, named[0]![2], { maxKeys: Math.min(most, 5), noNullPrototype: true })
    const requiredKeys = named.filter(([, isOptional]) => !isOptional).map(([name]) => name)
    return fc.record(Object.fromEntries(named.map(([name, , form]) => [name, form])), { requiredKeys, noNullPrototype: true })
  }

  function one(): fc.Arbitrary<unknown> {
    let range: RegExpExecArray | undefined
    if (take(/uint 1\.\./))
      return fc.oneof(
        fc.integer({ min: 1, max: 300 }),
        fc.maxSafeNat().filter(value => value > 0)
      )
    if (take(/uint/)) return fc.oneof(fc.nat(300), fc.maxSafeNat())
    if ((range = take(/number (-?\d+)\.\.(\d+)/))) return fc.double({ min: Number(range[1]), max: Number(range[2]), noNaN: true })
    if (take(/bool/)) return fc.boolean()
    if (take(/sha256/)) return sha256
    if (take(/path/)) return path
    if ((range = take(/str (\d+)\.\.(\d+)/))) return text(Number(range[1]), Number(range[2]))
    if ((range = take(/key (\d+)\.\.(\d+)/)))
      return text(Number(range[1]), Number(range[2])).filter(value => !/[\u0000-\u001f\u007f]/.test(value))
    if ((range = take(/bin 1\.\.(\d+)/))) return fc.uint8Array({ minLength: 1, maxLength: Math.min(Number(range[1]), 50) })
    if (take(/any/)) return plain(4)
    if (take(/\{/)) return map()
    if (take(/\[(?=\w+\??: )/)) return fc.tuple(...fields(/\]/).map(([, , form]) => form))
    if (take(/\[/)) {
      const item = value()
      take(/\]/)
      return fc.array(item, { maxLength: Math.min(count() ?? 0, 5) })
    }
    const choices: string[] = []
    for (let choice = take(/"([^"]+)"/); choice !== undefined; choice = take(/ \| "([^"]+)"/)) choices.push(choice[1]!)
    if (choices.length === 0) throw new Error(`no form at ${at} of ${words}`)
    const chosen = fc.constantFrom(...choices)
    return take(/ \| sha256/) === undefined ? chosen : fc.oneof(chosen, sha256)
  }

  function value(): fc.Arbitrary<unknown> {
    const form = one()
    return take(/ or nil/) === undefined ? form : fc.option(form)
  }

  const form = value()
  if (at !== words.length) throw new Error(`no form at ${at} of ${words}`)
  return form
}
