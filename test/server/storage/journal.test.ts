import * as assert from 'uvu/assert'
import { StoreDamage } from '../../../server/core/store.ts'
import { openEnvironment } from '../../../server/storage/environment.ts'
import { Journal, lastOf, openJournal, sealJournal, storedRun } from '../../../server/storage/journal.ts'
import { journalKey } from '../../../server/storage/keys.ts'
import { appendOf, joined, plain, runAt } from '../../contract/store.ts'
import { openLmdb, storePath } from '../../util/open-lmdb.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/storage/journal')

const recordOf = (number: number) => sealJournal(number, [appendOf('a', number - 1)]).record

test('a record gives back the runs that it was made of, in their order, and the epoch with the run that makes a log only', () => {
  const far = 2 ** 40
  const appends = [appendOf('a', 0, [1, 3]), appendOf('ä😀', far, [2], 'e2'), appendOf('', 7)]
  const { bytes } = sealJournal(5, appends).record
  const { record, runs } = openJournal(5, bytes)
  assert.equal(
    runs.map(run => [run.account, run.epoch, run.first, lastOf(run)]),
    [
      ['a', 'e1', 1, 1],
      ['a', '', 2, 4],
      ['ä😀', '', far + 1, far + 2],
      ['', '', 8, 8]
    ]
  )
  assert.equal(plain(runs.map(storedRun)), plain(appends.flatMap(append => append.runs)))
  assert.equal([record.number, record.live], [5, 0])
})

test('a record with any bit flipped, cut short anywhere, or under another number is named, and gives nothing', () => {
  const { bytes } = recordOf(5)
  const refused = (number: number, damaged: Buffer): void => {
    try {
      openJournal(number, damaged)
    } catch (error) {
      assert.instance(error, StoreDamage)
      assert.match((error as Error).message, `journal record ${number}`)
      return
    }
    assert.unreachable('it was opened')
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Buffer.from(bytes)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    refused(5, damaged)
  }
  for (let length = 0; length < bytes.length; length++) refused(5, bytes.subarray(0, length))
  refused(6, bytes)
})

test('records leave from the beginning, when none of their runs is live, and their bytes with them', () => {
  const journal = new Journal()
  const records = [1, 2, 3, 4].map(recordOf)
  for (const record of records) journal.add(record)
  const numbers = (limit: number): number[] => journal.spent(limit).map(({ number }) => number)
  records[1]!.live = records[2]!.live = 0
  assert.equal(numbers(10), [])
  records[0]!.live = 0
  assert.equal(numbers(10), [1, 2, 3])
  assert.equal(numbers(2), [1, 2])
  journal.drop(journal.spent(2))
  journal.drop([records[0]!])
  assert.equal(
    [journal.length, journal.sizeBytes, journal.nextNumber],
    [2, records[2]!.bytes.length + records[3]!.bytes.length, 5]
  )
})

test('a record behind one that is missing is refused by the name of that one; an empty journal begins anywhere', () => {
  const journal = new Journal()
  journal.add(recordOf(7))
  assert.throws(() => journal.add(recordOf(9)), 'the journal lacks the record 8')
  journal.drop([...journal.spent(0), recordOf(7)])
  journal.add(recordOf(9))
  assert.is(journal.nextNumber, 10)
})

test('a store opens a journal that is all it has: the logs of its runs', async context => {
  const path = storePath(context)
  const db = openEnvironment(path, 2 ** 30)
  await db.put(journalKey(3), sealJournal(3, [appendOf('a', 0, [2]), appendOf('b', 0)]).record.bytes)
  await db.put(journalKey(4), sealJournal(4, [appendOf('a', 2, [1, 1])]).record.bytes)
  await db.close()
  const store = await openLmdb(path)
  context.defer(() => store.close())
  assert.equal(await store.head('a'), { epoch: 'e1', head: 4, floor: 1 })
  assert.equal(joined(await store.read('a', 0, 1e6)), joined([runAt(1, 2), runAt(3), runAt(4)]))
  assert.equal(joined(await store.read('b', 0, 1e6)), joined([runAt(1)]))
})

test.run()
