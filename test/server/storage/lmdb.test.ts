import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import * as assert from 'uvu/assert'
import { StoreDamage } from '../../../server/core/store.ts'
import { LmdbStore, type StoreLimits } from '../../../server/storage/lmdb.ts'
import { appendOf, bytes, joined } from '../../contract/store.ts'
import { lmdbContract, openLmdb, silentLogger, storePath } from '../../util/open-lmdb.ts'
import type { Acked } from './lmdb-writer.ts'

/** What has Node read TypeScript. */
const FROM_SOURCE = ['--import', 'tsx']
const WRITER = fileURLToPath(new URL('lmdb-writer.ts', import.meta.url))

const test = lmdbContract('server/storage/lmdb')

/** Resolves with the greatest number that the writer acked, once it has acked `count` or has ended. */
function acks(writer: ChildProcess, count: number): Promise<Acked> {
  return new Promise(resolve => {
    let greatest = 0
    let seen = -1
    writer.on('message', (acked: Acked) => {
      greatest = Math.max(greatest, acked)
      if (++seen === count) resolve(greatest)
    })
    writer.once('exit', () => resolve(greatest))
  })
}

async function kill(writer: ChildProcess): Promise<void> {
  if (writer.exitCode !== null || writer.signalCode !== null) return
  const ended = once(writer, 'exit')
  writer.kill('SIGKILL')
  await ended
}

/** Opens what a writer left, and checks that every pair matches and nothing that was acked is missing. Gives the head. */
async function checkPairs(path: string, acked: Acked): Promise<number> {
  const store = await openLmdb(path)
  try {
    const [left, right] = [await store.head('left'), await store.head('right')]
    assert.equal(left, right)
    const head = left?.head ?? 0
    assert.ok(head >= acked, `${head} changes are there, and ${acked} were acked`)
    for (const account of ['left', 'right']) {
      const expected = appendOf(
        account,
        0,
        Array.from({ length: head }, () => 1)
      )
      assert.ok(isDeepStrictEqual(joined(await store.read(account, 0, Infinity)), joined(expected.runs)), `the log of ${account}`)
      const record = store.get([account])
      assert.is(record && Buffer.from(record).toString(), head === 0 ? undefined : String(head))
    }
    const many = new Set(store.range(['many'], undefined, Infinity).map(([, value]) => Buffer.from(value).toString()))
    assert.equal([...many], head < 50 ? [] : [String(head - (head % 50))])
    return head
  } finally {
    await store.close()
  }
}

const KILLED: [what: string, limits: Partial<StoreLimits>][] = [
  ['', {}],
  [' that moves all the time', { segmentBytes: 200, journalRecords: 5, idleMs: 1 }]
]
for (const [what, limits] of KILLED)
  test(`a writer${what}, killed at any moment, leaves whole commits, all that were acked among them, and a store that opens at once`, async context => {
    const path = storePath(context)
    let head = 0
    for (let round = 0; round < 8; round++) {
      const writer = fork(WRITER, [path, JSON.stringify(limits)], { execArgv: FROM_SOURCE })
      context.defer(() => kill(writer))
      const acked = await acks(writer, Math.floor(Math.random() * 200))
      await kill(writer)
      head = await checkPairs(path, Math.max(acked, head))
    }
    assert.ok(head > 0)
  })

test('a writer whose disk takes no more ends with 75, and leaves whole commits and all that were acked', async context => {
  if (process.platform === 'win32') return
  const path = storePath(context)
  const arguments_ = [process.execPath, ...FROM_SOURCE, WRITER, path]
  const writer = spawn('sh', ['-c', 'ulimit -f 4096; exec "$0" "$@"', ...arguments_], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  context.defer(() => kill(writer))
  let said = ''
  writer.stderr!.on('data', (text: Buffer) => (said += text.toString()))
  const acked = await acks(writer, Infinity)
  assert.is(writer.exitCode, 75, said)
  assert.match(said, 'the store could not be written')
  assert.ok(acked > 0)
  await checkPairs(path, acked)
})

test('a store in use is refused to another process, which is told who uses it, and free again once that one is killed', async context => {
  const path = storePath(context)
  const writer = fork(WRITER, [path], { execArgv: FROM_SOURCE })
  context.defer(() => kill(writer))
  await acks(writer, 0)
  const refusal = await openLmdb(path).catch((error: Error) => error.message)
  assert.is(refusal, `another process (pid ${writer.pid}) is using ${path}: wait until it ends, or end it`)
  await kill(writer)
  await (await openLmdb(path)).close()
})

test('a store in use is refused to its own process too, and stays whole', async context => {
  const path = storePath(context)
  const store = await openLmdb(path)
  context.defer(() => store.close())
  const refusal = await openLmdb(join(path, '..', 'store')).catch((error: Error) => error.message)
  assert.match(refusal as string, `pid ${process.pid}`)
  await store.commit({ appends: [appendOf('a', 0)], writes: [] })
  assert.is((await store.head('a'))?.head, 1)
})

test('copies are made one after the other, one that fails leaves nothing, and closing waits for them', async context => {
  const path = storePath(context)
  const store = await openLmdb(path)
  await store.commit({ appends: [appendOf('a', 0)], writes: [] })
  const refused = store.copyTo(`${path}.1`, async () => {
    throw new Error('no room')
  })
  const failed = store.copyTo(join(path, 'no', 'such', 'folder'))
  let begins = (): void => {}
  const begun = new Promise<void>(resolve => (begins = resolve))
  const made = store.copyTo(`${path}.2`, async () => begins())
  assert.match((await refused.catch((error: Error) => error.message)) as string, 'no room')
  assert.instance(await failed.catch((error: Error) => error), Error)
  await begun
  await store.close()
  await made
  const copy = await openLmdb(`${path}.2`)
  assert.is((await copy.head('a'))?.head, 1)
  await copy.close()
  assert.not(existsSync(`${path}.1`))
})

/** Inverts one bit of every copy of `text` in the file. */
async function damage(path: string, text: string): Promise<void> {
  const file = await readFile(path)
  let copies = 0
  for (let at = file.indexOf(text); at !== -1; at = file.indexOf(text, at + 1), copies++) file[at + 3]! ^= 4
  assert.ok(copies > 0, `the file holds no ${text}`)
  await writeFile(path, file)
}

const DAMAGES: [what: string, mark: string, names: string, read: (store: LmdbStore) => unknown][] = [
  ['the bytes of a run', 'run-mark', 'acct-mark', store => store.read('acct-mark', 0, 1e6)],
  ['the notes of a run', 'note-mark', 'acct-mark', store => store.read('acct-mark', 0, 1e6)],
  ['the newest run', 'run-mark', 'acct-mark', store => store.head('acct-mark')],
  ['an epoch', 'epoch-mark', 'acct-mark', store => store.head('acct-mark')],
  ['a record', 'value-mark', 'key-mark', async store => store.get(['key-mark'])],
  ['a record in a range', 'value-mark', 'key-mark', async store => store.range([], undefined, 10)],
  ['the key of a record', 'key-mark', 'mark', async store => store.range([], undefined, 10)]
]
for (const [what, mark, names, read] of DAMAGES)
  test(`a flipped bit in ${what} is named and not served`, async context => {
    const path = storePath(context)
    const first = await openLmdb(path, { segmentBytes: 1 })
    const run = { first: 1, count: 1, run: bytes('a run-mark of bytes'), notes: bytes('a note-mark') }
    await first.commit({
      appends: [{ account: 'acct-mark', epoch: 'epoch-mark', after: 0, runs: [run] }],
      writes: [{ key: ['key-mark'], value: bytes('a value-mark') }]
    })
    // The first moves the run into a segment, the second drops it from the journal.
    for (const text of ['1', '2']) await first.commit({ appends: [], writes: [{ key: [text], value: bytes(text) }] })
    await first.close()
    await damage(path, mark)
    const store = await openLmdb(path)
    context.defer(() => store.close())
    const error: unknown = await Promise.resolve(read(store)).then(
      () => undefined,
      (error: unknown) => error
    )
    assert.instance(error, StoreDamage)
    assert.match((error as StoreDamage).message, names)
  })

test('a file that was cut short is refused by name', async context => {
  const path = storePath(context)
  const store = await openLmdb(path)
  for (let index = 0; index < 4; index++)
    await store.commit({ appends: [appendOf('a', index)], writes: [{ key: [String(index)], value: new Uint8Array(2 ** 20) }] })
  await store.close()
  await truncate(path, 2 ** 20)
  const error: unknown = await openLmdb(path).catch((error: unknown) => error)
  assert.instance(error, StoreDamage)
  assert.match((error as StoreDamage).message, 'is cut short')
})

test('of a file whose last pages are gone, each record is read as it was or refused by name', async context => {
  const path = storePath(context)
  const first = await openLmdb(path)
  const keys = Array.from({ length: 400 }, (_, index) => String(index))
  for (const key of keys) await first.commit({ appends: [], writes: [{ key: [key], value: bytes(key.repeat(400)) }] })
  await first.close()
  for (const pages of [1, 3, 20, 60]) {
    await truncate(path, (await stat(path)).size - pages * 4_096)
    const store = await openLmdb(path).catch((error: unknown) => error as Error)
    if (store instanceof Error) {
      assert.instance(store, StoreDamage)
      continue
    }
    for (const key of keys)
      try {
        assert.is(Buffer.from(store.get([key])!).toString(), key.repeat(400))
      } catch (error) {
        assert.instance(error, StoreDamage)
      }
    await store.close()
  }
})

test('a file grows past the space that was reserved for it', async context => {
  const path = storePath(context)
  const store = await LmdbStore.open({ path, mapSizeBytes: 2 ** 20, logger: silentLogger })
  context.defer(() => store.close())
  for (let index = 0; index < 20; index++)
    await store.commit({ appends: [], writes: [{ key: [String(index)], value: new Uint8Array(200_000).fill(index) }] })
  assert.equal(
    store.range([], undefined, Infinity).map(([key, value]) => value.every(byte => String(byte) === key[0])),
    Array.from({ length: 20 }, () => true)
  )
})

test.run()
