import { MODELS, type ModelName, type ScalarName, type TypeName } from '../model.ts'

/** A type, taken apart. */
export type Shape =
  | { readonly kind: 'text'; readonly isSecret: boolean }
  | { readonly kind: 'scalar'; readonly scalar: ScalarName; readonly isNullable: boolean }
  | { readonly kind: 'model'; readonly name: ModelName; readonly members: ReadonlyMap<string, Member> }
  | { readonly kind: 'list'; readonly item: Shape; readonly itemName: string }

export interface Member {
  readonly name: string
  readonly shape: Shape
}

/** What is built of a body. */
export type Built = Record<string, unknown>

const SHAPES = new Map<string, Shape>()

/** The shape of a type, made once. */
export function shapeOf(type: TypeName | 'secret'): Shape {
  let shape = SHAPES.get(type)
  if (shape === undefined) SHAPES.set(type, (shape = makeShape(type)))
  return shape
}

function makeShape(type: string): Shape {
  if (type === 'string' || type === 'secret') return { kind: 'text', isSecret: type === 'secret' }
  if (type.endsWith('[]')) {
    const itemName = type.slice(0, -2)
    return { kind: 'list', item: shapeOf(itemName as TypeName), itemName }
  }
  if (Object.hasOwn(MODELS, type)) {
    const name = type as ModelName
    const members = Object.entries(MODELS[name]).map(([member, its]): [string, Member] => [
      member,
      { name: member, shape: shapeOf(its as TypeName) }
    ])
    return { kind: 'model', name, members: new Map(members) }
  }
  const isNullable = type.endsWith('?')
  return { kind: 'scalar', scalar: (isNullable ? type.slice(0, -1) : type) as ScalarName, isNullable }
}

const ANY_CASE = new WeakMap<ReadonlyMap<string, Member>, ReadonlyMap<string, Member>>()

/** The member of a name, whose case does not count. */
export function memberOf(members: ReadonlyMap<string, Member>, name: string): Member | undefined {
  const exact = members.get(name)
  if (exact !== undefined || name.length > 64) return exact
  let anyCase = ANY_CASE.get(members)
  if (anyCase === undefined)
    ANY_CASE.set(members, (anyCase = new Map([...members.values()].map(member => [member.name.toLowerCase(), member]))))
  return anyCase.get(name.toLowerCase())
}
