import type { Context } from 'hono'
import type { Clock, Logger } from '../../core/ports.ts'
import { bearerTokenOf, type HttpApp, type HttpEnv } from '../../transports/http.ts'
import { BodyReader } from '../bodies.ts'
import { OneByOne } from '../one-by-one.ts'
import { answerInPieces, encodeUtf8 } from '../pieces.ts'
import { invalid, notAllowed, notFound, refusalOf, refusalText, unsupported } from './errors.ts'
import { charsetOf, FORMATS, readMediaType } from './formats/media-types.ts'
import { negotiate, type Written } from './formats/negotiation.ts'
import { readBody } from './formats/read-body.ts'
import { writeJson } from './formats/write-json.ts'
import { writeXml } from './formats/write-xml.ts'
import type { TypeName } from './model.ts'
import type { Operation } from './operation.ts'

/** What is under these is read here, whatever its case. */
export const EPUB_PATHS = ['/api/synchronization', '/api/markings']

/** What one request may bring: what ASP.NET takes unless it is told otherwise. */
const MAX_BODY_BYTES = 4_194_304
/** Bodies up to this size are read beside the others. */
const SMALL_BYTES = 65_536

/** What a request's answer is made with. */
export interface ShellParts {
  readonly clock: Clock
  readonly logger: Logger
}

/** What requests share. */
interface Shell extends ShellParts {
  readonly operations: readonly Operation[]
  readonly bodies: BodyReader
  /** Large ones are read one after another: what is built of one while it is read takes many times its size. */
  readonly largeBodies: OneByOne
}

/** Mounts the operations of the API: finds the one that is meant, reads its body, and writes what comes of it in the form that is wanted. */
export function mountEpub(app: HttpApp, operations: readonly Operation[], { clock, logger }: ShellParts): void {
  const shell: Shell = { clock, logger, operations, bodies: new BodyReader(MAX_BODY_BYTES), largeBodies: new OneByOne() }
  for (const path of EPUB_PATHS) {
    app.all(anyCase(path), context => answer(context, shell))
    app.all(`${anyCase(path)}/*`, context => answer(context, shell))
  }
}

/** A route's pattern for a path in any case. */
const anyCase = (path: string): string =>
  path
    .split('/')
    .map((part, at) => (part === '' ? '' : `:at${at}{${part.replace(/[a-z]/g, letter => `[${letter}${letter.toUpperCase()}]`)}}`))
    .join('/')

async function answer(context: Context<HttpEnv>, shell: Shell): Promise<Response> {
  const { req, env } = context
  const written = negotiate({
    accept: req.header('accept'),
    acceptCharset: req.header('accept-charset'),
    contentType: req.header('content-type'),
    requestedWith: req.header('x-requested-with')
  })
  try {
    const operation = operationOf(req.method, new URL(req.url), shell.operations)
    const result = await run(operation, context, shell)
    const write = written.format === 'json' ? writeJson : writeXml
    return await answerInPieces(encodable(write(result, operation.gives as TypeName), written), {
      headers: headersOf(written),
      encode: encoderOf(written),
      cut(error) {
        refusalOf(error, shell.logger)
        env.outgoing.destroy()
      }
    })
  } catch (error) {
    const refusal = refusalOf(error, shell.logger)
    const body = encoderOf(written)(mark(written) + refusalText(refusal, written.format)) as Uint8Array<ArrayBuffer>
    return new Response(body, {
      status: refusal.status,
      headers: { ...headersOf(written), ...refusal.headers, 'content-length': String(body.length) }
    })
  }
}

/** @throws HttpRefusal */
function operationOf(method: string, url: URL, operations: readonly Operation[]): Operation {
  const path = url.pathname.toLowerCase().replace(/\/$/, '')
  const atPath = operations.filter(operation => operation.path === path)
  if (atPath.length === 0) throw notFound(url.href)
  const operation = atPath.find(one => one.method === method)
  if (operation === undefined) throw notAllowed(method, atPath.map(one => one.method).join(', '))
  return operation
}

/** @throws HttpRefusal */
function run(operation: Operation, { req, env, get }: Context<HttpEnv>, shell: Shell): ReturnType<Operation['run']> {
  const { reads } = operation
  const parameters = new URL(req.url).searchParams
  const call = {
    query: (name: string) => [...parameters].find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1],
    token: bearerTokenOf(env.incoming),
    address: get('address')
  }
  if (reads === undefined) return operation.run({ ...call, body: null as never })
  return shell.bodies.read(env.incoming, async bytes => {
    if (bytes.length === 0) return operation.run({ ...call, body: null as never })
    const { name, charset } = readMediaType(req.header('content-type') ?? '')
    const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
    if (format === undefined) throw unsupported(/^[^\s/]{1,100}\/[^\s/]{1,100}$/.test(name) ? name : '')
    const read = () => readBody(bytes, { ...reads, format, charset: charsetOf(charset) }, shell.clock)
    const { model, errors } = await (bytes.length > SMALL_BYTES ? shell.largeBodies.run('', read) : read())
    if (!errors.isValid) throw invalid(errors)
    return operation.run({ ...call, body: model as never })
  })
}

const headersOf = ({ mediaType, charset }: Written): Record<string, string> => ({
  'content-type': `${mediaType}; charset=${charset}`,
  'cache-control': 'no-cache'
})

/** UTF-16 begins with a mark that says which it is. */
const mark = ({ charset }: Written): string => (charset === 'utf-16' ? '\ufeff' : '')

const encoderOf = ({ charset }: Written): ((text: string) => Uint8Array) =>
  charset === 'utf-16' ? text => Buffer.from(text, 'utf16le') : encodeUtf8

async function* encodable(pieces: AsyncGenerator<string, void, void>, written: Written): AsyncGenerator<string, void, void> {
  yield mark(written)
  yield* pieces
}
