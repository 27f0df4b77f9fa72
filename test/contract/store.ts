import * as assert from 'uvu/assert'
import { decodeValue, encodeValue } from '../../protocol/index.ts'
import { StoreConflict, StoreTrimmed, type Append, type RecordKey, type Store, type StoredRun } from '../../server/core/store.ts'
import { suite, type Suite, type TestContext } from '../util/suite.ts'

export interface OpenedStore {
  readonly store: Store
  /** Closes and opens the same files again; absent where nothing outlives the store. */
  readonly reopen?: () => Promise<Store>
  /** Closes, and removes what was kept. */
  readonly drop: () => Promise<void>
}

/** More changes than this have no note each: no test could hold as many. */
const MOST_NOTES = 1_000

/** A run whose bytes and notes tell where it stands. */
export function runAt(first: number, count = 1, sizeBytes = 24): StoredRun {
  const run = new Uint8Array(sizeBytes).fill(first % 251)
  run.set(new TextEncoder().encode(`${first}+${count}`))
  return {
    first,
    count,
    run,
    notes: Uint8Array.from(encodeValue(Array.from({ length: Math.min(count, MOST_NOTES) }, (_, index) => first + index)))
  }
}

/** One append of runs with the given numbers of changes. */
export function appendOf(account: string, after: number, counts: readonly number[] = [1], epoch = 'e1'): Append {
  let first = after + 1
  const runs = counts.map(count => {
    const run = runAt(first, count)
    first += count
    return run
  })
  return { account, epoch, after, runs }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Compares bytes, not their kind of array. */
export const plain = (runs: readonly StoredRun[]): unknown[] =>
  runs.map(({ first, count, run, notes }) => [first, count, Buffer.from(run).toString('hex'), Buffer.from(notes).toString('hex')])

/** Runs as one, so that it does not matter which of them a store has joined. */
export function joined(runs: readonly StoredRun[]): unknown[] {
  const count = runs.reduce((sum, run) => sum + run.count, 0)
  const notes = runs.flatMap(run => decodeValue(run.notes) as unknown as number[])
  return [runs[0]?.first, count, Buffer.concat(runs.map(({ run }) => run)).toString('hex'), notes]
}

const textOf = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString()
const listOf = (found: [RecordKey, Uint8Array][]): string[] => found.map(([key, value]) => `${key.join('/')}=${textOf(value)}`)

async function conflictOf(commit: Promise<void>): Promise<StoreConflict> {
  try {
    await commit
  } catch (error) {
    if (error instanceof StoreConflict) return error
    throw error
  }
  throw new Error('the commit was kept')
}

/** What every store does. The suite that comes back takes the engine's own facts, and MUST be run. */
export function storeContract(name: string, open: (context: TestContext) => Promise<OpenedStore>): Suite {
  const test = suite(name)
  const start = async (context: TestContext): Promise<OpenedStore> => {
    const opened = await open(context)
    context.defer(opened.drop)
    return opened
  }
  const append = (store: Store, ...appends: Append[]): Promise<void> => store.commit({ appends, writes: [] })
  const write = (store: Store, ...writes: [key: RecordKey, text: string | undefined][]): Promise<void> =>
    store.commit({
      appends: [],
      writes: writes.map(([key, text]) => ({ key, value: text === undefined ? undefined : bytes(text) }))
    })

  test('an account that never wrote has no head and nothing to read, and an absent record is not an empty one', async context => {
    const { store } = await start(context)
    assert.is(await store.head('a'), undefined)
    assert.equal(await store.read('a', 0, 1e6), [])
    assert.is(store.get(['x']), undefined)
    await write(store, [['x'], ''])
    assert.is(store.get(['x'])?.length, 0)
  })

  test('an append makes the log, and its head is its last change', async context => {
    const { store } = await start(context)
    await append(store, appendOf('a', 0, [1, 3, 2], 'born'))
    assert.equal(await store.head('a'), { epoch: 'born', head: 6, floor: 1 })
  })

  test('a read from any cursor begins with the run that holds the next change and goes on without a gap', async context => {
    const { store } = await start(context)
    const counts = [1, 3, 2, 5]
    await append(store, appendOf('a', 0, counts.slice(0, 2)))
    await append(store, appendOf('a', 4, counts.slice(2)))
    const runs = plain(appendOf('a', 0, counts).runs)
    const holding = [0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4, 4]
    for (const [after, from] of holding.entries())
      assert.equal(plain(await store.read('a', after, 1e6)), runs.slice(from), `after ${after}`)
  })

  test('a read ends once maxBytes are reached, and gives at least one run', async context => {
    const { store } = await start(context)
    await append(store, appendOf('a', 0, [1, 1, 1, 1]))
    const lengthOf = async (maxBytes: number): Promise<number> => (await store.read('a', 0, maxBytes)).length
    assert.equal(await Promise.all([0, 1, 24, 25, 48, 49, 1e9].map(lengthOf)), [1, 1, 1, 2, 2, 3, 4])
  })

  test('runs of every size come back as they were', async context => {
    const { store } = await start(context)
    const runs = [0, 1, 100, 2_000, 4_096, 33_000, 70_000, 1_100_000].map((size, index) => runAt(index + 1, 1, Math.max(size, 8)))
    await append(store, { account: 'a', epoch: 'e1', after: 0, runs })
    assert.equal(plain(await store.read('a', 0, 1e9)), plain(runs))
  })

  test('an append that did not see the newest change is a conflict, which tells the head', async context => {
    const { store } = await start(context)
    await append(store, appendOf('a', 0, [2]))
    for (const wrong of [appendOf('a', 1), appendOf('a', 3), appendOf('a', 0), appendOf('a', 2, [1], 'e2')]) {
      const { account, head } = await conflictOf(append(store, wrong))
      assert.equal([account, head], ['a', { epoch: 'e1', head: 2 }])
    }
    assert.is((await conflictOf(append(store, appendOf('b', 1)))).head, undefined)
    assert.is(await store.head('b'), undefined)
  })

  test('a conflict writes nothing of its batch: no other append, no record', async context => {
    const { store } = await start(context)
    await append(store, appendOf('b', 0))
    const writes = [{ key: ['x'], value: bytes('1') }]
    await conflictOf(store.commit({ appends: [appendOf('a', 0), appendOf('b', 7), appendOf('c', 0)], writes }))
    assert.equal([await store.head('a'), await store.head('c'), store.get(['x'])], [undefined, undefined, undefined])
    await append(store, appendOf('a', 0), appendOf('b', 1))
    assert.is((await store.head('b'))?.head, 2)
  })

  test('of two racing appends exactly one is kept', async context => {
    const { store } = await start(context)
    const results = await Promise.allSettled([append(store, appendOf('a', 0, [1])), append(store, appendOf('a', 0, [2]))])
    assert.equal(
      results.map(result => result.status),
      ['fulfilled', 'rejected']
    )
    assert.is((await store.head('a'))?.head, 1)
  })

  test('an append may build on one whose flush is under way', async context => {
    const { store } = await start(context)
    await Promise.all(Array.from({ length: 50 }, (_, index) => append(store, appendOf('a', index))))
    assert.is((await store.read('a', 0, 1e6)).length, 50)
  })

  test('appends of one batch to one account follow each other', async context => {
    const { store } = await start(context)
    await append(store, appendOf('a', 0, [2]), appendOf('a', 2))
    assert.is((await store.head('a'))?.head, 3)
    await conflictOf(append(store, appendOf('a', 3), appendOf('a', 3)))
    assert.is((await store.head('a'))?.head, 3)
  })

  test('runs that are not dense are refused, and nothing is written', async context => {
    const { store } = await start(context)
    const broken: StoredRun[][] = [[], [runAt(2)], [runAt(1, 2), runAt(2)], [runAt(1), runAt(3)], [runAt(1, 0)]]
    for (const runs of broken) {
      const kept = await append(store, { account: 'a', epoch: 'e1', after: 0, runs }).then(
        () => true,
        () => false
      )
      assert.not(kept)
    }
    assert.is(await store.head('a'), undefined)
  })

  test('batches take effect in the order of the calls, and so do the writes of one batch', async context => {
    const { store } = await start(context)
    await Promise.all(['1', '2', undefined, '3'].map(text => write(store, [['x'], text])))
    assert.is(textOf(store.get(['x'])), '3')
    await write(store, [['x'], '4'], [['y'], '1'], [['x'], undefined], [['y'], '2'])
    assert.equal([store.get(['x']), textOf(store.get(['y']))], [undefined, '2'])
  })

  test('nothing of a commit is read before it has resolved', async context => {
    const { store } = await start(context)
    await append(store, appendOf('a', 0))
    const commit = store.commit({ appends: [appendOf('a', 1)], writes: [{ key: ['x'], value: bytes('1') }] })
    assert.is(store.get(['x']), undefined)
    const early = [store.head('a'), store.read('a', 1, 1e6)] as const
    await commit
    assert.equal([(await early[0])?.head, await early[1]], [1, []])
    assert.equal([(await store.head('a'))?.head, textOf(store.get(['x']))], [2, '1'])
  })

  test('the caller may reuse the bytes that it gave, and keep those that it got', async context => {
    const { store } = await start(context)
    const given = { run: runAt(1), value: bytes('value') }
    const expected = plain([runAt(1)])
    const commit = store.commit({
      appends: [{ account: 'a', epoch: 'e1', after: 0, runs: [given.run] }],
      writes: [{ key: ['x'], value: given.value }]
    })
    for (const array of [given.run.run, given.run.notes, given.value]) array.fill(0)
    await commit
    const got = await store.read('a', 0, 1e6)
    const value = store.get(['x'])
    const ranged = store.range(['x'], undefined, 1)
    await append(store, appendOf('a', 1))
    await write(store, [['x'], 'other'], [['y'], 'third'])
    await store.read('a', 0, 1e6)
    store.get(['y'])
    assert.equal([plain(got), textOf(value), listOf(ranged)], [expected, 'value', ['x=value']])
  })

  for (const edge of [9, 255, 65_535, 2 ** 32 - 1, 2 ** 32, 2 ** 40])
    test(`cursors keep their order past ${edge}`, async context => {
      const { store } = await start(context)
      const bulk: number[] = []
      for (let left = edge - 2; left > 0; left -= Math.min(left, 2 ** 32 - 1)) bulk.push(Math.min(left, 2 ** 32 - 1))
      await append(store, appendOf('a', 0, [...bulk, 1, 1, 1, 1]))
      assert.is((await store.head('a'))?.head, edge + 2)
      const tail = await store.read('a', edge - 2, 1e6)
      assert.equal(
        tail.map(run => run.first),
        [edge - 1, edge, edge + 1, edge + 2]
      )
      await append(store, appendOf('a', edge + 2))
      assert.is((await store.head('a'))?.head, edge + 3)
    })

  test('accounts whose names begin alike do not see each other', async context => {
    const { store } = await start(context)
    const accounts = ['a', 'a2', 'a ', 'aa', 'A', '', 'a/b', 'ä', '書', '😀']
    await append(store, ...accounts.map((account, index) => appendOf(account, 0, [index + 1], `epoch of ${account}`)))
    for (const [index, account] of accounts.entries()) {
      assert.equal(await store.head(account), { epoch: `epoch of ${account}`, head: index + 1, floor: 1 }, account)
      assert.is((await store.read(account, 0, 1e6)).length, 1, account)
      assert.equal(await store.read(account, index + 1, 1e6), [], account)
    }
  })

  test('a range holds the records under its prefix in key order, and none beside it', async context => {
    const { store } = await start(context)
    const keys = [
      [''],
      ['', 'x'],
      ['x'],
      ['x', ''],
      ['x', '1'],
      ['x', '1', 'y'],
      ['x', '10'],
      ['x', '2'],
      ['x '],
      ['x2'],
      ['x2', '1'],
      ['ä'],
      ['\uffff'],
      ['😀']
    ]
    await write(store, ...[...keys].reverse().map((key): [RecordKey, string] => [key, 'v']))
    const keysOf = (prefix: RecordKey, after?: RecordKey, limit = 100): RecordKey[] =>
      store.range(prefix, after, limit).map(([key]) => key)
    assert.equal(keysOf([]), keys)
    assert.equal(keysOf(['x']), keys.slice(2, 8))
    assert.equal(keysOf(['x', '1']), keys.slice(4, 6))
    assert.equal(keysOf(['']), keys.slice(0, 2))
    assert.equal(keysOf(['y']), [])
    assert.equal(keysOf(['x'], ['x', '1']), keys.slice(5, 8))
    assert.equal(keysOf(['x'], ['x', '1', 'z']), keys.slice(6, 8))
    assert.equal(keysOf(['x'], ['x', '2']), [])
    assert.equal(keysOf(['x'], ['a']), keys.slice(2, 8))
    assert.equal(keysOf(['x'], ['z']), [])
    assert.equal(keysOf(['x'], undefined, 2), keys.slice(2, 4))
    assert.equal(keysOf(['x'], ['x', ''], 1), keys.slice(4, 5))
    assert.equal(keysOf(['x'], undefined, 0), [])
    for (const prefix of [[], ['x'], ['x', '1'], [''], ['y']]) assert.equal(store.keys(prefix, 100), keysOf(prefix))
    assert.equal([store.keys(['x'], 2), store.keys(['x'], 0)], [keys.slice(2, 4), []])
  })

  test('a removed record is gone, and removing one that is not there changes nothing', async context => {
    const { store } = await start(context)
    await write(store, [['x', '1'], 'v'], [['x', '2'], 'w'])
    await write(store, [['x', '1'], undefined], [['x', '3'], undefined])
    assert.equal([store.get(['x', '1']), listOf(store.range(['x'], undefined, 10))], [undefined, ['x/2=w']])
  })

  test('a key that cannot be kept is refused before anything is written', async context => {
    const { store } = await start(context)
    for (const key of [['x'.repeat(1_900)], ['x\0y'], ['\ud83d']]) {
      const kept = await store
        .commit({ appends: [appendOf('a', 0)], writes: [{ key, value: bytes('v') }] })
        .catch((error: Error) => error.name)
      assert.is(kept, 'TypeError')
    }
    assert.is(await store.head('a'), undefined)
    await write(store, [['x'.repeat(1_800)], 'v'])
    assert.is(textOf(store.get(['x'.repeat(1_800)])), 'v')
  })

  test('a batch of thousands of records is kept whole', async context => {
    const { store } = await start(context)
    const writes = Array.from({ length: 5_000 }, (_, index) => ({ key: ['x', String(index)], value: bytes(`value ${index}`) }))
    await store.commit({
      appends: [
        appendOf(
          'a',
          0,
          Array.from({ length: 3_000 }, () => 1)
        )
      ],
      writes
    })
    assert.is(store.range(['x'], undefined, Infinity).length, 5_000)
    assert.is((await store.read('a', 0, Infinity)).length, 3_000)
  })

  /** Trims until the floor stays. */
  const trimAll = async (store: Store, account: string, floor: number): Promise<number> => {
    for (let last = 0, now = -1; ; last = now) if ((now = await store.trim(account, floor)) === last) return now
  }
  const long = Array.from({ length: 400 }, () => 10)

  test('a trimmed log begins at its floor, below which a read is refused, and ends where it ended', async context => {
    const { store } = await start(context)
    await append(store, appendOf('a', 0, long), appendOf('b', 0, long))
    await write(store, [['a', 'x'], '1'])
    const whole = await store.read('a', 0, Infinity)
    const floor = await trimAll(store, 'a', 3_001)
    assert.ok(floor > 1 && floor <= 3_001, `the floor is ${floor}`)
    assert.equal(await store.head('a'), { epoch: 'e1', head: 4_000, floor })
    for (const after of [0, floor - 2]) {
      const refusal = await store.read('a', after, 1).catch((error: unknown) => error)
      assert.instance(refusal, StoreTrimmed)
      assert.is((refusal as StoreTrimmed).floor, floor)
    }
    const kept = await store.read('a', floor - 1, Infinity)
    assert.equal(joined(kept), joined(whole.filter(({ first }) => first >= floor)))
    assert.equal((await store.read('a', 3_990, Infinity)).at(-1)!.first, 3_991)
    assert.equal([await store.head('b'), textOf(store.get(['a', 'x']))], [{ epoch: 'e1', head: 4_000, floor: 1 }, '1'])
  })

  test('a floor does not go back, and is not above the one asked for', async context => {
    const { store } = await start(context)
    await append(store, appendOf('a', 0, long))
    const floor = await trimAll(store, 'a', 2_500)
    for (const asked of [1, 0, 2_000]) assert.is(await trimAll(store, 'a', asked), floor)
    assert.is((await store.head('a'))?.floor, floor)
  })

  test('a log that is trimmed as far as can be keeps its end, and goes on', async context => {
    const { store } = await start(context)
    await append(store, appendOf('a', 0, long))
    const floor = await trimAll(store, 'a', Infinity)
    assert.ok(floor <= 4_000)
    assert.is((await store.read('a', 3_999, 1)).length, 1)
    await conflictOf(append(store, appendOf('a', 3_999)))
    await append(store, appendOf('a', 4_000))
    assert.equal(await store.head('a'), { epoch: 'e1', head: 4_001, floor })
  })

  test('there is nothing to trim of a log that is not there, or has one run', async context => {
    const { store } = await start(context)
    assert.is(await store.trim('a', 10), 1)
    assert.is(await store.head('a'), undefined)
    await append(store, appendOf('a', 0, [5]))
    assert.is(await store.trim('a', 10), 1)
    assert.is((await store.read('a', 0, 1)).length, 1)
  })

  test('appends and trims in one turn do not disturb each other', async context => {
    const { store, reopen } = await start(context)
    await append(store, appendOf('a', 0, long))
    const work: Promise<unknown>[] = []
    for (let after = 4_000; after < 6_000; after += 10) {
      work.push(append(store, appendOf('a', after, [10])), store.trim('a', after - 1_000))
      if (after % 100 === 0) await new Promise(resolve => void setImmediate(resolve))
    }
    await Promise.all(work)
    const floor = await trimAll(store, 'a', 5_500)
    for (const seen of reopen === undefined ? [store] : [store, await reopen()]) {
      if (seen !== store || reopen === undefined) assert.equal(await seen.head('a'), { epoch: 'e1', head: 6_000, floor })
      if (seen === store && reopen !== undefined) continue
      const kept = await seen.read('a', floor - 1, Infinity)
      assert.is(
        kept.reduce((next, { first, count }) => (first === next ? first + count : NaN), floor),
        6_001
      )
    }
  })

  test('a closed store takes nothing and tells nothing, and what was under way is kept', async context => {
    const { store, reopen } = await start(context)
    const commit = append(store, appendOf('a', 0))
    const closing = reopen === undefined ? store.close().then(() => undefined) : reopen()
    await commit
    const again = await closing
    for (const call of [() => append(store, appendOf('a', 1)), () => store.head('a'), async () => store.get(['x'])])
      assert.match(await call().then(() => '', String), 'closed')
    if (again !== undefined) assert.is((await again.head('a'))?.head, 1)
  })

  test('a store that is opened again finds everything', async context => {
    const { store, reopen } = await start(context)
    if (reopen === undefined) return
    await store.commit({
      appends: [appendOf('a', 0, [1, 2]), appendOf('b', 0)],
      writes: [{ key: ['x', 'y'], value: bytes('v') }]
    })
    const again = await reopen()
    assert.equal(await again.head('a'), { epoch: 'e1', head: 3, floor: 1 })
    assert.equal(plain(await again.read('a', 0, 1e6)), plain(appendOf('a', 0, [1, 2]).runs))
    assert.equal([textOf(again.get(['x', 'y'])), (await again.head('b'))?.head], ['v', 1])
    await conflictOf(append(again, appendOf('a', 2)))
    await append(again, appendOf('a', 3))
    assert.is((await again.head('a'))?.head, 4)
  })

  return test
}
