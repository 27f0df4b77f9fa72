import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { HubProcess } from '../util/hub-process.ts'
import { lectern } from '../util/lectern.ts'
import { makeEpub } from '../util/make-epub.ts'
import { buildShim, PLAIN_DISK } from '../util/shims.ts'
import { smallDisk } from '../util/small-disk.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { temporaryFolder } from '../util/folder.ts'

const test = suite('stories/other-disks')

/** A data folder with a book, whose hub has ended. @param data a new one by default */
async function leftFolder(context: TestContext, data?: string): Promise<string> {
  const hub = new HubProcess(data)
  // A disk goes with all that is on it.
  context.defer(() => (data === undefined ? hub.drop() : hub.kill()))
  await hub.start(['--min-free-mib', '0'])
  const epub = join(temporaryFolder(context), 'book.epub')
  writeFileSync(epub, makeEpub({ title: 'A book' }))
  await hub.operate('import', { account: 'reader', path: epub })
  await hub.kill('SIGTERM')
  return hub.dataFolder
}

test('backups are made, checked and restored on a disk without hard links and modes; a hub does not start there', async context => {
  const shim = buildShim(context, PLAIN_DISK)
  if (shim === undefined) return
  const data = await leftFolder(context)
  const disk = shim.file
  const [backup, restored] = [join(disk, 'backup'), join(disk, 'restored')]
  mkdirSync(backup, { recursive: true, mode: 0o755 })
  const there = (...words: string[]) =>
    lectern(words, { env: { LD_PRELOAD: shim.library, LECTERN_SHIM_FILE: disk, LECTERN_PORT: '0' } })
  const made = await there('backup', backup, '--data', data)
  assert.is(made.code, 0, made.out + made.err)
  assert.match(made.out, `Others may read ${backup}`)
  for (const words of [
    ['check', '--data', backup],
    ['restore', backup, '--data', restored],
    ['check', '--data', restored]
  ]) {
    const { code, out, err } = await there(...words)
    assert.is(code, 0, out + err)
  }
  assert.is(statSync(join(restored, 'store')).mode & 0o777, 0o600)
  const { code, err } = await there('serve', '--data', restored)
  assert.is(code, 1)
  assert.match(err, `no store in ${restored} can be written to (EPERM): that needs a file system with hard links`)
})

test('a backup or a restore that finds no room says so and leaves nothing, whether that is known before or not', async context => {
  const disk = smallDisk(context, 2)
  if (disk === undefined) return
  const data = await leftFolder(context)
  const files = (contents: readonly string[]): string[] =>
    contents.map(content => {
      const name = createHash('sha256').update(content).digest('hex')
      const folder = join(data, 'files', name.slice(0, 2), name.slice(2, 4))
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, name), content)
      return join(folder, name)
    })
  const folder = temporaryFolder(context)
  mkdirSync(join(disk, 'empty'))
  const before = readdirSync(disk)
  const refused = async (text: string, backup: string): Promise<void> => {
    assert.is((await lectern(['backup', backup, '--data', data])).code, 0)
    for (const target of [join(disk, 'new'), join(disk, 'empty')])
      for (const words of [
        ['backup', target, '--data', data],
        ['restore', backup, '--data', target]
      ]) {
        const { code, err } = await lectern(words)
        assert.is(code, 2, err)
        assert.match(err, `${target} has ${text}`)
        assert.match(err, 'make room there, or name a folder on another disk')
        assert.equal([readdirSync(disk), readdirSync(join(disk, 'empty'))], [before, []])
      }
  }
  const large = files(['x'.repeat(2 ** 23)])
  await refused('room for ', join(folder, 'large'))
  for (const file of large) rmSync(file)
  // Each takes a block and a folder, and counts as a few bytes.
  files(Array.from({ length: 600 }, (_, index) => `file ${index}`))
  await refused('no room left', join(folder, 'many'))
})

test('where nothing can be written a hub does not start, and says which folder it is and what to do; what is there can be checked', async context => {
  const disk = smallDisk(context, 32)
  if (disk === undefined) return
  const data = await leftFolder(context, join(disk, 'data'))
  const refused = async (text: string): Promise<void> => {
    for (const words of [
      ['serve', '--port', '0'],
      ['account', 'list']
    ]) {
      const { code, err } = await lectern([...words, '--data', data], { env: { LECTERN_LOG_LEVEL: 'error' } })
      assert.is(code, 1, err)
      assert.is(err, `lectern: no store in ${data} can be written to ${text}\n`)
    }
    const checked = await lectern(['check', '--data', data])
    assert.is(checked.code, 0, checked.out + checked.err)
  }
  const filler = openSync(join(disk, 'filler'), 'w')
  for (const bytes of [2 ** 20, 4_096, 1])
    try {
      for (;;) writeSync(filler, Buffer.alloc(bytes))
    } catch {
      // It is full by so many.
    }
  closeSync(filler)
  await refused('(ENOSPC): the disk is full; make room there')
  assert.is(spawnSync('mount', ['-o', 'remount,ro', disk]).status, 0)
  await refused('(EROFS): mount it for writing, give this user the right to write there, or name another folder')
})

test.run()
