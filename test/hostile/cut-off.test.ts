import { randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { Origin } from '../../server/core/origin.ts'
import { bookUuid, fileUuid } from '../../server/dialects/feed/book-ids.ts'
import { sha256Of } from '../util/contents.ts'
import { FilesClient } from '../util/files-client.ts'
import { RawSocket } from '../util/raw-socket.ts'
import { restHubAt, type RestHub } from '../util/rest-hub.ts'
import { servingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'

// Less than the time after which an answer is cut that nobody reads.
const test = suite('hostile/cut-off', { limitMs: 50_000 })

/** More than the buffers between two sockets take. */
const FILE = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), randomBytes(32 * 2 ** 20)])
const SHA256 = sha256Of(FILE)

interface Victim {
  readonly token: string
  readonly cutOff: () => Promise<unknown>
}

const device =
  (method: string, path: (id: string) => string, body?: object) =>
  async (hub: RestHub): Promise<Victim> => {
    const [keeper, { id, token }] = [await hub.device(), await hub.device()]
    return { token, cutOff: () => keeper.ask(method, path(id), body) }
  }

/** Every way in which a token comes to let nobody in any more, and what is answered then. */
const WAYS: readonly (readonly [name: string, code: string, status: number, victim: (hub: RestHub) => Promise<Victim>])[] = [
  ['a revoked device', 'device-revoked', 403, device('DELETE', id => `/devices/${id}`)],
  ['a disabled device', 'device-disabled', 403, device('PUT', id => `/devices/${id}`, { disabled: true })],
  ['a device with a new token', 'unauthenticated', 401, device('POST', id => `/devices/${id}/token`)],
  [
    'a sign-in that ended',
    'unauthenticated',
    401,
    async hub => {
      const { access_token: token } = await hub.login()
      return { token, cutOff: () => hub.request('POST', '/api/v1/auth/logout', token) }
    }
  ]
]

async function scene(context: TestContext, victimOf: (hub: RestHub) => Promise<Victim>) {
  const own = await servingHub(context)
  await own.directory.add('ada', 'correct horse')
  const hub = restHubAt(context, own.url, 'ada', 'correct horse', own)
  const keeper = await hub.device()
  return {
    own,
    keeper,
    ...(await victimOf(hub)),
    files: new FilesClient(`${hub.url}/api/v1/sync`, keeper.token),
    raw: (head: string, token: string): RawSocket => {
      const raw = new RawSocket(context, hub.url)
      raw.write(`${head}\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\n\r\n`)
      return raw
    }
  }
}

const openContents = (): number =>
  readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith(SHA256)
    } catch {
      return false
    }
  }).length

for (const [name, code, status, victimOf] of WAYS) {
  test(`${name}: files and covers on their way end at once, be they read or not`, async context => {
    const { own, keeper, token, cutOff, files, raw } = await scene(context, victimOf)
    await files.upload('a', FILE, { chunk_bytes: 2 ** 26 })
    const account = await own.hub.ensureAccount(own.directory.get('ada').id)
    const file = { sha256: SHA256, sizeBytes: FILE.length, mediaType: 'image/png', name: 'a.png' }
    await account.perform(new Origin(keeper.id, ''), 'book.put', 'emma', { title: 'Emma', cover: SHA256, file })
    const book = `/api/library/${bookUuid('emma')}`
    const paths = ['/api/v1/sync/download/a', `${book}/cover`, `${book}/download/${fileUuid(SHA256)}`]
    const under = paths.map(path => raw(`GET ${path} HTTP/1.1`, token))
    for (const socket of under) {
      assert.match(await socket.until(text => text.includes('\r\n\r\n')), /^HTTP\/1\.1 200 /)
      socket.socket.pause()
    }
    await cutOff()
    if (process.platform === 'linux') while (openContents() > 0) await wait(1)
    for (const socket of under) {
      socket.socket.resume()
      await socket.until(() => false)
      assert.ok(socket.received.length < FILE.length, 'all of it came')
    }
  })

  test(`${name}: a chunk that is being sent is refused at once, and counts nothing`, async context => {
    const { token, cutOff, files, raw } = await scene(context, victimOf)
    const { id } = (await files.begin('b', FILE, { chunk_bytes: 2 ** 26 })).json
    const path = `/api/v1/sync/upload/${id}/chunks/0`
    const begin = async (): Promise<RawSocket> => {
      const sending = raw(`PUT ${path} HTTP/1.1\r\nContent-Length: ${FILE.length}`, token)
      // So much gets away only if somebody takes it.
      await new Promise(resolve => sending.socket.write(FILE.subarray(0, -1), resolve))
      return sending
    }
    const [silent, ending] = [await begin(), await begin()]
    await cutOff()
    ending.write(FILE.subarray(-1))
    for (const sending of [silent, ending]) {
      const answered = await sending.until(text => text.includes('"code"'))
      assert.match(answered, new RegExp(`^HTTP/1\\.1 ${status} `))
      assert.match(answered, code)
    }
    const { missing_chunks: missing, received_bytes: received } = (await files.status(id)).json
    assert.equal([missing, received], [[0], 0])
  })
}

test('a pairing code is good for nothing once the device that asked for it is cut off, also one that was asked for before and comes after', async context => {
  for (const [name, code, status, victimOf] of WAYS.slice(0, 2)) {
    const { own, token, cutOff, raw } = await scene(context, victimOf)
    const post = (path: string, body: object): Promise<Response> =>
      fetch(`${own.url}/api/v1/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
    const opened = (await (await post('pairing-codes', {})).json()) as { code: string }
    const late = raw('POST /api/v1/pairing-codes HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 2', token)
    late.write('{')
    await cutOff()
    late.write('}')
    const answer = await late.until(text => text.includes('"code"'))
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} .*"${code}"`, 's'))
    const used = await post('pair', { code: opened.code, name: 'again', app: '' })
    assert.is(used.status, 401, name)
  }
})

test.run()
