import type { TypeName } from '../model.ts'
import { BadBody } from './bad-body.ts'
import { keepExtra, MAX_EXTRA_LENGTH } from './extra.ts'
import type { JsonScalar, JsonText } from './json-text.ts'
import { pathOf, type ModelState } from './model-state.ts'
import { CLR_NAMES, scalarOf, shown } from './scalars.ts'
import { memberOf, shapeOf, type Built, type Shape } from './types.ts'

/** What an unusable value leaves of its member: nothing. */
const UNUSABLE = Symbol('unusable')

/** Others are asked about their turn once for so many members and items, or so many characters. */
const YIELD_EVERY = 32
const YIELD_AFTER_LENGTH = 8_192

type ListShape = Extract<Shape, { kind: 'list' }>
type ModelShape = Extract<Shape, { kind: 'model' }>

/**
 * Reads a body as a model, as Json.NET does with Web API's settings: names in any case, the last of several, and a value that is none costs its member and is told. Yields where others can have
 * their turn.
 * @returns null for `null` and for no text at all, and when something is wrong with the whole of it
 */
export function* readJsonModel(json: JsonText, type: TypeName, errors: ModelState): Generator<void, unknown, void> {
  const reader = new JsonModelReader(json, errors)
  try {
    if (json.next() === '') return null
    const value = yield* reader.value(shapeOf(type))
    return value === UNUSABLE ? null : value
  } catch (error) {
    if (!(error instanceof BadBody)) throw error
    errors.add('', `${error.message} ${reader.place()}`)
    return null
  }
}

class JsonModelReader {
  readonly #json: JsonText
  readonly #errors: ModelState
  readonly #path: (string | number)[] = []
  #count = 0
  #turnFrom = 0

  constructor(json: JsonText, errors: ModelState) {
    this.#json = json
    this.#errors = errors
  }

  place(): string {
    return `Path '${pathOf(this.#path)}', ${this.#json.place()}.`
  }

  *value(shape: Shape): Generator<void, unknown, void> {
    const character = this.#json.next()
    if (character === '{' && shape.kind === 'model') return yield* this.#model(shape)
    if (character === '[' && shape.kind === 'list') return yield* this.#list(shape)
    return this.#plain(shape)
  }

  /** What has no members and no items, or should have none. */
  #plain(shape: Shape): unknown {
    const character = this.#json.next()
    if (character !== '{' && character !== '[') return this.#scalar(shape, this.#json.scalar())
    this.#json.skip(MAX_EXTRA_LENGTH)
    return this.#refuse(
      character === '['
        ? `Cannot deserialize the current JSON array (e.g. [1,2,3]) into type '${nameOf(shape)}'.`
        : `Cannot deserialize the current JSON object (e.g. {"name":"value"}) into type '${nameOf(shape)}'.`
    )
  }

  *#model({ members }: ModelShape): Generator<void, Built, void> {
    const json = this.#json
    const model: Built = {}
    const extra = new Map<string, string>()
    json.enter()
    for (let isFirst = true; ; isFirst = false) {
      const name = json.nextName(isFirst)
      if (name === undefined) break
      this.#path.push(name)
      const member = memberOf(members, name)
      if (member === undefined) this.#extra(extra, name)
      else {
        const { shape } = member
        const value = shape.kind === 'model' || shape.kind === 'list' ? yield* this.value(shape) : this.#plain(shape)
        if (value !== UNUSABLE) model[member.name] = value
      }
      if (this.#isTurnOver()) yield
      this.#path.pop()
    }
    if (extra.size > 0) model.extra = extra
    return model
  }

  *#list({ item }: ListShape): Generator<void, unknown[], void> {
    const json = this.#json
    const items: unknown[] = []
    json.enter()
    for (let index = 0; json.nextItem(index === 0); index++) {
      this.#path.push(index)
      const value = yield* this.value(item)
      if (value !== UNUSABLE && value !== null) items.push(value)
      this.#path.pop()
      if (this.#isTurnOver()) yield
    }
    return items
  }

  #isTurnOver(): boolean {
    if (++this.#count < YIELD_EVERY && this.#json.at < this.#turnFrom + YIELD_AFTER_LENGTH) return false
    this.#count = 0
    this.#turnFrom = this.#json.at
    return true
  }

  #extra(extra: Map<string, string>, name: string): void {
    const problem = keepExtra(extra, name, this.#json.raw(MAX_EXTRA_LENGTH))
    if (problem !== undefined) this.#refuse(problem)
  }

  #scalar(shape: Shape, { kind, text }: JsonScalar): unknown {
    if (shape.kind === 'text') return kind === 'null' ? null : text
    const isNothing = kind === 'null' || (kind === 'string' && text === '')
    if (shape.kind !== 'scalar') return isNothing ? null : this.#unconvertible(shape, kind, text)
    if (isNothing) return shape.isNullable ? null : this.#unconvertible(shape, kind, text)
    if (shape.scalar === 'bool' && kind === 'number' && /^-?\d+$/.test(text)) return Number(text) !== 0
    if (shape.scalar === 'bool' ? kind === 'number' : kind === 'bool') return this.#unconvertible(shape, kind, text)
    const isCounted = shape.scalar === 'int' || shape.scalar === 'byte' || shape.scalar === 'application'
    const value = kind === 'number' && !isCounted ? undefined : scalarOf(shape.scalar, text, 'words')
    return value ?? this.#unconvertible(shape, kind, text)
  }

  #unconvertible(shape: Shape, kind: JsonScalar['kind'], text: string): typeof UNUSABLE {
    const value = kind === 'null' ? '{null}' : kind === 'string' ? `"${shown(text)}"` : shown(text)
    return this.#refuse(`Error converting value ${value} to type '${nameOf(shape)}'.`)
  }

  #refuse(message: string): typeof UNUSABLE {
    this.#errors.add(pathOf(this.#path), `${message} ${this.place()}`)
    return UNUSABLE
  }
}

function nameOf(shape: Shape): string {
  if (shape.kind === 'list') return `Collection of ${shape.itemName}`
  if (shape.kind === 'model') return shape.name
  return shape.kind === 'text' ? 'System.String' : CLR_NAMES[shape.scalar]
}
