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
  textsIn,
  type Heard,
  type Service
} from './service.ts'

const test = suite('dialects/changelist/wire')

const HEAD = (uri: string): string =>
  `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="${uri}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>`
const TAIL = '</soap:Body></soap:Envelope>'
const VERSIONS = [
  ['1.1', SOAP_11, TEXT_XML],
  ['1.2', SOAP_12, SOAP_XML]
] as const
const UNREADABLE = 'Server was unable to read request. ---> There is an error in XML document '

/** A list that is as empty as it can be, and says the same each time. */
const QUIET = '<LocalDate>9999-01-01</LocalDate><ChangeType>3</ChangeType>'

for (const [version, uri, type] of VERSIONS)
  test(`an answer of SOAP ${version} is one line, with the prefix soap and the documented order`, async context => {
    const { list } = await service(context)
    const { status, type: told, headers, text } = await list(QUIET, version)
    assert.equal([status, told, headers.get('cache-control')], [200, type, 'private, max-age=0'])
    const date = textIn(text, 'SyncEndDate')
    assert.match(date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z$/)
    assert.is(
      text,
      `${HEAD(uri)}<ChangeListResponse xmlns="${API}"><ChangeListResult><HeaderChanged>false</HeaderChanged><ChangedFileList /><ChangedFolderList /><SyncEndDate>${date}</SyncEndDate><OffsetDate>0</OffsetDate><FullSync>false</FullSync></ChangeListResult></ChangeListResponse>${TAIL}`
    )
  })

test('a list that was not asked for is left out', async context => {
  const { list } = await service(context)
  const files = (await list('<LocalDate>9999-01-01</LocalDate><ChangeType>1</ChangeType>')).text
  const folders = (await list('<LocalDate>9999-01-01</LocalDate><ChangeType>2</ChangeType>')).text
  assert.equal([files.includes('<ChangedFileList />'), files.includes('ChangedFolderList')], [true, false])
  assert.equal([folders.includes('ChangedFileList'), folders.includes('<ChangedFolderList />')], [false, true])
})

test('a fault of SOAP 1.1 has a code, a text and an empty detail', async context => {
  const { post } = await service(context)
  const { status, type, text } = await post(envelope(SOAP_11, changeListXml('nobody')))
  assert.equal([status, type], [500, TEXT_XML])
  assert.is(
    text,
    `${HEAD(SOAP_11)}<soap:Fault><faultcode>soap:Client</faultcode><faultstring>the token or password is not valid; sign in again</faultstring><detail /></soap:Fault>${TAIL}`
  )
})

test('a fault of SOAP 1.2 has a code, a reason and an empty detail', async context => {
  const { post } = await service(context)
  const heard = await post(envelope(SOAP_12, changeListXml('nobody')), { 'content-type': SOAP_XML, soapaction: undefined })
  assert.equal([heard.status, heard.type], [500, SOAP_XML])
  assert.is(
    heard.text,
    `${HEAD(SOAP_12)}<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang="en">the token or password is not valid; sign in again</soap:Text></soap:Reason><soap:Detail /></soap:Fault>${TAIL}`
  )
})

const isTaken = ({ status, text }: Heard, what: string): void => assert.is(status, 200, `${what}: ${text}`)

const isUnreadable = ({ status, text }: Heard, reason: string, what: string): void => {
  assert.is(status, 500, `${what}: ${text}`)
  assert.is(textIn(text, 'faultcode'), 'soap:Client')
  assert.match(
    faultText(text),
    /^Server was unable to read request\. ---> There is an error in XML document \(\d+, \d+\)\. ---> /
  )
  assert.is(faultText(text).split(' ---> ')[2], reason, what)
}

const DATES = ['2025-01-02T03:04:05', '2025-01-02T03:04:05Z', '2025-01-02T03:04:05.5+02:00', '2025-01-02', '2025-01', '12:00:00', ' 2025-01-02 ', '2025-01-02T03:04:05.123456789'] // prettier-ignore
const NO_DATES = ['', '2025-01-02 03:04:05', '2025-01-02T24:00:00', '2025-02-30', '10000-01-01', '-2025-01-02', 'x']

for (const text of DATES)
  test(`the date '${text}' is taken`, async context => {
    isTaken(await (await service(context)).list(`<LocalDate>${text}</LocalDate>`), text)
  })

for (const text of NO_DATES)
  test(`the date '${text}' is refused`, async context => {
    const heard = await (await service(context)).list(`<LocalDate>${text}</LocalDate>`)
    isUnreadable(heard, `The string '${text}' is not a valid AllXsd value.`, text)
  })

const NO_NUMBERS = ['', ' ', '1.0', '1e2', '0x1', '1,000']
const FORMAT = 'Input string was not in a correct format.'
const longs = (...texts: string[]): string =>
  `<FileExceptionList>${texts.map(text => `<long>${text}</long>`).join('')}</FileExceptionList>`

test('a short is taken with blanks, with a sign, and in its full range', async context => {
  const { list } = await service(context)
  for (const text of [' 3\n', '+1', '-32768', '32767', '0003']) isTaken(await list(`<ChangeType>${text}</ChangeType>`), text)
})

test('a short that is none, or too large, is refused', async context => {
  const { list } = await service(context)
  for (const text of NO_NUMBERS) isUnreadable(await list(`<ChangeType>${text}</ChangeType>`), FORMAT, text)
  for (const text of ['32768', '-32769', '9'.repeat(100)])
    isUnreadable(await list(`<ChangeType>${text}</ChangeType>`), 'Value was either too large or too small for an Int16.', text)
})

test('a long is taken with blanks, with a sign, and in its full range', async context => {
  const { list } = await service(context)
  isTaken(await list(longs(' 1 ', '+1', '-9223372036854775808', '9223372036854775807', '9007199254740993')), 'longs')
})

test('a long that is none, or too large, is refused', async context => {
  const { list } = await service(context)
  for (const text of NO_NUMBERS) isUnreadable(await list(longs('1', text)), FORMAT, text)
  isUnreadable(await list(longs('9223372036854775808')), 'Value was either too large or too small for an Int64.', 'too large')
})

const NIL = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"'

test('a number or a date that is nil is refused', async context => {
  const { list } = await service(context)
  isUnreadable(await list(`<ChangeType ${NIL}/>`), FORMAT, 'a short')
  isUnreadable(await list(`<FileExceptionList><long ${NIL}/></FileExceptionList>`), FORMAT, 'a long')
  isUnreadable(await list(`<LocalDate ${NIL}/>`), "The string '' is not a valid AllXsd value.", 'a date')
})

test('a list or a group of parameters that is nil counts as left out', async context => {
  const own = await service(context)
  isTaken(await own.list(`<FileExceptionList ${NIL}/>`), 'a list')
  const nil = `<ChangeList xmlns="${API}"><Token>${own.token}</Token><Parameters ${NIL}><ChangeType>x</ChangeType></Parameters></ChangeList>`
  isTaken(await own.post(envelope(SOAP_11, nil)), 'parameters')
})

test('what is left out has its default: everything there is, from the beginning', async context => {
  const own = await service(context)
  for (const parameters of ['', '<ChangeType>3</ChangeType>', '<LocalDate>0001-01-01T00:00:00</LocalDate>']) {
    const { text } = await own.list(parameters)
    assert.equal([textIn(text, 'FullSync'), textIn(text, 'HeaderChanged')], ['true', 'true'])
  }
  const bare = await own.post(envelope(SOAP_11, `<ChangeList xmlns="${API}"><Token>${own.token}</Token></ChangeList>`))
  assert.is(textIn(bare.text, 'FullSync'), 'true')
})

test('parameters are taken in any order, with any prefix, and with others between them', async context => {
  const own = await service(context)
  const prefixed = `<a:ChangeList xmlns:a="${API}" xmlns:b="${API}"><b:Parameters><b:New>1</b:New><a:ChangeType>1</a:ChangeType><!-- c --><b:LocalDate>9999-01-01</b:LocalDate></b:Parameters><a:Other><x/></a:Other><a:Token><![CDATA[${own.token}]]></a:Token></a:ChangeList>`
  const heard = await own.post(envelope(SOAP_11, prefixed))
  isTaken(heard, 'prefixed')
  assert.equal([textIn(heard.text, 'FullSync'), heard.text.includes('ChangedFolderList')], ['false', false])
})

test('a parameter of another namespace, or of none, is passed over', async context => {
  const { list } = await service(context)
  for (const uri of ['urn:other', '']) {
    const heard = await list(`<LocalDate xmlns="${uri}">x</LocalDate><ChangeType xmlns="${uri}">2</ChangeType>`)
    isTaken(heard, uri)
    assert.equal([textIn(heard.text, 'FullSync'), heard.text.includes('<ChangedFileList')], ['true', true])
  }
})

test('of a parameter that comes twice the first counts', async context => {
  const { list } = await service(context)
  const heard = await list('<ChangeType>1</ChangeType><ChangeType>x</ChangeType><LocalDate>9999-01-01</LocalDate><LocalDate/>')
  isTaken(heard, 'twice')
  assert.equal([textIn(heard.text, 'FullSync'), heard.text.includes('ChangedFolderList')], ['false', false])
})

test('a list that comes twice is one', async context => {
  const { list } = await service(context)
  isTaken(await list(longs('1') + longs('2')), 'twice')
  isUnreadable(await list(longs('1') + longs('x')), FORMAT, 'twice')
})

test('a value that holds elements is refused', async context => {
  const { list } = await service(context)
  const { status, text } = await list('<ChangeType><a/></ChangeType>')
  assert.equal([status, textIn(text, 'faultcode')], [500, 'soap:Client'])
})

test('the place of a bad value is told by line and column of what follows it', async context => {
  const { post, token }: Service = await service(context)
  const head = `<s:Envelope xmlns:s="${SOAP_11}"><s:Body>\n<ChangeList xmlns="${API}"><Token>${token}</Token>\n<Parameters>`
  const places: Record<string, string> = {
    '<ChangeType>x</ChangeType></Parameters>': '(3, 41)',
    '<ChangeType>x</ChangeType><LocalDate>2025</LocalDate></Parameters>': '(3, 40)',
    '<ChangeType>x</ChangeType>\r\n  <LocalDate>2025</LocalDate></Parameters>': '(4, 4)'
  }
  for (const [parameters, place] of Object.entries(places)) {
    const { text } = await post(`${head}${parameters}</ChangeList></s:Body></s:Envelope>`)
    assert.is(faultText(text), `${UNREADABLE}${place}. ---> ${FORMAT}`)
  }
})

test("a client that says what time it has is told how far it is from the hub's", async context => {
  const { list } = await service(context)
  const offset = async (date: string | undefined): Promise<number> =>
    Number(textIn((await list(QUIET, '1.1', { date })).text, 'OffsetDate'))
  assert.is(await offset(undefined), 0)
  assert.is(await offset('yesterday'), 0)
  const begun = Date.now()
  const hourAgo = Math.floor(begun / 1_000) * 1_000 - 3_600_000
  const told = await offset(new Date(hourAgo).toUTCString())
  assert.ok(told >= 3_600 && told <= (Date.now() - hourAgo) / 1_000 + 60, String(told))
})

test('no list is anything but one, whatever kind of changes is asked for', async context => {
  const { list } = await service(context)
  for (const kind of ['0', '3', '4', '-1'])
    assert.equal(textsIn((await list(`<ChangeType>${kind}</ChangeType>`)).text, 'FullSync'), ['true'])
})

test.run()
