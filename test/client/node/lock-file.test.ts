import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs, { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { lockFile } from '../../../client/node/lock-file.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { suite } from '../../util/suite.ts'

const test = suite('client/node/lock-file')

const OPENER = fileURLToPath(new URL('storage-opener.ts', import.meta.url))
const NOBODY = 2 ** 22 + 1
const taken = (): Error => new Error('taken')
const canBeTaken = (path: string): boolean => {
  try {
    lockFile(path, taken)()
    return true
  } catch (error) {
    if ((error as Error).message !== 'taken') throw error
    return false
  }
}

test('of many processes that open a storage at once one gets it, whether there is a lock of one that is gone or none', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const openers = Array.from({ length: 4 }, () => fork(OPENER, { execArgv: ['--import', 'tsx'] }))
  context.defer(() => openers.forEach(opener => opener.kill('SIGKILL')))
  const answer = async (opener: ChildProcess): Promise<boolean> => ((await once(opener, 'message')) as [boolean])[0]
  await Promise.all(openers.map(answer))
  const ask = (message: { path?: string }): Promise<boolean[]> => {
    const answers = Promise.all(openers.map(answer))
    for (const opener of openers) opener.send(message)
    return answers
  }
  for (let round = 0; round < 100; round++) {
    if (round % 2 === 0) writeFileSync(`${path}.lock`, JSON.stringify({ pid: NOBODY, started: '', id: 'gone' }))
    assert.is((await ask({ path })).filter(has => has).length, 1)
    await ask({})
    assert.equal(readdirSync(dirname(path)), ['journal'], 'no lock is left')
  }
})

test('a lock whose process id another program has by now is taken over, where the system tells', async context => {
  const path = join(temporaryFolder(context), 'lock')
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 60_000)'])
  context.defer(() => other.kill('SIGKILL'))
  await once(other, 'spawn')
  const unlock = lockFile(path, taken)
  const own = JSON.parse(readFileSync(path, 'utf8')) as { pid: number; started: string; id: string }
  unlock()
  writeFileSync(path, JSON.stringify({ ...own, pid: other.pid }))
  assert.is(canBeTaken(path), own.started !== '')
  writeFileSync(path, JSON.stringify({ ...own, pid: other.pid, started: '' }))
  assert.not(canBeTaken(path), 'nobody can tell')
})

test('a lock that cannot be read is of nobody', context => {
  const path = join(temporaryFolder(context), 'lock')
  for (const text of [String(process.ppid), '', 'null', '{"pid":']) {
    writeFileSync(path, text)
    assert.ok(canBeTaken(path), text)
    assert.not(existsSync(path))
  }
})

test('a file system without hard links has locks too', context => {
  const path = join(temporaryFolder(context), 'lock')
  const { linkSync } = fs
  const restore = (): void => {
    Object.assign(fs, { linkSync })
    syncBuiltinESMExports()
  }
  context.defer(restore)
  fs.linkSync = () => {
    throw Object.assign(new Error('not permitted'), { code: 'EPERM' })
  }
  syncBuiltinESMExports()
  const unlock = lockFile(path, taken)
  assert.is((JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid, process.pid)
  assert.not(canBeTaken(path))
  unlock()
  assert.equal(readdirSync(dirname(path)), [])
})

test.run()
