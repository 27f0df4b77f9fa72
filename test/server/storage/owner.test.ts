import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { claim, isAlive, thisProcess } from '../../../server/storage/owner.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/storage/owner')

const CLAIMER = fileURLToPath(new URL('claimer.ts', import.meta.url))
const GONE = { pid: 2 ** 22 + 1, started: '', host: hostname(), id: 'gone' }

test('an owner counts as gone when its pid is nobody or was given to another process, and as alive when nobody can tell', () => {
  const owner = thisProcess()
  assert.ok(isAlive(owner))
  assert.is(isAlive({ ...owner, started: 'an earlier boot 1' }), owner.started === '')
  assert.not(isAlive({ ...owner, pid: GONE.pid }))
  assert.ok(isAlive({ ...owner, host: `not ${hostname()}`, pid: GONE.pid }))
})

test("a claim that cannot be read counts as held, and one that is gone or another's does not", async context => {
  const path = join(temporaryFolder(context), 'store')
  const claimed = claim(path)
  assert.ok(await claimed.isHeld())
  const file = `${path}-owner`
  rmSync(file)
  assert.not(await claimed.isHeld())
  mkdirSync(file)
  assert.ok(await claimed.isHeld())
  rmSync(file, { recursive: true })
  writeFileSync(file, JSON.stringify(GONE))
  assert.not(await claimed.isHeld())
})

test('of many processes that claim a store at once one gets it, whether its last owner is gone or there was none', async context => {
  const path = join(temporaryFolder(context), 'store')
  const claimers = Array.from({ length: 5 }, () => fork(CLAIMER, { execArgv: ['--import', 'tsx'] }))
  context.defer(() => claimers.forEach(claimer => claimer.kill('SIGKILL')))
  const answer = async (claimer: ChildProcess): Promise<boolean> => ((await once(claimer, 'message')) as [boolean])[0]
  await Promise.all(claimers.map(answer))
  const ask = (message: { path?: string }): Promise<boolean[]> => {
    const answers = Promise.all(claimers.map(answer))
    for (const claimer of claimers) claimer.send(message)
    return answers
  }
  for (let round = 0; round < 200; round++) {
    if (round % 2 === 0) writeFileSync(`${path}-owner`, JSON.stringify(GONE))
    assert.is((await ask({ path })).filter(has => has).length, 1)
    await ask({})
    assert.equal(readdirSync(dirname(path)), [], 'nothing is left')
  }
})

test('an owner on another host is replaced only by who says so, and the file to remove is named', context => {
  const path = join(temporaryFolder(context), 'store')
  writeFileSync(`${path}-owner`, JSON.stringify({ ...GONE, host: 'elsewhere' }))
  assert.throws(() => claim(path), `on elsewhere) may be using ${path}: if it is gone for good, remove ${path}-owner`)
  claim(path, true).release()
  assert.not(existsSync(`${path}-owner`))
})

test('a claim that cannot be read is named, and stays', context => {
  const path = join(temporaryFolder(context), 'store')
  for (const text of ['', 'null', '{}']) {
    writeFileSync(`${path}-owner`, text)
    assert.throws(() => claim(path), `${path}-owner cannot be read: remove it if nobody uses the store`)
    assert.ok(existsSync(`${path}-owner`))
  }
})

test('a store has one owner by whatever name it is opened', context => {
  const folder = temporaryFolder(context)
  const [path, other] = [join(folder, 'store'), join(folder, 'other')]
  writeFileSync(path, '')
  symlinkSync(path, other)
  const held = claim(path)
  assert.throws(() => claim(other), `(pid ${process.pid}) is using ${other}`)
  held.release()
  claim(other).release()
})

test.run()
