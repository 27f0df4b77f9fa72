import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { FileStorage } from '../../../client/node/storage-file.ts'
import type { StorageChange } from '../../../client/storage.ts'
import { STORAGE_FACTS } from '../../contract/client-storage.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { temporaryFolder } from '../../util/folder.ts'

const test = suite('client/node/storage-file')

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const keysOf = async (storage: FileStorage): Promise<string[]> => (await storage.load('')).map(([key]) => key)
const errorOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: Error) => error.name
  )

for (const { fact, check } of STORAGE_FACTS) {
  test(`file: ${fact}`, context => {
    const path = temporaryFolder(context)
    return check({ open: name => FileStorage.open(join(path, name)), isLasting: true })
  })
}

test('a last record that was cut off anywhere is dropped, and what was before it stays', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path)
  await storage.write([['a', bytes('first')]])
  const wholeBytes = statSync(path).size
  await storage.write([
    ['a', bytes('second')],
    ['b', bytes('second')]
  ])
  await storage.close()
  const file = readFileSync(path)
  for (let length = wholeBytes; length < file.length; length++) {
    writeFileSync(path, file.subarray(0, length))
    const torn = await FileStorage.open(path)
    assert.equal(await keysOf(torn), ['a'], `cut at ${length}`)
    await torn.write([['c', bytes('after')]])
    await torn.close()
    const again = await FileStorage.open(path)
    assert.equal(await keysOf(again), ['a', 'c'])
    await again.close()
  }
})

test('a last record with other bytes than were written is dropped', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path)
  await storage.write([['a', bytes('first')]])
  const wholeBytes = statSync(path).size
  await storage.write([['b', bytes('second')]])
  await storage.close()
  const file = readFileSync(path)
  for (const tail of [Buffer.alloc(file.length - wholeBytes), Buffer.alloc(5_000)]) {
    writeFileSync(path, Buffer.concat([file.subarray(0, wholeBytes), tail]))
    const torn = await FileStorage.open(path)
    assert.equal(await keysOf(torn), ['a'])
    await torn.close()
  }
  file[file.length - 1]! ^= 1
  writeFileSync(path, file)
  const torn = await FileStorage.open(path)
  assert.equal(await keysOf(torn), ['a'])
  await torn.close()
})

/** Every open file, whose methods a test replaces by ones that fail; until the returned function is called. */
async function breakFiles(
  context: TestContext,
  path: string,
  broken: Partial<Record<'datasync' | 'truncate' | 'write', () => Promise<never>>>
): Promise<() => void> {
  const handle = await open(path)
  const files = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const own = Object.getOwnPropertyDescriptors(files)
  const restore = (): void => {
    for (const name of Object.keys(broken)) Object.defineProperty(files, name, own[name as 'write'])
  }
  context.defer(restore)
  Object.assign(files, broken)
  return restore
}

const fail = (code: string) => (): Promise<never> => Promise.reject(new Error(code))

test('a write whose flush failed is not there when the file is opened again', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path)
  await storage.write([['a', bytes('first')]])
  const restore = await breakFiles(context, path, { datasync: fail('EIO') })
  assert.is(await errorOf(storage.write([['b', bytes('second')]])), 'Error')
  restore()
  await storage.close()
  const again = await FileStorage.open(path)
  assert.equal(await keysOf(again), ['a'])
  await again.close()
})

test('a disk that was full for a while is written to again, and holds nothing of what failed', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path)
  await storage.write([['a', bytes('first')]])
  const restore = await breakFiles(context, path, { write: fail('ENOSPC') })
  assert.is(await errorOf(storage.write([['b', bytes('x'.repeat(1_000))]])), 'Error')
  restore()
  await storage.write([['c', bytes('after')]])
  assert.equal(await keysOf(storage), ['a', 'c'])
  await storage.close()
  const again = await FileStorage.open(path)
  assert.equal(await keysOf(again), ['a', 'c'])
  await again.close()
})

test('nothing is written behind bytes of a write that failed, until they are cut off', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path)
  await storage.write([['a', bytes('first')]])
  const { size } = statSync(path)
  const restoreFlush = await breakFiles(context, path, { datasync: fail('EIO') })
  const restoreCut = await breakFiles(context, path, { truncate: fail('EROFS') })
  assert.is(await errorOf(storage.write([['b', bytes('x'.repeat(1_000))]])), 'Error')
  restoreFlush()
  assert.is(await errorOf(storage.write([['c', bytes('short')]])), 'Error')
  assert.ok(statSync(path).size > size + 1_000)
  restoreCut()
  await storage.write([['d', bytes('short')]])
  await storage.close()
  const again = await FileStorage.open(path)
  assert.equal(await keysOf(again), ['a', 'd'])
  await again.close()
})

test('damage in the middle is named, and nothing is dropped silently', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path)
  await storage.write([['a', bytes('first')]])
  await storage.write([['b', bytes('second')]])
  await storage.close()
  const file = readFileSync(path)
  file[25]! ^= 1
  writeFileSync(path, file)
  assert.is(await errorOf(FileStorage.open(path)), 'StorageDamagedError')
  assert.equal(readFileSync(path), file)
  writeFileSync(path, 'some other file')
  assert.is(await errorOf(FileStorage.open(path)), 'StorageDamagedError')
})

test('damage of a length hides nothing that follows', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path)
  await storage.write([['a', bytes('first')]])
  const secondAt = statSync(path).size
  await storage.write([['b', bytes('second')]])
  await storage.write([['c', undefined]])
  await storage.write([])
  await storage.close()
  const file = readFileSync(path)
  for (let bit = 0; bit < 32; bit++) {
    const damaged = Buffer.from(file)
    damaged[secondAt + (bit >> 3)]! ^= 1 << (bit & 7)
    writeFileSync(path, damaged)
    assert.is(await errorOf(FileStorage.open(path)), 'StorageDamagedError', `bit ${bit}`)
    assert.equal(readFileSync(path), damaged)
  }
})

test('a file with little left in it is written anew, and holds the same', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path, { minGarbageBytes: 10_000 })
  await storage.write([['kept', bytes('kept')]])
  for (let round = 0; round < 100; round++) await storage.write([['changing', new Uint8Array(1_000).fill(round)]])
  assert.ok(statSync(path).size < 30_000, `${statSync(path).size} bytes`)
  await storage.write([['last', bytes('last')]])
  const check = async (opened: FileStorage): Promise<void> => {
    const found = new Map(await opened.load(''))
    assert.equal([...found.keys()], ['changing', 'kept', 'last'])
    assert.is(found.get('changing')![999], 99)
  }
  await check(storage)
  await storage.close()
  const again = await FileStorage.open(path)
  await check(again)
  await again.close()
})

test('more values than a call takes arguments are written anew too', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path, { minGarbageBytes: 10_000 })
  await storage.write(Array.from({ length: 150_000 }, (_, index): StorageChange => [String(index), new Uint8Array()]))
  const { size } = statSync(path)
  await storage.write([['garbage', new Uint8Array(size + 4_000_000)]])
  await storage.write([['garbage', undefined]])
  assert.is((await storage.load('14999')).length, 11)
  assert.ok(statSync(path).size < 2 * size, `${statSync(path).size} bytes`)
  await storage.close()
})

test('a file is open in one process at a time', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const storage = await FileStorage.open(path)
  assert.is(await errorOf(FileStorage.open(path)), 'StorageTakenError')
  await storage.close()
  writeFileSync(`${path}.lock`, JSON.stringify({ pid: process.ppid, started: '', id: 'other' }))
  assert.is(await errorOf(FileStorage.open(path)), 'StorageTakenError')
  writeFileSync(`${path}.lock`, JSON.stringify({ pid: process.pid, started: '', id: 'gone' }))
  const again = await FileStorage.open(path)
  await again.close()
})

test('every write that resolved survives kill -9 in the midst of writing, whole or not at all', async context => {
  const path = join(temporaryFolder(context), 'journal')
  const script = fileURLToPath(new URL('./storage-writer.ts', import.meta.url))
  let promised = -1
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ['--import', 'tsx', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    let lines = 0
    for await (const line of createInterface({ input: child.stdout })) {
      promised = Number(line)
      lines += 1
      if (lines === 30 + round * 17) child.kill('SIGKILL')
    }
    await ended
    const storage = await FileStorage.open(path)
    const found = new Map(await storage.load(''))
    await storage.close()
    const [left, right] = ['left', 'right'].map(key => Number(new TextDecoder().decode(found.get(key)?.subarray(0, 12))))
    assert.is(left, right)
    assert.ok(left! >= promised, `${left} is stored, and ${promised} was promised`)
    assert.is([...found.keys()].filter(key => key.startsWith('n')).length, left! + 1)
  }
})

test.run()
