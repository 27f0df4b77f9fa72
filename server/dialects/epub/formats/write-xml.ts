import { escapeXml } from '../../dot-net.ts'
import { NO_DATE } from '../dates.ts'
import type { Extra, TypeName } from '../model.ts'
import type { ApiResult } from '../operation.ts'
import { shapeOf, type Built, type Member, type Shape } from './types.ts'
import { NO_GUID } from './write-json.ts'
import { ARRAYS_NAMESPACE, encodeName, INSTANCE_NAMESPACE, MODEL_NAMESPACE, resultNameOf, RESULT_NAMESPACE } from './xml-names.ts'

/** What stands before names of the models' namespace. */
const PREFIX = 'd2p1:'

/** The names that .NET has for statuses; XML shows no numbers. */
const STATUS_NAMES: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'BadRequest',
  401: 'Unauthorized',
  402: 'PaymentRequired',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  408: 'RequestTimeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'PreconditionFailed',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  500: 'InternalServerError',
  501: 'NotImplemented',
  503: 'ServiceUnavailable'
}

/**
 * An answer as .NET's serializer of data contracts writes it, piece by piece: members in the order of their letters' codes, and without `IsSuccess`, which cannot be set.
 */
export async function* writeXml({ Errors, Result, StatusCode }: ApiResult, type: TypeName): AsyncGenerator<string, void, void> {
  const root = resultNameOf(type)
  yield `<${root} xmlns:i="${INSTANCE_NAMESPACE}" xmlns="${RESULT_NAMESPACE}">`
  if (Errors === null) yield nil('Errors')
  else {
    const messages = (Errors.Messages ?? []).map(message => `<d3p1:string>${escapeXml(message)}</d3p1:string>`).join('')
    yield `<Errors><ErrorsNumber>${Errors.ErrorsNumber ?? 0}</ErrorsNumber>`
    yield `<Messages xmlns:d3p1="${ARRAYS_NAMESPACE}">${messages}</Messages>`
    yield `${textElement('MessagesString', Errors.MessagesString ?? null)}</Errors>`
  }
  yield* resultPieces(shapeOf(type), Result)
  yield `<StatusCode>${STATUS_NAMES[StatusCode] ?? (StatusCode < 500 ? 'BadRequest' : 'InternalServerError')}</StatusCode></${root}>`
}

async function* resultPieces(shape: Shape, value: unknown): AsyncGenerator<string, void, void> {
  const declared = `Result xmlns:d2p1="${MODEL_NAMESPACE}"`
  if (value === null || value === undefined) yield nil('Result')
  else if (shape.kind === 'list') yield* listPieces(declared, 'Result', shape, value)
  else if (shape.kind === 'model' && shape.name === 'SynchronizationModel') {
    yield `<${declared}>`
    for (const part of partsOf(shape.members, value as Built)) {
      const { member } = part
      const its = member && (value as Built)[member.name]
      if (member?.shape.kind === 'list' && its !== null && its !== undefined)
        yield* listPieces(PREFIX + member.name, PREFIX + member.name, member.shape, its)
      else yield part.write()
    }
    yield '</Result>'
  } else if (shape.kind === 'model') yield `<${declared}>${membersXml(shape, value as Built)}</Result>`
  else yield elementXml('Result', shape, value)
}

async function* listPieces(
  head: string,
  name: string,
  { item, itemName }: Extract<Shape, { kind: 'list' }>,
  items: unknown
): AsyncGenerator<string, void, void> {
  let isEmpty = true
  for await (const value of items as AsyncIterable<unknown>) {
    yield (isEmpty ? `<${head}>` : '') + elementXml(PREFIX + itemName, item, value)
    isEmpty = false
  }
  yield isEmpty ? `<${head} />` : `</${name}>`
}

interface Part {
  readonly name: string
  readonly member: Member | undefined
  write(): string
}

/** Members, and what came beside them as far as XML can hold it, in the order that .NET has them in. */
function partsOf(members: ReadonlyMap<string, Member>, model: Built): Part[] {
  const parts: Part[] = []
  for (const member of members.values())
    parts.push({
      name: member.name,
      member,
      write: () => elementXml(PREFIX + member.name, member.shape, model[member.name])
    })
  for (const [name, text] of (model.extra as Extra | undefined) ?? []) {
    const written = extraXml(name, text)
    if (written !== undefined) parts.push({ name, member: undefined, write: () => written })
  }
  return parts.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
}

const membersXml = ({ members }: Extract<Shape, { kind: 'model' }>, model: Built): string =>
  partsOf(members, model)
    .map(part => part.write())
    .join('')

function elementXml(name: string, shape: Shape, value: unknown): string {
  if (shape.kind === 'scalar') return scalarElement(name, shape, value as Scalar)
  if (value === null || value === undefined || (shape.kind === 'text' && shape.isSecret)) return nil(name)
  if (shape.kind === 'text') return textElement(name, value as string)
  const inner =
    shape.kind === 'model'
      ? membersXml(shape, value as Built)
      : Array.from(value as Iterable<unknown>, item => elementXml(PREFIX + shape.itemName, shape.item, item)).join('')
  return inner === '' ? `<${name} />` : `<${name}>${inner}</${name}>`
}

type Scalar = string | number | boolean | null | undefined

function scalarElement(name: string, { scalar, isNullable }: Extract<Shape, { kind: 'scalar' }>, value: Scalar): string {
  if ((value === null || value === undefined) && isNullable) return nil(name)
  const byDefault = scalar === 'bool' ? false : scalar === 'guid' ? NO_GUID : scalar === 'date' ? NO_DATE : 0
  return `<${name}>${escapeXml(String(value ?? byDefault))}</${name}>`
}

const nil = (name: string): string => `<${name} i:nil="true" />`

function textElement(name: string, text: string | null): string {
  if (text === null) return nil(name)
  return text === '' ? `<${name} />` : `<${name}>${escapeXml(text)}</${name}>`
}

/** A member that no model has; undefined for what JSON holds and XML has no form for. */
function extraXml(name: string, text: string): string | undefined {
  if (text.startsWith('<')) return text
  const element = PREFIX + encodeName(name)
  if (name === '' || text.startsWith('{') || text.startsWith('[')) return undefined
  return text === 'null' ? nil(element) : textElement(element, text.startsWith('"') ? (JSON.parse(text) as string) : text)
}
