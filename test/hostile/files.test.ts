import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { UPLOAD_LIMITS } from '../../server/files/upload-request.ts'
import { CHUNK_BYTES, chunkOf } from '../util/contents.ts'
import { FilesClient } from '../util/files-client.ts'
import { RawSocket } from '../util/raw-socket.ts'
import { register, servingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'

const test = suite('hostile/files')

const FILE = randomBytes(CHUNK_BYTES * 2)

async function scene(context: TestContext, flags: Record<string, string> = {}) {
  const hub = await servingHub(context, flags)
  const { token } = await register(await hub.hub.ensureAccount('anna'), 'phone')
  return {
    hub,
    token,
    client: new FilesClient(`${hub.url}/api/v1/sync`, token),
    partials: () => readdirSync(join(hub.dataFolder, 'files', 'uploads')),
    raw: (head: string): RawSocket => {
      const raw = new RawSocket(context, hub.url)
      raw.write(`${head}\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\n`)
      return raw
    }
  }
}

test('case 24: ranges by the thousand, of huge numbers or of nonsense cost no more than the file', async context => {
  const { client, raw } = await scene(context)
  await client.upload('a', FILE)
  const parts = Array.from({ length: 900 }, (_, at) => `${at}-`).join(',')
  const ranges: [range: string, status: number][] = [
    [`bytes=${parts}`, 200],
    [`bytes=${',0-'.repeat(1_000)}`, 200],
    [`bytes=${','.repeat(6_000)}`, 200],
    [`bytes=0-${'9'.repeat(6_000)}`, 206],
    [`bytes=${'9'.repeat(6_000)}-`, 416],
    [`bytes=-${'9'.repeat(6_000)}`, 206],
    ['bytes=0-0\u00e9', 200],
    ['bytes=0-18446744073709551615', 206],
    ['bytes=-9223372036854775808', 206],
    ['bytes=18446744073709551616-', 416]
  ]
  for (const [range, status] of ranges) {
    const { status: given, bytes } = await client.download('a', { range })
    assert.is(given, status, range.slice(0, 40))
    assert.ok(bytes.length <= FILE.length)
  }
  const twice = raw('GET /api/v1/sync/download/a HTTP/1.1\r\nRange: bytes=0-1\r\nRange: bytes=5-6')
  twice.write('\r\n')
  assert.match(await twice.until(text => text.includes('\r\n\r\n')), /^HTTP\/1\.1 200 /)
})

test('case 25: of uploads that are opened by the hundred an account has so many, and no other account fewer', async context => {
  const { client, hub, partials } = await scene(context)
  const tries = await Promise.all(Array.from({ length: 300 }, (_, at) => client.begin(`file ${at}`, FILE)))
  assert.is(tries.filter(({ status }) => status === 200).length, UPLOAD_LIMITS.maxOpenPerAccount)
  assert.ok(tries.every(({ status, json }) => status === 200 || json.code === 'quota-exceeded'))
  assert.is(partials().length, UPLOAD_LIMITS.maxOpenPerAccount)
  const { token } = await register(await hub.hub.ensureAccount('ben'), 'phone')
  assert.is((await new FilesClient(client.base, token).upload('a', FILE)).status, 200)
})

test('case 25: what is announced is no more than the disk has, and what one announces another cannot', async context => {
  const { client } = await scene(context, { maxAccountFilesGiB: '1048576' })
  const large = { size_bytes: UPLOAD_LIMITS.maxFileBytes, chunk_bytes: UPLOAD_LIMITS.maxChunkBytes }
  const codes: unknown[] = []
  for (let count = 0; count < UPLOAD_LIMITS.maxOpenPerAccount; count++) {
    const { status, json } = await client.begin(`file ${count}`, FILE, large)
    if (status === 200) continue
    codes.push(json.code)
    break
  }
  assert.equal(codes, ['storage-full'])
})

test('case 25: lengths that lie, bodies that do not end and ids that are paths count nothing', async context => {
  const { client, raw, partials } = await scene(context)
  const { id } = (await client.begin('a', FILE)).json
  const path = `/api/v1/sync/upload/${id}/chunks/0`
  for (const [head, status] of [
    [`PUT ${path} HTTP/1.1\r\nContent-Length: 9007199254740991`, 400],
    [`PUT ${path} HTTP/1.1\r\nContent-Length: 0`, 400],
    [`PUT ${path} HTTP/1.1\r\nContent-Length: ${CHUNK_BYTES + 1}`, 400],
    [`PUT ${path}`.replace(id as string, '..%2F..%2Fstore') + ' HTTP/1.1\r\nContent-Length: 1', 404],
    [`PUT ${path}`.replace(id as string, 'x'.repeat(5_000)) + ' HTTP/1.1\r\nContent-Length: 1', 404],
    [`PUT ${path}`.replace(id as string, '%00') + ' HTTP/1.1\r\nContent-Length: 1', 404]
  ] as [string, number][]) {
    const socket = raw(head)
    socket.write('\r\n')
    assert.match(await socket.until(text => text.includes('\r\n\r\n')), new RegExp(`^HTTP/1\\.1 ${status} `), head.slice(0, 60))
  }
  const endless = raw(`PUT ${path} HTTP/1.1\r\nTransfer-Encoding: chunked`)
  endless.write('\r\n')
  for (let part = 0; part < 20 && !endless.isClosed; part++) {
    endless.write(`${CHUNK_BYTES.toString(16)}\r\n`)
    endless.write(new Uint8Array(CHUNK_BYTES))
    endless.write('\r\n')
  }
  assert.match(await endless.until(text => text.includes('\r\n\r\n')), /^HTTP\/1\.1 400 /)
  assert.equal((await client.status(id)).json.missing_chunks, [0, 1])
  assert.equal(partials(), [id])
})

test('case 25: a thousand repeats of one chunk at once, some of them cut, end in one chunk', async context => {
  const { client, raw } = await scene(context)
  const { id } = (await client.begin('a', FILE)).json
  const statuses = new Set<number>()
  for (let round = 0; round < 20; round++) {
    const cut = raw(`PUT /api/v1/sync/upload/${id}/chunks/0 HTTP/1.1\r\nContent-Length: ${CHUNK_BYTES}`)
    cut.write('\r\n')
    cut.write(randomBytes(CHUNK_BYTES / 2))
    const answers = await Promise.all(Array.from({ length: 50 }, () => client.chunk(id, 0, chunkOf(FILE, 0))))
    for (const { status } of answers) statuses.add(status)
    cut.socket.destroy()
  }
  statuses.delete(200)
  // Over so many at once a client is told to come back.
  statuses.delete(503)
  assert.equal([...statuses], [])
  await client.chunk(id, 0, chunkOf(FILE, 0))
  await client.chunk(id, 1, chunkOf(FILE, 1))
  assert.is((await client.complete(id)).status, 200)
  assert.ok((await client.download('a')).bytes.equals(FILE))
})

test.run()
