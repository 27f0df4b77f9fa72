import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Disk, look, stampOf } from '../../../client/mirror-folder/disk.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('client/mirror-folder/disk')

/** A folder with one file in it, and a finished download. */
function scene(context: TestContext): { root: string; disk: Disk; place: string; stamp: string; finished: string } {
  const root = temporaryFolder(context)
  const place = join(root, 'a.txt')
  const finished = join(root, '.lectern', 'finished')
  mkdirSync(join(root, '.lectern'))
  writeFileSync(place, 'old')
  writeFileSync(finished, 'new')
  return { root, disk: new Disk(root), place, stamp: stampOf(look(place)!), finished }
}

const asideIn = (root: string): string[] => {
  const folder = join(root, '.lectern', 'removed')
  return existsSync(folder) ? readdirSync(folder).map(name => readFileSync(join(folder, name), 'utf8')) : []
}

const errorOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    error => (error as Error).name
  )

test('a download takes the place of what was seen there, and of nothing else', async context => {
  const { root, disk, place, stamp, finished } = scene(context)
  await disk.put(finished, 'a.txt', place, stamp)
  assert.is(readFileSync(place, 'utf8'), 'new')
  assert.equal(asideIn(root), [])
})

test('what was changed since it was seen stays, even with the same size and the same time', async context => {
  const { disk, place, stamp, finished } = scene(context)
  const { mtimeMs } = look(place)!
  writeFileSync(place, 'mad')
  utimesSync(place, new Date(), new Date(Number(mtimeMs)))
  assert.is(await errorOf(disk.put(finished, 'a.txt', place, stamp)), 'ChangedMeanwhile')
  assert.is(await errorOf(disk.setAside('a.txt', place, stamp)), 'ChangedMeanwhile')
  assert.is(await errorOf(disk.move('a.txt', place, stamp, 'b.txt')), 'ChangedMeanwhile')
  assert.is(readFileSync(place, 'utf8'), 'mad')
  assert.is(readFileSync(finished, 'utf8'), 'new')
})

test('nothing goes over a name that is taken', async context => {
  const { root, disk, place, stamp, finished } = scene(context)
  writeFileSync(join(root, 'b.txt'), 'taken')
  assert.is(await errorOf(disk.put(finished, 'b.txt', join(root, 'b.txt'), undefined)), 'ChangedMeanwhile')
  assert.is(await errorOf(disk.move('a.txt', place, stamp, 'b.txt')), 'ChangedMeanwhile')
  assert.equal([readFileSync(place, 'utf8'), readFileSync(join(root, 'b.txt'), 'utf8')], ['old', 'taken'])
})

test('what another program writes into a file that is set aside is set aside, too', async context => {
  const { root, disk, place, stamp } = scene(context)
  const open = openSync(place, 'a')
  await disk.setAside('a.txt', place, stamp)
  writeSync(open, ', and more')
  closeSync(open)
  assert.not(existsSync(place))
  assert.equal(asideIn(root), ['old, and more'])
})

test('a file that loses a conflict gets a name of its own that says whose it is', async context => {
  const { root, disk, place, stamp } = scene(context)
  writeFileSync(join(root, 'a (phone).txt'), 'earlier')
  assert.is(await disk.moveBeside('a.txt', place, stamp, 'phone'), 'a (phone 2).txt')
  assert.equal(readdirSync(root).sort(), ['.lectern', 'a (phone 2).txt', 'a (phone).txt'])
  assert.is(readFileSync(join(root, 'a (phone 2).txt'), 'utf8'), 'old')
  assert.equal(asideIn(root), [])
})

test('a folder goes with its last file, and not with another', async context => {
  const { root, disk } = scene(context)
  mkdirSync(join(root, 'x/y'), { recursive: true })
  for (const name of ['x/y/one', 'x/two']) writeFileSync(join(root, name), name)
  const place = join(root, 'x/y/one')
  await disk.setAside('x/y/one', place, stampOf(look(place)!))
  assert.equal(readdirSync(join(root, 'x')), ['two'])
})

test('a link that leads out of the folder is not followed', async context => {
  const { root, disk, finished } = scene(context)
  const outside = temporaryFolder(context)
  symlinkSync(outside, join(root, 'x'))
  assert.is(await errorOf(disk.put(finished, 'x/y/a.txt', disk.placeOf('x/y/a.txt'), undefined)), 'ChangedMeanwhile')
  assert.equal(readdirSync(outside), [])
})

test('what was set aside long ago goes, the rest stays', async context => {
  const { root, disk } = scene(context)
  const aside = join(root, '.lectern', 'removed')
  mkdirSync(aside)
  writeFileSync(join(aside, `${Date.now() - 31 * 86_400_000}-old.txt`), 'old')
  writeFileSync(join(aside, `${Date.now() - 29 * 86_400_000}-young.txt`), 'young')
  appendFileSync(join(aside, 'by hand.txt'), 'by hand')
  await disk.forgetAside(30)
  assert.equal(asideIn(root).sort(), ['by hand', 'young'])
})

test('a file that is replaced keeps its mode', async context => {
  const { disk, place, finished } = scene(context)
  chmodSync(finished, 0o644)
  chmodSync(place, 0o600)
  const stamp = await disk.put(finished, 'a.txt', place, stampOf(look(place)!))
  assert.equal([readFileSync(place, 'utf8'), look(place)!.mode & 0o777n], ['new', 0o600n])
  assert.is(stamp, stampOf(look(place)!))
})

test('a file that has the name of a folder, or the other way round, is told as what it is', async context => {
  const { root, disk, finished } = scene(context)
  mkdirSync(join(root, 'x'))
  for (const [path, text] of [
    ['a.txt/b', 'a.txt/b cannot come: a.txt is no folder here'],
    ['x', 'x cannot come: a folder has this name here']
  ] as const)
    assert.match(await disk.put(finished, path, disk.placeOf(path), undefined).catch(error => (error as Error).message), text)
  assert.equal(readdirSync(root).sort(), ['.lectern', 'a.txt', 'x'])
})

test.run()
