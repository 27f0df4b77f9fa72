import * as assert from 'uvu/assert'
import { encodeValue, HubError, LIMITS, type Plain } from '../../../protocol/index.ts'
import { confirm, judge, refusalAnswer, keepAnswer } from '../../../server/core/answers.ts'
import type { ClientRecord } from '../../../server/core/records.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/answers')

const recordOf = (...numbers: number[]): ClientRecord => {
  const record: ClientRecord = { lastNumber: 0, answers: [] }
  for (const number of numbers) keepAnswer(record, [number, number * 10, number * 100])
  return record
}

test('a number beyond the last is fresh, with gaps too', () => {
  const record = recordOf(1, 2, 5)
  for (const number of [6, 7, 100]) assert.is(judge(record, number, 1), 'fresh')
  assert.is(judge(recordOf(), 1, 1), 'fresh')
})

test('a repeat gets its first answer, and the same number with other content is a conflict', () => {
  const record = recordOf(1, 2, 5, 9, 12)
  for (const number of [1, 2, 5, 9, 12]) {
    assert.equal(judge(record, number, number * 10), [number, number * 10, number * 100])
    assert.is(judge(record, number, number * 10 + 1), 'conflict')
  }
})

test('a number that was left out before a later one is already done', () => {
  for (const number of [3, 4]) assert.is(judge(recordOf(1, 2, 5), number, 1), 'already-done')
})

test('confirmed answers are forgotten, the later ones are not, and no number is fresh again', () => {
  const record = recordOf(1, 2, 5, 9)
  confirm(record, 5)
  for (const number of [1, 2, 5]) assert.is(judge(record, number, number * 10), 'already-done')
  assert.equal(judge(record, 9, 90), [9, 90, 900])
  confirm(record, 2)
  confirm(record, 100)
  assert.equal([record.answers.length, record.lastNumber, judge(record, 9, 90)], [0, 9, 'already-done'])
})

test('the oldest answers beyond the limit are forgotten', () => {
  const record = recordOf(...Array.from({ length: LIMITS.maxKeptAnswers + 2 }, (_, index) => index + 1))
  assert.is(record.answers.length, LIMITS.maxKeptAnswers)
  assert.is(judge(record, 2, 20), 'already-done')
  assert.equal(judge(record, 3, 30), [3, 30, 300])
})

test('a refusal is an answer with its code, its reason and the field, none longer than is worth keeping', () => {
  const answer = refusalAnswer(3, 30, new HubError('bad-action', 'x'.repeat(2_000), { field: 'y'.repeat(500) }))
  assert.equal(answer, [3, 30, 0, 'bad-action', 'x'.repeat(160), 'y'.repeat(80)])
  const record = recordOf(1)
  keepAnswer(record, answer)
  assert.equal(judge(record, 3, 30), answer)
  assert.is(record.lastNumber, 3)
})

test('however long the words of refusals are, what is kept of 4,096 takes under 192 KiB; the oldest still tell their code', () => {
  const record = recordOf()
  const words = '€'.repeat(500)
  for (let number = 1; number <= LIMITS.maxKeptAnswers; number++)
    keepAnswer(record, refusalAnswer(number, 2 ** 32 - 1, new HubError('unauthenticated', words, { field: words })))
  const keptBytes = encodeValue(record as unknown as Plain).length
  assert.ok(keptBytes < 196_608, `${keptBytes} bytes`)
  assert.equal(judge(record, 1, 2 ** 32 - 1), [1, 2 ** 32 - 1, 0, 'unauthenticated', '', ''])
  assert.equal(judge(record, 4_096, 2 ** 32 - 1).at(4), '€'.repeat(160))
})

test.run()
