import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { FolderMirror, type FolderMirrorOptions } from '../../../client/mirror-folder/mirror.ts'
import { connectNode, type Client } from '../../../client/node.ts'
import { sha256Of } from '../../util/contents.ts'
import { asideIn, filesIn } from '../../util/folder-files.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { register, servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('client/mirror-folder/mirror')

interface Mirrored {
  readonly folder: string
  readonly client: Client
  readonly mirror: FolderMirror
}

interface Place {
  readonly url: string
  readonly token: string
  readonly folder: string
}

/** A new device with a folder of its own. */
async function placeAt(context: TestContext, hub: TestServingHub, name: string, readOnly = false): Promise<Place> {
  const [account] = hub.directory.list()
  const { id } = account ?? (await hub.directory.add('reader'))
  const { token } = await register(await hub.hub.ensureAccount(id), name, readOnly)
  return { url: hub.url, token, folder: temporaryFolder(context) }
}

/** A mirror that is not running yet. */
async function open(
  context: TestContext,
  { url, token, folder }: Place,
  options: Partial<FolderMirrorOptions> = {}
): Promise<Mirrored> {
  mkdirSync(join(folder, '.lectern'), { recursive: true })
  const client = await connectNode({ url, token, file: join(folder, '.lectern/client') })
  const mirror = await FolderMirror.open({ root: folder, client, settleMs: 30, ...options })
  const mirrored = { folder, client, mirror }
  context.defer(() => close(mirrored))
  return mirrored
}

async function close({ mirror, client }: Mirrored): Promise<void> {
  await mirror.stop()
  await client.close()
}

/** Makes both the same, once, in a mirror of its own. */
async function once(context: TestContext, place: Place, options: Partial<FolderMirrorOptions> = {}): Promise<Mirrored> {
  const mirrored = await open(context, place, options)
  await mirrored.mirror.once()
  await close(mirrored)
  return mirrored
}

function put(folder: string, path: string, text: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true })
  writeFileSync(join(folder, path), text)
}

const hashed = (texts: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).map(([path, text]) => [path, sha256Of(Buffer.from(text))]))

/** Waits until a folder holds exactly this. The limit is the suite's. */
async function holds(folder: string, texts: Record<string, string>): Promise<void> {
  const wanted = JSON.stringify(hashed(texts))
  while (JSON.stringify(filesIn(folder)) !== wanted) await new Promise(resolve => setTimeout(resolve, 20))
}

const atHub = async (client: Client): Promise<Record<string, string>> => {
  await client.live()
  const list = (await client.files.list()).filter(({ removed }) => !removed)
  return Object.fromEntries(list.map(({ path, sha256 }) => [path, sha256]))
}

async function reader(context: TestContext, hub: TestServingHub): Promise<Client> {
  const { url, token } = await placeAt(context, hub, 'reader')
  const client = await connectNode({ url, token })
  context.defer(() => client.close())
  return client
}

test('what is done in one folder is done in the other, while both run', async context => {
  const hub = await servingHub(context)
  const left = await open(context, await placeAt(context, hub, 'left'))
  const right = await open(context, await placeAt(context, hub, 'right'))
  put(left.folder, 'Austen/Emma.txt', 'emma')
  for (const { mirror } of [left, right]) void mirror.run()
  await holds(right.folder, { 'Austen/Emma.txt': 'emma' })
  put(right.folder, 'Austen/Emma.txt', 'emma, and more')
  await holds(left.folder, { 'Austen/Emma.txt': 'emma, and more' })
  mkdirSync(join(left.folder, 'Novels'))
  renameSync(join(left.folder, 'Austen/Emma.txt'), join(left.folder, 'Novels/Emma.txt'))
  await holds(right.folder, { 'Novels/Emma.txt': 'emma, and more' })
  put(right.folder, 'new folder/deep/new.txt', 'new')
  await holds(left.folder, { 'Novels/Emma.txt': 'emma, and more', 'new folder/deep/new.txt': 'new' })
  rmSync(join(left.folder, 'Novels'), { recursive: true })
  await holds(right.folder, { 'new folder/deep/new.txt': 'new' })
  assert.equal(asideIn(right.folder), [sha256Of(Buffer.from('emma, and more'))])
  const moves = (await right.client.files.list()).filter(({ movedTo }) => movedTo !== undefined)
  assert.equal(
    moves.map(({ path, movedTo }) => [path, movedTo]),
    [['Austen/Emma.txt', 'Novels/Emma.txt']]
  )
})

test('a file that both changed is in both folders twice, and no conflict is left', async context => {
  const hub = await servingHub(context)
  const left = await placeAt(context, hub, 'left')
  const right = await placeAt(context, hub, 'right')
  put(left.folder, 'a.txt', 'first')
  await once(context, left)
  await once(context, right)
  put(left.folder, 'a.txt', 'from the left')
  put(right.folder, 'a.txt', 'from the right')
  await once(context, left)
  await once(context, right)
  await once(context, left)
  const day = new Date().toISOString().slice(0, 10)
  const both = hashed({ [`a (right, ${day}).txt`]: 'from the right', 'a.txt': 'from the left' })
  assert.equal(filesIn(left.folder), both)
  assert.equal(filesIn(right.folder), both)
  const client = await reader(context, hub)
  assert.equal(await atHub(client), both)
  assert.equal(await client.files.conflicts(), [])
})

test('a conflict whose side from here is in no folder any more is ended by putting it beside the path', async context => {
  const hub = await servingHub(context)
  const left = await placeAt(context, hub, 'left')
  put(left.folder, 'a.txt', 'at the hub')
  await once(context, left)
  // As a mirror leaves it whose file was changed again between a sending that was too late and the look that came after.
  const device = await connectNode({ url: left.url, token: left.token, file: join(temporaryFolder(context), 'client') })
  context.defer(() => device.close())
  await device.files.upload('a.txt', new Blob(['from here']), { base: sha256Of(Buffer.from('seen before')) })
  await device.live()
  assert.is((await device.files.conflicts()).length, 1)
  await once(context, left)
  assert.equal(await device.files.conflicts(), [])
  const day = new Date().toISOString().slice(0, 10)
  const both = hashed({ [`a (left, ${day}).txt`]: 'from here', 'a.txt': 'at the hub' })
  assert.equal(filesIn(left.folder), both)
  assert.equal(await atHub(device), both)
})

test('a state that is lost removes nothing: what was removed meanwhile comes back', async context => {
  const hub = await servingHub(context)
  const place = await placeAt(context, hub, 'left')
  for (const name of ['a', 'b', 'c']) put(place.folder, name, name)
  await once(context, place)
  rmSync(join(place.folder, '.lectern/state'))
  rmSync(join(place.folder, 'a'))
  put(place.folder, 'b', 'b, changed')
  await once(context, place)
  const files = filesIn(place.folder)
  assert.equal(Object.values(files).sort(), Object.values(hashed({ a: 'a', b: 'b', c: 'c', d: 'b, changed' })).sort())
  assert.equal(await atHub(await reader(context, hub)), files)
})

test('a folder that is suddenly empty removes nothing at the hub, until a person says so', async context => {
  const hub = await servingHub(context)
  const place = await placeAt(context, hub, 'left')
  for (const name of ['a', 'b', 'c']) put(place.folder, name, name)
  await once(context, place)
  for (const name of ['a', 'b', 'c']) rmSync(join(place.folder, name))
  assert.is((await once(context, place)).mirror.heldCount, 3)
  const client = await reader(context, hub)
  assert.equal(Object.keys(await atHub(client)), ['a', 'b', 'c'])
  assert.is((await once(context, place, { allowsManyRemovals: true })).mirror.heldCount, 0)
  assert.equal(await atHub(client), {})
})

test('a folder that goes away while it is mirrored ends the mirror, and changes nothing at the hub', async context => {
  const hub = await servingHub(context)
  const place = await placeAt(context, hub, 'left')
  put(place.folder, 'a', 'a')
  const { mirror } = await open(context, place)
  const running = mirror.run()
  const client = await reader(context, hub)
  await client.live()
  while (Object.keys(await atHub(client)).length === 0) await new Promise(resolve => setTimeout(resolve, 20))
  const elsewhere = join(temporaryFolder(context), 'unmounted')
  renameSync(place.folder, elsewhere)
  mkdirSync(place.folder)
  await running.then(
    () => assert.unreachable(),
    error => assert.is((error as Error).name, 'FolderGone')
  )
  assert.equal(Object.keys(await atHub(client)), ['a'])
  assert.not(existsSync(join(place.folder, 'a')))
})

test('nothing is written through a link that leads out of the folder, and nothing is removed because of it', async context => {
  const hub = await servingHub(context)
  const left = await placeAt(context, hub, 'left')
  const right = await placeAt(context, hub, 'right')
  put(left.folder, 'x/a.txt', 'a')
  await once(context, left)
  const outside = temporaryFolder(context)
  symlinkSync(outside, join(right.folder, 'x'))
  await once(context, right)
  assert.equal(filesIn(outside), {})
  assert.equal(Object.keys(await atHub(await reader(context, hub))), ['x/a.txt'])
})

test('what cannot be is told, and does not keep the rest from being done', async context => {
  const hub = await servingHub(context)
  const place = await placeAt(context, hub, 'left')
  put(place.folder, 'what?.txt', 'what')
  put(place.folder, 'a.txt', 'a')
  const { mirror } = await once(context, place)
  assert.equal([...mirror.problems.keys()], ['what?.txt'])
  assert.equal(Object.keys(await atHub(await reader(context, hub))), ['a.txt'])
})

test('a device that may only read gets what comes, and says what it keeps to itself', async context => {
  const hub = await servingHub(context)
  const left = await placeAt(context, hub, 'left')
  const right = await placeAt(context, hub, 'right', true)
  put(left.folder, 'a.txt', 'a')
  put(right.folder, 'own.txt', 'own')
  await once(context, left)
  const { mirror } = await once(context, right)
  assert.equal(filesIn(right.folder), hashed({ 'a.txt': 'a', 'own.txt': 'own' }))
  assert.equal([...mirror.problems.keys()], ['own.txt'])
  rmSync(join(left.folder, 'a.txt'))
  await once(context, left, { allowsManyRemovals: true })
  await once(context, right)
  assert.equal(filesIn(right.folder), hashed({ 'own.txt': 'own' }))
})

test('the time of a file goes with it', async context => {
  const hub = await servingHub(context)
  const left = await placeAt(context, hub, 'left')
  const right = await placeAt(context, hub, 'right')
  put(left.folder, 'a.txt', 'a')
  utimesSync(join(left.folder, 'a.txt'), 1_000_000, 1_000_000)
  await once(context, left)
  await once(context, right)
  assert.is(statSync(join(right.folder, 'a.txt')).mtimeMs, 1_000_000_000)
  assert.is(readFileSync(join(right.folder, 'a.txt'), 'utf8'), 'a')
})

test('a time that no disk can keep does not keep its file from coming', async context => {
  const hub = await servingHub(context)
  const other = await reader(context, hub)
  await other.files.upload('a.txt', new Blob(['a']), { mtimeMs: Number.MAX_SAFE_INTEGER })
  const place = await placeAt(context, hub, 'left')
  const { mirror } = await once(context, place)
  assert.equal([filesIn(place.folder), [...mirror.problems]], [hashed({ 'a.txt': 'a' }), []])
})

test('a hub that gives a content a name that leads out of the folder writes nothing there', async context => {
  const hub = await servingHub(context)
  const place = await placeAt(context, hub, 'left')
  const { client, mirror, folder } = await open(context, { ...place, folder: join(place.folder, 'within') })
  const list = client.files.list.bind(client.files)
  const entry = { id: 1, removed: false, device: 'x', cursor: 1, sizeBytes: 1 }
  client.files.list = async () => [...(await list()), { ...entry, path: 'a.txt', sha256: '../../../evil' }]
  const asked: string[] = []
  client.files.download = async path => {
    asked.push(path)
    throw new Error('it was asked for')
  }
  await mirror.once()
  assert.equal([asked, filesIn(folder), [...mirror.problems]], [[], {}, []])
  assert.equal(Object.keys(filesIn(place.folder)), [])
})

test('a change of what was removed meanwhile gets to the hub, though it was a conflict there when its bytes came', async context => {
  const hub = await servingHub(context)
  const left = await placeAt(context, hub, 'left')
  put(left.folder, 'a.txt', 'first')
  put(left.folder, 'b.txt', 'b')
  await once(context, left)
  const client = await reader(context, hub)
  const base = sha256Of(Buffer.from('first'))
  await client.live()
  await client.files.report([{ change: 'deleted', path: 'a.txt', base }])
  put(left.folder, 'a.txt', 'changed')
  // As a mirror leaves it that was sending the change while the file was removed.
  const device = await connectNode({ url: left.url, token: left.token, file: join(temporaryFolder(context), 'client') })
  context.defer(() => device.close())
  const { conflict } = await device.files.upload('a.txt', new Blob(['changed']), { base })
  assert.type(conflict, 'string')
  await once(context, left)
  assert.equal(await atHub(client), hashed({ 'a.txt': 'changed', 'b.txt': 'b' }))
  assert.equal(await client.files.conflicts(), [])
})

test('a hub that answers the same conflict again and again is not asked without end', async context => {
  const hub = await servingHub(context)
  const place = await placeAt(context, hub, 'left')
  put(place.folder, 'a.txt', 'a')
  const { client, mirror } = await open(context, place)
  let asked = 0
  client.files.report = async changes => {
    asked += 1
    return changes.map(({ path }) => ({ path, result: 'conflict', conflict: '1' }))
  }
  await mirror.once()
  assert.equal([asked, [...mirror.problems.keys()]], [3, ['a.txt']])
})

test('a kill between a parting and what comes of it removes nothing, though the hub has again what both had', async context => {
  const hub = await servingHub(context)
  const place = await placeAt(context, hub, 'left')
  put(place.folder, 'a.txt', 'first')
  put(place.folder, 'b.txt', 'b')
  await once(context, place)
  const other = await reader(context, hub)
  const upload = (text: string, seen: string): Promise<unknown> =>
    other.files.upload('a.txt', new Blob([text]), { base: sha256Of(Buffer.from(seen)) })
  await upload('from the hub', 'first')
  put(place.folder, 'a.txt', 'from here')
  const mirrored = await open(context, place)
  const stateAt = join(place.folder, '.lectern/state')
  let whenKilled: Buffer | undefined
  mirrored.mirror.on('step', kind => {
    if (kind === 'part') whenKilled = readFileSync(stateAt)
  })
  mirrored.client.files.download = async () => {
    throw new Error('the connection broke')
  }
  await mirrored.mirror.once()
  await close(mirrored)
  writeFileSync(stateAt, whenKilled!)
  await upload('first', 'from the hub')
  await once(context, place)
  const here = filesIn(place.folder)
  const beside = Object.keys(here).find(name => /^a \(left, \d{4}-\d\d-\d\d\)\.txt$/.test(name))!
  const all = hashed({ [beside]: 'from here', 'a.txt': 'first', 'b.txt': 'b' })
  assert.equal([here, await atHub(other)], [all, all])
})

test('what was changed in a file that a kill left among the downloads, too, stays', async context => {
  const hub = await servingHub(context)
  const other = await reader(context, hub)
  const text = 'as it is at the hub'
  await other.files.upload('a.txt', new Blob([text]))
  for (const changed of ['as', 'as it was changed here, and longer']) {
    const { folder, ...place } = await placeAt(context, hub, 'left')
    const [sha256, path] = [text, 'a.txt'].map(part => sha256Of(Buffer.from(part)).slice(0, 32))
    put(folder, `.lectern/tmp/${sha256}-${path}`, text)
    linkSync(join(folder, `.lectern/tmp/${sha256}-${path}`), join(folder, 'a.txt'))
    put(folder, 'a.txt', changed)
    await once(context, { folder, ...place })
    const texts = Object.keys(filesIn(folder)).map(name => readFileSync(join(folder, name), 'utf8'))
    assert.ok(texts.includes(changed) && texts.includes(text), texts.join())
  }
})

test('a file that was changed at the hub while it was moved here is in both places afterwards', async context => {
  const hub = await servingHub(context)
  const place = await placeAt(context, hub, 'left')
  put(place.folder, 'a.txt', 'first')
  put(place.folder, 'b.txt', 'b')
  await once(context, place)
  const other = await reader(context, hub)
  renameSync(join(place.folder, 'a.txt'), join(place.folder, 'c.txt'))
  const { client, mirror } = await open(context, place)
  const report = client.files.report.bind(client.files)
  client.files.report = async changes => {
    client.files.report = report
    await other.files.upload('a.txt', new Blob(['newer']), { base: sha256Of(Buffer.from('first')) })
    return report(changes)
  }
  await mirror.once()
  const all = hashed({ 'a.txt': 'newer', 'b.txt': 'b', 'c.txt': 'first' })
  assert.equal([filesIn(place.folder), await atHub(other)], [all, all])
})

test('a disk that is full for a while ends no mirror, and takes what comes when there is room', async context => {
  if (process.platform !== 'linux') return
  const hub = await servingHub(context)
  const other = await reader(context, hub)
  await other.files.upload('a.txt', new Blob(['a']))
  const place = await placeAt(context, hub, 'left')
  const [sha256, path] = ['a', 'a.txt'].map(part => sha256Of(Buffer.from(part)).slice(0, 32))
  mkdirSync(join(place.folder, '.lectern/tmp'), { recursive: true })
  for (const name of [`tmp/${sha256}-${path}`, 'state.new']) symlinkSync('/dev/full', join(place.folder, '.lectern', name))
  const { mirror } = await once(context, place)
  assert.equal([filesIn(place.folder), [...mirror.problems]], [hashed({ 'a.txt': 'a' }), []])
  assert.match(readFileSync(join(place.folder, '.lectern/state'), 'utf8'), 'a.txt')
})

test('a content that the disk has no room for is not asked for, and the rest is', async context => {
  const hub = await servingHub(context)
  const other = await reader(context, hub)
  await other.files.upload('a.txt', new Blob(['a']))
  const { client, mirror, folder } = await open(context, await placeAt(context, hub, 'left'))
  const list = client.files.list.bind(client.files)
  const large = { path: 'large', id: 9, removed: false, device: 'x', cursor: 1, sizeBytes: 2 ** 62, sha256: 'a'.repeat(64) }
  client.files.list = async () => [...(await list()), large]
  const download = client.files.download.bind(client.files)
  const asked: string[] = []
  client.files.download = (path, options) => {
    asked.push(path)
    return download(path, options)
  }
  await mirror.once()
  assert.equal([asked, filesIn(folder), [...mirror.problems.keys()]], [['a.txt'], hashed({ 'a.txt': 'a' }), ['large']])
  assert.match(mirror.problems.get('large')!, 'room')
})

test.run()
