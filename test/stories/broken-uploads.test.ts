import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { CHUNK_BYTES, chunkOf } from '../util/contents.ts'
import { FilesClient } from '../util/files-client.ts'
import { RawSocket } from '../util/raw-socket.ts'
import { restHub } from '../util/rest-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { seeded } from '../util/writer.ts'

const CUTS = Number(process.env['LECTERN_CUTS'] ?? 1_000)

const test = suite('stories/broken-uploads', { limitMs: 20 * 60_000 })

/** A device whose line can be cut behind any byte. */
async function scene(context: TestContext) {
  const hub = await restHub(context)
  const { token } = await hub.device()
  const client = new FilesClient(`${hub.url}/api/v1/sync`, token, `${randomBytes(6).toString('hex')}/`)
  /**
   * Sends these chunks over one connection, which breaks behind so many bytes of them.
   * @returns the chunks that were sent whole, and those whose answer came
   */
  const sendUntil = async (id: string, bytes: Uint8Array, indexes: readonly number[], cut: number) => {
    const raw = new RawSocket(context, hub.url)
    const whole: number[] = []
    let left = cut
    for (const index of indexes) {
      const chunk = chunkOf(bytes, index)
      raw.write(
        `PUT /api/v1/sync/upload/${id}/chunks/${index} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${chunk.length}\r\n\r\n`
      )
      raw.write(chunk.subarray(0, left))
      if (left < chunk.length) break
      left -= chunk.length
      whole.push(index)
      await raw.until(text => text.split('HTTP/1.1 200 ').length > whole.length)
      if (left === 0) break
    }
    raw.socket.destroy()
    await raw.until(() => raw.isClosed)
    return { whole, answered: indexes.slice(0, raw.received.toString('latin1').split('HTTP/1.1 200 ').length - 1) }
  }
  return { client, sendUntil }
}

test('an upload that breaks behind each of its chunks goes on behind each of them', async context => {
  const { client, sendUntil } = await scene(context)
  const file = randomBytes(16 * CHUNK_BYTES)
  const { id } = (await client.begin('a', file)).json
  for (let index = 0; index < 16; index++) {
    const { json } = await client.status(id)
    assert.equal(
      json.missing_chunks,
      Array.from({ length: 16 - index }, (_, at) => index + at)
    )
    await sendUntil(id, file, json.missing_chunks, CHUNK_BYTES)
    assert.is((await client.download('a')).status, 404)
  }
  assert.is((await client.complete(id)).status, 200)
  assert.ok((await client.download('a')).bytes.equals(file))
})

test(`an upload that breaks at ${CUTS} random bytes has what was answered, has nothing that was not sent, and is whole in the end`, async context => {
  const { client, sendUntil } = await scene(context)
  const random = seeded(Number(process.env['LECTERN_SEED'] ?? 1))
  let cuts = 0
  for (let number = 0; cuts < CUTS; number++) {
    const file = randomBytes(3 * CHUNK_BYTES + 1 + Math.floor(random() * CHUNK_BYTES))
    const path = `file ${number}`
    const { id } = (await client.begin(path, file)).json
    const there = new Set<number>()
    for (;;) {
      const missing = ((await client.status(id)).json.missing_chunks as number[]).sort(() => random() - 0.5)
      for (const index of [0, 1, 2, 3]) assert.is(missing.includes(index), !there.has(index))
      if (missing.length === 0) break
      const total = missing.reduce((sum, index) => sum + chunkOf(file, index).length, 0)
      const { whole, answered } = await sendUntil(id, file, missing, Math.floor(random() * (total + 1)))
      cuts += 1
      assert.equal(answered, whole)
      for (const index of answered) there.add(index)
      assert.is((await client.download(path)).status, 404)
    }
    assert.is((await client.complete(id)).status, 200)
    assert.ok((await client.download(path)).bytes.equals(file))
  }
})

test('a download that breaks at any byte goes on where it broke', async context => {
  const { client } = await scene(context)
  const random = seeded(Number(process.env['LECTERN_SEED'] ?? 1))
  const file = randomBytes(1_000_000)
  await client.upload('a', file, { chunk_bytes: 2 ** 20 })
  const { headers } = await client.download('a', {}, 'HEAD')
  for (let round = 0; round < 20; round++) {
    const parts: Buffer[] = []
    for (let at = 0; at < file.length;) {
      const controller = new AbortController()
      const response = await fetch(`${client.base}/download/${client.folder}a`, {
        headers: { authorization: `Bearer ${client.token}`, range: `bytes=${at}-`, 'if-range': headers.get('etag')! },
        signal: controller.signal
      })
      assert.is(response.status, 206)
      let left = Math.ceil(random() * (file.length - at))
      for await (const part of response.body!) {
        const taken = Buffer.from(part).subarray(0, left)
        parts.push(taken)
        at += taken.length
        left -= taken.length
        if (left === 0) break
      }
      controller.abort()
    }
    assert.ok(Buffer.concat(parts).equals(file))
  }
})

test.run()
