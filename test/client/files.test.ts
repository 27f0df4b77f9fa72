import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { ClosedError, connectNode, NoConnectionError, signIn, type ByteSource, type Client } from '../../client/node.ts'
import { Sha256 } from '../../client/hash.ts'
import type { HubError } from '../../protocol/index.ts'
import { sha256Of } from '../util/contents.ts'
import { HubProcess } from '../util/hub-process.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { until } from '../util/until.ts'
import { webProxy } from '../util/web-proxy.ts'

const MIB = 1_048_576

const test = suite('client/files')

async function opened(context: TestContext): Promise<{ hub: HubProcess; client: Client }> {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const { token } = await hub.pair('reader', 'desk')
  const client = await connectNode({ url: hub.url, token })
  context.defer(() => client.close())
  await client.live()
  return { hub, client }
}

/** Bytes in memory as a source, which says which pieces are read. */
const sourceOf = (bytes: Uint8Array<ArrayBuffer>, onRead: (start: number) => unknown = () => undefined): ByteSource => ({
  sizeBytes: bytes.length,
  read: async (start, end) => {
    await onRead(start)
    return bytes.slice(start, end)
  }
})

const bytesOf = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(size))

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

test('what is uploaded is listed, and comes back byte by byte, whatever its size', async context => {
  const { client } = await opened(context)
  for (const size of [0, 1, 4 * MIB, 4 * MIB + 1]) {
    const bytes = bytesOf(size)
    const path = `Zürich/Größe 100% & ${size}.epub`
    const sent: number[] = []
    const { sha256, cursor } = await client.files.upload(path, new Blob([bytes]), {
      onProgress: sentBytes => sent.push(sentBytes)
    })
    assert.is(sha256, sha256Of(bytes))
    assert.is(sent.at(-1), size)
    const entry = (await client.files.list()).find(file => file.path === path)!
    assert.equal([entry.sha256, entry.sizeBytes, entry.removed, entry.cursor], [sha256, size, false, cursor])
    const download = await client.files.download(path)
    assert.is(download.sizeBytes, size)
    assert.ok(Buffer.from(bytes).equals(await joined(download.chunks)))
  }
})

test('an upload goes on where it was when the hub was killed in its middle', async context => {
  const { hub, client } = await opened(context)
  const bytes = bytesOf(12 * MIB)
  const reads: number[] = []
  let kills = 0
  const source = sourceOf(bytes, async start => {
    reads.push(start)
    if (start !== 8 * MIB || kills++ > 0) return
    await hub.kill()
    await hub.start()
  })
  await client.files.upload('big.bin', source, { sha256: sha256Of(bytes) })
  assert.equal([...new Set(reads)], [0, 4 * MIB, 8 * MIB])
  assert.equal(reads.slice(0, 2), [0, 4 * MIB])
  assert.not(
    reads.slice(2).some(start => start < 8 * MIB),
    'what had arrived is not sent again'
  )
  assert.ok(Buffer.from(bytes).equals(await joined((await client.files.download('big.bin')).chunks)))
})

test('another process goes on with an upload, by its id', async context => {
  const { client } = await opened(context)
  const bytes = bytesOf(8 * MIB)
  const stop = new AbortController()
  let id = ''
  const first = client.files.upload(
    'big.bin',
    sourceOf(bytes, start => start > 0 && stop.abort(new Error('killed'))),
    { onBegun: begun => (id = begun), signal: stop.signal, sha256: sha256Of(bytes) }
  )
  await first.then(
    () => assert.unreachable(),
    error => assert.is((error as Error).message, 'killed')
  )
  const reads: number[] = []
  await client.files.upload(
    'big.bin',
    sourceOf(bytes, start => reads.push(start)),
    { resume: id, sha256: sha256Of(bytes) }
  )
  assert.equal(reads, [4 * MIB])
  const gone = 'AAAAAAAAAAAA'
  await client.files.upload('other.bin', sourceOf(bytes), { resume: gone })
  assert.is((await client.files.list()).length, 2)
})

test('a download goes on where it was when the hub was killed in its middle', async context => {
  const { hub, client } = await opened(context)
  const bytes = bytesOf(24 * MIB)
  await client.files.upload('big.bin', sourceOf(bytes))
  const download = await client.files.download('big.bin')
  const all: Uint8Array[] = []
  let kills = 0
  for await (const chunk of download.chunks) {
    all.push(chunk)
    if (kills++ > 0) continue
    await hub.kill()
    await hub.start()
  }
  assert.ok(Buffer.from(bytes).equals(Buffer.concat(all)))
})

test("a network's own page in the place of an answer is no connection: it is told as that, and uploads and downloads go on behind it", async context => {
  const { hub } = await opened(context)
  const { token } = await hub.pair('reader', 'phone')
  const proxy = await webProxy(context, hub.url)
  const client = await connectNode({ url: proxy.url, token })
  context.defer(() => client.close())

  for (const page of ['', proxy.ownPage]) {
    Object.assign(proxy, { ownPages: 1, ownPage: page })
    const signingIn = signIn({ url: proxy.url, account: 'reader', password: 'secret', name: 'phone' })
    const told = await signingIn.catch((error: unknown) => error)
    assert.instance(told, NoConnectionError)
    assert.match((told as Error).message, `at ${proxy.url} is no hub`)
  }

  const bytes = bytesOf(8 * MIB)
  let pages = 1
  const onRead = (): void => {
    proxy.ownPages = pages--
  }
  await client.files.upload('big.bin', sourceOf(bytes, onRead), { sha256: sha256Of(bytes) })
  proxy.ownPages = 1
  const download = await client.files.download('big.bin')
  const all: Uint8Array[] = []
  for await (const chunk of download.chunks) {
    if (all.push(chunk) > 1) continue
    proxy.ownPages = 1
    proxy.cut()
  }
  assert.is(proxy.ownPages, 0)
  assert.ok(Buffer.from(bytes).equals(Buffer.concat(all)))
})

test('a download goes on from bytes that are there, and is checked as a whole', async context => {
  const { client } = await opened(context)
  const bytes = bytesOf(3 * MIB)
  const { sha256 } = await client.files.upload('big.bin', sourceOf(bytes))
  const fed = (part: Uint8Array): Sha256 => {
    const hash = new Sha256()
    hash.update(part)
    return hash
  }
  for (const there of [1, MIB, bytes.length - 1, bytes.length]) {
    const rest = await client.files.download('big.bin', { sha256, from: { bytes: there, hash: fed(bytes.subarray(0, there)) } })
    assert.is(rest.sizeBytes, bytes.length)
    assert.ok(Buffer.from(bytes.subarray(there)).equals(await joined(rest.chunks)))
    const wrong = await client.files.download('big.bin', { sha256, from: { bytes: there, hash: fed(new Uint8Array(there)) } })
    await joined(wrong.chunks).then(
      () => assert.unreachable(),
      error => assert.is((error as Error).name, 'ContentDamagedError')
    )
  }
})

test('a report says of each change what became of it', async context => {
  const { client } = await opened(context)
  const [one, two] = [bytesOf(10), bytesOf(20)]
  const { sha256 } = await client.files.upload('a', sourceOf(one))
  const results = await client.files.report([
    { change: 'created', path: 'b', sha256, sizeBytes: 10 },
    { change: 'created', path: 'c', sha256: sha256Of(two), sizeBytes: 20 },
    { change: 'moved', path: 'd', from: 'a', sha256, sizeBytes: 10 },
    { change: 'deleted', path: 'b', base: sha256 }
  ])
  assert.equal(
    results.map(({ path, result }) => [path, result]),
    [
      ['b', 'accepted'],
      ['c', 'upload_required'],
      ['d', 'accepted'],
      ['b', 'accepted']
    ]
  )
  const there = (await client.files.list()).filter(({ removed }) => !removed)
  assert.equal(
    there.map(({ path }) => path),
    ['d']
  )
})

test('of two contents for one path both are kept until the conflict is resolved', async context => {
  const { client } = await opened(context)
  const { sha256: base } = await client.files.upload('a', sourceOf(bytesOf(10)))
  const mine = await client.files.upload('a', sourceOf(bytesOf(11)), { base })
  const theirs = await client.files.upload('a', sourceOf(bytesOf(12)), { base })
  const [conflict] = await client.files.conflicts()
  assert.is(conflict!.id, theirs.conflict)
  assert.equal([conflict!.server!.sha256, conflict!.client!.sha256], [mine.sha256, theirs.sha256])
  await client.files.resolve(conflict!.id, { keep: 'both', path: 'beside' })
  assert.equal(await client.files.conflicts(), [])
  assert.equal(
    (await client.files.list()).map(({ path, sha256 }) => [path, sha256]),
    [
      ['a', mine.sha256],
      ['beside', theirs.sha256]
    ]
  )
})

test('a refusal is told by its code, at once', async context => {
  const { client } = await opened(context)
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'none',
      error => (error as HubError).code
    )
  assert.is(await codeOf(client.files.download('nowhere')), 'not-found')
  assert.is(await codeOf(client.files.upload('CON', sourceOf(bytesOf(1)))), 'bad-request')
  await client.files.upload('a', sourceOf(bytesOf(1)))
  assert.is(await codeOf(client.files.upload('a/b', sourceOf(bytesOf(1)))), 'bad-request')
})

/** A hub that begins to answer whatever it is asked, with `headers`, and never ends. `answered` resolves when its client has the head of an answer. */
async function stalling(
  context: TestContext,
  headers: Record<string, string>
): Promise<{ client: Client; answered: Promise<void> }> {
  const server = createServer((_, response) => {
    response.writeHead(200, headers)
    response.write('{')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const { fetch } = globalThis
  context.defer(() => (globalThis.fetch = fetch))
  const answered = new Promise<void>(resolve => {
    globalThis.fetch = async (...asked) => {
      const response = await fetch(...asked)
      setImmediate(resolve)
      return response
    }
  })
  const client = await connectNode({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'desk' })
  context.defer(() => client.close())
  return { client, answered }
}

const SHA256 = 'a'.repeat(64)
const CONTENT = { etag: `"${SHA256}"`, 'content-length': '100' }

/** Everything that waits for an answer. */
const WAITING: readonly [
  what: string,
  headers: Record<string, string>,
  run: (client: Client, signal: AbortSignal) => Promise<unknown>
][] = [
  ['a report', {}, ({ files }, signal) => files.report([{ change: 'deleted', path: 'a', base: SHA256 }], signal)],
  ['an upload', {}, ({ files }, signal) => files.upload('a', new Blob(['x']), { signal })],
  ['a download', CONTENT, async ({ files }, signal) => joined((await files.download('a', { signal })).chunks)]
]

for (const [what, headers, run] of WAITING) {
  test(`${what} whose answer stalls in its middle ends with its signal, and with the client`, async context => {
    const bySignal = await stalling(context, headers)
    const controller = new AbortController()
    const aborted = run(bySignal.client, controller.signal).catch((error: unknown) => error)
    await bySignal.answered
    controller.abort(new Error('enough'))
    assert.is(((await aborted) as Error).message, 'enough')

    const byClose = await stalling(context, headers)
    const closed = run(byClose.client, new AbortController().signal).catch((error: unknown) => error)
    await byClose.answered
    await byClose.client.close()
    assert.instance(await closed, ClosedError)
  })
}

test('an upload that waits for the hub to come back ends with the client, after which nothing is uploaded', async context => {
  const { hub, client } = await opened(context)
  await hub.kill()
  const upload = client.files.upload('a.epub', new Blob(['x'])).catch((error: unknown) => error)
  await until(() => client.state === 'offline')
  await client.close()
  assert.instance(await upload, ClosedError)
  assert.instance(await client.files.upload('b.epub', new Blob(['x'])).catch((error: unknown) => error), ClosedError)
})

test.run()
