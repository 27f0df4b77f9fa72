import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Batch, Store } from '../../../server/core/store.ts'
import { LmdbStore } from '../../../server/storage/lmdb.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { appendOf, plain } from '../../contract/store.ts'
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
    fc.asyncProperty(steps, async steps => {
      const folder = await mkdtemp(join(tmpdir(), 'lectern-store-'))
      const open = (): Promise<LmdbStore> => LmdbStore.open({ path: join(folder, 'store'), mapSizeBytes: 2 ** 24, logger })
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
            assert.equal(plain(await file.read(account, after, maxBytes)), plain(await memory.read(account, after, maxBytes)))
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
      } finally {
        await file.close()
        await rm(folder, { recursive: true })
      }
    }),
    { numRuns: 100 }
  )
})

test.run()
