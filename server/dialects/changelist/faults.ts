import { ERRORS, HubError } from '../../../protocol/index.ts'
import type { Logger } from '../../core/ports.ts'
import { escapeXml } from '../dot-net.ts'
import { SOAP_11, SOAP_12, soapXml, type SoapVersion } from './soap.ts'

export type FaultCode = 'Client' | 'Server' | 'MustUnderstand' | 'VersionMismatch'

/** What SOAP 1.2 calls them. */
const CODES_12: Readonly<Record<FaultCode, string>> = {
  Client: 'Sender',
  Server: 'Receiver',
  MustUnderstand: 'MustUnderstand',
  VersionMismatch: 'VersionMismatch'
}

/** Why a request was not done, for its sender to read. */
export class SoapFault extends Error {
  override readonly name = 'SoapFault'
  readonly code: FaultCode

  constructor(code: FaultCode, text: string) {
    super(text)
    this.code = code
  }
}

/** A request whose SOAP cannot be spoken of: it is answered by a status and nothing else. */
export class BareRefusal extends Error {
  override readonly name = 'BareRefusal'
  readonly status: 400 | 413 | 415 | 503

  constructor(status: 400 | 413 | 415 | 503) {
    super(`refused with ${status}`)
    this.status = status
  }
}

/** What is wrong with how a body came, rather than with what it says. */
export const withoutWords = (error: unknown): unknown =>
  error instanceof HubError ? new BareRefusal(ERRORS[error.code].http as BareRefusal['status']) : error

/** A value that cannot be read, and the place behind its element. */
export const unreadable = (line: number, column: number, text: string): SoapFault =>
  new SoapFault(
    'Client',
    `Server was unable to read request. ---> There is an error in XML document (${line}, ${column}). ---> ${text}`
  )

/**
 * What came of a request as its sender is told it. Of what only the hub is concerned with nothing leaves but that its log says more.
 * @returns a fault, or a refusal without words
 */
export function refusalOf(error: unknown, logger: Logger): SoapFault | BareRefusal {
  if (error instanceof SoapFault || error instanceof BareRefusal) return error
  const told = error instanceof HubError ? error : new HubError('internal')
  if (told !== error) logger.error({ err: error }, 'a SOAP request failed')
  if (ERRORS[told.code].http < 500) return new SoapFault('Client', told.message)
  return new SoapFault('Server', `Server was unable to process request. ---> ${told.message}`)
}

/** A fault as an envelope. */
export function faultXml(version: SoapVersion, { code, message }: SoapFault): string {
  const text = escapeXml(message)
  // Faults about headers have no detail: that is for what stands in the body.
  const hasDetail = code !== 'MustUnderstand'
  const fault =
    version === '1.1'
      ? `<soap:Fault><faultcode>soap:${code}</faultcode><faultstring>${text}</faultstring>${hasDetail ? '<detail />' : ''}</soap:Fault>`
      : `<soap:Fault><soap:Code><soap:Value>soap:${CODES_12[code]}</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang="en">${text}</soap:Text></soap:Reason>${hasDetail ? '<soap:Detail />' : ''}</soap:Fault>`
  return soapXml(version, fault, code === 'VersionMismatch' ? UPGRADE : '')
}

/** Which envelopes are understood. @see SOAP 1.2, part 1, section 5.4.7 */
const UPGRADE = `<soap12:Upgrade xmlns:soap12="${SOAP_12}"><soap12:SupportedEnvelope qname="soap:Envelope" xmlns:soap="${SOAP_11}" /><soap12:SupportedEnvelope qname="soap12:Envelope" /></soap12:Upgrade>`
