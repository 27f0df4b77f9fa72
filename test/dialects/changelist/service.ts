import type { Account } from '../../../server/core/account.ts'
import { restHub, type RestHub } from '../../util/rest-hub.ts'
import { servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import type { TestContext } from '../../util/suite.ts'

const PATH = '/api/syncapp/syncapi.asmx'
export const API = 'http://api.filesanywhere.com/'
export const SOAP_11 = 'http://schemas.xmlsoap.org/soap/envelope/'
export const SOAP_12 = 'http://www.w3.org/2003/05/soap-envelope'
export const TEXT_XML = 'text/xml; charset=utf-8'
export const SOAP_XML = 'application/soap+xml; charset=utf-8'

/** What came back. */
export interface Heard {
  readonly status: number
  readonly type: string | null
  readonly headers: Headers
  readonly text: string
}

export type Sent = string | Uint8Array
type SentHeaders = Readonly<Record<string, string | undefined>>

/** A service under test. */
export interface Service {
  /** Of the page itself. */
  readonly url: string
  readonly host: string
  readonly userName: string
  readonly password: string
  readonly token: string
  /** When it was started for this test: for what cannot be asked for over HTTP. */
  readonly own: TestServingHub | undefined
  readonly ask: (method: string, more?: string, headers?: SentHeaders, body?: Sent) => Promise<Heard>
  /** Posts as SOAP 1.1 does, unless the headers say otherwise; undefined leaves one out. */
  readonly post: (body: Sent, headers?: SentHeaders) => Promise<Heard>
  /** Asks for the list of changes with these parameters, and this account's token. */
  readonly list: (parameters: string, version?: '1.1' | '1.2', more?: SentHeaders) => Promise<Heard>
}

/** The service at `LECTERN_URL`, as `restHub` takes it; without that variable one of its own, in this process. */
export const service = async (context: TestContext, flags: Record<string, string> = {}): Promise<Service> =>
  serviceOf(await restHub(context, flags))

/** The service of a hub that is spoken to in other ways too. */
export const serviceOf = ({ url, account, password, own }: RestHub): Promise<Service> => serviceAt(url, account, password, own)

/** A service of this test's own, and its account, to put files into. */
export async function ownService(
  context: TestContext,
  flags: Record<string, string> = {}
): Promise<Service & { readonly own: TestServingHub; readonly account: Account }> {
  const own = await servingHub(context, flags)
  const { id } = await own.directory.add('ada', 'correct horse')
  const made = await serviceAt(own.url, 'ada', 'correct horse', own)
  return { ...made, own, account: (await own.hub.account(id))! }
}

async function serviceAt(hubUrl: string, userName: string, password: string, own: TestServingHub | undefined): Promise<Service> {
  const url = hubUrl + PATH
  const ask: Service['ask'] = async (method, more = '', headers = {}, body) => {
    const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)
    // A body of bytes gets no content type by itself, as one of text would.
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const response = await fetch(url + more, { method, headers: given, ...(bytes && { body: bytes }) })
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      headers: response.headers,
      text: await response.text()
    }
  }
  const post: Service['post'] = (body, headers = {}) =>
    ask('POST', '', { 'content-type': TEXT_XML, soapaction: `"${API}ChangeList"`, ...headers }, body)
  const login = await post(envelope(SOAP_11, loginXml(userName, password)), { soapaction: `${API}AccountLogin` })
  const token = textIn(login.text, 'Token')
  const list: Service['list'] = (parameters, version = '1.1', more = {}) =>
    version === '1.1'
      ? post(envelope(SOAP_11, changeListXml(token, parameters)), more)
      : post(envelope(SOAP_12, changeListXml(token, parameters)), { 'content-type': SOAP_XML, soapaction: undefined, ...more })
  return { url, host: new URL(url).host, userName, password, token, own, ask, post, list }
}

export const envelope = (uri: string, body: string, header = ''): string =>
  `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="${uri}">${header && `<s:Header>${header}</s:Header>`}<s:Body>${body}</s:Body></s:Envelope>`

export const changeListXml = (token: string, parameters = ''): string =>
  `<ChangeList xmlns="${API}"><Token>${token}</Token><Parameters>${parameters}</Parameters></ChangeList>`

export const loginXml = (userName: string, password: string, apiKey = 'k'): string =>
  `<AccountLogin xmlns="${API}"><APIKey>${apiKey}</APIKey><OrgID>0</OrgID><UserName>${userName}</UserName><Password>${password}</Password></AccountLogin>`

/** The text of the first element of that name; empty when there is none, or it is. */
export const textIn = (xml: string, name: string): string => new RegExp(`<(?:\\w+:)?${name}>([^<]*)</`).exec(xml)?.[1] ?? ''

/** The texts of all elements of that name. */
export const textsIn = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text]) => text!)

/** A fault's text, in either version. */
export const faultText = (xml: string): string =>
  unescape(textIn(xml, 'faultstring') || /xml:lang="en">([^<]*)</.exec(xml)?.[1] || '')

const unescape = (text: string): string =>
  text.replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&quot;', '"').replaceAll('&amp;', '&')
