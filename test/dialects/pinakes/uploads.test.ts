import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { checkFolder } from '../../../server/check.ts'
import { Origin } from '../../../server/core/origin.ts'
import { digestField } from '../../../server/files/content-digest.ts'
import { CHUNK_BYTES, chunkOf, sha256Of } from '../../util/contents.ts'
import { FilesClient } from '../../util/files-client.ts'
import { RawSocket } from '../../util/raw-socket.ts'
import { otherAccount, restHub } from '../../util/rest-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('dialects/pinakes/uploads')

const FILE = randomBytes(CHUNK_BYTES * 2 + 100)
const SHA256 = sha256Of(FILE)

async function scene(context: TestContext, flags: Record<string, string> = {}) {
  const hub = await restHub(context, flags)
  const folder = `${randomBytes(6).toString('hex')}/`
  const [phone, laptop, reader] = [await hub.device(), await hub.device(), await hub.device({ read_only: true })]
  const client = (token: string, base = '/api/v1/sync'): FilesClient => new FilesClient(hub.url + base, token, folder)
  return {
    hub,
    folder,
    phone,
    client,
    anna: client(phone.token),
    laptop: client(laptop.token),
    reader: client(reader.token),
    /** Sends the head of a chunk over a bare socket. */
    startChunk: (id: string, index: number, header: string): RawSocket => {
      const raw = new RawSocket(context, hub.url)
      raw.write(
        `PUT /api/v1/sync/upload/${id}/chunks/${index} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${phone.token}\r\n${header}\r\n\r\n`
      )
      return raw
    }
  }
}

test('a file goes up in chunks and comes down as it was', async context => {
  const { anna, laptop, client, phone, folder } = await scene(context)
  const begun = await anna.begin('novels/Emma.epub', FILE, { mtime_ms: 5 })
  assert.is(begun.status, 200)
  const { id, expires_at, ...rest } = begun.json
  assert.equal(rest, {
    path: `${folder}novels/Emma.epub`,
    size_bytes: FILE.length,
    sha256: SHA256,
    mtime_ms: 5,
    chunk_bytes: CHUNK_BYTES,
    chunk_count: 3,
    state: 'receiving',
    received_bytes: 0,
    missing_chunks: [0, 1, 2]
  })
  assert.ok(Date.parse(expires_at) > Date.now())
  const first = await anna.chunk(id, 2, chunkOf(FILE, 2), { 'content-digest': digestField(sha256Of(chunkOf(FILE, 2))) })
  assert.equal([first.status, first.json], [200, { received_bytes: 100, missing_count: 2 }])
  // Another device of the account, at the other address.
  const other = client(phone.token, '/api/sync')
  assert.equal((await laptop.status(id)).json.missing_chunks, [0, 1])
  assert.is((await other.chunk(id, 0, chunkOf(FILE, 0))).status, 200)
  assert.is((await laptop.chunk(id, 1, chunkOf(FILE, 1))).json.missing_count, 0)
  const done = await anna.complete(id)
  assert.equal([done.status, done.json.state, done.json.result], [200, 'done', { cursor: done.json.result.cursor }])
  assert.match(done.json.result.cursor, /^\w+:\d+$/)
  assert.equal((await anna.complete(id)).json, done.json)
  const { bytes, status } = await laptop.download('novels/Emma.epub')
  assert.equal([status, bytes.equals(FILE)], [200, true])
})

test('a file of no bytes goes up, and so does one of one chunk', async context => {
  const { anna } = await scene(context)
  for (const bytes of [Buffer.alloc(0), Buffer.from('x'), randomBytes(CHUNK_BYTES)]) {
    assert.is((await anna.upload(`${bytes.length}.txt`, bytes)).status, 200)
    assert.ok((await anna.download(`${bytes.length}.txt`)).bytes.equals(bytes))
  }
})

test('who saw another content makes a conflict, and is told its id', async context => {
  const { anna, laptop } = await scene(context)
  await anna.upload('a.txt', Buffer.from('one'))
  const { json, status } = await laptop.upload('a.txt', Buffer.from('two'))
  assert.is(status, 200)
  assert.match(json.result.conflict_id, /^\d+$/)
  assert.is((await anna.download('a.txt')).bytes.toString(), 'one')
  const seen = await laptop.upload('a.txt', Buffer.from('three'), { base_sha256: sha256Of(Buffer.from('one')) })
  assert.is(seen.json.result.conflict_id, undefined)
  assert.is((await anna.download('a.txt')).bytes.toString(), 'three')
})

test('a path that no file can be at is refused before any byte is sent, and again at the end should it have come to that meanwhile', async context => {
  const { anna, folder } = await scene(context)
  await anna.upload('a/b.txt', Buffer.from('one'))
  for (const path of ['a', 'a/b.txt/c.txt']) {
    const { status, json } = await anna.begin(path, FILE)
    assert.equal([status, json.code, json.field, json.id], [400, 'bad-request', 'path', undefined], path)
  }
  const { id } = (await anna.begin('new/c.txt', FILE)).json
  for (let index = 0; index < 3; index++) await anna.chunk(id, index, chunkOf(FILE, index))
  await anna.upload('new', Buffer.from('two'))
  const { status, json } = await anna.complete(id)
  assert.equal([status, json.code, json.field], [400, 'bad-request', 'path'])
  const [taken, gone] = [await anna.download('new'), await anna.download('new/c.txt')]
  assert.equal([taken.bytes.toString(), gone.status], ['two', 404], folder)
})

test('a chunk that is wrong is 400 and counts nothing', async context => {
  const { anna } = await scene(context)
  const { id } = (await anna.begin('a.txt', FILE)).json
  const refused: [index: number | string, body: Uint8Array, headers: Record<string, string>, field: string | undefined][] = [
    [0, chunkOf(FILE, 0).subarray(1), {}, undefined],
    [0, Buffer.concat([chunkOf(FILE, 0), Buffer.of(1)]), {}, undefined],
    [0, Buffer.alloc(0), {}, undefined],
    [2, chunkOf(FILE, 0), {}, undefined],
    [3, chunkOf(FILE, 0), {}, 'index'],
    [-1, chunkOf(FILE, 0), {}, 'index'],
    ['x', chunkOf(FILE, 0), {}, 'index'],
    ['0x1', chunkOf(FILE, 0), {}, 'index'],
    [0, chunkOf(FILE, 0), { 'content-digest': digestField(SHA256) }, 'content-digest'],
    [0, chunkOf(FILE, 0), { 'content-digest': 'sha-256=nonsense' }, 'content-digest']
  ]
  for (const [index, body, headers, field] of refused) {
    const { status, json } = await anna.chunk(id, index, body, headers)
    assert.equal([status, json.code, json.field], [400, 'bad-request', field], `${index} ${body.length}`)
  }
  assert.equal((await anna.status(id)).json.missing_chunks, [0, 1, 2])
})

test('a body of no announced length is taken, and held to the length of the chunk', async context => {
  const { anna, startChunk } = await scene(context)
  const { id } = (await anna.begin('a.txt', FILE)).json
  const put = async (bytes: Uint8Array): Promise<string> => {
    const raw = startChunk(id, 2, 'Transfer-Encoding: chunked')
    for (const part of [bytes.subarray(0, 30), bytes.subarray(30)]) {
      raw.write(`${part.length.toString(16)}\r\n`)
      raw.write(part)
      raw.write('\r\n')
    }
    raw.write('0\r\n\r\n')
    return (await raw.until(text => text.includes('\r\n\r\n'))).split(' ')[1]!
  }
  assert.is(await put(randomBytes(101)), '400')
  assert.is(await put(chunkOf(FILE, 2)), '200')
  assert.equal((await anna.status(id)).json.missing_chunks, [0, 1])
})

test('a completion that lacks chunks or finds other bytes is 400, and the upload goes on', async context => {
  const { anna } = await scene(context)
  const { id } = (await anna.begin('a.txt', FILE)).json
  await anna.chunk(id, 0, chunkOf(FILE, 0))
  assert.equal([(await anna.complete(id)).status, (await anna.status(id)).json.missing_chunks], [400, [1, 2]])
  await anna.chunk(id, 1, randomBytes(CHUNK_BYTES))
  await anna.chunk(id, 2, chunkOf(FILE, 2))
  const { status, json } = await anna.complete(id)
  assert.equal([status, json.field], [400, 'sha256'])
  assert.is((await anna.download('a.txt')).status, 404)
  for (const index of (await anna.status(id)).json.missing_chunks) await anna.chunk(id, index, chunkOf(FILE, index))
  assert.is((await anna.complete(id)).status, 200)
})

test('a cancelled upload is 204, then 404, and leaves nothing on the disk', async context => {
  const { anna, hub } = await scene(context)
  const { id } = (await anna.begin('a.txt', FILE)).json
  await anna.chunk(id, 0, chunkOf(FILE, 0))
  const gone = await anna.cancel(id)
  assert.equal([gone.status, gone.bytes.length], [204, 0])
  if (hub.own !== undefined) assert.equal(readdirSync(join(hub.own.dataFolder, 'files/uploads')), [])
  const after = [await anna.cancel(id), await anna.status(id), await anna.complete(id), await anna.chunk(id, 0, chunkOf(FILE, 0))]
  assert.equal(
    after.map(({ status }) => status),
    [404, 404, 404, 404]
  )
})

test("an upload is its account's alone: to others it is as unknown as one that there is not", async context => {
  const { anna, hub } = await scene(context)
  if (hub.own === undefined) return
  const ben = new FilesClient(`${hub.url}/api/v1/sync`, (await (await otherAccount(context, hub)).device()).token)
  const { id } = (await anna.begin('a.txt', FILE)).json
  const asked = (name: string): Promise<{ status: number; bytes: Buffer }[]> =>
    Promise.all([ben.status(name), ben.chunk(name, 0, chunkOf(FILE, 0)), ben.complete(name), ben.cancel(name)])
  const [foreign, unknown] = [await asked(id), await asked('nothing')]
  assert.equal(
    foreign.map(({ status }) => status),
    [404, 404, 404, 404]
  )
  assert.equal(
    foreign.map(({ bytes }) => bytes.toString()),
    unknown.map(({ bytes }) => bytes.toString())
  )
  assert.equal((await anna.status(id)).json.missing_chunks, [0, 1, 2])
})

test('without a token every operation is 401, to a device that may only read 403, to a revoked one 403', async context => {
  const { anna, laptop, reader, client, phone } = await scene(context)
  const { id } = (await anna.begin('a.txt', FILE)).json
  const all = async (who: FilesClient): Promise<number[]> =>
    (
      await Promise.all([
        who.begin('b.txt', FILE),
        who.status(id),
        who.chunk(id, 0, chunkOf(FILE, 0)),
        who.complete(id),
        who.cancel(id)
      ])
    ).map(({ status }) => status)
  assert.equal(await all(client('')), [401, 401, 401, 401, 401])
  assert.equal(await all(client('nonsense')), [401, 401, 401, 401, 401])
  assert.equal(await all(reader), [403, 403, 403, 403, 403])
  assert.equal((await anna.status(id)).json.missing_chunks, [0, 1, 2])
  await laptop.ask('DELETE', `/devices/${phone.id}`)
  assert.equal(await all(anna), [403, 403, 403, 403, 403])
})

test('what is no sound request is 400 and names its field', async context => {
  const { anna } = await scene(context)
  const refused: [object, string][] = [
    [{ path: '../x' }, 'path'],
    [{ path: '/x' }, 'path'],
    [{ path: ' ' }, 'path'],
    [{ path: 'con' }, 'path'],
    [{ path: 5 }, 'path'],
    [{ size_bytes: -1 }, 'size_bytes'],
    [{ size_bytes: 2 ** 40 }, 'size_bytes'],
    [{ size_bytes: 1.5 }, 'size_bytes'],
    [{ sha256: 'x' }, 'sha256'],
    [{ base_sha256: 'x' }, 'base_sha256'],
    [{ chunk_bytes: 1 }, 'chunk_bytes'],
    [{ size_bytes: 2 ** 33 }, 'chunk_bytes'],
    [{ stranger: 1 }, 'stranger']
  ]
  for (const [more, field] of refused) {
    const { status, json } = await anna.begin('a.txt', FILE, more)
    assert.equal([status, json.code, json.field], [400, 'bad-request', field], JSON.stringify(more))
  }
})

test('a path is folded: two spellings of one name are one file', async context => {
  const { anna } = await scene(context)
  await anna.upload('Cafe\u0301.txt', Buffer.from('x'))
  assert.is((await anna.download('Caf\u00e9.txt')).bytes.toString(), 'x')
  assert.is((await anna.download('Cafe\u0301.txt')).bytes.toString(), 'x')
})

test('what does not fit into the share of the account is 507 at the beginning', async context => {
  const { anna, hub } = await scene(context, { maxAccountFilesGiB: '1' })
  if (hub.own === undefined) return
  const half = { size_bytes: 2 ** 29, chunk_bytes: 2 ** 20 }
  const first = await anna.begin('a', FILE, half)
  assert.equal([first.status, (await anna.begin('b', FILE, half)).status], [200, 200])
  const refused = await anna.begin('c', FILE)
  assert.equal([refused.status, refused.json.code], [507, 'quota-exceeded'])
  await anna.cancel(first.json.id)
  assert.is((await anna.begin('c', FILE)).status, 200)
})

test('an account that takes no more changes is told so before any byte is sent', async context => {
  const { anna, hub, phone } = await scene(context, { maxAccountMiB: '1' })
  if (hub.own === undefined) return
  const account = (await hub.own.hub.account(hub.own.directory.find(hub.account)!.id))!
  for (let index = 0; !account.isFull; index++)
    await account.perform(new Origin(phone.id, ''), 'setting.put', `s${index % 100}`, { value: 'x'.repeat(30_000) })
  const refused = await anna.begin('a', FILE)
  assert.equal([refused.status, refused.json.code], [507, 'quota-exceeded'])
})

test('a chunk that breaks off anywhere counts nothing', async context => {
  const { anna, startChunk } = await scene(context)
  const { id } = (await anna.begin('a.txt', FILE)).json
  for (const cut of [0, 1, 40_000, CHUNK_BYTES - 1]) {
    const raw = startChunk(id, 0, `Content-Length: ${CHUNK_BYTES}`)
    raw.write(chunkOf(FILE, 0).subarray(0, cut))
    raw.socket.end()
    await raw.until(() => raw.isClosed)
    assert.equal((await anna.status(id)).json.missing_chunks, [0, 1, 2])
  }
  for (const index of [0, 1, 2]) await anna.chunk(id, index, chunkOf(FILE, index))
  assert.is((await anna.complete(id)).status, 200)
})

test('a check of the data folder finds uploads that are under way in order', async context => {
  const { anna, hub } = await scene(context)
  if (hub.own === undefined) return
  await anna.upload('a.txt', Buffer.from('x'))
  const { id } = (await anna.begin('b.txt', FILE)).json
  await anna.chunk(id, 1, chunkOf(FILE, 1))
  const { findings, files } = await checkFolder(hub.own.dataFolder)
  assert.equal([findings, files], [[], 1])
})

test.run()
