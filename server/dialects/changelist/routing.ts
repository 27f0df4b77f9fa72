import type { XmlElement } from '../../files/xml.ts'
import type { Envelope } from './envelope.ts'
import { BareRefusal, SoapFault } from './faults.ts'
import { API, SOAP_11, SOAP_12, type SoapVersion } from './soap.ts'

/** What of a request's headers says which SOAP it is, and what it asks for. */
export interface Routing {
  readonly type: 'text/xml' | 'application/soap+xml'
  readonly charset: string | undefined
  /** The parameter of the content type that SOAP 1.2 has. */
  readonly action: string | undefined
  readonly soapAction: string | undefined
  /** Which version to go by, before the envelope is read. */
  readonly guess: SoapVersion
}

/** Roles that mean whoever gets the request; so does none. */
const OURS = new Set([
  '',
  'http://schemas.xmlsoap.org/soap/actor/next',
  `${SOAP_12}/role/next`,
  `${SOAP_12}/role/ultimateReceiver`
])

/** @throws BareRefusal 415 when it is no SOAP at all */
export function routingOf(contentType: string | undefined, soapAction: string | undefined): Routing {
  const [base = '', ...parameters] = (contentType ?? '').match(/(?:[^;"]|"(?:[^"\\]|\\.)*"?)+/g) ?? []
  const type = base.trim().toLowerCase()
  if (type !== 'text/xml' && type !== 'application/soap+xml') throw new BareRefusal(415)
  const parameter = (name: string): string | undefined => parameters.map(nameAndValue).find(([known]) => known === name)?.[1]
  const guess = soapAction === undefined || type === 'application/soap+xml' ? '1.2' : '1.1'
  return { type, charset: parameter('charset'), action: parameter('action'), soapAction, guess }
}

/** Cut by hand: an expression that trims looks at a row of blanks once for each of them. */
function nameAndValue(text: string): [name: string, value: string] {
  const at = text.indexOf('=')
  const value = text.slice(at + 1).trim()
  return [text.slice(0, Math.max(0, at)).trim().toLowerCase(), /^"([^"]*)"$/.exec(value)?.[1] ?? value]
}

/**
 * The operation that SOAP 1.1 names in a header, whatever the body holds; undefined when the version is taken for 1.2.
 * @throws SoapFault when there is none of that name
 */
export function operationOfHeader({ guess, soapAction }: Routing, operations: readonly string[]): string | undefined {
  if (guess === '1.2' || soapAction === undefined) return undefined
  const action = unescaped(/^"(.*)"$/.exec(soapAction)?.[1] ?? soapAction)
  const operation = operations.find(name => action === API + name)
  if (operation === undefined)
    throw new SoapFault('Client', `Server did not recognize the value of HTTP Header SOAPAction: ${action}.`)
  return operation
}

/**
 * The operation that SOAP 1.2 names: by the action of the content type, else by what the body holds.
 * @throws SoapFault when neither names one
 */
export function operationOfBody({ action = '' }: Routing, { content }: Envelope, operations: readonly string[]): string {
  const operation =
    operations.find(name => action === API + name) ?? operations.find(name => content?.uri === API && content.local === name)
  if (operation !== undefined) return operation
  throw new SoapFault(
    'Client',
    action === ''
      ? 'Unable to handle request without a valid action parameter. Please supply a valid soap action.'
      : `Unable to handle request. The action '${action}' was not recognized.`
  )
}

/**
 * Checks that the envelope can come with this content type, and that nothing in its header has to be understood: no header is.
 * @throws BareRefusal 415
 * @throws SoapFault naming the header
 */
export function checkEnvelope({ type }: Routing, { version, headers }: Envelope): void {
  if (version === '1.1' && type === 'application/soap+xml') throw new BareRefusal(415)
  const uri = version === '1.1' ? SOAP_11 : SOAP_12
  const header = headers.find(element => isForUs(element, uri) && isTrue(element.attributes.get(`{${uri}}mustUnderstand`)))
  if (header !== undefined) throw new SoapFault('MustUnderstand', `SOAP header ${header.local} was not understood.`)
}

const isForUs = ({ attributes }: XmlElement, uri: string): boolean =>
  OURS.has((attributes.get(`{${uri}}${uri === SOAP_12 ? 'role' : 'actor'}`) ?? '').trim())

const isTrue = (value: string | undefined): boolean => ['1', 'true'].includes(value?.trim() ?? '')

/** Percent escapes as UTF-8, and `+` as a blank; what is no escape stays. */
const unescaped = (text: string): string =>
  text
    .replaceAll('+', ' ')
    .replace(/(?:%[0-9a-f]{2})+/gi, escapes => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'))
