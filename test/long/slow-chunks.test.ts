import { randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { FilesClient } from '../util/files-client.ts'
import { RawSocket } from '../util/raw-socket.ts'
import { restHub } from '../util/rest-hub.ts'
import { suite } from '../util/suite.ts'
import { sha256Of } from '../util/contents.ts'

/** Longer than any other request may take. */
const DRIPS = 45
const DRIP_BYTES = 8_192

const test = suite('long/slow-chunks', { limitMs: 5 * 60_000 })

test('a chunk on a slow line arrives, however long it takes; one that stops, and one of nobody known, are cut', async context => {
  const hub = await restHub(context)
  const { token } = await hub.device()
  const client = new FilesClient(`${hub.url}/api/v1/sync`, token, `${randomBytes(6).toString('hex')}/`)
  const file = randomBytes(DRIPS * DRIP_BYTES)
  const { id } = (await client.begin('a', file, { chunk_bytes: 2 ** 20 })).json
  const start = (bearer: string): RawSocket => {
    const raw = new RawSocket(context, hub.url)
    raw.write(
      `PUT /api/v1/sync/upload/${id}/chunks/0 HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${bearer}\r\nContent-Length: ${file.length}\r\n\r\n`
    )
    return raw
  }
  const stranger = start('nonsense')
  const stuck = start(token)
  stuck.write(file.subarray(0, DRIP_BYTES))
  assert.match(await stuck.until(() => stuck.isClosed), /^HTTP\/1\.1 408 /)
  assert.match(await stranger.until(() => stranger.isClosed), /^HTTP\/1\.1 401 /)
  const slow = start(token)
  for (let drip = 0; drip < DRIPS; drip++) {
    slow.write(file.subarray(drip * DRIP_BYTES, (drip + 1) * DRIP_BYTES))
    await wait(1_000)
  }
  assert.match(await slow.until(text => text.includes('missing_count')), /^HTTP\/1\.1 200 /)
  assert.is((await client.complete(id)).status, 200)
})

test('a download of which nothing is taken for a minute is cut, and its file closed', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined || process.platform !== 'linux') return
  const { token } = await hub.device()
  const file = randomBytes(32 * 2 ** 20)
  const client = new FilesClient(`${hub.url}/api/v1/sync`, token)
  await client.upload('a', file, { chunk_bytes: file.length })
  const openContents = (): number =>
    readdirSync('/proc/self/fd').filter(fd => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith(sha256Of(file))
      } catch {
        return false
      }
    }).length
  const unread = new RawSocket(context, hub.url)
  unread.write(`GET /api/v1/sync/download/a HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  await unread.until(text => text.includes('\r\n\r\n'))
  unread.socket.pause()
  assert.is(openContents(), 1)
  while (openContents() > 0) await wait(500)
  unread.socket.resume()
  await unread.until(() => unread.isClosed)
  assert.ok(unread.received.length < file.length)
})

test.run()
