import * as assert from 'uvu/assert'
import { connectNode } from '../../../client/node.ts'
import { FilesClient } from '../../util/files-client.ts'
import { isRefused, otherAccount, restHub, type RestDevice, type RestHub } from '../../util/rest-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { sha256Of } from '../../util/contents.ts'

const test = suite('dialects/pinakes/conflicts', { limitMs: 60_000 })

const [SERVER, CLIENT, OTHER] = ['server', 'client', 'other'].map(text => Buffer.from(text)) as [Buffer, Buffer, Buffer]

interface Quarrel {
  readonly hub: RestHub
  readonly phone: RestDevice
  readonly laptop: RestDevice
  readonly files: FilesClient
  readonly path: string
  readonly id: string
}

let quarrels = 0

/** Two devices that put different contents at one path. */
async function quarrel(context: TestContext): Promise<Quarrel> {
  const hub = await restHub(context)
  const [phone, laptop] = [await hub.device({ name: 'phone' }), await hub.device({ name: 'laptop' })]
  const path = `conflicts-${Date.now().toString(36)}-${(quarrels += 1)}/Emma.epub`
  const base = `${hub.url}/api/v1/sync`
  const files = new FilesClient(base, phone.token)
  await files.upload(path, SERVER)
  const { json } = await new FilesClient(base, laptop.token).upload(path, CLIENT)
  return { hub, phone, laptop, files, path, id: json.result.conflict_id }
}

const listed = async (device: RestDevice, id: string): Promise<any> => {
  const { json } = await device.ask('GET', '/conflicts')
  return json.conflicts.find((conflict: { id: string }) => conflict.id === id)
}

test('both sides of a conflict are listed and can be downloaded, until it is resolved', async context => {
  const { phone, laptop, files, path, id } = await quarrel(context)
  const { created_at, ...conflict } = await listed(phone, id)
  assert.match(created_at, /^\d{4}-\d\d-\d\dT.*Z$/)
  assert.equal(conflict, {
    id,
    path,
    server: { sha256: sha256Of(SERVER), size_bytes: SERVER.length },
    client: { sha256: sha256Of(CLIENT), size_bytes: CLIENT.length },
    device_id: laptop.id
  })
  assert.equal((await files.download(path)).bytes, SERVER)
  const other = await files.ask('GET', `/download/${path}?sha256=${sha256Of(CLIENT)}`)
  assert.equal([other.status, other.bytes], [200, CLIENT])
  assert.is((await phone.ask('POST', `/conflicts/${id}/resolve`, { keep: 'server' })).status, 200)
  assert.is(await listed(phone, id), undefined)
  isRefused(await phone.ask('POST', `/conflicts/${id}/resolve`, { keep: 'server' }), 404, 'not-found', 'id')
})

for (const [keep, expected] of [
  ['server', SERVER],
  ['client', CLIENT],
  ['both', SERVER]
] as const)
  test(`keeping ${keep} leaves what it says at the path`, async context => {
    const { phone, files, path, id } = await quarrel(context)
    const { status, json } = await phone.ask('POST', `/conflicts/${id}/resolve`, { keep })
    assert.is(status, 200)
    assert.equal([json.id, json.path, json.file.sha256], [id, path, sha256Of(expected)])
    assert.equal((await files.download(path)).bytes, expected)
    if (keep !== 'both') return assert.is(json.beside, null)
    assert.match(json.beside, /Emma \(laptop, \d{4}-\d\d-\d\d\)\.epub$/)
    assert.equal((await files.download(json.beside)).bytes, CLIENT)
  })

test('the client side can get a name of its own choice, and the path any content that the hub holds', async context => {
  const first = await quarrel(context)
  const beside = `${first.path} of mine`
  await first.phone.ask('POST', `/conflicts/${first.id}/resolve`, { keep: 'both', path: beside })
  assert.equal((await first.files.download(beside)).bytes, CLIENT)
  const second = await quarrel(context)
  await second.files.upload(`${second.path} aside`, OTHER)
  await second.phone.ask('POST', `/conflicts/${second.id}/resolve`, { keep: 'content', sha256: sha256Of(OTHER) })
  assert.equal((await second.files.download(second.path)).bytes, OTHER)
})

test('every device sees a conflict, and its end, live', async context => {
  const { hub, phone } = await quarrel(context)
  const client = await connectNode({ url: hub.url, token: phone.token })
  context.defer(() => client.close())
  const next = (): Promise<string> => new Promise(resolve => client.on('conflict', resolve))
  await client.live()
  const came = next()
  const path = `live-${Date.now().toString(36)}`
  const files = new FilesClient(`${hub.url}/api/v1/sync`, phone.token)
  await files.upload(path, SERVER)
  const { json } = await files.upload(path, CLIENT)
  assert.is(await came, json.result.conflict_id)
  const ended = next()
  await phone.ask('POST', `/conflicts/${json.result.conflict_id}/resolve`, { keep: 'client' })
  assert.is(await ended, json.result.conflict_id)
})

test('a conflict is not resolved over what the asker did not see', async context => {
  const { phone, files, path, id } = await quarrel(context)
  isRefused(
    await phone.ask('POST', `/conflicts/${id}/resolve`, { keep: 'client', base_sha256: sha256Of(OTHER) }),
    400,
    'base-changed',
    'base_sha256'
  )
  isRefused(
    await phone.ask('POST', `/conflicts/${id}/resolve`, { keep: 'client', base_sha256: null }),
    400,
    'base-changed',
    'base_sha256'
  )
  assert.equal((await files.download(path)).bytes, SERVER)
  assert.is((await phone.ask('POST', `/conflicts/${id}/resolve`, { keep: 'client', base_sha256: sha256Of(SERVER) })).status, 200)
})

test('a resolution that is none is refused by the name of what is wrong, and changes nothing', async context => {
  const { phone, id, files, path } = await quarrel(context)
  const bad: [body: unknown, field: string | undefined][] = [
    [{}, 'keep'],
    [{ keep: 'mine' }, 'keep'],
    [{ keep: 'content' }, 'sha256'],
    [{ keep: 'server', sha256: sha256Of(OTHER) }, 'sha256'],
    [{ keep: 'both', path: '../x' }, 'path'],
    [{ keep: 'server', why: '' }, 'why'],
    [null, undefined]
  ]
  for (const [body, field] of bad) isRefused(await phone.ask('POST', `/conflicts/${id}/resolve`, body), 400, 'bad-request', field)
  isRefused(await phone.ask('POST', `/conflicts/${id}/resolve`, { keep: 'server', path: 'x' }), 400, 'bad-action', 'path')
  isRefused(
    await phone.ask('POST', `/conflicts/${id}/resolve`, { keep: 'content', sha256: 'f'.repeat(64) }),
    400,
    'content-missing',
    'sha256'
  )
  isRefused(await phone.ask('POST', '/conflicts/none/resolve', { keep: 'server' }), 404, 'not-found', 'id')
  for (const after of ['nope', '1'.repeat(17)])
    isRefused(await phone.ask('GET', `/conflicts?after=${after}`), 400, 'bad-request', 'after')
  assert.equal((await files.download(path)).bytes, SERVER)
  assert.ok(await listed(phone, id))
})

test('who may only read sees conflicts and resolves none; another account sees none', async context => {
  const { hub, id } = await quarrel(context)
  const reader = await hub.device({ read_only: true })
  assert.ok(await listed(reader, id))
  isRefused(await reader.ask('POST', `/conflicts/${id}/resolve`, { keep: 'server' }), 403, 'forbidden')
  isRefused(await hub.request('GET', '/api/v1/sync/conflicts'), 401, 'unauthenticated')
  if (hub.own === undefined) return
  const stranger = await (await otherAccount(context, hub)).device()
  assert.equal((await stranger.ask('GET', '/conflicts')).json, { conflicts: [], after: null })
  isRefused(await stranger.ask('POST', `/conflicts/${id}/resolve`, { keep: 'server' }), 404, 'not-found', 'id')
})

test.run()
