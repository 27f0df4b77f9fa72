import { setTimeout } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { StoreDamage, StoreTrimmed } from '../../../server/core/store.ts'
import { openEnvironment } from '../../../server/storage/environment.ts'
import { behind, journalKey, journalPrefix } from '../../../server/storage/keys.ts'
import { LmdbStore } from '../../../server/storage/lmdb.ts'
import { appendOf, joined, runAt } from '../../contract/store.ts'
import { lmdbContract, openLmdb, storePath } from '../../util/open-lmdb.ts'

/** All that the contract says, of a store that moves each run by itself as soon as it can. */
const test = lmdbContract('server/storage/moving', { segmentBytes: 1, idleMs: 1 })

interface Kept {
  readonly journal: number
  readonly segments: number
}

/** What a closed store's file holds. */
async function keptIn(path: string, change?: (db: ReturnType<typeof openEnvironment>) => unknown): Promise<Kept> {
  const db = openEnvironment(path, 2 ** 30)
  try {
    await change?.(db)
    const journal = db.getKeysCount({ start: journalPrefix, end: behind(journalPrefix) })
    const segments = [...db.getRange({ start: Buffer.from('l'), end: Buffer.from('m') })].length
    return { journal, segments }
  } finally {
    await db.close()
  }
}

const append = (store: LmdbStore, ...appends: ReturnType<typeof appendOf>[]): Promise<void> =>
  store.commit({ appends, writes: [] })

async function appendMany(store: LmdbStore, account: string, from: number, to: number): Promise<void> {
  for (let after = from; after < to; after++) await append(store, appendOf(account, after))
}

const ones = (account: string, to: number): unknown[] =>
  joined(
    appendOf(
      account,
      0,
      Array.from({ length: to }, () => 1)
    ).runs
  )

test('runs wait in the journal, and become one segment once there are enough', async context => {
  const path = storePath(context)
  const store = await openLmdb(path, { segmentChanges: 10 })
  await appendMany(store, 'a', 0, 9)
  assert.is((await store.read('a', 0, 1e6)).length, 9)
  await appendMany(store, 'a', 9, 32)
  const runs = await store.read('a', 0, 1e6)
  assert.equal(
    runs.map(({ count }) => count),
    [10, 10, 10, 1, 1]
  )
  assert.equal(joined(runs), ones('a', 32))
  await store.close()
  assert.equal(await keptIn(path), { journal: 2, segments: 3 })
})

test('a segment ends where it is long enough, and a long run is one by itself', async context => {
  const store = await openLmdb(storePath(context), { segmentBytes: 100 })
  context.defer(() => store.close())
  const runs = [30, 30, 30, 30, 250, 30].map((size, index) => runAt(index + 1, 1, size))
  await append(store, { account: 'a', epoch: 'e1', after: 0, runs })
  await append(store, appendOf('b', 0))
  const found = await store.read('a', 0, 1e6)
  assert.equal(
    found.map(({ run }) => run.length),
    [90, 30, 250, 30]
  )
  assert.equal(joined(found), joined(runs))
})

test('runs whose notes are not one value for each change are kept as they are', async context => {
  const store = await openLmdb(storePath(context), { segmentChanges: 2 })
  context.defer(() => store.close())
  const runs = [1, 2, 3, 4].map(first => ({ ...runAt(first), ...(first === 2 && { notes: Uint8Array.of(0x92, 1, 2) }) }))
  await append(store, { account: 'a', epoch: 'e1', after: 0, runs })
  await append(store, appendOf('b', 0))
  assert.equal(
    (await store.read('a', 0, 1e6)).map(({ count, notes }) => [count, ...notes]),
    [
      [1, 0x91, 1],
      [1, 0x92, 1, 2],
      [2, 0x92, 3, 4]
    ]
  )
})

test('a log reads on from every cursor across segments and the journal, before and after it is opened again', async context => {
  const path = storePath(context)
  const limits = { segmentChanges: 7 }
  let store = await openLmdb(path, limits)
  context.defer(() => store.close())
  await appendMany(store, 'a', 0, 40)
  for (let round = 0; round < 2; round++) {
    assert.equal(await store.head('a'), { epoch: 'e1', head: 40, floor: 1 })
    for (let after = 0; after < 40; after++) {
      const runs = await store.read('a', after, Infinity)
      const [{ first, count }] = runs as [(typeof runs)[0]]
      assert.ok(first <= after + 1 && after + 1 < first + count)
      assert.is(runs.at(-1)!.first + runs.at(-1)!.count, 41)
    }
    assert.equal(joined(await store.read('a', 0, Infinity)), ones('a', 40))
    await store.close()
    store = await openLmdb(path, limits)
  }
})

test('the journal stays within its bounds however many accounts write a little, and is trimmed', async context => {
  const path = storePath(context)
  for (const limits of [{ journalRecords: 20 }, { journalBytes: 2_000 }]) {
    const store = await openLmdb(path, limits)
    for (let index = 0; index < 300; index++) await append(store, appendOf(`${JSON.stringify(limits)} ${index}`, 0))
    await store.close()
    const { journal } = await keptIn(path)
    assert.ok(journal <= 60, `${journal} records`)
  }
})

test('one account that never writes again does not hold up the journal', async context => {
  const path = storePath(context)
  const store = await openLmdb(path, { journalRecords: 50, segmentChanges: 20 })
  await append(store, appendOf('idle', 0))
  await appendMany(store, 'busy', 0, 400)
  assert.equal(joined(await store.read('busy', 0, 1e6)), ones('busy', 400))
  await store.close()
  const { journal } = await keptIn(path)
  assert.ok(journal <= 60, `${journal} records`)
})

test('when nobody writes, the journal is emptied in the background, also behind a store that was opened with it', async context => {
  const path = storePath(context)
  let store = await openLmdb(path)
  await append(store, ...Array.from({ length: 50 }, (_, index) => appendOf(`a${index}`, 0, [1, 2])))
  await store.close()
  assert.equal(await keptIn(path), { journal: 1, segments: 0 })
  store = await openLmdb(path, { idleMs: 10 })
  await append(store, appendOf('b', 0))
  for (let waited = 0; waited < 100 && (await store.read('a49', 0, 1e6)).length > 1; waited++) await setTimeout(20)
  await setTimeout(300)
  assert.is((await store.head('a0'))?.head, 3)
  await store.close()
  assert.equal(await keptIn(path), { journal: 0, segments: 51 })
  store = await openLmdb(path)
  assert.equal(await store.head('a7'), { epoch: 'e1', head: 3, floor: 1 })
  await append(store, appendOf('a7', 3))
  await store.close()
})

test('a run that is in the journal and in a segment is read once', async context => {
  const path = storePath(context)
  const first = await openLmdb(path)
  await append(first, appendOf('a', 0, [1, 1]), appendOf('b', 0))
  await first.close()
  let record: Buffer | undefined
  await keptIn(path, db => (record = db.get(journalKey(1))))
  const second = await openLmdb(path, { segmentBytes: 1 })
  for (let index = 1; index < 4; index++) await append(second, appendOf('b', index))
  await second.close()
  // As if it had not been dropped; the journal goes on behind it.
  await keptIn(path, async db => {
    for (const { key } of db.getRange({ start: journalPrefix, end: behind(journalPrefix) })) await db.remove(key)
    await db.put(journalKey(1), record!)
  })
  const third = await openLmdb(path)
  assert.is((await third.head('a'))?.head, 2)
  assert.is((await third.read('a', 0, 1e6)).length, 2)
  await third.close()
})

const BROKEN: [what: string, says: string, breaks: (db: ReturnType<typeof openEnvironment>) => Promise<unknown>][] = [
  [
    'with a flipped bit',
    'journal record 2',
    async db => {
      const record = db.get(journalKey(2))!
      record[30]! ^= 4
      await db.put(journalKey(2), record)
    }
  ],
  ['cut short', 'journal record 2', async db => db.put(journalKey(2), db.get(journalKey(2))!.subarray(0, 40))],
  ['of another version', 'journal record 2', async db => db.put(journalKey(2), db.get(journalKey(3))!)],
  ['that is missing', 'record 2', async db => db.remove(journalKey(2))],
  ['whose beginning is missing', 'change 1 of a', async db => db.remove(journalKey(1))]
]
for (const [what, says, breaks] of BROKEN)
  test(`a journal record ${what} is named, and the store stays closed`, async context => {
    const path = storePath(context)
    const first = await openLmdb(path)
    await appendMany(first, 'a', 0, 3)
    await first.close()
    await keptIn(path, breaks)
    const error: unknown = await openLmdb(path).then(
      store => store.close(),
      (error: unknown) => error
    )
    assert.instance(error, StoreDamage)
    assert.match((error as StoreDamage).message, says)
  })

test('what was trimmed is told from damage also where some of it was read just before', async context => {
  const store = await openLmdb(storePath(context), { segmentBytes: 1, journalBytes: 0, journalRecords: 0 })
  // Long segments stay in memory once they were read, short ones do not.
  const sizes = [20_000, 500, 20_000, 500, 20_000, 500, 500, 500]
  for (const [after, size] of sizes.entries())
    await append(store, { account: 'a', epoch: 'e1', after, runs: [runAt(after + 1, 1, size)] })
  assert.is((await store.read('a', 0, 1e6)).length, sizes.length)
  assert.is(await store.trim('a', 5), 5)
  for (const after of [0, 1, 2, 3])
    assert.instance(await store.read('a', after, 1e6).catch((error: unknown) => error), StoreTrimmed, `behind ${after}`)
  assert.is((await store.read('a', 4, 1e6)).length, sizes.length - 4)
  await store.close()
})

test.run()
