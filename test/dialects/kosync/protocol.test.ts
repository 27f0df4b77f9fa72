import { request } from 'node:http'
import * as assert from 'uvu/assert'
import { suite } from '../../util/suite.ts'
import { md5, newDocument, ownReader, readerElsewhere, type Heard, type Reader } from './reader.ts'

const test = suite('dialects/kosync/protocol')

/** One hub for all of this file: what each test asks is about a document of its own. */
const closing: (() => unknown)[] = []
let shared: Promise<Reader> | undefined
const reader = (): Promise<Reader> =>
  (shared ??= Promise.resolve(readerElsewhere() ?? ownReader({ defer: close => void closing.push(close) })))

const isRefused = ({ status, text }: Heard, expected: number, code: number, message: string): void =>
  assert.equal([status, text], [expected, JSON.stringify({ code, message })])

const UNAUTHORIZED = [401, 2001, 'Unauthorized'] as const
const BAD_FIELDS = [403, 2003, 'Invalid request'] as const
const NO_DOCUMENT = [403, 2004, "Field 'document' not provided."] as const

test('whoever asks is told that the server is well, at the root, under /kosync, and with slashes too many', async () => {
  const { ask } = await reader()
  for (const path of ['/healthcheck', '/kosync/healthcheck', '//healthcheck', '/healthcheck/', '/kosync//healthcheck//']) {
    const { status, text, headers } = await ask('GET', path, undefined, { 'x-auth-user': '' })
    assert.equal([status, text, headers.get('content-type')], [200, '{"state":"OK"}', 'application/json'], path)
  }
})

test('who has the key is let in, at each of the addresses, whatever it accepts', async () => {
  const { ask, name, password } = await reader()
  const signIn = { 'x-auth-user': name, 'x-auth-key': md5(password) }
  for (const path of ['/users/auth', '/kosync/users/auth', '/kosync//users/auth/', '//users//auth'])
    for (const accept of ['application/vnd.koreader.v1+json', '*/*', 'text/html']) {
      const { status, text } = await ask('GET', path, undefined, { ...signIn, accept })
      assert.equal([status, text], [200, '{"authorized":"OK"}'], path)
    }
})

test('HTTP Basic does as well, with the password or with what KOReader makes of it', async () => {
  const { ask, name, password } = await reader()
  const basic = (text: string): { authorization: string } => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  for (const typed of [password, md5(password)])
    assert.is((await ask('GET', '/users/auth', undefined, basic(`${name}:${typed}`))).status, 200)
  for (const wrong of [`${name}:wrong`, name, `${name}:`, ':', ''])
    isRefused(await ask('GET', '/users/auth', undefined, basic(wrong)), ...UNAUTHORIZED)
})

test('no headers, half of them, a wrong key and a user that is none are refused with one answer, by every call', async () => {
  const { ask, name, password } = await reader()
  const key = md5(password)
  const wrong: Record<string, string>[] = [
    { 'x-auth-user': '', 'x-auth-key': '' },
    { 'x-auth-user': name },
    { 'x-auth-key': key },
    { 'x-auth-user': name, 'x-auth-key': 'wrong' },
    { 'x-auth-user': name, 'x-auth-key': key.toUpperCase() },
    { 'x-auth-user': `nobody ${newDocument()}`, 'x-auth-key': key },
    { 'x-auth-user': `${name}:x`, 'x-auth-key': key },
    { 'x-auth-user': name, 'x-auth-key': 'x'.repeat(300) },
    { authorization: 'Bearer x' }
  ]
  for (const headers of wrong) isRefused(await ask('GET', '/users/auth', undefined, headers), ...UNAUTHORIZED)
  const stranger = { 'x-auth-user': '' }
  for (const [method, path, body] of [
    ['PUT', '/syncs/progress', { document: newDocument(), progress: '1', percentage: 0, device: 'd' }],
    ['PUT', '/syncs/progress', 'no json'],
    ['GET', `/syncs/progress/${newDocument()}`],
    ['PUT', '/users/password', { password: 'x' }],
    ['DELETE', '/users/me']
  ] as const)
    isRefused(await ask(method, path, body, stranger), ...UNAUTHORIZED)
})

test('a position comes back as it was sent, with the second in which the hub got it', async () => {
  const { put, get } = await reader()
  const document = newDocument()
  const before = Math.floor(Date.now() / 1_000)
  const { status, json, headers } = await put(document, '/body/DocFragment[11]/body/div/p[7]/text().123', 0.4213, {
    timestamp: 1_000_000_000
  })
  assert.is(status, 200)
  assert.is(headers.get('content-type'), 'application/json')
  const { timestamp } = json as { timestamp: number }
  assert.equal(json, { document, timestamp })
  // The hub's clock may be another machine's.
  assert.ok(Number.isInteger(timestamp) && Math.abs(timestamp - before) < 86_400, String(timestamp))
  assert.equal(await get(document), {
    document,
    percentage: 0.4213,
    progress: '/body/DocFragment[11]/body/div/p[7]/text().123',
    device: 'Libra',
    device_id: 'A1',
    timestamp
  })
})

test('what a device says of its place is kept to the letter, and told as a text', async () => {
  const { put, get } = await reader()
  const document = newDocument()
  const texts = ['56', '0', '', '/body/DocFragment[2].0', '#_doc_fragment_44_ c37', 'ünï\u0000\u{1f4d6}\n"\\/', 'x'.repeat(4_096)]
  for (const progress of texts) {
    assert.is((await put(document, progress, 0.5)).status, 200, progress)
    assert.is((await get(document)).progress, progress)
  }
  assert.is((await put(document, 57, 0.5)).status, 200)
  assert.is((await get(document)).progress, '57')
})

test('a percentage is told as it was sent, 0 and what is none too; a text of digits is one', async () => {
  const { put, get } = await reader()
  const document = newDocument()
  for (const percentage of [0, 1, 0.123456789012345, 0.1 + 0.2, 1.02, -0.5]) {
    assert.is((await put(document, '1', percentage)).status, 200, String(percentage))
    assert.is((await get(document)).percentage, percentage)
  }
  assert.is((await put(document, '1', '0.25')).status, 200)
  assert.is((await get(document)).percentage, 0.25)
})

test('of a document that nobody has read nothing is told, with 200', async () => {
  const { ask } = await reader()
  const { status, text } = await ask('GET', `/syncs/progress/${newDocument()}`)
  assert.equal([status, text], [200, '{}'])
})

test('the last one counts, of whatever device, also when it goes back', async () => {
  const { put, get } = await reader()
  const document = newDocument()
  await put(document, '200', 0.9, { device: 'Kindle', device_id: 'B2' })
  await put(document, '10', 0.1, { device: 'Kobo', device_id: 'C3' })
  const { progress, percentage, device, device_id } = await get(document)
  assert.equal([progress, percentage, device, device_id], ['10', 0.1, 'Kobo', 'C3'])
  await put(document, '11', 0.11, { device: 'Kindle', device_id: 'B2' })
  assert.equal([(await get(document)).progress, (await get(document)).device], ['11', 'Kindle'])
})

test('a device without an id is known by its name, and told without one; one that was renamed is told by its new name', async () => {
  const { put, get, ask } = await reader()
  const document = newDocument()
  await ask('PUT', '/syncs/progress', { document, progress: '1', percentage: 0.1, device: 'Old reader' })
  const { device, device_id } = await get(document)
  assert.equal([device, device_id], ['Old reader', undefined])
  await put(document, '2', 0.2, { device: 'Bedside' })
  assert.is((await get(document)).device, 'Bedside')
})

test('members beside the known ones do no harm, whatever they are', async () => {
  const { put, get } = await reader()
  const document = newDocument()
  const metadata = { filename: 'leaves.epub', title: 'Leaves of Grass', authors: 'Walt Whitman' }
  for (const more of [
    { metadata },
    { metadata: { ...metadata, title: 'x'.repeat(5_000), other: { deep: [1] } } },
    { metadata: 'none' },
    { metadata: null },
    { identifiers: [{ type: 'content', value: document }], lectern_id: 7 },
    { device_id: null }
  ])
    assert.is((await put(document, '5', 0.2, more)).status, 200, JSON.stringify(more))
  assert.equal(Object.keys(await get(document)).sort(), ['device', 'document', 'percentage', 'progress', 'timestamp'])
})

test('a document is whatever a reader calls it, the same for writing and reading, but for colons', async () => {
  const { put, get, ask } = await reader()
  for (const end of ['-hyphen', '.dot', '_line', ' blank', 'ü', '%41', '/slash', '?mark#', '\u{1f4d6}']) {
    const document = newDocument() + end
    assert.is((await put(document, '1', 0.1)).status, 200, document)
    assert.is((await get(document)).document, document)
  }
  for (const document of ['a:b', ':', 'x'.repeat(113), 'a\nb']) {
    isRefused(await put(document, '1', 0.1), ...NO_DOCUMENT)
    isRefused(await ask('GET', `/syncs/progress/${encodeURIComponent(document)}`), ...NO_DOCUMENT)
  }
})

test('what lacks a field, or has one of another kind, is refused with its code and changes nothing', async () => {
  const { ask, get } = await reader()
  const document = newDocument()
  const whole = { document, progress: '1', percentage: 0.5, device: 'Libra', device_id: 'A1' }
  const without = (name: string): object => Object.fromEntries(Object.entries(whole).filter(([known]) => known !== name))
  for (const body of [
    without('document'),
    { ...whole, document: '' },
    { ...whole, document: 7 },
    { ...whole, document: null },
    {}
  ])
    isRefused(await ask('PUT', '/syncs/progress', body), ...NO_DOCUMENT)
  for (const body of [
    ...['progress', 'percentage', 'device'].map(without),
    ...[null, false, 'half', '', [], {}].map(percentage => ({ ...whole, percentage })),
    ...[null, false, [], {}, 'x'.repeat(4_097)].map(progress => ({ ...whole, progress })),
    ...[null, false, [], {}, 'x'.repeat(257)].map(device => ({ ...whole, device })),
    ...[true, [], {}, 'x'.repeat(257)].map(device_id => ({ ...whole, device_id }))
  ])
    isRefused(await ask('PUT', '/syncs/progress', body), ...BAD_FIELDS)
  assert.equal(await get(document), {})
})

test('a body is JSON, and a map, whatever its content type says', async () => {
  const { ask } = await reader()
  const body = { document: newDocument(), progress: '1', percentage: 0.5, device: 'd' }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'nonsense'])
    assert.is((await ask('PUT', '/syncs/progress', JSON.stringify(body), { 'content-type': type })).status, 200, type)
  for (const text of ['{"document"', 'null x', ' ', '\u0001'])
    isRefused(await ask('PUT', '/syncs/progress', text), 400, 103, 'Could not parse JSON in body.')
  for (const text of ['[1,2,3]', '7', 'null', '"text"'])
    isRefused(await ask('PUT', '/syncs/progress', text), 400, 104, 'Body should be a JSON hash.')
})

test('a body over 64 KiB is refused, also one that does not say how long it is', async () => {
  const { ask, url, name, password } = await reader()
  const body = JSON.stringify({ document: newDocument(), progress: '1', percentage: 0.5, device: 'd', more: 'x'.repeat(70_000) })
  const { status, json } = await ask('PUT', '/syncs/progress', body)
  assert.equal([status, json.code], [413, 2000])
  const chunked = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { 'x-auth-user': name, 'x-auth-key': md5(password) }
    const call = request(`${url}/syncs/progress`, { method: 'PUT', headers }, response => {
      response.resume()
      resolve(response.statusCode)
    })
    call.on('error', reject)
    call.write(body.slice(0, 60_000))
    call.end(body.slice(60_000))
  })
  assert.is(chunked, 413)
})

test('a path outside of the protocol is not there', async () => {
  const { ask } = await reader()
  for (const [method, path] of [
    ['GET', '/syncs/progress'],
    ['GET', '/syncs/progress/'],
    ['POST', '/syncs/progress'],
    ['DELETE', `/syncs/progress/${newDocument()}`],
    ['GET', '/users/create'],
    ['GET', '/users'],
    ['GET', '/kosync'],
    ['GET', '/kosync/api/v1/changes'],
    ['GET', `/syncs/progress/${newDocument()}/more`]
  ] as const)
    assert.is((await ask(method, path)).status, 404, `${method} ${path}`)
})

test('a key is changed by who has it, at once, and the old one is good for nothing', async () => {
  const { ask, name, password } = await reader()
  const as = (key: string): Record<string, string> => ({ 'x-auth-user': name, 'x-auth-key': key })
  const change = (from: string, to: unknown): Promise<Heard> => ask('PUT', '/users/password', { password: to }, as(from))
  for (const wrong of [undefined, '', 7, null, 'x'.repeat(257)]) isRefused(await change(md5(password), wrong), ...BAD_FIELDS)
  const changed = await change(md5(password), md5('another'))
  try {
    assert.equal([changed.status, changed.text], [200, '{"updated":true}'])
    isRefused(await ask('GET', '/users/auth'), ...UNAUTHORIZED)
    assert.is((await ask('GET', '/users/auth', undefined, as(md5('another')))).status, 200)
  } finally {
    assert.is((await change(md5('another'), md5(password))).status, 200)
  }
  assert.is((await ask('GET', '/users/auth')).status, 200)
})

test('the hub that was asked ends in good order', async () => {
  await shared
  for (const close of closing.reverse()) await close()
})

test.run()
