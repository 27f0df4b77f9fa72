import * as assert from 'uvu/assert'
import { suite } from '../../util/suite.ts'
import {
  API,
  changeListXml,
  envelope,
  faultText,
  service,
  SOAP_11,
  SOAP_12,
  SOAP_XML,
  TEXT_XML,
  textIn,
  type Heard,
  type Sent,
  type Service
} from './service.ts'

const test = suite('dialects/changelist/routing')

type Post = (own: Service) => Promise<Heard>

/** The request as it should be, in both versions. */
const right11 = ({ token }: Service): string => envelope(SOAP_11, changeListXml(token))
const right12 = ({ token }: Service): string => envelope(SOAP_12, changeListXml(token))

const isList = ({ status, type, text }: Heard, version: '1.1' | '1.2', what: string): void => {
  assert.equal([status, type], [200, version === '1.1' ? TEXT_XML : SOAP_XML], `${what}: ${text}`)
  assert.match(text, `<soap:Envelope xmlns:soap="${version === '1.1' ? SOAP_11 : SOAP_12}"`)
  assert.match(text, `<ChangeListResponse xmlns="${API}"><ChangeListResult>`)
}

const isFault = ({ status, type, text }: Heard, version: '1.1' | '1.2', code: string, message: string): void => {
  assert.equal([status, type], [500, version === '1.1' ? TEXT_XML : SOAP_XML], text)
  assert.is(version === '1.1' ? textIn(text, 'faultcode') : textIn(text, 'soap:Value'), `soap:${code}`, text)
  assert.is(faultText(text), message)
}

const isBare = ({ status, text, headers }: Heard, expected: number, what: string): void => {
  assert.equal([status, text, headers.get('content-length')], [expected, '', '0'], what)
}

const header12 = { 'content-type': SOAP_XML, soapaction: undefined }

const TAKEN: Record<string, readonly [version: '1.1' | '1.2', post: Post]> = {
  'SOAP 1.1 with its action in quotes': ['1.1', own => own.post(right11(own))],
  'SOAP 1.1 with its action without quotes': ['1.1', own => own.post(right11(own), { soapaction: `${API}ChangeList` })],
  'SOAP 1.1 with its action in percent escapes': [
    '1.1',
    own => own.post(right11(own), { soapaction: `"${encodeURIComponent(`${API}ChangeList`)}"` })
  ],
  'SOAP 1.1 without an action, for its body says what it is': ['1.1', own => own.post(right11(own), { soapaction: undefined })],
  'SOAP 1.1 with its action, and another element in the body': [
    '1.1',
    own => own.post(envelope(SOAP_11, '<Other xmlns="urn:x"/>'), bearer(own))
  ],
  'SOAP 1.1 with its action, and an empty body': ['1.1', own => own.post(envelope(SOAP_11, ''), bearer(own))],
  'SOAP 1.2 without an action': ['1.2', own => own.post(right12(own), header12)],
  'SOAP 1.2 with its action': ['1.2', own => own.post(right12(own), { ...header12, 'content-type': withAction('ChangeList') })],
  'SOAP 1.2 with its action, and an empty body': [
    '1.2',
    own => own.post(envelope(SOAP_12, ''), { ...bearer(own), ...header12, 'content-type': withAction('ChangeList') })
  ],
  'SOAP 1.2 with a wrong action, and the right body': [
    '1.2',
    own => own.post(right12(own), { ...header12, 'content-type': withAction('Other') })
  ],
  'SOAP 1.2 with the header SOAPAction': ['1.2', own => own.post(right12(own), { 'content-type': SOAP_XML })],
  'SOAP 1.2 with a wrong header SOAPAction': [
    '1.2',
    own => own.post(right12(own), { 'content-type': SOAP_XML, soapaction: '"other"' })
  ],
  'SOAP 1.2 in text/xml with the header SOAPAction': ['1.2', own => own.post(right12(own))],
  'a content type in capitals': ['1.1', own => own.post(right11(own), { 'content-type': 'Text/XML; Charset="UTF-8"' })]
}

const bearer = ({ token }: Service): Record<string, string> => ({ authorization: `Bearer ${token}` })
const withAction = (name: string): string => `${SOAP_XML}; action="${API}${name}"`

for (const [what, [version, post]] of Object.entries(TAKEN))
  test(`${what} is answered in SOAP ${version}`, async context => isList(await post(await service(context)), version, what))

test('an action that is none of the service is named, whatever the body holds', async context => {
  const own = await service(context)
  const wrong: Record<string, string> = {
    '""': '',
    '': '',
    [`"${API}Other"`]: `${API}Other`,
    [`"${API}changelist"`]: `${API}changelist`,
    [`'${API}ChangeList'`]: `'${API}ChangeList'`,
    ChangeList: 'ChangeList',
    '"%3Cx%3E&"': '<x>&'
  }
  for (const [soapaction, named] of Object.entries(wrong))
    isFault(
      await own.post(right11(own), { soapaction }),
      '1.1',
      'Client',
      `Server did not recognize the value of HTTP Header SOAPAction: ${named}.`
    )
})

const NO_ACTION = 'Unable to handle request without a valid action parameter. Please supply a valid soap action.'
const OTHER_BODIES = [
  '',
  '<Other xmlns="urn:x"/>',
  `<ChangeList xmlns="urn:x"/>`,
  '<ChangeList/>',
  `<changelist xmlns="${API}"/>`
]

test('without an action, a body that nobody knows is asked for one: in SOAP 1.1', async context => {
  const own = await service(context)
  for (const body of OTHER_BODIES)
    isFault(await own.post(envelope(SOAP_11, body), { soapaction: undefined }), '1.1', 'Client', NO_ACTION)
})

test('without an action, a body that nobody knows is asked for one: in SOAP 1.2', async context => {
  const own = await service(context)
  for (const body of OTHER_BODIES) isFault(await own.post(envelope(SOAP_12, body), header12), '1.2', 'Sender', NO_ACTION)
})

test('in SOAP 1.2 an action that nobody knows is named when the body is not known either', async context => {
  const own = await service(context)
  isFault(
    await own.post(envelope(SOAP_12, '<Other/>'), { ...header12, 'content-type': withAction('Other') }),
    '1.2',
    'Sender',
    `Unable to handle request. The action '${API}Other' was not recognized.`
  )
})

test('a SOAP 1.1 envelope in application/soap+xml is refused with 415 and nothing else', async context => {
  const own = await service(context)
  isBare(await own.post(right11(own), { 'content-type': SOAP_XML }), 415, 'with an action')
  isBare(await own.post(right11(own), header12), 415, 'without')
})

test('another content type, or none, is refused with 415 and nothing else', async context => {
  const own = await service(context)
  const types = [
    'application/xml',
    'application/json',
    'text/plain',
    'text/xmlx',
    'multipart/related; type="text/xml"',
    undefined
  ]
  for (const type of types) isBare(await own.post(right11(own), { 'content-type': type }), 415, String(type))
})

test('an envelope of an unknown namespace is told which ones there are', async context => {
  const own = await service(context)
  for (const uri of ['urn:other', 'http://www.w3.org/2001/12/soap-envelope'])
    for (const headers of [{}, header12, { soapaction: undefined }]) {
      const heard = await own.post(envelope(uri, changeListXml(own.token)), headers)
      isFault(
        heard,
        '1.1',
        'VersionMismatch',
        `Possible SOAP version mismatch: Envelope namespace ${uri} was unexpected. Expecting ${SOAP_11}.`
      )
      const qnames = [...heard.text.matchAll(/<soap12:SupportedEnvelope qname="(\w+):Envelope"( xmlns:soap="([^"]+)")?/g)]
      assert.equal(qnames.map(([, prefix, , uri]) => [prefix, uri]), [['soap', SOAP_11], ['soap12', undefined]]) // prettier-ignore
      assert.match(heard.text, `<soap:Header><soap12:Upgrade xmlns:soap12="${SOAP_12}">`)
    }
})

test('a root that is no envelope is a fault', async context => {
  const own = await service(context)
  assert.match(faultText((await own.post('<other/>')).text), /^Server was unable to read request\. ---> /)
})

const withHeader = (uri: string, attributes: string, own: Service): string =>
  envelope(uri, changeListXml(own.token), `<Lock xmlns="urn:x" ${attributes}>1</Lock>`)

test('a header that has to be understood is not, and there is no detail', async context => {
  const own = await service(context)
  for (const value of ['1', 'true']) {
    const old = await own.post(withHeader(SOAP_11, `s:mustUnderstand="${value}"`, own))
    isFault(old, '1.1', 'MustUnderstand', 'SOAP header Lock was not understood.')
    const young = await own.post(withHeader(SOAP_12, `s:mustUnderstand="${value}"`, own), header12)
    isFault(young, '1.2', 'MustUnderstand', 'SOAP header Lock was not understood.')
    for (const { text } of [old, young]) assert.not.match(text, /detail/i)
  }
})

test('a header that may be passed by, or is for somebody else, is', async context => {
  const own = await service(context)
  for (const attributes of ['', 's:mustUnderstand="0"', 'mustUnderstand="1"', 's:mustUnderstand="1" s:actor="urn:proxy"'])
    isList(await own.post(withHeader(SOAP_11, attributes, own)), '1.1', attributes)
})

test('what is not well-formed XML 1.0 is refused with 400 and nothing else', async context => {
  const own = await service(context)
  const xml = right11(own)
  const bare = xml.slice(xml.indexOf('?>') + 2)
  const bad: Record<string, Sent> = {
    'cut short': xml.slice(0, -1),
    'no XML': 'hello',
    empty: '',
    'only blanks': ' \n',
    'a tag that closes another': bare.replace('</Token>', '</Tokem>'),
    'two roots': `${xml}<a/>`,
    'two attributes of one name': bare.replace('<Token>', '<Token a="1" a="2">'),
    'a prefix that is not bound': bare.replace('<Parameters>', '<Parameters><x:a/>'),
    'a document type': `<!DOCTYPE s:Envelope>${bare}`,
    'a document type with an entity': `<!DOCTYPE x [<!ENTITY e "v">]>${bare.replace('<Parameters>', '&e;<Parameters>')}`,
    'an entity that is none': bare.replace('<Parameters>', '&e;<Parameters>'),
    'a blank before the declaration': ` ${xml}`,
    'junk behind it': `${xml}x`,
    'XML 1.1': xml.replace('version="1.0"', 'version="1.1"'),
    'a control character': bare.replace('<Parameters>', '\u0001<Parameters>'),
    'bytes that are no UTF-8': Buffer.from(bare.replace('<Parameters>', '<Parameters><a>é</a>'), 'latin1')
  }
  for (const [what, body] of Object.entries(bad)) {
    isBare(await own.post(body), 400, what)
    isBare(await own.post(body, header12), 400, `${what}, as SOAP 1.2`)
  }
})

test('a byte order mark, no declaration, and other encodings are taken', async context => {
  const own = await service(context)
  const xml = right11(own)
  const bare = xml.slice(xml.indexOf('?>') + 2)
  const accented = bare.replace('<Parameters>', '<Parameters><Other>é</Other>')
  const taken: Record<string, readonly [body: Sent, type: string]> = {
    'a byte order mark': [`\ufeff${xml}`, TEXT_XML],
    'no declaration': [bare, TEXT_XML],
    'iso-8859-1': [Buffer.from(accented, 'latin1'), 'text/xml; charset=iso-8859-1'],
    'an encoding that only the declaration names': [
      Buffer.from(`<?xml version="1.0" encoding="iso-8859-1"?>${accented}`, 'latin1'),
      'text/xml'
    ],
    'UTF-16': [Buffer.from(`\ufeff${bare}`, 'utf16le'), 'text/xml'],
    'an encoding that nobody knows': [xml, 'text/xml; charset=klingon']
  }
  for (const [what, [body, type]] of Object.entries(taken)) isList(await own.post(body, { 'content-type': type }), '1.1', what)
})

test.run()
