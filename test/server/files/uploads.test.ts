import { createHash, randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { UploadRecords } from '../../../server/files/upload-record.ts'
import { UPLOAD_LIMITS } from '../../../server/files/upload-request.ts'
import { HubError } from '../../../protocol/index.ts'
import { textOf } from '../../contract/blobs.ts'
import { ManualClock } from '../../util/manual-clock.ts'
import { HeldStore } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'
import { CHUNK_BYTES, chunkOf, sha256Of } from '../../util/contents.ts'
import { ANNA, begin, Faucet, inParts, refusal, send, uploadScene } from '../../util/upload-scene.ts'

const test = suite('server/files/uploads')

const FILE = randomBytes(CHUNK_BYTES * 3 + 100)
const { account } = ANNA
const FULL = new HubError('storage-full')

test('chunks in any order become the file, which is published once', async context => {
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [2, 0, 3, 1]
  ]) {
    const scene = await uploadScene(context)
    const { id, missing } = await begin(scene, FILE, { base: '0'.repeat(64), mtimeMs: 5 })
    assert.equal(missing, [0, 1, 2, 3])
    await send(scene, id, FILE, order)
    assert.equal(await scene.uploads.complete(account, id), { cursor: 1 })
    const { path, sha256, base, mtimeMs, device } = scene.published[0]!
    assert.equal([path, sha256, base, mtimeMs, device], ['a.epub', sha256Of(FILE), '0'.repeat(64), 5, 'phone'])
    assert.is(await textOf(await scene.blobs.read(sha256)), FILE.toString())
    assert.equal([scene.published.length, await scene.blobs.partials.list()], [1, []])
  }
})

test('chunks that come at once become the file too', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await Promise.all([3, 1, 0, 2].map(index => send(scene, id, FILE, [index])))
  await scene.uploads.complete(account, id)
  assert.is((await scene.blobs.stat(sha256Of(FILE)))?.sizeBytes, FILE.length)
})

test('a chunk whose sender is cut off while the last of it is written does not count', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  let isLetIn = true
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield chunkOf(FILE, 0)
    isLetIn = false
  }
  const mustBeLetIn = (): void => {
    if (!isLetIn) throw new HubError('device-revoked')
  }
  assert.is(await refusal(scene.uploads.receive(account, id, 0, { bytes: bytes(), mustBeLetIn })), 'device-revoked')
  assert.equal(scene.uploads.status(account, id).missing, [0, 1, 2, 3])
})

test('a file of no bytes has no chunks, and is complete from the beginning', async context => {
  const scene = await uploadScene(context)
  const empty = new Uint8Array(0)
  const { id, missing } = await begin(scene, empty)
  assert.equal(missing, [])
  assert.is(await refusal(send(scene, id, empty, [0])), 'bad-request index')
  await scene.uploads.complete(account, id)
  assert.is((await scene.blobs.stat(sha256Of(empty)))?.sizeBytes, 0)
})

test('the status tells what is there and what is missing', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [3, 1])
  const { state, missing, receivedBytes, chunkBytes, expiresAtMs } = scene.uploads.status(account, id)
  assert.equal([state, missing, receivedBytes, chunkBytes], ['receiving', [0, 2], CHUNK_BYTES + 100, CHUNK_BYTES])
  assert.is(expiresAtMs, scene.clock.nowMs() + UPLOAD_LIMITS.expiresAfterMs)
})

test('a chunk at a wrong place, of a wrong length or with a wrong digest is refused, and counts nothing', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  const digest = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
  const receive = (index: number, bytes: Uint8Array, more = {}): Promise<string> =>
    refusal(scene.uploads.receive(account, id, index, { bytes: inParts(bytes), ...more }))
  const whole = chunkOf(FILE, 0)
  for (const index of [-1, 4, 1.5, NaN]) assert.is(await receive(index, whole), 'bad-request index')
  assert.is(await receive(0, whole.subarray(1)), 'bad-request')
  assert.is(await receive(0, Buffer.concat([whole, Buffer.of(1)])), 'bad-request')
  assert.is(await receive(0, new Uint8Array(0)), 'bad-request')
  assert.is(await receive(3, whole), 'bad-request')
  assert.is(await receive(0, whole, { sizeBytes: 7 }), 'bad-request')
  assert.is(await receive(0, whole, { sha256: digest(FILE) }), 'bad-request content-digest')
  assert.equal(scene.uploads.status(account, id).missing, [0, 1, 2, 3])
  assert.is(await receive(0, whole, { sha256: digest(whole), sizeBytes: CHUNK_BYTES }), '')
  await send(scene, id, FILE, [1, 2, 3])
  await scene.uploads.complete(account, id)
})

test('a body of the wrong announced length is refused before it is read', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  const unread = new Faucet()
  assert.is(await refusal(scene.uploads.receive(account, id, 0, { bytes: unread, sizeBytes: CHUNK_BYTES + 1 })), 'bad-request')
})

test('a chunk that is cut counts nothing, wherever it is cut, and can be sent again', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  for (const cut of [0, 1, 9_999, CHUNK_BYTES - 1, CHUNK_BYTES]) {
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield* inParts(chunkOf(FILE, 0).subarray(0, cut))
      throw new HubError('bad-request', 'cut')
    }
    assert.is(await refusal(scene.uploads.receive(account, id, 0, { bytes: body() })), 'bad-request')
    assert.is(scene.uploads.status(account, id).receivedBytes, 0)
  }
  await send(scene, id, FILE, [0, 1, 2, 3])
  await scene.uploads.complete(account, id)
})

test('a chunk that is there is not written again, whatever its repeat holds', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [0, 1, 2, 3])
  await send(scene, id, Buffer.alloc(FILE.length), [0, 3])
  assert.is(await refusal(scene.uploads.receive(account, id, 0, { bytes: inParts(chunkOf(FILE, 0).subarray(1)) })), 'bad-request')
  await scene.uploads.complete(account, id)
})

test('of two sendings of one chunk the later takes the place, and the earlier writes no more', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [1, 2, 3])
  const [stale, stuck] = [new Faucet(), new Faucet()]
  const first = scene.uploads.receive(account, id, 0, { bytes: stale })
  stale.give(new Uint8Array(30_000))
  await stale.drained()
  const second = refusal(scene.uploads.receive(account, id, 0, { bytes: stuck }))
  stuck.give(new Uint8Array(10_000))
  await stuck.drained()
  await send(scene, id, FILE, [0])
  stale.give(new Uint8Array(CHUNK_BYTES - 30_000))
  stale.end()
  stuck.give(new HubError('bad-request', 'cut'))
  await first
  assert.is(await second, 'bad-request')
  await scene.uploads.complete(account, id)
})

test('who was replaced by a sending that failed hears that the chunk is not there', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  const [stale, cut] = [new Faucet(), new Faucet()]
  const first = scene.uploads.receive(account, id, 0, { bytes: stale })
  await stale.drained()
  const second = refusal(scene.uploads.receive(account, id, 0, { bytes: cut }))
  await cut.drained()
  cut.give(new HubError('bad-request', 'cut'))
  assert.is(await second, 'bad-request')
  stale.give(chunkOf(FILE, 0))
  stale.end()
  assert.is(await refusal(first), 'bad-request')
  assert.equal(scene.uploads.status(account, id).missing, [0, 1, 2, 3])
})

test('thirty sendings of one chunk at once all hear that it is there', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await Promise.all(Array.from({ length: 30 }, () => send(scene, id, FILE, [0])))
  await send(scene, id, FILE, [1, 2, 3])
  await scene.uploads.complete(account, id)
})

test('an upload that lacks chunks is not completed, and goes on', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [0, 1, 3])
  assert.is(await refusal(scene.uploads.complete(account, id)), 'bad-request')
  await send(scene, id, FILE, [2])
  await scene.uploads.complete(account, id)
})

test('bytes that are not those announced are never shown, and all of them can be sent again', async context => {
  const scene = await uploadScene(context)
  const wrong = Buffer.from(FILE)
  wrong[CHUNK_BYTES]! ^= 1
  const { id } = await begin(scene, FILE)
  await send(scene, id, wrong, [0, 1, 2, 3])
  assert.is(await refusal(scene.uploads.complete(account, id)), 'bad-request sha256')
  assert.equal(
    [scene.published, await scene.blobs.stat(sha256Of(wrong)), await scene.blobs.stat(sha256Of(FILE))],
    [[], undefined, undefined]
  )
  assert.equal(scene.uploads.status(account, id).missing, [0, 1, 2, 3])
  await send(scene, id, FILE, [1, 0, 2, 3])
  await scene.uploads.complete(account, id)
})

test('who completes twice hears the same, at once, later and after a restart; an hour later it is forgotten', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [0, 1, 2, 3])
  const both = await Promise.all([scene.uploads.complete(account, id), scene.uploads.complete(account, id)])
  assert.equal([...both, await scene.uploads.complete(account, id)], [{ cursor: 1 }, { cursor: 1 }, { cursor: 1 }])
  const next = await scene.restart()
  assert.equal(await next.uploads.complete(account, id), { cursor: 1 })
  const { state, missing, outcome } = next.uploads.status(account, id)
  assert.equal([state, missing, outcome], ['done', [], { cursor: 1 }])
  assert.equal([scene.published.length, next.published.length], [1, 0])
  assert.is(await refusal(() => next.uploads.cancel(account, id)), 'not-found')
  assert.is(await refusal(() => send(next, id, FILE, [0])), 'not-found')
  scene.clock.advance(UPLOAD_LIMITS.keepsOutcomeMs + 600_000)
  await next.uploads.close()
  await new Promise(resolve => setImmediate(resolve))
  assert.is(await refusal(() => next.uploads.status(account, id)), 'not-found')
})

test("nothing of another account's upload can be asked or done", async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  for (const name of [id, 'unknown', '', '../x']) {
    assert.is(await refusal(() => scene.uploads.status('ben', name)), 'not-found')
    assert.is(await refusal(() => scene.uploads.receive('ben', name, 0, { bytes: inParts(FILE) })), 'not-found')
    assert.is(await refusal(() => scene.uploads.complete('ben', name)), 'not-found')
    assert.is(await refusal(() => scene.uploads.cancel('ben', name)), 'not-found')
  }
  await send(scene, id, FILE, [0, 1, 2, 3])
  await scene.uploads.complete(account, id)
  assert.is(await refusal(() => scene.uploads.status('ben', id)), 'not-found')
})

test('after a restart an upload goes on where it was', async context => {
  let scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  for (const [index, left] of [
    [2, [0, 1, 3]],
    [0, [1, 3]],
    [3, [1]],
    [1, []]
  ] as [number, number[]][]) {
    await send(scene, id, FILE, [index])
    scene = await scene.restart()
    assert.equal(scene.uploads.status(account, id).missing, left)
  }
  await scene.uploads.complete(account, id)
  assert.is((await scene.blobs.stat(sha256Of(FILE)))?.sizeBytes, FILE.length)
})

test('a chunk is on disk before it is counted, and it is counted before it is answered', async context => {
  const held = new HeldStore()
  const scene = await uploadScene(context, { store: held })
  const { id } = await begin(scene, FILE)
  const deeds: string[] = []
  const { partials } = scene.blobs
  const open = partials.open.bind(partials)
  partials.open = async name => {
    const file = (await open(name))!
    const flush = file.flush.bind(file)
    file.flush = async () => {
      await flush()
      deeds.push(`flushed, ${held.heldCommits} commits`)
    }
    return file
  }
  held.holdCommits()
  const sent = send(scene, id, FILE, [0]).then(() => deeds.push('answered'))
  await held.until(() => held.heldCommits > 0)
  const repeated = send(scene, id, FILE, [0]).then(() => deeds.push('answered'))
  await held.until(() => held.heldCommits > 1)
  assert.equal(deeds, ['flushed, 0 commits'])
  held.releaseCommits()
  await Promise.all([sent, repeated])
  assert.equal(deeds.length, 3)
})

test('a start clears away records whose bytes are gone, and bytes without a record', async context => {
  const scene = await uploadScene(context)
  const [kept, gone] = [await begin(scene, FILE), await begin(scene, FILE)]
  await scene.blobs.partials.remove(gone.id)
  await scene.blobs.partials.create('stray', 10)
  const next = await scene.restart()
  assert.is(await refusal(() => next.uploads.status(account, gone.id)), 'not-found')
  assert.is(next.uploads.status(account, kept.id).id, kept.id)
  assert.equal(await next.blobs.partials.list(), [kept.id])
  assert.is(next.store.range(['', 'uploads'], undefined, 10).length, 1)
})

test('a hub that died while it finished an upload finishes it when it starts', async context => {
  const hang = (): Promise<never> => new Promise(() => undefined)
  for (const dies of ['before the name', 'behind the name']) {
    const scene = await uploadScene(context, { publish: hang })
    const { id, sha256 } = await begin(scene, FILE)
    await send(scene, id, FILE, [0, 1, 2, 3])
    const named = new Promise<void>(resolve => {
      const { partials } = scene.blobs
      const adopt = partials.adopt.bind(partials)
      partials.adopt = async (...given) => {
        const isThere = dies === 'before the name' ? await hang() : await adopt(...given)
        resolve()
        return isThere
      }
      if (dies === 'before the name') partials.adopt = () => (resolve(), hang())
    })
    void scene.uploads.complete(account, id)
    await named
    const next = await scene.restart({ publish: async (_, isAgain) => ({ cursor: isAgain ? 2 : 1 }) })
    while (next.uploads.status(account, id).state !== 'done') await new Promise(resolve => setImmediate(resolve))
    assert.equal(await next.uploads.complete(account, id), { cursor: 2 }, dies)
    assert.is((await next.blobs.stat(sha256))?.sizeBytes, FILE.length)
    assert.is(next.uploads.status(account, id).state, 'done')
    scene.uploads.close = async () => undefined
  }
})

test('a file that is refused can be completed again', async context => {
  let isRefused = true
  const scene = await uploadScene(context, {
    publish: async () => {
      if (isRefused) throw new HubError('forbidden')
      return { cursor: 7 }
    }
  })
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [0, 1, 2, 3])
  assert.is(await refusal(scene.uploads.complete(account, id)), 'forbidden')
  isRefused = false
  assert.equal(await scene.uploads.complete(account, id), { cursor: 7 })
})

test('a file that is refused can be cancelled, and takes nothing from the share of the account any more', async context => {
  const publish = async (): Promise<never> => {
    throw new HubError('already-exists')
  }
  const scene = await uploadScene(context, { publish, maxAccountBytes: FILE.length, contentBytes: async () => 0 })
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [0, 1, 2, 3])
  assert.is(await refusal(scene.uploads.complete(account, id)), 'already-exists')
  assert.is(await refusal(begin(scene, FILE)), 'quota-exceeded')
  await scene.uploads.cancel(account, id)
  assert.is(await refusal(() => scene.uploads.status(account, id)), 'not-found')
  assert.is(await refusal(begin(scene, FILE)), '')
})

test('an upload to which nothing comes for a day is gone with its bytes; each chunk gives it another day', async context => {
  const scene = await uploadScene(context)
  const [kept, left] = [await begin(scene, FILE), await begin(scene, FILE)]
  const slow = await begin(scene, FILE)
  const body = new Faucet()
  const arriving = scene.uploads.receive(account, slow.id, 0, { bytes: body })
  await body.drained()
  scene.clock.advance(UPLOAD_LIMITS.expiresAfterMs - 1_000_000)
  await send(scene, kept.id, FILE, [0])
  scene.clock.advance(2_000_000)
  assert.is(await refusal(() => scene.uploads.status(account, left.id)), 'not-found')
  while ((await scene.blobs.partials.list()).length > 2) await new Promise(resolve => setImmediate(resolve))
  assert.equal(new Set(await scene.blobs.partials.list()), new Set([kept.id, slow.id]))
  await send(scene, kept.id, FILE, [1])
  body.give(chunkOf(FILE, 0))
  body.end()
  await arriving
  assert.equal(scene.uploads.status(account, slow.id).missing, [1, 2, 3])
  const next = await scene.restart()
  assert.is(await refusal(() => next.uploads.status(account, left.id)), 'not-found')
})

test('a cancelled upload is gone at once, with its bytes, and for good', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [0])
  const body = new Faucet()
  const arriving = scene.uploads.receive(account, id, 1, { bytes: body })
  body.give(chunkOf(FILE, 1).subarray(0, 50_000))
  await body.drained()
  await scene.uploads.cancel(account, id)
  assert.equal(await scene.blobs.partials.list(), [])
  body.give(chunkOf(FILE, 1).subarray(50_000))
  body.end()
  assert.is(await refusal(arriving), 'not-found')
  for (const uploads of [scene.uploads, (await scene.restart()).uploads]) {
    assert.is(await refusal(() => uploads.status(account, id)), 'not-found')
    assert.is(await refusal(() => uploads.cancel(account, id)), 'not-found')
    assert.is(await refusal(() => uploads.complete(account, id)), 'not-found')
  }
  assert.equal(scene.store.range(['', 'uploads'], undefined, 10), [])
})

test('an upload that is cancelled while its bytes are looked through is not published', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [3, 2, 1])
  const next = await scene.restart()
  await send(next, id, FILE, [0])
  const completing = refusal(next.uploads.complete(account, id))
  await next.uploads.cancel(account, id)
  assert.is(await completing, 'not-found')
  assert.equal([next.published, await next.blobs.stat(sha256Of(FILE))], [[], undefined])
})

test('an upload that is cancelled as soon as its completion is asked for is gone for good', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  await send(scene, id, FILE, [0, 1, 2, 3])
  const completing = refusal(scene.uploads.complete(account, id))
  await scene.uploads.cancel(account, id)
  assert.is(await completing, 'not-found')
  assert.equal([scene.published, scene.store.range(['', 'uploads'], undefined, 9)], [[], []])
})

test('contents and open uploads of an account count against its share, from the beginning of an upload to its end', async context => {
  const scene = await uploadScene(context, { maxAccountBytes: 1_000_000, contentBytes: async () => 400_000 })
  const half = randomBytes(300_000)
  const { id } = await begin(scene, half)
  await begin(scene, half)
  const one = new Uint8Array(1)
  assert.is(await refusal(begin(scene, one)), 'quota-exceeded')
  assert.is(await refusal(begin(await scene.restart(), one)), 'quota-exceeded')
  await scene.uploads.cancel(account, id)
  assert.is(await refusal(begin(scene, one)), '')
  const tries = await Promise.all([half, half.subarray(1), half.subarray(2)].map(bytes => refusal(begin(scene, bytes))))
  assert.equal(tries.sort(), ['', 'quota-exceeded', 'quota-exceeded'])
})

test('an upload to a path that is not free is not begun', async context => {
  const mustTakeFile = async (id: string, path: string): Promise<void> => {
    if (id === account && path === 'a.epub') throw new HubError('already-exists')
  }
  const scene = await uploadScene(context, { mustTakeFile })
  assert.is(await refusal(begin(scene, FILE)), 'already-exists')
  assert.equal(await scene.blobs.partials.list(), [])
  assert.is(await refusal(begin(scene, FILE, { path: 'b.epub' })), '')
})

test('an account has so many uploads open, and another as many again', async context => {
  const scene = await uploadScene(context)
  for (let count = 0; count < UPLOAD_LIMITS.maxOpenPerAccount; count++) await begin(scene, FILE)
  assert.is(await refusal(begin(scene, FILE)), 'quota-exceeded')
  assert.is(await refusal(begin(scene, FILE, {}, { account: 'ben', device: 'phone' })), '')
})

test('so many chunks of an account come in at once, and the next is told to come back', async context => {
  const scene = await uploadScene(context)
  const { id } = await begin(scene, FILE)
  const bodies = Array.from({ length: UPLOAD_LIMITS.maxArrivingPerAccount }, () => new Faucet())
  const arriving = bodies.map(bytes => refusal(scene.uploads.receive(account, id, 0, { bytes })))
  for (const body of bodies) await body.drained()
  assert.is(await refusal(send(scene, id, FILE, [1])), 'overloaded')
  for (const body of bodies) body.give(new HubError('bad-request', 'cut'))
  await Promise.all(arriving)
  assert.is(await refusal(send(scene, id, FILE, [1])), '')
})

test('what is promised to open uploads is not promised again, and the floor of free space stays', async context => {
  const freeBytes = 1_000_000
  const scene = await uploadScene(context, { minFreeBytes: 300_000, freeBytes: async () => freeBytes })
  await begin(scene, randomBytes(500_000))
  assert.is(await refusal(begin(scene, randomBytes(200_001))), 'storage-full')
  assert.is(await refusal(begin(scene, randomBytes(200_000))), '')
})

test('a hub without room takes no upload and no chunk, and says so of a disk that is full', async context => {
  let isShort = false
  const scene = await uploadScene(context, {
    mustTakeWrites: () => {
      if (isShort) throw FULL
    }
  })
  const { id } = await begin(scene, FILE)
  isShort = true
  assert.is(await refusal(begin(scene, FILE)), 'storage-full')
  assert.is(await refusal(send(scene, id, FILE, [0])), 'storage-full')
  isShort = false
  const { partials } = scene.blobs
  const open = partials.open.bind(partials)
  partials.open = async name => {
    const file = (await open(name))!
    file.write = () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
    return file
  }
  assert.is(await refusal(send(scene, id, FILE, [0])), 'storage-full')
  partials.open = open
  assert.equal(scene.uploads.status(account, id).missing, [0, 1, 2, 3])
  await send(scene, id, FILE, [0])
})

test('two uploads of the same bytes at once are two files and one blob', async context => {
  const scene = await uploadScene(context)
  const ids = [(await begin(scene, FILE)).id, (await begin(scene, FILE, { path: 'b.epub' })).id]
  await Promise.all(ids.map(id => send(scene, id, FILE, [0, 1, 2, 3])))
  await Promise.all(ids.map(id => scene.uploads.complete(account, id)))
  assert.equal(new Set(scene.published.map(({ path }) => path)), new Set(['a.epub', 'b.epub']))
  assert.is(await textOf(await scene.blobs.read(sha256Of(FILE))), FILE.toString())
})

test('what is no sound request for an upload is refused by its field', async context => {
  const scene = await uploadScene(context)
  const refused: [string, object][] = [
    ['sizeBytes', { sizeBytes: -1 }],
    ['sizeBytes', { sizeBytes: 1.5 }],
    ['sizeBytes', { sizeBytes: UPLOAD_LIMITS.maxFileBytes + 1 }],
    ['sizeBytes', { sizeBytes: '5' }],
    ['sha256', { sha256: 'x' }],
    ['sha256', { sha256: 'A'.repeat(64) }],
    ['base', { base: 'Z'.repeat(64) }],
    ['chunkBytes', { chunkBytes: 65_535 }],
    ['chunkBytes', { chunkBytes: UPLOAD_LIMITS.maxChunkBytes + 1 }],
    ['chunkBytes', { chunkBytes: 70_000.5 }],
    ['chunkBytes', { chunkBytes: 65_536, sizeBytes: 65_536 * UPLOAD_LIMITS.maxChunks + 1 }],
    ['mtimeMs', { mtimeMs: -1 }],
    ['path', { path: '' }],
    ['path', { path: '../emma.epub' }],
    ['path', { path: 'aux.txt' }],
    ['stranger', { stranger: 1 }]
  ]
  for (const [field, more] of refused)
    assert.match(await refusal(begin(scene, FILE, more)), new RegExp(`^bad-request .*${field}$`), JSON.stringify(more))
  assert.equal([await scene.blobs.partials.list(), scene.store.range(['', 'uploads'], undefined, 10)], [[], []])
})

/** A store with so many finished uploads, the earlier in `ids` the sooner forgotten. */
async function finishedStore(ids: readonly string[], accountOf: (index: number) => string): Promise<HeldStore> {
  const store = new HeldStore()
  const records = new UploadRecords(store)
  const nowMs = new ManualClock().nowMs()
  const facts = { path: 'a', sizeBytes: 0, sha256: sha256Of(new Uint8Array(0)), chunkBytes: CHUNK_BYTES, device: 'phone' }
  const rest = { ...facts, state: 'done', openedAtMs: nowMs, received: new Uint8Array(0), outcome: { cursor: 1 } } as const
  for (const [index, id] of ids.entries())
    await records.write({ ...rest, id, account: accountOf(index), expiresAtMs: nowMs + 1_000 + index })
  return store
}

const namesOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `u${(index * 7_919) % count}`)

test('of the finished uploads of an account so many are known, the latest', async context => {
  const { maxFinishedPerAccount: most } = UPLOAD_LIMITS
  const ids = namesOf(most + 5)
  const store = await finishedStore(ids, () => account)
  const scene = await uploadScene(context, { store })
  const known = (id: string): Promise<string> => refusal(() => scene.uploads.status(account, id))
  assert.equal([await known(ids[4]!), await known(ids[5]!), await known(ids.at(-1)!)], ['not-found', '', ''])
  const { id } = await begin(scene, new Uint8Array(0))
  await scene.uploads.complete(account, id)
  assert.equal([await known(ids[5]!), await known(ids[6]!), await known(id)], ['not-found', '', ''])
  assert.is(store.range(['', 'uploads'], undefined, 10_000).length, most)
})

test('a start and a sweep go through many finished uploads page by page, with turns for others in between', async context => {
  const PAGE = 1_000
  const ids = namesOf(3 * PAGE + 1)
  const store = await finishedStore(ids, index => `account${index % 7}`)
  let turns = 0
  const clock = new (class extends ManualClock {
    override nextTurn(task: () => void): void {
      turns += 1
      super.nextTurn(task)
    }
  })()
  const written = store.batches.length
  await uploadScene(context, { store, clock })
  assert.ok(turns >= 3, `${turns} turns`)
  assert.is(store.batches.length, written)
  clock.advance(UPLOAD_LIMITS.keepsOutcomeMs)
  while (store.range(['', 'uploads'], undefined, 1).length > 0) await new Promise(resolve => setImmediate(resolve))
  assert.equal(
    store.batches.slice(written).map(({ writes }) => writes.length),
    [PAGE, PAGE, PAGE, 1]
  )
})

test.run()
