import type { Extra, TypeName } from '../model.ts'
import type { ApiResult } from '../operation.ts'
import { NO_DATE } from '../dates.ts'
import { shapeOf, type Built, type Shape } from './types.ts'

export const NO_GUID = '00000000-0000-0000-0000-000000000000'

/** An answer as JSON, piece by piece: lists of models go out item by item. */
export async function* writeJson({ Errors, Result, StatusCode }: ApiResult, type: TypeName): AsyncGenerator<string, void, void> {
  yield `{"Errors":${jsonOf(shapeOf('ErrorModel'), Errors)},"Result":`
  yield* pieces(shapeOf(type), Result)
  yield `,"IsSuccess":${Errors === null},"StatusCode":${StatusCode}}`
}

async function* pieces(shape: Shape, value: unknown): AsyncGenerator<string, void, void> {
  if (value !== null && value !== undefined && shape.kind === 'list') {
    let separator = '['
    for await (const item of value as AsyncIterable<unknown>) {
      yield separator + jsonOf(shape.item, item)
      separator = ','
    }
    yield separator === '[' ? '[]' : ']'
  } else if (value !== null && value !== undefined && shape.kind === 'model' && shape.name === 'SynchronizationModel') {
    let separator = '{'
    for (const member of shape.members.values()) {
      yield `${separator}"${member.name}":`
      separator = ','
      yield* pieces(member.shape, (value as Built)[member.name])
    }
    yield `${extraOf((value as Built).extra as Extra | undefined)}}`
  } else yield jsonOf(shape, value)
}

/** A value as JSON, every member of a model with it. */
export function jsonOf(shape: Shape, value: unknown): string {
  if (shape.kind === 'scalar') return scalarJson(shape, value)
  if (value === null || value === undefined) return 'null'
  if (shape.kind === 'text') return shape.isSecret ? 'null' : JSON.stringify(value)
  if (shape.kind === 'list') return `[${Array.from(value as Iterable<unknown>, item => jsonOf(shape.item, item)).join(',')}]`
  const model = value as Built
  const members = [...shape.members.values()].map(member => `"${member.name}":${jsonOf(member.shape, model[member.name])}`)
  return `{${members.join(',')}${extraOf(model.extra as Extra | undefined)}}`
}

function scalarJson({ scalar, isNullable }: Extract<Shape, { kind: 'scalar' }>, value: unknown): string {
  if (value !== null && value !== undefined) return JSON.stringify(value)
  if (isNullable) return 'null'
  if (scalar === 'bool') return 'false'
  if (scalar === 'guid') return `"${NO_GUID}"`
  return scalar === 'date' ? `"${NO_DATE}"` : '0'
}

/** What came as an element of XML has no place in JSON. */
const extraOf = (extra: Extra = new Map()): string =>
  [...extra].map(([name, text]) => (text.startsWith('<') ? '' : `,${JSON.stringify(name)}:${text}`)).join('')
