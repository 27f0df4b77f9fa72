import { objectFrom } from '../../../../protocol/index.ts'
import type { TypeName } from '../model.ts'
import { BadBody } from './bad-body.ts'
import { keepExtra, MAX_NAME_LENGTH } from './extra.ts'
import { pathOf, type ModelState } from './model-state.ts'
import { scalarOf, shown } from './scalars.ts'
import { memberOf, shapeOf, type Built, type Shape } from './types.ts'

const MAX_KEYS = 1_000
const MAX_DEPTH = 256
/** Parts of keys that are told from each other. */
const MAX_NODES = 20_000

/** The keys of a form as the tree that their dots and brackets make. */
interface Node {
  /** As it was first written. */
  readonly name: string
  values: string[]
  /** By their names without case. */
  readonly children: Map<string, Node>
}

/**
 * Makes a model of a form: `Account.Email=…`, `Markings[0].syncGuid=…` or `Markings[0][syncGuid]=…`, names in any case. The items of a list are numbered from
 * 0 without a gap, unless `Markings.index` names them. Nothing sent for a text is null. Yields where others can have their turn.
 * @returns null for a form without keys
 */
export function* readFormModel(text: string, type: TypeName, errors: ModelState): Generator<void, unknown, void> {
  try {
    const root = yield* treeOf(text)
    return root.children.size === 0 ? null : valueOf(root, shapeOf(type), [], errors)
  } catch (error) {
    if (!(error instanceof BadBody)) throw error
    errors.add('', error.message)
    return null
  }
}

/** @throws BadBody */
function* treeOf(text: string): Generator<void, Node, void> {
  const root: Node = { name: '', values: [], children: new Map() }
  let count = 0
  let nodes = 0
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('&', at) === -1 ? text.length : text.indexOf('&', at)
    const pair = text.slice(at, end)
    at = end + 1
    if (pair === '') continue
    yield
    if (++count > MAX_KEYS)
      throw new BadBody(`The number of keys in a NameValueCollection has exceeded the limit of '${MAX_KEYS}'.`)
    const equals = pair.indexOf('=')
    const key = decode(equals === -1 ? pair : pair.slice(0, equals))
    let node = root
    for (const step of stepsOf(key)) {
      const name = step.toLowerCase()
      let child = node.children.get(name)
      if (child === undefined) {
        if (++nodes > MAX_NODES) throw new BadBody(`The keys of the form have more than ${MAX_NODES} parts.`)
        node.children.set(name, (child = { name: step, values: [], children: new Map() }))
      }
      node = child
    }
    node.values.push(equals === -1 ? '' : decode(pair.slice(equals + 1)))
  }
  return root
}

/** Percent escapes as UTF-8; what is none of them becomes U+FFFD. */
const decode = (text: string): string =>
  text
    .replaceAll('+', ' ')
    .replace(/(?:%[0-9a-f]{2})+/gi, escapes => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'))

/**
 * `a.b[0][c]` is `a`, `b`, `0`, `c`; `x[]` means `x`.
 * @throws BadBody
 */
function stepsOf(key: string): string[] {
  const steps: string[] = []
  for (let at = 0; at < key.length;) {
    if (key[at] === '[') {
      const end = key.indexOf(']', at)
      if (end === -1) throw new BadBody(`The key is invalid JQuery syntax because it is missing a closing bracket: ${shown(key)}`)
      if (end > at + 1) steps.push(key.slice(at + 1, end))
      at = end + 1
    } else {
      const from = key[at] === '.' ? at + 1 : at
      let end = from
      while (end < key.length && key[end] !== '.' && key[end] !== '[') end++
      if (end > from) steps.push(key.slice(from, end))
      at = end
    }
    if ((steps.at(-1) ?? '').length > MAX_NAME_LENGTH)
      throw new BadBody(`A key has a name that is longer than ${MAX_NAME_LENGTH} characters.`)
    if (steps.length > MAX_DEPTH) throw new BadBody(`The key is nested more than ${MAX_DEPTH} deep.`)
  }
  return steps
}

/** Undefined for what is no value of its type, which is told. */
function valueOf(node: Node, shape: Shape, path: (string | number)[], errors: ModelState): unknown {
  if (shape.kind === 'model') return modelOf(node, shape, path, errors)
  if (shape.kind === 'list')
    return itemsOf(node, path, errors).flatMap((item, index) => {
      path.push(index)
      const value = valueOf(item, shape.item, path, errors)
      path.pop()
      return value === undefined || value === null ? [] : [value]
    })
  const text = node.values[0] ?? ''
  if (shape.kind === 'text') return text === '' ? null : text
  if (text.trim() === '') {
    if (shape.isNullable) return null
    errors.add(pathOf(path), 'A value is required.')
    return undefined
  }
  const value = scalarOf(shape.scalar, text, 'words')
  if (value === undefined) errors.add(pathOf(path), `The value '${shown(text)}' is not valid for ${path.at(-1) ?? 'it'}.`)
  return value
}

function modelOf(
  node: Node,
  { members }: Extract<Shape, { kind: 'model' }>,
  path: (string | number)[],
  errors: ModelState
): Built | null {
  // `Account=` says that there is none.
  if (node.children.size === 0) return null
  const model: Built = {}
  const extra = new Map<string, string>()
  for (const child of node.children.values()) {
    const member = memberOf(members, child.name)
    path.push(member?.name ?? child.name)
    if (member !== undefined) {
      const value = valueOf(child, member.shape, path, errors)
      if (value !== undefined) model[member.name] = value
    } else {
      const problem = keepExtra(extra, child.name, JSON.stringify(plain(child)))
      if (problem !== undefined) errors.add(pathOf(path), problem)
    }
    path.pop()
  }
  if (extra.size > 0) model.extra = extra
  return model
}

/** The items of a list in their order. Of what stands behind a gap .NET makes nothing, and says nothing; here it is told. */
function itemsOf({ children }: Node, path: readonly (string | number)[], errors: ModelState): Node[] {
  const named = children.get('index')?.values
  const names =
    named === undefined
      ? Array.from({ length: children.size }, (_, at) => String(at))
      : [...new Set(named.map(name => name.toLowerCase()))]
  const items = names.flatMap(name => children.get(name) ?? [])
  if (items.length < children.size - (named === undefined ? 0 : 1))
    errors.add(pathOf(path), 'Items are numbered from 0 without a gap, or each is named by an index.')
  return items
}

/** A member that no model has: one text, several, or members of its own. */
function plain({ values, children }: Node): unknown {
  if (children.size === 0) return values.length === 1 ? values[0] : values
  return objectFrom([...children.values()].map(child => [child.name, plain(child)]))
}
