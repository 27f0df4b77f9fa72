import * as assert from 'uvu/assert'
import { decodeValue, encodeValue, HubError, type Plain } from '../../../protocol/index.ts'
import type { Account } from '../../../server/core/account.ts'
import { checkAccount } from '../../../server/core/check-account.ts'
import { contentBytes, holdContent } from '../../../server/core/files/contents.ts'
import { Origin } from '../../../server/core/origin.ts'
import { coreHub, type CoreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/files')

const [A, B, C] = ['a', 'b', 'c'].map(digit => digit.repeat(64)) as [string, string, string]
const content = (sha256: string): { sha256: string; sizeBytes: number } => ({ sha256, sizeBytes: 5 })

interface Desk {
  readonly account: Account
  readonly core: CoreHub
  /** Asks as one of two devices, and says at which cursor it was done or by which code it was refused. */
  readonly ask: (device: 'phone' | 'laptop', kind: string, key: string, body: Plain) => Promise<number | string>
  /** What is at each path, `-` for what was removed. */
  readonly files: () => Record<string, string>
  readonly folders: () => string[]
  readonly open: () => string[]
}

/** An account that holds three contents. */
async function desk(): Promise<Desk> {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'laptop')
  for (const sha256 of [A, B, C]) await holdContent(account, devices['phone']!.device, sha256, 5)
  return {
    account,
    core,
    ask: (device, kind, key, body) =>
      account
        .perform(new Origin(devices[device]!.device, ''), kind, key, body)
        .catch((error: unknown) => (error as HubError).code),
    files: () =>
      Object.fromEntries(
        account.views
          .range('files', [], '', 100)
          .map(([path, file]) => [path, file.removed ? `-${file.movedTo ?? ''}` : file.content.sha256[0]!])
      ),
    folders: () =>
      account.views
        .range('folders', [], '', 100)
        .filter(([, { entries }]) => entries > 0)
        .map(([path]) => path),
    open: () => account.views.range('openConflicts', [], '', 100).map(([id]) => id)
  }
}

test('a content is put where nothing is, and replaced by who saw it', async () => {
  const { ask, files, open } = await desk()
  await ask('phone', 'file.put', 'x/emma.epub', content(A))
  assert.equal(files(), { 'x/emma.epub': 'a' })
  await ask('laptop', 'file.put', 'x/emma.epub', { ...content(B), base: A })
  assert.equal([files(), open()], [{ 'x/emma.epub': 'b' }, []])
})

test('a content that the hub does not hold for the account is not put, whoever else has it', async () => {
  const { ask, core, files } = await desk()
  const { account } = await core.account('other')
  await holdContent(account, 'other', 'd'.repeat(64), 5)
  assert.is(await ask('phone', 'file.put', 'x', content('d'.repeat(64))), 'content-missing')
  assert.is(await ask('phone', 'file.put', 'x', { ...content(A), sizeBytes: 6 }), 'bad-action')
  assert.equal(files(), {})
})

test('contents are counted once', async () => {
  const { account } = await desk()
  assert.is(contentBytes(account), 15)
  await holdContent(account, 'laptop', A, 5)
  assert.is(contentBytes(account), 15)
})

test('what another put there meanwhile stays, and the two are a conflict', async () => {
  const { ask, files, open, account } = await desk()
  await ask('phone', 'file.put', 'x', content(A))
  const id = await ask('laptop', 'file.put', 'x', content(B))
  assert.equal([files(), open()], [{ x: 'a' }, [String(id)]])
  await ask('phone', 'file.put', 'y', content(A))
  await ask('phone', 'file.put', 'y', { ...content(B), base: A })
  const other = await ask('laptop', 'file.put', 'y', { ...content(C), base: A })
  assert.is(files()['y'], 'b')
  assert.equal(account.views.get('conflicts', String(other))?.client, content(C))
})

test('over one path so many conflicts are open, and more when some are resolved', async () => {
  const { ask, account } = await desk()
  await ask('phone', 'file.put', 'x', content(A))
  const tries = await Promise.all(Array.from({ length: 250 }, () => ask('laptop', 'file.put', 'x', content(B))))
  assert.is(tries.filter(outcome => outcome === 'quota-exceeded').length, 150)
  assert.is(account.views.get('files', 'x')?.conflicts?.length, 100)
  assert.is(await ask('laptop', 'file.remove', 'x', { base: C }), 'quota-exceeded')
  await ask('phone', 'file.put', 'x', { ...content(C), base: A })
  await ask('phone', 'conflict.resolve', String(tries[0]), { keep: 'server' })
  assert.type(await ask('laptop', 'file.put', 'x', content(B)), 'number')
  await ask('phone', 'file.put', 'y', content(A))
  assert.type(await ask('laptop', 'file.put', 'y', content(B)), 'number')
})

test('the same content by another way is no conflict', async () => {
  const { ask, files, open } = await desk()
  await ask('phone', 'file.put', 'x', content(A))
  await ask('laptop', 'file.put', 'x', content(A))
  assert.equal([files(), open()], [{ x: 'a' }, []])
})

test('a removal of what has changed meanwhile is a conflict, and so is a change of what was removed', async () => {
  const { ask, files, open } = await desk()
  await ask('phone', 'file.put', 'x', content(A))
  await ask('phone', 'file.put', 'x', { ...content(B), base: A })
  await ask('laptop', 'file.remove', 'x', { base: A })
  assert.equal([files(), open().length], [{ x: 'b' }, 1])
  await ask('phone', 'file.remove', 'x', { base: B })
  await ask('laptop', 'file.put', 'x', { ...content(C), base: B })
  assert.equal([files(), open().length], [{ x: '-' }, 2])
})

test('a removed file is restored as it was', async () => {
  const { ask, files } = await desk()
  await ask('phone', 'file.put', 'x', content(A))
  await ask('phone', 'file.remove', 'x', { base: A })
  assert.equal(files(), { x: '-' })
  await ask('laptop', 'file.restore', 'x', {})
  assert.equal(files(), { x: 'a' })
  assert.is(await ask('laptop', 'file.restore', 'none', {}), 'not-found')
})

test('a file keeps its id where it moves, and a new one at its old path has another', async () => {
  const { ask, files, account, folders } = await desk()
  await ask('phone', 'file.put', 'in/x', content(A))
  const { id } = account.views.get('files', 'in/x')!
  await ask('laptop', 'file.move', 'in/x', { to: 'out/y', base: A })
  assert.equal([files(), folders()], [{ 'in/x': '-out/y', 'out/y': 'a' }, ['out']])
  assert.is(account.views.get('files', 'out/y')?.id, id)
  assert.is(await ask('phone', 'file.restore', 'in/x', {}), 'not-found')
  await ask('phone', 'file.put', 'in/x', content(B))
  assert.not.equal(account.views.get('files', 'in/x')?.id, id)
})

test('a move is refused when either place is not as the asker saw it', async () => {
  const { ask, files } = await desk()
  await ask('phone', 'file.put', 'x', content(A))
  await ask('phone', 'file.put', 'y', content(B))
  assert.is(await ask('laptop', 'file.move', 'x', { to: 'z', base: B }), 'base-changed')
  assert.is(await ask('laptop', 'file.move', 'x', { to: 'y', base: A }), 'already-exists')
  assert.is(await ask('laptop', 'file.move', 'none', { to: 'z', base: A }), 'not-found')
  assert.equal(files(), { x: 'a', y: 'b' })
})

test('a name is a file or a folder', async () => {
  const { ask, files } = await desk()
  await ask('phone', 'file.put', 'x/y', content(A))
  assert.is(await ask('phone', 'file.put', 'x', content(A)), 'already-exists')
  assert.is(await ask('phone', 'file.put', 'x/y/z', content(A)), 'already-exists')
  assert.is(await ask('phone', 'file.move', 'x/y', { to: 'x', base: A }), 'already-exists')
  assert.equal(files(), { 'x/y': 'a' })
  await ask('phone', 'file.remove', 'x/y', { base: A })
  await ask('phone', 'file.put', 'x', content(A))
  assert.equal(files(), { 'x/y': '-', x: 'a' })
})

test('folders come with the first file in them and go with the last', async () => {
  const { ask, folders, account } = await desk()
  await ask('phone', 'file.put', 'a/b/x', content(A))
  await ask('phone', 'file.put', 'a/b/y', content(B))
  assert.equal(folders(), ['a', 'a/b'])
  const { id } = account.views.get('folders', 'a/b')!
  await ask('phone', 'file.remove', 'a/b/x', { base: A })
  assert.equal(folders(), ['a', 'a/b'])
  await ask('phone', 'file.remove', 'a/b/y', { base: B })
  assert.equal(folders(), [])
  await ask('phone', 'file.restore', 'a/b/y', {})
  assert.equal([folders(), account.views.get('folders', 'a/b')?.id], [['a', 'a/b'], id])
})

test('a folder whose only file moves further down does not come and go', async () => {
  const { ask, folders, account } = await desk()
  await ask('phone', 'file.put', 'a/x', content(A))
  const before = account.views.get('folders', 'a')
  await ask('phone', 'file.move', 'a/x', { to: 'a/b/x', base: A })
  assert.equal([folders(), account.views.get('folders', 'a')], [['a', 'a/b'], before])
  await ask('phone', 'file.move', 'a/b/x', { to: 'a/y', base: A })
  assert.equal([folders(), account.views.get('folders', 'a')], [['a'], before])
})

const resolutions: [keep: string, more: Record<string, Plain>, expected: Record<string, string>][] = [
  ['server', {}, { x: 'a' }],
  ['client', {}, { x: 'b' }],
  ['both', {}, { x: 'a', 'x (laptop, 1970-01-01)': 'b' }],
  ['both', { path: 'z' }, { x: 'a', z: 'b' }],
  [C, {}, { x: 'c' }]
]
for (const [keep, more, expected] of resolutions)
  test(`a conflict is resolved by keeping ${keep.length === 64 ? 'another content' : keep}${'path' in more ? ' under a name' : ''}, once`, async () => {
    const { ask, files, open } = await desk()
    await ask('phone', 'file.put', 'x', content(A))
    const id = String(await ask('laptop', 'file.put', 'x', content(B)))
    await ask('phone', 'conflict.resolve', id, { keep, ...more })
    assert.equal([Object.values(files()), open()], [Object.values(expected), []])
    assert.is(await ask('phone', 'conflict.resolve', id, { keep: 'server' }), 'not-found')
  })

test('a removal that was in conflict is kept, or is not', async () => {
  for (const [keep, expected] of [['client', '-'] as const, ['both', 'b'] as const]) {
    const { ask, files } = await desk()
    await ask('phone', 'file.put', 'x', content(A))
    await ask('phone', 'file.put', 'x', { ...content(B), base: A })
    const id = String(await ask('laptop', 'file.remove', 'x', { base: A }))
    await ask('laptop', 'conflict.resolve', id, { keep })
    assert.equal(files(), { x: expected })
  }
})

test('a conflict is not resolved over what the asker did not see', async () => {
  const { ask, files, open } = await desk()
  await ask('phone', 'file.put', 'x', content(A))
  const id = String(await ask('laptop', 'file.put', 'x', content(B)))
  await ask('phone', 'file.put', 'x', { ...content(C), base: A })
  assert.is(await ask('laptop', 'conflict.resolve', id, { keep: 'client', base: A }), 'base-changed')
  assert.is(await ask('laptop', 'conflict.resolve', id, { keep: 'd'.repeat(64) }), 'content-missing')
  assert.is(await ask('laptop', 'conflict.resolve', id, { keep: 'server', path: 'y' }), 'bad-action')
  assert.equal([files(), open().length], [{ x: 'c' }, 1])
})

test('the contents that a path had can be read', async () => {
  const { ask, account } = await desk()
  await ask('phone', 'file.put', 'x', content(A))
  await ask('phone', 'file.put', 'x', { ...content(B), base: A })
  assert.equal(
    account.views.get('fileHistories', 'x')?.versions.map(version => version.content.sha256),
    [A, B]
  )
})

test('records of files are what the log folds into, and folding it again changes nothing', async () => {
  const { ask, account, core } = await desk()
  await ask('phone', 'file.put', 'a/x', content(A))
  await ask('laptop', 'file.put', 'a/x', content(B))
  await ask('phone', 'file.move', 'a/x', { to: 'b/x', base: A })
  await ask('phone', 'file.put', 'a/x', content(C))
  await ask('phone', 'file.remove', 'a/x', { base: C })
  const [id] = account.views.range('conflicts', [], '', 1).map(([key]) => key)
  await ask('phone', 'conflict.resolve', id!, { keep: 'client' })
  account.storeRecords()
  await account.settled()
  const wrong: string[] = []
  await checkAccount(core.store, account.id, what => wrong.push(what))
  assert.equal(wrong, [])
  account.readers.setCursor('phone', '', account.durableHead, core.clock.nowMs())
  await core.hub.compact(account.id)
  await checkAccount(core.store, account.id, what => wrong.push(what))
  assert.equal(wrong, [])
})

test('records of files that changed since the log was trimmed are checked against what is left of it', async () => {
  const { ask, account, core } = await desk()
  await ask('phone', 'file.put', 'old', content(A))
  await Promise.all(Array.from({ length: 4_000 }, (_, index) => ask('phone', 'setting.put', `s${index % 3}`, { value: index })))
  const { floor } = await core.hub.compact(account.id)
  assert.ok(floor > 1_000)
  const check = async (): Promise<string[]> => {
    const wrong: string[] = []
    await checkAccount(core.store, account.id, what => wrong.push(what))
    return wrong
  }
  assert.equal(await check(), [])
  const D = 'd'.repeat(64)
  await holdContent(account, 'phone', D, 7)
  await ask('phone', 'file.put', 'a/x', content(A))
  await ask('laptop', 'file.put', 'a/x', content(B))
  await ask('phone', 'file.move', 'a/x', { to: 'b/x', base: A })
  await ask('phone', 'file.put', 'fresh', { sha256: D, sizeBytes: 7 })
  await ask('phone', 'file.remove', 'old', { base: A })
  await ask('phone', 'file.restore', 'old', {})
  const [id] = account.views.range('conflicts', [], '', 1).map(([key]) => key)
  await ask('phone', 'conflict.resolve', id!, { keep: 'client' })
  account.storeRecords()
  await account.settled()
  assert.equal(await check(), [])
  const falsify = async (key: readonly string[], change: object): Promise<void> => {
    const known = decodeValue(core.store.get([account.id, ...key])!) as object
    await core.store.commit({
      appends: [],
      writes: [{ key: [account.id, ...key], value: encodeValue({ ...known, ...change }) }]
    })
  }
  await falsify(['contents', D], { sizeBytes: 8 })
  await falsify(['files', 'fresh'], { content: content(C) })
  await falsify(['folders', 'b'], { cursor: account.head + 1 })
  const cursor = account.views.get('files', 'fresh')!.cursor
  await core.store.commit({
    appends: [],
    writes: [{ key: [account.id, 'settings', 'stray'], value: encodeValue({ value: 1, cursor }) }]
  })
  assert.equal(
    (await check()).sort(),
    [`contents/${D}`, 'files/fresh', 'folders/b', 'settings/stray'].map(name => `the record ${name} does not come from the log`)
  )
})

test.run()
