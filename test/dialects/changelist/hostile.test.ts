import * as assert from 'uvu/assert'
import { systemClock } from '../../../server/clock.ts'
import { readChangeList } from '../../../server/dialects/changelist/change-list.ts'
import { readEnvelope } from '../../../server/dialects/changelist/envelope.ts'
import { Fields } from '../../../server/dialects/changelist/fields.ts'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { parseToken } from '../../../server/auth/tokens.ts'
import { holdContent } from '../../../server/core/files/contents.ts'
import { Origin } from '../../../server/core/origin.ts'
import { routingOf } from '../../../server/dialects/changelist/routing.ts'
import { parseContentDigest } from '../../../server/files/content-digest.ts'
import { mutate } from '../../util/mutate.ts'
import { Random } from '../../util/random.ts'
import { RawSocket } from '../../util/raw-socket.ts'
import { suite } from '../../util/suite.ts'
import { API, changeListXml, envelope, ownService, SOAP_11, SOAP_XML, textIn, type Heard } from './service.ts'

const test = suite('dialects/changelist/hostile')

const MIB = 1_048_576
/** What only an error of the hub's own would say: places in sources, names of its classes. */
const TRACE = /\bat [\w.<>]+ \(|node:|\.[jt]s\b|\w+Error\b|\/server\//

const isBare = ({ status, text }: Heard, expected: number, what: string): void =>
  assert.equal([status, text], [expected, ''], what)

const within = (inner: string): string => envelope(SOAP_11, `<ChangeList xmlns="${API}">${inner}</ChangeList>`)

test('XML that would cost much is refused with 400, and nobody is told more', async context => {
  const own = await ownService(context)
  const many = (count: number, text: (index: number) => string): string =>
    Array.from({ length: count }, (_, at) => text(at)).join('')
  const costly: Record<string, string> = {
    '20,000 elements in one another': within('<a>'.repeat(20_000) + '</a>'.repeat(20_000)),
    '33 elements in one another': `${'<a>'.repeat(33)}${'</a>'.repeat(33)}`,
    '250,000 elements side by side': within('<a/>'.repeat(250_000)),
    '50,000 attributes': within(`<a ${many(50_000, at => `a${at}="" `)}/>`),
    '50,000 namespaces': within(`<a ${many(20_000, at => `xmlns:a${at}="u" `)}/>`),
    'an attribute of a megabyte, and no end': `<a b="${'x'.repeat(MIB - 100)}`,
    'a tag without end': `<${'x'.repeat(MIB - 100)}`,
    'a comment without end': `<!--${'-x'.repeat(MIB / 2 - 100)}`,
    'entities of entities': `<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">${many(20, at => `<!ENTITY a${at} "${'&a;'.repeat(10)}">`)}]><l>&a19;</l>`,
    'an entity from elsewhere': '<!DOCTYPE l [<!ENTITY e SYSTEM "file:///etc/passwd">]><l>&e;</l>',
    'a document type from elsewhere': `<!DOCTYPE l SYSTEM "${own.url}?wsdl"><l/>`,
    'a parameter entity': `<!DOCTYPE l [<!ENTITY % p SYSTEM "${own.url}?wsdl">%p;]><l/>`,
    'entities by the names of prototypes': within('<Token>&toString;&constructor;&__proto__;</Token>')
  }
  for (const [what, body] of Object.entries(costly)) isBare(await own.post(body), 400, what)
  assert.equal(own.own.logger.lines, [])
  assert.is((await own.list('')).status, 200)
})

test('a million blanks or zeros in a value cost no more than reading them', async context => {
  const own = await ownService(context)
  const [blanks, zeros] = [' '.repeat(1_000_000), '0'.repeat(1_000_000)]
  for (const value of [`1${blanks}1`, `${blanks}x`, `x${blanks}`, `${zeros}x`, `${zeros}1x`])
    for (const field of ['LocalDate', 'ChangeType'])
      assert.is((await own.list(`<${field}>${value}</${field}>`)).status, 500, `${field} ${value.length}`)
  assert.is((await own.list(`<ChangeType>${blanks}1${blanks.slice(0, 9)}</ChangeType>`)).status, 200)
  assert.is((await own.list(`<ChangeType>${zeros}1</ChangeType>`)).status, 200)
})

test('a user name of half a million marks costs no more than reading it', async context => {
  const own = await ownService(context)
  const marks = `a${'\u0301\u0327'.repeat(250_000)}`
  const body = `<AccountLogin xmlns="${API}"><UserName>${marks}</UserName><Password>x</Password></AccountLogin>`
  const { status, text } = await own.post(envelope(SOAP_11, body), { soapaction: `"${API}AccountLogin"` })
  assert.is(status, 200, text)
  assert.not.match(text, '<ErrorMessage />')
})

test('headers full of blanks cost no more than reading them', () => {
  const blanks = ' '.repeat(1_000_000)
  assert.ok(routingOf(`text/xml; charset=x${blanks}y`, undefined).charset?.endsWith('y'))
  assert.is(routingOf(`text/xml; charset${blanks}=${blanks}utf-8${blanks}`, undefined).charset, 'utf-8')
  assert.is(parseContentDigest(`md5=x${blanks}y`), undefined)
})

test('elements by the names of prototypes are only names', async context => {
  const own = await ownService(context)
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    assert.is((await own.list(`<${name} ${name}="1">1</${name}>`)).status, 200, name)
    assert.is((await own.post(envelope(SOAP_11, `<${name} xmlns="${API}"/>`), { soapaction: undefined })).status, 500, name)
    assert.is((await own.post(within(''), { soapaction: `"${API}${name}"` })).status, 500, name)
  }
  assert.equal(own.own.logger.lines, [])
})

test('exceptions are kept as texts, whose hash nobody can choose', async () => {
  const { content, text } = await readEnvelope(
    Buffer.from(within('<Parameters><FileExceptionList><long>5</long><long>+05</long></FileExceptionList></Parameters>')),
    'utf-8',
    systemClock
  )
  const { exceptFiles } = readChangeList(new Fields(content, text).fields('Parameters'), 0)
  assert.equal([...exceptFiles], ['5'])
})

test('a list of 30,000 exceptions is taken, and what is over a mebibyte is not', async context => {
  const own = await ownService(context)
  const ids = Array.from({ length: 30_000 }, (_, at) => `<long>${9_007_199_254_740_993n + BigInt(at)}</long>`)
  assert.is((await own.list(`<FileExceptionList>${ids.join('')}</FileExceptionList>`)).status, 200)
  for (const size of [MIB + 1, 10 * MIB]) isBare(await own.post('x'.repeat(size)), 413, `${size} bytes`)
  const endless: RequestInit & { duplex: 'half' } = {
    method: 'POST',
    headers: { 'content-type': 'text/xml', soapaction: `${API}ChangeList` },
    body: new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(65_536)) }),
    duplex: 'half'
  }
  const chunked = await fetch(own.url, endless).catch((error: unknown) => error)
  // Whoever goes on sending may see the connection cut before it reads the answer.
  if (chunked instanceof Response) assert.is(chunked.status, 413)
  assert.is((await own.list('')).status, 200)
})

test('many large bodies that do not come to an end keep out more of them, and no small one', async context => {
  const own = await ownService(context)
  const sockets = Array.from({ length: 40 }, () => new RawSocket(context, own.own.url))
  const head = `POST /api/syncapp/syncapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nSOAPAction: ${API}ChangeList\r\nContent-Length: ${MIB}\r\n\r\n`
  for (const socket of sockets) {
    socket.write(head)
    socket.write(Buffer.alloc(MIB - 1, 0x20))
  }
  // Those that found no room were told so at once.
  const told = await Promise.race(sockets.map(socket => socket.until(text => text.includes('\r\n\r\n'))))
  assert.match(told, /^HTTP\/1\.1 503 .*retry-after: 1/is)
  assert.is((await own.list('')).status, 200)
  for (const { socket } of sockets) socket.destroy()
  const large = `<Parameters>${' '.repeat(MIB / 2)}</Parameters>`
  for (;;) {
    const { status } = await own.post(within(`<Token>${own.token}</Token>${large}`))
    if (status === 200) break
    assert.is(status, 503)
  }
})

test('a body that comes slowly is cut off, and holds up nobody', async context => {
  const own = await ownService(context)
  const slow = new RawSocket(context, own.own.url)
  slow.write(`POST /api/syncapp/syncapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<`)
  const drip = setInterval(() => slow.write(' '), 1_000)
  context.defer(() => clearInterval(drip))
  assert.is((await own.list('')).status, 200)
  const answer = await slow.until(() => false)
  assert.match(answer, /^(HTTP\/1\.1 408 |$)/)
  assert.not.match(answer, TRACE)
  assert.is((await own.list('')).status, 200)
})

test('a client that goes away in the middle of its request, or of its answer, leaves nothing behind', async context => {
  const own = await ownService(context)
  for (const text of [
    'POST /api/syncapp/syncapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 9\r\n\r\n<'
  ])
    for (let count = 0; count < 20; count++) {
      const raw = new RawSocket(context, own.own.url)
      raw.write(text)
      await new Promise(resolve => raw.socket.once('connect', resolve))
      raw.socket.resetAndDestroy()
    }
  assert.is((await own.list('')).status, 200)
  assert.equal(own.own.logger.lines, [])
})

test('an answer whose client goes away is left; one whose device is revoked is cut off', async context => {
  const own = await ownService(context)
  const sha256 = 'a'.repeat(64)
  await holdContent(own.account, 'phone', sha256, 1)
  const folder = Array.from({ length: 3 }, () => 'x'.repeat(240)).join('/')
  for (let count = 0; count < 8_000; count++)
    void own.account.perform(new Origin('phone', ''), 'file.put', `${folder}/${'y'.repeat(240)}${count}`, {
      sha256,
      sizeBytes: 1
    })
  await own.account.settled()
  const body = envelope(SOAP_11, changeListXml(own.token))
  const begun = async (): Promise<RawSocket> => {
    const raw = new RawSocket(context, own.own.url)
    raw.write(
      `POST /api/syncapp/syncapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    )
    await raw.until(text => text.includes('<ChangedFileList>'))
    return raw
  }
  for (let count = 0; count < 5; count++) (await begun()).socket.resetAndDestroy()
  const raw = await begun()
  await revokeDevice(own.account, parseToken(own.token)!.device)
  const answer = await raw.until(text => text.endsWith('\r\n0\r\n\r\n'))
  assert.match(answer, /^HTTP\/1\.1 200 /)
  assert.not.match(answer, '</soap:Envelope>')
  assert.ok(raw.isClosed)
  assert.equal(own.own.logger.lines, [])
})

test('mutated requests are answered, and never by an error of the hub', async context => {
  const own = await ownService(context)
  const random = new Random(Number(process.env['LECTERN_SEED'] ?? 1))
  const parameters = `<LocalDate>2025-01-02T03:04:05.678Z</LocalDate><ChangeType>3</ChangeType><FileExceptionList><long>1</long><long>2</long></FileExceptionList>`
  const right = Buffer.from(envelope(SOAP_11, changeListXml(own.token, parameters)))
  const others = [
    right,
    Buffer.from('<![CDATA[&#x1F600;]]><?p i?>'),
    Buffer.from('<!DOCTYPE a>'),
    Buffer.from([0xff, 0xfe, 0, 0xd8])
  ]
  const headers = [{}, { soapaction: undefined }, { 'content-type': SOAP_XML }, { 'content-type': 'text/xml; charset=utf-16' }]
  const counts: Record<number, number> = {}
  for (let count = 0; count < 3_000; count++) {
    let body: Uint8Array = mutate(right, others, random)
    if (random.chance(0.3)) body = mutate(body, others, random)
    const { status, text } = await own.post(body, random.pick(headers))
    counts[status] = (counts[status] ?? 0) + 1
    const what = Buffer.from(body).toString('latin1')
    assert.ok([200, 400, 415, 500].includes(status), `${status} for ${what}`)
    if (status !== 200) assert.not.match(text, TRACE, what)
    if (status === 500) assert.is.not(textIn(text, 'faultcode'), 'soap:Server', what)
  }
  assert.equal(own.own.logger.lines, [])
  process.stdout.write(`FIGURE: 3,000 mutants, by status: ${JSON.stringify(counts)}\n`)
})

test('an error of the hub is a fault of two words, and stands in the log', async context => {
  const own = await ownService(context)
  own.account.views.range = () => {
    throw new TypeError('secret of the inside')
  }
  for (const version of ['1.1', '1.2'] as const) {
    const { status, text } = await own.list('', version)
    assert.is(status, 500)
    assert.match(text, 'Server was unable to process request. ---&gt; the hub failed; its log says why')
    assert.not.match(text, TRACE)
    assert.not.match(text, 'secret')
    assert.match(text, version === '1.1' ? 'soap:Server' : 'soap:Receiver')
  }
  assert.equal(
    own.own.logger.lines.map(({ level }) => level),
    ['error', 'error']
  )
})

test.run()
