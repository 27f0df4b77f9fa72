import * as assert from 'uvu/assert'
import type { StoredRun } from '../../../server/core/store.ts'
import { sealJournal, type JournalRecord } from '../../../server/storage/journal.ts'
import { Tails, type Move } from '../../../server/storage/tails.ts'
import { appendOf, joined, runAt } from '../../contract/store.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/storage/tails')

const PLENTY = { accounts: 100, bytes: 1e6 }
/** Of one run of the contract's. */
const RUN_BYTES = 24

/** Tails whose segments hold so many changes; each `add` is a commit of its own. */
class Filled {
  readonly tails: Tails
  readonly records: JournalRecord[] = []
  readonly #heads = new Map<string, number>()

  constructor(segmentChanges: number) {
    this.tails = new Tails({ segmentBytes: 1e6, segmentChanges })
  }

  add(account: string, count = 1): void {
    for (let index = 0; index < count; index++) {
      const after = this.#heads.get(account) ?? 0
      const { record, runs } = sealJournal(this.records.length + 1, [appendOf(account, after)])
      this.records.push(record)
      for (const run of runs) this.tails.add(run)
      this.#heads.set(account, after + 1)
    }
  }

  read(account: string, after: number, maxBytes = 1e6): StoredRun[] {
    const into: StoredRun[] = []
    this.tails.read(account, after, maxBytes, into)
    return into
  }
}

const told = (moves: readonly Move[]): [string, number[][]][] =>
  moves.map(({ account, segments }) => [account, segments.map(segment => segment.map(({ first }) => first))])
const log = (account: string, count: number): unknown[] =>
  joined(
    appendOf(
      account,
      0,
      Array.from({ length: count }, () => 1)
    ).runs
  )

test('a tail is read from any change on, and no further than so many bytes', () => {
  const filled = new Filled(100)
  filled.add('a', 5)
  filled.add('b')
  assert.equal(joined(filled.read('a', 0)), log('a', 5))
  for (let after = 0; after < 5; after++) assert.is(filled.read('a', after)[0]?.first, after + 1)
  assert.equal(
    filled.read('a', 1, RUN_BYTES + 1).map(({ first }) => first),
    [2, 3]
  )
  assert.equal([filled.read('a', 5), filled.read('nobody', 0)], [[], []])
  const [before] = filled.read('b', 0)
  filled.tails.read('a', 0, RUN_BYTES, [before!])
  assert.equal([filled.tails.first('a'), filled.tails.last('a'), filled.tails.epoch('a')], [1, 5, 'e1'])
})

test('only full segments move, from tails that are enough for one', () => {
  const filled = new Filled(3)
  filled.add('a', 2)
  assert.equal(filled.tails.select(PLENTY, false), [])
  filled.add('b', 7)
  filled.add('a')
  assert.equal(told(filled.tails.select(PLENTY, false)), [
    ['b', [[1, 2, 3], [4, 5, 6]]],
    ['a', [[1, 2, 3]]]
  ]) // prettier-ignore
})

test('when there is no room, the oldest tails move whole, full segments first', () => {
  const filled = new Filled(3)
  for (const account of ['old', 'full', 'young']) filled.add(account)
  filled.add('full', 2)
  assert.equal(told(filled.tails.select({ accounts: 2, bytes: 1e6 }, true)), [
    ['full', [[1, 2, 3]]],
    ['old', [[1]]]
  ])
})

test('an old tail moves whole though it is several segments, none of them full', () => {
  const tails = new Tails({ segmentBytes: 1e6, segmentChanges: 100 })
  const runs = [1, 2].map(first => ({ ...runAt(first), notes: Uint8Array.of(0xc0) }))
  for (const run of sealJournal(1, [{ account: 'a', epoch: 'e1', after: 0, runs }]).runs) tails.add(run)
  assert.equal(told(tails.select(PLENTY, true)), [['a', [[1], [2]]]])
})

test('a budget ends with the account or the segment that reaches it', () => {
  const filled = new Filled(2)
  for (const account of ['a', 'b', 'c']) filled.add(account, 6)
  const select = (accounts: number, bytes: number) => told(filled.tails.select({ accounts, bytes }, false))
  assert.equal(
    select(2, 1e6).map(([account]) => account),
    ['a', 'b']
  )
  assert.equal(select(100, RUN_BYTES * 3), [['a', [[1, 2], [3, 4]]]]) // prettier-ignore
  assert.equal(select(100, 1), [['a', [[1, 2]]]])
})

test('what moves is read from memory until it is on disk, moves once, and its records are needed no more from then on', () => {
  const filled = new Filled(2)
  filled.add('a', 5)
  const moves = filled.tails.select(PLENTY, false)
  filled.tails.begin(moves)
  assert.equal(joined(filled.read('a', 0)), log('a', 5))
  assert.equal(
    filled.records.map(({ live }) => live),
    [0, 0, 0, 0, 1]
  )
  assert.equal(filled.tails.select(PLENTY, true), [])
  filled.add('a', 2)
  assert.equal(filled.tails.select(PLENTY, true), [])
  filled.tails.settle(moves)
  assert.equal([filled.tails.first('a'), filled.tails.last('a'), filled.tails.epoch('a')], [5, 7, undefined])
  assert.equal(told(filled.tails.select(PLENTY, false)), [['a', [[5, 6]]]])
})

test('a tail that has moved whole is gone, and one that was left over counts as young', () => {
  const filled = new Filled(2)
  for (const account of ['a', 'b']) filled.add(account)
  filled.add('a', 2)
  const first = filled.tails.select({ accounts: 1, bytes: 1e6 }, false)
  filled.tails.begin(first)
  filled.tails.settle(first)
  const rest = filled.tails.select(PLENTY, true)
  assert.equal(told(rest), [
    ['b', [[1]]],
    ['a', [[3]]]
  ])
  filled.tails.begin(rest)
  filled.tails.settle(rest)
  assert.equal([filled.tails.first('a'), filled.tails.last('b'), filled.tails.select(PLENTY, true)], [undefined, undefined, []])
})

test.run()
