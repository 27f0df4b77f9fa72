import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Batch, Store, StoredRun } from '../../../server/core/store.ts'
import { LmdbStore } from '../../../server/storage/lmdb.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { appendOf, joined } from '../../contract/store.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/storage/engines')
const logger = { debug() {}, info() {}, warn() {}, error() {} }

const account = fc.constantFrom('a', 'a2', 'b', '')
const key = fc.array(fc.constantFrom('', 'a', 'a2', 'b', '\u0001', 'ä', '\uffff', '😀'), { maxLength: 3 })
const counts = fc.array(fc.constantFrom(1, 2, 250), { minLength: 1, maxLength: 4 })
/** How far from the head the writer takes the log to be: mostly right. */
const slip = fc.constantFrom(0, 0, 0, 0, 1, -1)

const commit = fc.record({
  kind: fc.constant('commit' as const),
  appends: fc.array(fc.record({ account, counts, slip }), { maxLength: 3 }),
  writes: fc.array(fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }) }), { maxLength: 4 })
})
const read = fc.record({
  kind: fc.constant('read' as const),
  account,
  after: fc.nat(400),
  maxBytes: fc.constantFrom(0, 30, 100, 1e6)
})
const range = fc.record({
  kind: fc.constant('range' as const),
  prefix: key,
  after: fc.option(key, { nil: undefined }),
  limit: fc.constantFrom(0, 1, 3, 100)
})
const reopen = fc.record({ kind: fc.constant('reopen' as const) })
const steps = fc.array(
  fc.oneof({ arbitrary: commit, weight: 6 }, { arbitrary: read, weight: 4 }, { arbitrary: range, weight: 4 }, reopen),
  {
    maxLength: 40
  }
)

/** Small enough that runs move all the time, alone or joined, for one reason or another; or not at all. */
const limits = fc.record({
  segmentBytes: fc.constantFrom(1, 60, 65_536),
  segmentChanges: fc.constantFrom(3, 300, 100_000),
  journalBytes: fc.constantFrom(0, 400, 1e6),
  journalRecords: fc.constantFrom(0, 3, 1e6),
  idleMs: fc.constantFrom(0, 1, 1e6)
})

/** What was read is, however the file has joined it, the log from where it begins to where it ends; and no more and no less than asked for. */
function checkRead(runs: readonly StoredRun[], log: readonly StoredRun[], after: number, maxBytes: number): void {
  const head = log.reduce((sum, { count }) => sum + count, 0)
  assert.is(runs.length > 0, after < head)
  if (runs.length === 0) return
  const [{ first, count }, last] = [runs[0]!, runs.at(-1)!]
  const end = last.first + last.count
  assert.ok(first <= after + 1 && after + 1 < first + count)
  for (const [index, run] of runs.entries()) if (index > 0) assert.is(run.first, runs[index - 1]!.first + runs[index - 1]!.count)
  assert.equal(joined(runs), joined(log.filter(run => run.first >= first && run.first < end)))
  const bytesOf = (some: readonly StoredRun[]): number => some.reduce((sum, { run }) => sum + run.length, 0)
  assert.ok(runs.length === 1 || bytesOf(runs.slice(0, -1)) < maxBytes)
  assert.ok(end === head + 1 || bytesOf(runs) >= maxBytes)
}

const outcomeOf = (commits: Promise<void>[]): Promise<string[]> =>
  Promise.all(
    commits.map(commit =>
      commit.then(
        () => 'kept',
        (error: Error) => `${error.name}: ${error.message}`
      )
    )
  )

test('the file and the memory tell the same after any sequence of calls', async () => {
  await fc.assert(
    fc.asyncProperty(steps, limits, async (steps, limits) => {
      const folder = await mkdtemp(join(tmpdir(), 'lectern-store-'))
      const open = (): Promise<LmdbStore> =>
        LmdbStore.open({ path: join(folder, 'store'), mapSizeBytes: 2 ** 24, logger, limits })
      const memory = new MemoryStore()
      let file = await open()
      const heads = new Map<string, number>()
      let waiting: Promise<void>[][] = [[], []]
      const settle = async (): Promise<void> => {
        const [left, right] = await Promise.all(waiting.map(outcomeOf))
        waiting = [[], []]
        assert.equal(left, right)
        for (const name of ['a', 'a2', 'b', '']) {
          const head = await memory.head(name)
          assert.equal(await file.head(name), head)
          heads.set(name, head?.head ?? 0)
        }
      }
      try {
        for (const step of steps) {
          if (step.kind === 'commit') {
            const seen = new Map(heads)
            const appends = step.appends.map(({ account, counts, slip }) => {
              const after = Math.max(0, (seen.get(account) ?? 0) + slip)
              seen.set(account, after + counts.reduce((sum: number, count) => sum + count, 0))
              return appendOf(account, after, counts)
            })
            const batch: Batch = { appends, writes: step.writes }
            for (const [index, store] of [memory, file].entries() as IterableIterator<[number, Store]>)
              waiting[index]!.push(store.commit(batch))
            // Some commits follow while others are under way: on what they take the head to be, if those are kept.
            if (step.appends.every(({ slip }) => slip === 0)) for (const [name, head] of seen) heads.set(name, head)
            continue
          }
          await settle()
          if (step.kind === 'read') {
            const { account, after, maxBytes } = step
            checkRead(await file.read(account, after, maxBytes), await memory.read(account, 0, Infinity), after, maxBytes)
          } else if (step.kind === 'range') {
            const listOf = (store: Store): unknown[] =>
              store.range(step.prefix, step.after, step.limit).map(([key, value]) => [key, Buffer.from(value).toString('hex')])
            assert.equal(listOf(file), listOf(memory))
          } else {
            await file.close()
            file = await open()
          }
        }
        await settle()
        for (const name of ['a', 'a2', 'b', ''])
          checkRead(await file.read(name, 0, Infinity), await memory.read(name, 0, Infinity), 0, Infinity)
      } finally {
        await file.close()
        await rm(folder, { recursive: true })
      }
    }),
    { numRuns: 200 }
  )
})

test.run()
