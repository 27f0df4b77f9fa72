import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Origin } from '../../../server/core/origin.ts'
import { digestField } from '../../../server/files/content-digest.ts'
import { FilesClient, type Answered } from '../../util/files-client.ts'
import { RawSocket } from '../../util/raw-socket.ts'
import { otherAccount, restHub } from '../../util/rest-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { sha256Of } from '../../util/contents.ts'

const test = suite('dialects/pinakes/downloads')

const FILE = randomBytes(300_000)
const SHA256 = sha256Of(FILE)
const ETAG = `"${SHA256}"`

async function scene(context: TestContext) {
  const hub = await restHub(context)
  const folder = `${randomBytes(6).toString('hex')}/`
  const [phone, reader] = [await hub.device(), await hub.device({ read_only: true })]
  const client = (token: string, base = '/api/v1/sync'): FilesClient => new FilesClient(hub.url + base, token, folder)
  const anna = client(phone.token)
  await anna.upload('novels/Emma.epub', FILE)
  return { hub, folder, phone, reader: client(reader.token), client, anna }
}

const head = ({ status, headers, bytes }: Answered, ...names: string[]): unknown[] => [
  status,
  bytes.length,
  ...names.map(name => headers.get(name))
]

test('a file comes down whole, to be saved and not shown', async context => {
  const { anna, client, phone } = await scene(context)
  for (const who of [anna, client(phone.token, '/api/sync')]) {
    const answered = await who.download('novels/Emma.epub')
    assert.ok(answered.bytes.equals(FILE))
    assert.equal(head(answered, 'etag', 'accept-ranges', 'content-length', 'content-type', 'repr-digest'), [
      200,
      FILE.length,
      ETAG,
      'bytes',
      String(FILE.length),
      'application/octet-stream',
      digestField(SHA256)
    ])
    assert.equal(head(answered, 'content-disposition', 'x-content-type-options', 'content-encoding').slice(2), [
      `attachment; filename="Emma.epub"; filename*=UTF-8''Emma.epub`,
      'nosniff',
      null
    ])
  }
})

test('a part comes as it was asked for', async context => {
  const { anna } = await scene(context)
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=100000-199999', 100_000, 200_000],
    ['bytes=299999-', 299_999, 300_000],
    ['bytes=-1000', 299_000, 300_000],
    ['bytes=0-', 0, 300_000],
    ['bytes=5-1000000', 5, 300_000]
  ] as [string, number, number][]) {
    const answered = await anna.download('novels/Emma.epub', { range })
    assert.ok(answered.bytes.equals(FILE.subarray(start, end)), range)
    assert.equal(head(answered, 'content-range', 'content-length', 'etag', 'repr-digest'), [
      206,
      end - start,
      `bytes ${start}-${end - 1}/300000`,
      String(end - start),
      ETAG,
      digestField(SHA256)
    ])
  }
  for (const range of ['bytes=0-1,5-6', 'bytes=2-1', 'lines=1-2']) {
    const whole = await anna.download('novels/Emma.epub', { range })
    assert.equal([whole.status, whole.bytes.equals(FILE)], [200, true], range)
  }
})

test('a part that there is not is 416, and says how long the file is', async context => {
  const { anna } = await scene(context)
  for (const range of ['bytes=300000-', 'bytes=-0']) {
    const answered = await anna.download('novels/Emma.epub', { range })
    assert.equal([answered.status, answered.headers.get('content-range')], [416, 'bytes */300000'])
    assert.is(answered.json.code, 'range-not-satisfiable')
  }
})

test('who goes on gets the rest of the same content, or all of another', async context => {
  const { anna } = await scene(context)
  const range = 'bytes=100000-'
  assert.is((await anna.download('novels/Emma.epub', { range, 'if-range': ETAG })).status, 206)
  assert.is((await anna.download('novels/Emma.epub', { range, 'if-match': ETAG })).status, 206)
  const newer = Buffer.from('a second edition')
  await anna.upload('novels/Emma.epub', newer, { base_sha256: SHA256 })
  const answered = await anna.download('novels/Emma.epub', { range, 'if-range': ETAG })
  assert.equal([answered.status, answered.bytes.equals(newer)], [200, true])
  const refused = await anna.download('novels/Emma.epub', { range, 'if-match': ETAG })
  assert.equal([refused.status, refused.json.code], [412, 'precondition-failed'])
})

test('who has the content already gets 304 and no bytes', async context => {
  const { anna } = await scene(context)
  for (const tag of [ETAG, `W/${ETAG}`, `"x", ${ETAG}`, '*'])
    assert.equal(head(await anna.download('novels/Emma.epub', { 'if-none-match': tag }), 'etag'), [304, 0, ETAG])
  assert.is((await anna.download('novels/Emma.epub', { 'if-none-match': '"x"' })).status, 200)
})

test('HEAD says the same without the bytes, and reads no range', async context => {
  const { anna } = await scene(context)
  for (const headers of [{}, { range: 'bytes=0-1' }] as Record<string, string>[])
    assert.equal(head(await anna.download('novels/Emma.epub', headers, 'HEAD'), 'content-length', 'etag', 'content-range'), [
      200,
      0,
      '300000',
      ETAG,
      null
    ])
  assert.is((await anna.download('none', {}, 'HEAD')).status, 404)
  assert.is((await anna.download('novels/Emma.epub', { 'if-none-match': ETAG }, 'HEAD')).status, 304)
})

test('a file of no bytes comes down', async context => {
  const { anna } = await scene(context)
  await anna.upload('empty', Buffer.alloc(0))
  assert.equal(head(await anna.download('empty'), 'content-length'), [200, 0, '0'])
  assert.equal(head(await anna.download('empty', { range: 'bytes=-5' }), 'content-range'), [200, 0, null])
  assert.is((await anna.download('empty', { range: 'bytes=0-' })).status, 416)
})

test('names of any language come down under their own name', async context => {
  const { anna } = await scene(context)
  for (const [name, plain] of [
    ['Дубровский 100%.epub', '__________ 100_.epub'],
    ["it's (1) & #2; é.txt", "it's (1) & #2; _.txt"],
    ['a+b=c,d@e!.txt', 'a+b=c,d@e!.txt'],
    ['%41.txt', '_41.txt']
  ] as [string, string][]) {
    await anna.upload(`x/${name}`, Buffer.from(name))
    const { bytes, headers } = await anna.download(`x/${name}`)
    assert.is(bytes.toString(), name)
    const [, filename, exact] = /filename="(.*)"; filename\*=UTF-8''(.*)$/.exec(headers.get('content-disposition')!)!
    assert.equal([filename, decodeURIComponent(exact!)], [plain, name])
    assert.match(exact!, /^[!#$&+.^_`|~0-9A-Za-z%-]+$/)
  }
})

test('what was removed, was never there or can be no path is 404', async context => {
  const { anna, hub, phone, folder } = await scene(context)
  for (const path of ['none', 'novels', 'novels/emma.epub', 'x\u0000', 'a'.repeat(2_000), 'con'])
    assert.is((await anna.download(path)).status, 404, path)
  for (const path of ['', '%ff', '..%2fstore', '%2e%2e/store', 'novels%5cEmma.epub', 'novels//Emma.epub', '/etc/passwd'])
    assert.is((await anna.ask('GET', `/download/${folder}${path}`)).status, 404, path)
  assert.is((await anna.ask('GET', `/download/${folder}novels%2FEmma.epub`)).status, 200)
  if (hub.own === undefined) return
  const account = await hub.own.hub.ensureAccount(hub.own.directory.get(hub.account).id)
  await account.perform(new Origin(phone.id, ''), 'file.remove', `${folder}novels/Emma.epub`, { base: SHA256 })
  assert.is((await anna.download('novels/Emma.epub')).status, 404)
  assert.is((await anna.ask('GET', `/download/${folder}novels/Emma.epub?sha256=${SHA256}`)).status, 200)
})

test('another content that the account holds comes by its SHA-256, and one that another account holds does not', async context => {
  const { anna, hub, folder } = await scene(context)
  if (hub.own === undefined) return
  const ben = new FilesClient(`${hub.url}/api/v1/sync`, (await (await otherAccount(context, hub)).device()).token)
  const theirs = randomBytes(10)
  await ben.upload('novels/Emma.epub', theirs)
  const newer = Buffer.from('a second edition')
  await anna.upload('novels/Emma.epub', newer, { base_sha256: SHA256 })
  const by = async (sha256: string): Promise<number> =>
    (await anna.ask('GET', `/download/${folder}novels/Emma.epub?sha256=${sha256}`)).status
  assert.equal(
    await Promise.all([SHA256, sha256Of(newer), sha256Of(theirs), 'x', '', SHA256.toUpperCase()].map(by)),
    [200, 200, 404, 404, 404, 404]
  )
  assert.ok((await ben.download('novels/Emma.epub')).bytes.equals(theirs))
})

test('without a token a download is 401, and a device that may only read has it', async context => {
  const { client, reader } = await scene(context)
  assert.is((await client('').download('novels/Emma.epub')).status, 401)
  assert.ok((await reader.download('novels/Emma.epub')).bytes.equals(FILE))
})

test('a content that is not on the disk any more is 500, and the log of the hub says which', async context => {
  const { anna, hub } = await scene(context)
  if (hub.own === undefined) return
  rmSync(join(hub.own.dataFolder, 'files', SHA256.slice(0, 2)), { recursive: true })
  assert.is((await anna.download('novels/Emma.epub')).status, 500)
  assert.ok(hub.own.logger.lines.some(({ fields }) => String((fields as { err?: unknown }).err).includes(SHA256)))
})

test('who goes away in the middle leaves no file open', async context => {
  const { anna, hub, phone, folder } = await scene(context)
  if (process.platform !== 'linux' || hub.own === undefined) return
  await anna.upload('large', randomBytes(20_000_000), { chunk_bytes: 2 ** 25 })
  const openFiles = (): number => readdirSync('/proc/self/fd').length
  const before = openFiles()
  const sockets = Array.from({ length: 20 }, () => new RawSocket(context, hub.url))
  for (const raw of sockets) {
    raw.write(`GET /api/v1/sync/download/${folder}large HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${phone.token}\r\n\r\n`)
    await raw.until(text => text.includes('\r\n\r\n'))
    raw.socket.pause()
  }
  assert.ok(openFiles() >= before + 40)
  for (const raw of sockets) raw.socket.destroy()
  while (openFiles() > before) await new Promise(resolve => setTimeout(resolve, 5))
})

test('an account has so many large contents on their way, and one more when one of them is over', async context => {
  const { anna, client, hub, phone, folder } = await scene(context)
  await anna.upload('large', randomBytes(20_000_000), { chunk_bytes: 2 ** 25 })
  const begun = Array.from({ length: 32 }, () => new RawSocket(context, hub.url))
  for (const raw of begun) {
    raw.write(`GET /api/v1/sync/download/${folder}large HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${phone.token}\r\n\r\n`)
    await raw.until(text => text.includes('\r\n\r\n'))
    assert.match(raw.received.subarray(0, 20).toString(), '200 OK')
    raw.socket.pause()
  }
  const refused = await anna.download('novels/Emma.epub')
  assert.equal([refused.status, refused.json.code, refused.headers.get('retry-after')], [503, 'overloaded', '2'])
  assert.equal(head(await anna.download('large', {}, 'HEAD')), [200, 0])
  if (hub.own !== undefined) {
    const stranger = await (await otherAccount(context, hub)).device()
    const files = client(stranger.token)
    await files.upload('a', FILE)
    assert.is((await files.download('a')).status, 200)
  }
  begun[0]!.socket.destroy()
  while ((await anna.download('novels/Emma.epub')).status !== 200) await new Promise(resolve => setImmediate(resolve))
})

test('what waits behind an answer on its connection holds nothing, and is over with the connection', async context => {
  const { anna, hub, phone, folder } = await scene(context)
  await anna.upload('large', randomBytes(20_000_000), { chunk_bytes: 2 ** 25 })
  const get = `GET /api/v1/sync/download/${folder}large HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${phone.token}\r\n\r\n`
  const begin = async (count: number): Promise<{ raw: RawSocket; isBegun: boolean }> => {
    const raw = new RawSocket(context, hub.url)
    raw.write(get.repeat(count))
    const answered = await raw.until(text => text.includes('\r\n\r\n'))
    raw.socket.pause()
    return { raw, isBegun: answered.startsWith('HTTP/1.1 200 ') }
  }
  const { raw } = await begin(10)
  for (let begun = 1; begun < 32; begun++) assert.ok((await begin(1)).isBegun, `${begun} more`)
  assert.not((await begin(1)).isBegun)
  raw.socket.destroy()
  while (!(await begin(1)).isBegun) await new Promise(resolve => setImmediate(resolve))
})

test.run()
