import type { XmlElement } from '../../../files/xml.ts'
import type { TypeName } from '../model.ts'
import { trimmed } from '../../dot-net.ts'
import { keepExtra, MAX_EXTRA_LENGTH, MAX_NAME_LENGTH } from './extra.ts'
import { pathOf, type ModelState } from './model-state.ts'
import { scalarOf, shown } from './scalars.ts'
import { memberOf, shapeOf, type Built, type Member, type Shape } from './types.ts'
import { contractNameOf, CONTRACT, decodeName, INSTANCE_NAMESPACE } from './xml-names.ts'
import { elementText } from './xml-text.ts'

const NIL = `{${INSTANCE_NAMESPACE}}nil`
const UNUSABLE = Symbol('unusable')

/**
 * Makes a model of a body as a data contract has it, whose members may come in any order. What is of another namespace than contracts have, and not of none, is no member of the model. Yields where
 * others can have their turn.
 * @returns null when the root is another, or is nil
 */
export function* readXmlModel(root: XmlElement, type: TypeName, errors: ModelState): Generator<void, unknown, void> {
  const expected = contractNameOf(type)
  if (root.local !== expected || !isOfContract(root)) {
    errors.add('', `Expecting element '${expected}' from namespace '${CONTRACT}…'. Encountered element '${shown(root.local)}'.`)
    return null
  }
  const value = yield* valueOf(root, shapeOf(type), [], errors)
  return value === UNUSABLE ? null : value
}

const isOfContract = ({ uri }: XmlElement): boolean => uri === '' || uri.startsWith(CONTRACT)

/** The member that an element is. A secret is one however it is written, so that none is kept as what no model has. */
function memberIn(members: ReadonlyMap<string, Member>, element: XmlElement): Member | undefined {
  const exact = isOfContract(element) ? members.get(element.local) : undefined
  const meant = exact ?? memberOf(members, decodeName(element.local))
  return exact ?? (meant?.shape.kind === 'text' && meant.shape.isSecret ? meant : undefined)
}

function* valueOf(
  element: XmlElement,
  shape: Shape,
  path: (string | number)[],
  errors: ModelState
): Generator<void, unknown, void> {
  if (['true', '1'].includes(trimmed(element.attributes.get(NIL) ?? ''))) {
    if (shape.kind !== 'scalar' || shape.isNullable) return null
    return refuse(path, errors, `'${element.local}' cannot be nil.`)
  }
  if (shape.kind === 'model') {
    const model: Built = {}
    const extra = new Map<string, string>()
    for (const child of element.children) {
      const member = memberIn(shape.members, child)
      path.push(child.local.slice(0, MAX_NAME_LENGTH))
      if (member === undefined) keep(child, extra, path, errors)
      else {
        const value = yield* valueOf(child, member.shape, path, errors)
        if (value !== UNUSABLE) model[member.name] = value
      }
      path.pop()
      yield
    }
    if (extra.size > 0) model.extra = extra
    return model
  }
  if (shape.kind === 'list') {
    const items: unknown[] = []
    for (const [index, child] of element.children.entries()) {
      path.push(index)
      const value = yield* valueOf(child, shape.item, path, errors)
      if (value !== UNUSABLE && value !== null) items.push(value)
      path.pop()
      yield
    }
    return items
  }
  if (element.children.length > 0) return refuse(path, errors, `'${element.local}' holds elements where a value was expected.`)
  if (shape.kind === 'text') return element.text
  const value = scalarOf(shape.scalar, element.text, 'xml')
  return value ?? refuse(path, errors, `The value '${shown(element.text)}' cannot be parsed as the type of '${element.local}'.`)
}

function refuse(path: readonly (string | number)[], errors: ModelState, message: string): typeof UNUSABLE {
  errors.add(pathOf(path), message)
  return UNUSABLE
}

/** What holds a text and nothing else is kept as JSON has it, so that JSON can give it; all else as the element that it is. */
function keep(element: XmlElement, extra: Map<string, string>, path: readonly (string | number)[], errors: ModelState): void {
  const isText = element.children.length === 0 && element.attributes.size === 0 && isOfContract(element)
  const text = isText ? JSON.stringify(element.text) : elementText(element, MAX_EXTRA_LENGTH)
  const problem = keepExtra(extra, decodeName(element.local), text)
  if (problem !== undefined) refuse(path, errors, problem)
}
