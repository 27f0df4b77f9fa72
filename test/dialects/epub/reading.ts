import { readFileSync } from 'node:fs'
import { systemClock } from '../../../server/clock.ts'
import type { Format } from '../../../server/dialects/epub/formats/media-types.ts'
import { readBody } from '../../../server/dialects/epub/formats/read-body.ts'
import { writeJson } from '../../../server/dialects/epub/formats/write-json.ts'
import { writeXml } from '../../../server/dialects/epub/formats/write-xml.ts'
import type { TypeName } from '../../../server/dialects/epub/model.ts'
import { succeeded, type ApiResult } from '../../../server/dialects/epub/operation.ts'

/** The request and the response that are published as samples. */
export const [SAMPLE_REQUEST, SAMPLE_RESPONSE] = readFileSync(new URL('samples.txt', import.meta.url), 'utf8').split('\n') as [
  string,
  string
]

export const OBJECTS = 'http://schemas.datacontract.org/2004/07/CSAeReader.Common.API.Objects'
export const RESULTS = 'http://schemas.datacontract.org/2004/07/CSAeReader.Common.API'
export const INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance'

/** What came of a body: the model, and the errors by their paths. */
export interface Heard {
  readonly model: any
  readonly errors: Readonly<Record<string, readonly string[]>>
  /** The paths of the errors. */
  readonly paths: readonly string[]
}

export async function read(body: string | Uint8Array, format: Format, type: TypeName = 'SynchronizationModel'): Promise<Heard> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const { model, errors } = await readBody(bytes, { format, charset: undefined, type, parameter: 'model' }, systemClock)
  const entries = errors.entries()
  return { model, errors: Object.fromEntries(entries), paths: entries.map(([path]) => path) }
}

/** One member of a marking that is sent as JSON. */
export const markingJson = async (member: string): Promise<Heard> => read(`{${member}}`, 'json', 'position')

/** A marking as XML, of these elements. */
export const markingXml = async (elements: string): Promise<Heard> =>
  read(`<position xmlns="${OBJECTS}" xmlns:i="${INSTANCE}">${elements}</position>`, 'xml', 'position')

async function whole(pieces: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}

export const jsonOf = (result: ApiResult, type: TypeName): Promise<string> => whole(writeJson(result, type))
export const xmlOf = (result: ApiResult, type: TypeName): Promise<string> => whole(writeXml(result, type))

/** A model written as the result of a call, without what is around it. */
export async function resultJson(model: unknown, type: TypeName = 'position'): Promise<string> {
  const text = await jsonOf(succeeded(model as never), type)
  return text.slice('{"Errors":null,"Result":'.length, -',"IsSuccess":true,"StatusCode":200}'.length)
}

export async function resultXml(model: unknown, type: TypeName = 'position'): Promise<string> {
  const text = await xmlOf(succeeded(model as never), type)
  return /<Result[^>]*>(.*)<\/Result>/s.exec(text)?.[1] ?? text
}
