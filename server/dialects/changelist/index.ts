import type { Context } from 'hono'
import type { SignIns } from '../../auth/sign-ins.ts'
import type { Logger } from '../../core/ports.ts'
import { endWithToken, tokenOf, type HttpApp, type HttpEnv } from '../../transports/http.ts'
import { BodyReader } from '../bodies.ts'
import { answerInPieces, encodeUtf8 } from '../pieces.ts'
import { changeList, readChangeList, type ChangeListParts } from './change-list.ts'
import { readEnvelope } from './envelope.ts'
import { BareRefusal, faultXml, refusalOf, withoutWords } from './faults.ts'
import { Fields } from './fields.ts'
import { errorPage, operationPage, servicePage } from './help.ts'
import { createAccountLogin, readLogin, type AccountLogin, type LoginParts } from './login.ts'
import { checkEnvelope, operationOfBody, operationOfHeader, routingOf } from './routing.ts'
import { API, CONTENT_TYPES, ENVELOPE_TAIL, envelopeHead, type SoapVersion } from './soap.ts'
import { discoOf, OPERATIONS, SCHEMA_DOCUMENT, wsdlOf, type OperationName } from './wsdl.ts'

/** Where the service is; its route reads bodies itself. */
export const CHANGELIST_PATH = '/api/syncapp/syncapi.asmx'

/** What a request may bring: some 30,000 ids of exceptions. */
const MAX_BODY_BYTES = 1_048_576
const NAMES = Object.keys(OPERATIONS) as OperationName[]
const CACHE = { 'cache-control': 'private, max-age=0' }

export interface ChangelistParts extends LoginParts, ChangeListParts {
  readonly signIns: SignIns
  readonly logger: Logger
  /** The address that devices use, when a proxy stands in front; else empty. */
  readonly publicUrl: string
}

/** What requests share. */
interface Service extends ChangelistParts {
  readonly bodies: BodyReader
  readonly accountLogin: AccountLogin
}

/** The SOAP service `SyncAPI`, in SOAP 1.1 and 1.2, and the pages that describe it. */
export function mountChangelist(app: HttpApp, parts: ChangelistParts): void {
  const service = { ...parts, bodies: new BodyReader(MAX_BODY_BYTES), accountLogin: createAccountLogin(parts) }
  app.post('/api/syncapp/syncapi.asmx', context => answerSoap(context, service))
  app.get('/api/syncapp/syncapi.asmx', context => (context.req.method === 'HEAD' ? notAllowed() : describe(context, parts)))
  app.all('/api/syncapp/syncapi.asmx', () => notAllowed())
  app.all('/api/syncapp/syncapi.asmx/*', ({ req }) =>
    html(
      500,
      errorPage(`Request format is unrecognized for URL unexpectedly ending in '${req.path.slice(CHANGELIST_PATH.length)}'.`)
    )
  )
}

const html = (status: number, page: string, headers: Record<string, string> = {}): Response =>
  new Response(page, { status, headers: { 'content-type': 'text/html; charset=utf-8', ...headers } })

const notAllowed = (): Response => html(405, errorPage('Request format is unrecognized.'), { allow: 'GET, POST' })

/** What a `GET` asks for: the help pages, or one of the documents that describe the service. */
function describe({ req }: Context<HttpEnv>, { publicUrl }: ChangelistParts): Response {
  const url = new URL(req.url)
  const base = new URL(publicUrl === '' ? url.origin : publicUrl)
  const address = base.href.replace(/\/$/, '') + CHANGELIST_PATH
  const parameter = (name: string): string | undefined => [...url.searchParams].find(([key]) => key.toLowerCase() === name)?.[1]
  const document = (text: string): Response => new Response(text, { headers: { ...CACHE, 'content-type': CONTENT_TYPES['1.1'] } })
  const [wsdl, schema, operation] = [parameter('wsdl'), parameter('schema'), parameter('op')]
  if (wsdl !== undefined)
    return wsdl === '' || wsdl === 'wsdl1' ? document(wsdlOf(address)) : html(404, errorPage('There is no such description.'))
  if (schema !== undefined)
    return schema === 'schema1' ? document(SCHEMA_DOCUMENT) : html(404, errorPage('There is no such schema.'))
  if (url.search.toLowerCase() === '?disco') return document(discoOf(address))
  return html(200, operation === undefined ? servicePage(CHANGELIST_PATH) : operationPage(CHANGELIST_PATH, base.host, operation))
}

async function answerSoap(context: Context<HttpEnv>, service: Service): Promise<Response> {
  const { req } = context
  const { bodies, clock, logger } = service
  let version: SoapVersion = '1.1'
  try {
    const routing = routingOf(req.header('content-type'), req.header('soapaction'))
    const named = operationOfHeader(routing, NAMES)
    const envelope = await bodies
      .read(context.env.incoming, bytes => readEnvelope(bytes, routing.charset, clock))
      .catch((error: unknown) => {
        throw withoutWords(error)
      })
    version = envelope.version
    const operation = (named ?? operationOfBody(routing, envelope, NAMES)) as OperationName
    checkEnvelope(routing, envelope)
    const { content } = envelope
    // What the body holds instead is passed over, and everything is as if it were left out.
    const isAsked = content?.uri === API && content.local === operation
    const fields = new Fields(isAsked ? content : undefined, envelope.text)
    return await answerInPieces(enveloped(version, run(operation, fields, context, service)), {
      headers: { ...CACHE, 'content-type': CONTENT_TYPES[version] },
      encode: encodeUtf8,
      cut(error) {
        refusalOf(error, logger)
        context.env.outgoing.destroy()
      }
    })
  } catch (error) {
    const refusal = refusalOf(error, logger)
    if (refusal instanceof BareRefusal) return bare(refusal)
    return new Response(faultXml(version, refusal), {
      status: 500,
      headers: { ...CACHE, 'content-type': CONTENT_TYPES[version] }
    })
  }
}

const bare = ({ status }: BareRefusal): Response =>
  new Response(null, { status, headers: { 'content-length': '0', ...(status === 503 && { 'retry-after': '1' }) } })

/** Does what is asked, and gives what the body of the answer holds, piece by piece. */
async function* run(
  operation: OperationName,
  fields: Fields,
  context: Context<HttpEnv>,
  service: Service
): AsyncGenerator<string, void, void> {
  const nowMs = service.clock.nowMs()
  if (operation === 'AccountLogin') {
    yield await service.accountLogin(readLogin(fields), context.get('address'))
    return
  }
  const request = readChangeList(fields.fields('Parameters'), nowMs)
  const token = fields.text('Token') || tokenOf(context.env.incoming)
  const bearer = await service.signIns.authenticate(token, id => service.hub.account(id))
  endWithToken(bearer, context.env.outgoing)
  yield* changeList(service, bearer, request, offsetSeconds(context.req.header('date'), nowMs))
}

/** The hub's clock minus the client's, as far as that is known: a client may say in a header what time it has. */
function offsetSeconds(date: string | undefined, nowMs: number): number {
  const clientMs = Date.parse(date ?? '')
  return Number.isNaN(clientMs) ? 0 : (nowMs - clientMs) / 1_000
}

async function* enveloped(version: SoapVersion, content: AsyncGenerator<string, void, void>): AsyncGenerator<string, void, void> {
  yield envelopeHead(version)
  yield* content
  yield ENVELOPE_TAIL
}
