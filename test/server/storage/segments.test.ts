import * as assert from 'uvu/assert'
import { StoreDamage, type StoredRun } from '../../../server/core/store.ts'
import { sealJournal, type JournaledRun } from '../../../server/storage/journal.ts'
import { runPrefix } from '../../../server/storage/keys.ts'
import { keySum, openRun } from '../../../server/storage/layout.ts'
import { pack, sealSegment } from '../../../server/storage/segments.ts'
import { encodeValue } from '../../../protocol/index.ts'
import { plain, runAt } from '../../contract/store.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/storage/segments')

const SUM = keySum(runPrefix('a'))

/** Runs as the journal has them. */
const journaled = (runs: readonly StoredRun[]): JournaledRun[] =>
  sealJournal(1, [{ account: 'a', epoch: 'e1', after: runs[0]!.first - 1, runs }]).runs

/** Runs of so many changes and bytes. */
function runsOf(...sizes: [count: number, sizeBytes: number][]): StoredRun[] {
  let first = 1
  return sizes.map(([count, sizeBytes]) => {
    const run = runAt(first, count, sizeBytes)
    first += count
    return run
  })
}

const packed = (runs: readonly StoredRun[], segmentBytes: number, segmentChanges: number): number[][] =>
  pack(journaled(runs), { segmentBytes, segmentChanges }).map(segment => segment.map(({ first }) => first))

test('consecutive runs are packed up to either limit, and not beyond', () => {
  const runs = runsOf([2, 40], [2, 40], [2, 40], [2, 40], [2, 40])
  assert.equal(packed(runs, 80, 100), [[1, 3], [5, 7], [9]])
  assert.equal(packed(runs, 79, 100), [[1], [3], [5], [7], [9]])
  assert.equal(packed(runs, 1_000, 6), [
    [1, 3, 5],
    [7, 9]
  ])
})

test('a run over a limit is a segment by itself', () => {
  assert.equal(packed(runsOf([1, 30], [1, 500], [1, 30], [90, 30], [1, 30]), 100, 50), [[1], [2], [3], [4], [94]])
})

test('a run whose notes are not one value for each change is joined with none, on neither side', () => {
  for (const notes of [new Uint8Array(), Uint8Array.of(0x93, 1, 2, 3), Uint8Array.of(0xdc, 0, 2, 1, 2), Uint8Array.of(0xc0)]) {
    const runs = runsOf([1, 30], [1, 30], [1, 30], [1, 30])
    runs[1] = { ...runs[1]!, notes }
    assert.equal(packed(runs, 1_000, 100), [[1], [2], [3, 4]])
  }
})

test('a segment reads as one run: the bytes one behind the other, and one array of all notes', () => {
  // Arrays of msgpack have another head from 16 and from 65,536 values on.
  for (const counts of [[1], [1, 2], [10, 5], [10, 6], [16, 300], [65_535, 1], [40_000, 40_000]]) {
    let first = 1
    const runs = counts.map(count => {
      const notes = Uint8Array.from(encodeValue(Array.from({ length: count }, (_, index) => first + index)))
      const run = { first, count, run: runAt(first, count).run, notes }
      first += count
      return run
    })
    const segment = openRun(sealSegment(journaled(runs), SUM), SUM, 'the segment')
    const all = Uint8Array.from(encodeValue(Array.from({ length: first - 1 }, (_, index) => index + 1)))
    const whole = { first: 1, count: first - 1, run: Buffer.concat(runs.map(({ run }) => run)), notes: all }
    assert.equal(plain([segment]), plain([whole]), counts.join())
  }
})

test('a segment of a single run keeps its notes as they are', () => {
  const odd = { ...runAt(1), notes: Uint8Array.of(0xdc, 0, 1, 7) }
  assert.equal(plain([openRun(sealSegment(journaled([odd]), SUM), SUM, 'it')]), plain([odd]))
})

test('a segment with any bit flipped, cut short anywhere, or of another account is named, and gives nothing', () => {
  const segment = sealSegment(journaled(runsOf([1, 24], [2, 24])), SUM)
  const refused = (damaged: Buffer, sum = SUM): void => {
    try {
      openRun(damaged, sum, 'the segment')
    } catch (error) {
      assert.instance(error, StoreDamage)
      assert.match((error as Error).message, 'the segment')
      return
    }
    assert.unreachable('it was opened')
  }
  for (let bit = 0; bit < segment.length * 8; bit++) {
    const damaged = Buffer.from(segment)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    refused(damaged)
  }
  for (let length = 0; length < segment.length; length++) refused(segment.subarray(0, length))
  refused(segment, keySum(runPrefix('b')))
})

test.run()
