import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { FilesClient } from '../util/files-client.ts'
import { HubProcess } from '../util/hub-process.ts'
import { RawSocket } from '../util/raw-socket.ts'
import { canReadMemory, residentBytes } from '../util/resident-memory.ts'
import { suite } from '../util/suite.ts'

const FILE_BYTES = 32 * 2 ** 20
/** One less than an account may have. */
const READERS = 31
const SENDERS = 16
/** What one that moves a file may hold, with what the garbage collector has not taken yet. */
const EACH_BYTES = 700_000
const SPARE_BYTES = 60 * 2 ** 20

const test = suite('stories/unread-files')

test('downloads that nobody reads, and large chunks that come at once, cost the hub little memory each', async context => {
  if (!canReadMemory()) return
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const { token } = await hub.pair('reader', 'phone')
  const client = new FilesClient(`${hub.url}/api/v1/sync`, token)
  const file = randomBytes(FILE_BYTES)
  assert.is((await client.upload('a', file, { chunk_bytes: FILE_BYTES })).status, 200)
  const before = residentBytes(hub.pid)
  const grown = (): number => residentBytes(hub.pid) - before

  const readers = Array.from({ length: READERS }, () => new RawSocket(context, hub.url))
  for (const raw of readers) {
    raw.write(`GET /api/v1/sync/download/a HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\n\r\n`)
    await raw.until(text => text.includes('\r\n\r\n'))
    raw.socket.pause()
  }
  // Everyone has had its turn since.
  assert.is((await client.download('a', { range: 'bytes=0-9' })).status, 206)
  const unread = grown()
  assert.ok(unread < READERS * EACH_BYTES + SPARE_BYTES, `${READERS} unread downloads took ${unread} bytes`)

  const { id } = (
    await client.begin('b', randomBytes(0), { size_bytes: SENDERS * FILE_BYTES, sha256: '0'.repeat(64), chunk_bytes: FILE_BYTES })
  ).json
  let most = 0
  const look = setInterval(() => (most = Math.max(most, grown())), 20)
  const sent = await Promise.all(Array.from({ length: SENDERS }, (_, index) => client.chunk(id, index, file)))
  clearInterval(look)
  assert.ok(sent.every(({ status }) => status === 200))
  assert.ok(most < (READERS + SENDERS) * EACH_BYTES + SPARE_BYTES, `${SENDERS} chunks at once took ${most} bytes`)
  process.stdout.write(
    `FIGURE: ${READERS} unread downloads ${(unread / 2 ** 20).toFixed(0)} MiB, with ${SENDERS} chunks of ${FILE_BYTES / 2 ** 20} MiB ${(most / 2 ** 20).toFixed(0)} MiB\n`
  )
})

test.run()
