import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import * as assert from 'uvu/assert'
import { look, stampOf } from '../../../client/mirror-folder/disk.ts'
import { isUnknownIn, scanFolder, type Scan } from '../../../client/mirror-folder/scan.ts'
import { MirrorState } from '../../../client/mirror-folder/state.ts'
import { sha256Of } from '../../util/contents.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { suite } from '../../util/suite.ts'

const test = suite('client/mirror-folder/scan')

const scanned = (root: string, settleMs = 0): Promise<Scan> => scanFolder(root, { known: () => undefined, settleMs })

function put(root: string, ...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), path)
  }
}

test("hidden files, passing ones and what systems leave are nobody's business", async context => {
  const root = temporaryFolder(context)
  put(
    root,
    'a.txt',
    'x/b.txt',
    '.hidden',
    '.folder/c.txt',
    'd.tmp',
    'e.epub.part',
    '~$f.docx',
    'g.txt~',
    'Thumbs.db',
    'x/.DS_Store'
  )
  const { files, problems } = await scanned(root)
  assert.equal([...files.keys()].sort(), ['a.txt', 'x/b.txt'])
  assert.is(problems.size, 0)
  assert.is(files.get('a.txt')!.sha256, sha256Of(Buffer.from('a.txt')))
})

test('a name that no file at a hub can have is told, and so is one that differs by its Unicode form only', async context => {
  const root = temporaryFolder(context)
  put(root, 'what?.txt', 'CON', 'Zu\u0308rich.txt', 'Z\u00fcrich.txt')
  const { files, problems } = await scanned(root)
  assert.equal([...files.keys()], ['Z\u00fcrich.txt'])
  assert.is(problems.size, 3)
})

test('a name that is not in UTF-8 is told, of a file and of a folder, and one that has the sign for such bytes in it is like any other', async context => {
  const root = temporaryFolder(context)
  const named = (...bytes: number[]): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(bytes)])
  writeFileSync(named(0x5a, 0xfc), 'latin 1')
  mkdirSync(named(0xe9))
  writeFileSync(named(0xe9, 0x2f, 0x61), 'in it')
  put(root, 'b\ufffd.txt', 'c\ufffd/d.txt')
  const { files, problems } = await scanned(root)
  assert.equal([...files.keys()].sort(), ['b\ufffd.txt', 'c\ufffd/d.txt'])
  assert.equal([...problems.keys()].sort(), ['Z\ufffd', '\ufffd'])
  for (const text of problems.values()) assert.match(text, 'UTF-8')
})

test('links, and what is under them, are unknown: neither there nor gone', async context => {
  const root = temporaryFolder(context)
  put(root, 'a.txt')
  symlinkSync(join(root, 'a.txt'), join(root, 'link.txt'))
  symlinkSync('/', join(root, 'out'))
  const scan = await scanned(root)
  assert.equal([...scan.files.keys()], ['a.txt'])
  for (const path of ['link.txt', 'out', 'out/etc/hosts']) assert.ok(isUnknownIn(scan, path), path)
})

test('a folder that cannot be read is unknown with all that is in it', async context => {
  const root = temporaryFolder(context)
  put(root, 'x/y/a.txt', 'x/b.txt')
  chmodSync(join(root, 'x/y'), 0)
  context.defer(() => chmodSync(join(root, 'x/y'), 0o700))
  const scan = await scanned(root)
  // Who may read everything, may read this.
  if (process.getuid?.() === 0) return
  assert.ok(isUnknownIn(scan, 'x/y/a.txt'))
  assert.not(isUnknownIn(scan, 'x/b.txt'))
})

test('a file that was changed just now is left until it has settled', async context => {
  const root = temporaryFolder(context)
  put(root, 'a.txt')
  const scan = await scanned(root, 60_000)
  assert.is(scan.files.size, 0)
  assert.ok(scan.isMoving)
  assert.ok(isUnknownIn(scan, 'a.txt'))
})

test('what looks as before is not read again', async context => {
  const root = temporaryFolder(context)
  put(root, 'a.txt')
  const { stamp } = (await scanned(root)).files.get('a.txt')!
  const known = () => ({ sha256: 'as it was', stamp })
  assert.is((await scanFolder(root, { known, settleMs: 60_000 })).files.get('a.txt')!.sha256, 'as it was')
  put(root, 'a.txt')
  assert.not.equal((await scanFolder(root, { known, settleMs: 0 })).files.get('a.txt')!.sha256, 'as it was')
})

test('the base is kept, belongs to one log, and counts as none when it was damaged', async context => {
  const root = temporaryFolder(context)
  const state = await MirrorState.open(root)
  state.follow('epoch')
  state.set('x y/ü.txt', { sha256: 'abc', stamp: '1:2:3:4' })
  await state.save()
  const again = await MirrorState.open(root)
  assert.equal([...again.base], [['x y/ü.txt', { sha256: 'abc', stamp: '1:2:3:4' }]])
  again.follow('epoch')
  assert.is(again.base.size, 1)
  again.follow('another')
  assert.is(again.base.size, 0)
  const file = join(root, '.lectern/state')
  writeFileSync(file, readFileSync(file, 'utf8').replace('abc', 'abd'))
  assert.is((await MirrorState.open(root)).base.size, 0)
})

test('of two names that differ by their Unicode form the file that is known stays it, though it was changed; else it is the one in form NFC', async context => {
  const root = temporaryFolder(context)
  const names = ['a\u0308', 'o\u0308', 'u\u0308'].flatMap(name => [name, name.normalize('NFC')])
  put(root, ...names)
  const spelled = async (known: (path: string) => { sha256: string; stamp: string } | undefined): Promise<string[]> =>
    Array.from((await scanFolder(root, { known, settleMs: 0 })).files.values(), ({ place }) => relative(root, place)).sort()
  assert.equal(await spelled(() => undefined), names.filter(name => name === name.normalize('NFC')).sort())
  const stamps = new Map(names.map(name => [name, stampOf(look(join(root, name))!)]))
  writeFileSync(join(root, names[0]!), 'changed')
  for (const form of ['NFC', 'NFD'])
    assert.equal(
      await spelled(path => ({ sha256: 'x', stamp: stamps.get(path.normalize(form))! })),
      names.filter(name => name === name.normalize(form)).sort()
    )
})

test.run()
