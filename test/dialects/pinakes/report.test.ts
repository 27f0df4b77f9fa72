import * as assert from 'uvu/assert'
import { FilesClient } from '../../util/files-client.ts'
import { isRefused, otherAccount, restHub, type RestAnswer, type RestDevice, type RestHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { sha256Of } from '../../util/contents.ts'

const test = suite('dialects/pinakes/report', { limitMs: 60_000 })

const [ONE, TWO, NEVER] = ['one', 'two', 'never uploaded'].map(text => Buffer.from(text)) as [Buffer, Buffer, Buffer]
const contentOf = (bytes: Uint8Array): { sha256: string; size_bytes: number } => ({
  sha256: sha256Of(bytes),
  size_bytes: bytes.length
})

let suites = 0
/** A folder that no test used before, on a hub that may have been visited. */
const freshFolder = (): string => `report-${Date.now().toString(36)}-${(suites += 1)}`

const filesOf = (hub: RestHub, device: RestDevice): FilesClient => new FilesClient(`${hub.url}/api/v1/sync`, device.token)

async function tell(device: RestDevice, ...entries: object[]): Promise<{ result: string; [field: string]: unknown }[]> {
  const { status, json, text } = await device.ask('POST', '/report', { entries })
  assert.is(status, 200, text)
  return json.results
}

test('each entry is taken by itself: accepted, known, in need of its bytes, in conflict or refused', async context => {
  const hub = await restHub(context)
  const [phone, laptop] = [await hub.device({ name: 'phone' }), await hub.device({ name: 'laptop' })]
  const folder = freshFolder()
  const files = filesOf(hub, phone)
  await files.upload(`${folder}/a`, ONE)
  await files.upload(`${folder}/b`, TWO)
  const results = await tell(
    laptop,
    { change: 'created', path: `${folder}/c`, ...contentOf(ONE), mtime_ms: 7 },
    { change: 'created', path: `${folder}/a`, ...contentOf(ONE) },
    { change: 'modified', path: `${folder}/a`, ...contentOf(NEVER), base_sha256: sha256Of(ONE) },
    { change: 'modified', path: `${folder}/b`, ...contentOf(ONE), base_sha256: sha256Of(NEVER) },
    { change: 'created', path: `${folder}/a/d`, ...contentOf(ONE) },
    { change: 'deleted', path: `${folder}/never`, base_sha256: sha256Of(ONE) }
  )
  assert.equal(
    results.map(({ path, result, code }) => [path, result, code]),
    [
      [`${folder}/c`, 'accepted', undefined],
      [`${folder}/a`, 'already_known', undefined],
      [`${folder}/a`, 'upload_required', undefined],
      [`${folder}/b`, 'conflict', undefined],
      [`${folder}/a/d`, 'refused', 'already-exists'],
      [`${folder}/never`, 'already_known', undefined]
    ]
  )
  assert.match(String(results[0]!['cursor']), /^\w+:\d+$/)
  assert.match(String(results[3]!['conflict_id']), /^\d+$/)
  assert.equal((await files.download(`${folder}/c`)).bytes, ONE)
  assert.equal((await files.download(`${folder}/b`)).bytes, TWO)
})

test('what is deleted is gone for all, and what is moved is where it was moved to', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const folder = freshFolder()
  const files = filesOf(hub, device)
  await files.upload(`${folder}/a`, ONE)
  await files.upload(`${folder}/b`, TWO)
  const results = await tell(
    device,
    { change: 'deleted', path: `${folder}/a`, base_sha256: sha256Of(ONE) },
    { change: 'moved', path: `${folder}/c`, from: `${folder}/b`, ...contentOf(TWO) }
  )
  assert.equal(
    results.map(({ result }) => result),
    ['accepted', 'accepted']
  )
  assert.is((await files.download(`${folder}/a`)).status, 404)
  assert.is((await files.download(`${folder}/b`)).status, 404)
  assert.equal((await files.download(`${folder}/c`)).bytes, TWO)
})

test('what is not named stays: an empty device that reports what it has deletes nothing', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const folder = freshFolder()
  const files = filesOf(hub, device)
  await files.upload(`${folder}/a`, ONE)
  await files.upload(`${folder}/b`, TWO)
  await tell(await hub.device(), { change: 'created', path: `${folder}/b`, ...contentOf(TWO) })
  assert.equal((await files.download(`${folder}/a`)).bytes, ONE)
})

test('a name is the same however it was composed', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const folder = freshFolder()
  await filesOf(hub, device).upload(`${folder}/Br\u00fcder.epub`, ONE)
  const [known] = await tell(device, { change: 'created', path: `${folder}/Bru\u0308der.epub`, ...contentOf(ONE) })
  assert.equal([known!.result, known!['path']], ['already_known', `${folder}/Br\u00fcder.epub`])
})

test('a report that is not one is refused whole, by the name of what is wrong, and changes nothing', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const folder = freshFolder()
  await filesOf(hub, device).upload(`${folder}/a`, ONE)
  const good = { change: 'created', path: `${folder}/good`, ...contentOf(ONE) }
  const bad: [entry: unknown, field: string][] = [
    [{ ...good, change: 'renamed' }, 'entries[1].change'],
    [{ ...good, sha256: 'x' }, 'entries[1].sha256'],
    [{ ...good, sha256: sha256Of(ONE).toUpperCase() }, 'entries[1].sha256'],
    [{ ...good, size_bytes: -1 }, 'entries[1].size_bytes'],
    [{ ...good, size_bytes: 1.5 }, 'entries[1].size_bytes'],
    [{ ...good, mtime_ms: 'now' }, 'entries[1].mtime_ms'],
    [{ ...good, base_sha256: null }, 'entries[1].base_sha256'],
    [{ ...good, owner: 'me' }, 'entries[1].owner'],
    [{ change: 'deleted', path: `${folder}/a` }, 'entries[1].base_sha256'],
    [{ ...good, change: 'moved' }, 'entries[1].from'],
    ...[
      '',
      '/a',
      'a/',
      '../a',
      'a/../b',
      'a//b',
      'C:/a',
      'a\\b',
      'con',
      'a/nul.txt',
      'a\u0000',
      'a\ud800',
      '\udc00/a',
      'a.',
      'a ',
      'x'.repeat(256),
      'é'.repeat(600)
    ].map((path): [unknown, string] => [{ ...good, path }, 'entries[1].path'])
  ]
  for (const [entry, field] of bad) {
    const answer: RestAnswer = await device.ask('POST', '/report', { entries: [good, entry] })
    isRefused(answer, 400, 'bad-request', field)
  }
  isRefused(await device.ask('POST', '/report', { entries: [] }), 400, 'bad-request', 'entries')
  isRefused(
    await device.ask('POST', '/report', { entries: Array.from({ length: 1_001 }, () => good) }),
    400,
    'bad-request',
    'entries'
  )
  isRefused(await device.ask('POST', '/report', {}), 400, 'bad-request', 'entries')
  assert.is((await filesOf(hub, device).download(`${folder}/good`)).status, 404)
})

test('a thousand entries are one report', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const folder = freshFolder()
  await filesOf(hub, device).upload(`${folder}/a`, ONE)
  const entries = Array.from({ length: 1_000 }, (_, index) => ({
    change: 'created',
    path: `${folder}/${'long name '.repeat(12)}${index}`,
    ...contentOf(ONE)
  }))
  const results = await tell(device, ...entries)
  assert.ok(results.every(({ result }) => result === 'accepted'))
})

test('who may only read reports nothing, and a hash tells nothing about what other accounts hold', async context => {
  const hub = await restHub(context)
  const folder = freshFolder()
  const reader = await hub.device({ read_only: true })
  const entry = { change: 'created', path: `${folder}/a`, ...contentOf(ONE) }
  isRefused(await reader.ask('POST', '/report', { entries: [entry] }), 403, 'forbidden')
  isRefused(await hub.request('POST', '/api/v1/sync/report', undefined, { entries: [entry] }), 401, 'unauthenticated')
  if (hub.own === undefined) return
  await filesOf(hub, await hub.device()).upload(`${folder}/a`, ONE)
  const stranger = await (await otherAccount(context, hub)).device()
  const [result] = await tell(stranger, entry)
  assert.is(result!.result, 'upload_required')
})

test.run()
