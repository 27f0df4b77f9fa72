import * as assert from 'uvu/assert'
import { decodeValue, encodeValue, type Plain } from '../../../protocol/index.ts'
import { addPosition, newPositionHistory, positionVersions, storedPositions } from '../../../server/core/position-history.ts'
import type { PositionHistoryRecord } from '../../../server/core/records.ts'
import { coreHub, type TestAction } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/history')

const HOUR_US = 3_600e6

/** A history to which so many places were added, one every `everyUs`. */
function historyOf(
  count: number,
  everyUs: number,
  progressionAt = (index: number): number => index / count,
  extraAt = (_index: number): Plain => null
): PositionHistoryRecord {
  const history = newPositionHistory()
  for (let index = 0; index < count; index++)
    addPosition(history, {
      cursor: index + 1,
      timeUs: index * everyUs,
      atMs: 0,
      body: { progression: progressionAt(index), extra: { at: extraAt(index) } }
    })
  return history
}

const stored = (history: PositionHistoryRecord): Uint8Array => encodeValue(storedPositions(history) as unknown as Plain)
const read = (bytes: Uint8Array): PositionHistoryRecord => decodeValue(bytes) as unknown as PositionHistoryRecord

const cursorsOf = (history: PositionHistoryRecord): number[] => positionVersions(history).map(({ cursor }) => cursor)

test('the newest 32 places are all kept, and of older ones the last of each hour, then of each day', () => {
  const history = historyOf(6_400, HOUR_US / 20)
  const cursors = cursorsOf(history)
  assert.equal(
    cursors.slice(-32),
    Array.from({ length: 32 }, (_, index) => 6_369 + index)
  )
  const older = positionVersions(history).slice(0, -32)
  const hours = older
    .filter(({ timeUs }) => 6_399 * (HOUR_US / 20) - timeUs <= 47 * HOUR_US)
    .map(({ timeUs }) => Math.floor(timeUs / HOUR_US))
  assert.is(new Set(hours).size, hours.length)
  assert.ok(hours.length > 40)
  const days = older
    .filter(({ timeUs }) => 6_399 * (HOUR_US / 20) - timeUs > 50 * HOUR_US)
    .map(({ timeUs }) => Math.floor(timeUs / (24 * HOUR_US)))
  assert.ok(days.length >= 9 && days.length <= 13, `${days.length} days`)
})

test('the place from which a reader went back is kept', () => {
  const history = historyOf(2_000, 1e6, index => (index < 700 ? index / 1_000 : (index - 700) / 2_000))
  assert.ok(cursorsOf(history).includes(700))
})

test('a history is bounded in entries and in bytes, whatever it is given', () => {
  const back = historyOf(5_000, 1e6, index => (index % 2 === 0 ? 0.5 : 0.1))
  assert.ok(cursorsOf(back).length <= 256 + 32)
  const large = historyOf(320, 1, undefined, () => 'x'.repeat(60_000))
  assert.ok(cursorsOf(large).length <= 2, `${cursorsOf(large).length} large ones`)
  assert.ok(large.fields.length < 180_000, `${large.fields.length} bytes`)
  const full = historyOf(351, 1, undefined, () => 'x'.repeat(60_000))
  assert.ok(full.fields.length < 33 * 60_100 * 1.25, `${full.fields.length} bytes just before it is thinned out`)
})

test('a place is what it was, however often others were thinned out around it, and the record was stored and read', () => {
  const extraAt = (index: number): Plain => 'é'.repeat((index * 7_919) % 90)
  const progressionAt = (index: number): number => ((index * 31) % 100) / 100
  let history = newPositionHistory()
  for (let index = 0; index < 1_000; index++) {
    const body = { progression: progressionAt(index), extra: { at: extraAt(index) } }
    addPosition(history, { cursor: index + 1, timeUs: index * 60e6, atMs: index, body })
    if (index % 83 === 0) history = read(stored(history))
  }
  const versions = positionVersions(history)
  assert.ok(versions.length > 100)
  for (const { cursor, timeUs, atMs, progression, fields } of versions)
    assert.equal(
      { timeUs, atMs, progression, fields },
      {
        timeUs: (cursor - 1) * 60e6,
        atMs: cursor - 1,
        progression: progressionAt(cursor - 1),
        fields: { progression: progressionAt(cursor - 1), extra: { at: extraAt(cursor - 1) } }
      }
    )
})

test('what was read of a history stays as it is while places come and go', () => {
  const bytesAt = (index: number): Uint8Array => new Uint8Array(8).fill(index)
  // Four before they are thinned out, with room for those.
  const history = historyOf(60, 1, undefined, bytesAt)
  const known = positionVersions(history).map(({ cursor, fields }) => ({ cursor, fields }))
  const before = stored(history)
  const body = { extra: { at: bytesAt(255) } }
  for (let index = 60; index < 400; index++) addPosition(history, { cursor: index + 1, timeUs: index, atMs: 0, body })
  for (const { cursor, fields } of known) assert.equal(fields.extra, { at: bytesAt(cursor - 1) })
  const copy = before.slice()
  addPosition(read(before), { cursor: 99, timeUs: 99, atMs: 0, body })
  assert.equal(before, copy)
})

const turn = (number: number, progression: number): TestAction => [number, 'position.set', 'b', { progression }]

test('a place of any device is restored by its cursor, above the floor and below it, and after a restart', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'tablet')
  const [phone, tablet] = [core.connect(), core.connect()]
  await phone.hello(devices['phone']!.token)
  await tablet.hello(devices['tablet']!.token)
  await phone.ask(1, 'position.set', 'b', { progression: 0.9, chapter: 'The last' })
  const cursor = account.head
  for (let number = 2; number < 5_002; number += 250) {
    phone.push(number - 1, ...Array.from({ length: 250 }, (_, index) => turn(number + index, 0.1)))
    await phone.next('acked')
  }
  phone.send('ack', { cursor: account.head })
  tablet.send('ack', { cursor: account.head })
  const listed = await tablet.list('position-history', 'b')
  const [id, version] = listed[0]!
  assert.equal(
    [Number(id), version['cursor'], version['device'], version['chapter']],
    [cursor, cursor, devices['phone']!.device, 'The last']
  )
  assert.equal((await tablet.ask(1, 'position.restore', 'b', { cursor })).accepted.length, 1)
  assert.ok((await core.hub.compact(account.id)).floor > cursor)
  await core.hub.close()
  const again = coreHub({ store: core.store })
  const back = again.connect()
  await back.hello(devices['phone']!.token)
  const { accepted } = await back.ask(6_000, 'position.restore', 'b', { cursor })
  const places = await back.list('positions', 'b')
  assert.equal(
    places.map(([, { progression, chapter }]) => [progression, chapter]),
    [
      [0.9, 'The last'],
      [0.9, 'The last']
    ]
  )
  await back.changesUpTo(accepted[0]![1])
  assert.equal(back.changes.at(-1)!.slice(6), ['position.set', 'b', { progression: 0.9, chapter: 'The last' }])
})

test('a place that is not kept, or is of another book, is refused', async () => {
  const core = coreHub()
  const { account, devices } = await core.account('phone')
  const phone = core.connect()
  await phone.hello(devices['phone']!.token)
  await phone.ask(1, 'position.set', 'other', { progression: 0.5 })
  for (const [number, cursor] of [account.head, 1, 99].entries()) {
    const { refused } = await phone.ask(number + 2, 'position.restore', 'b', { cursor })
    assert.equal([refused[0]![1], refused[0]![3]], ['not-found', 'body.cursor'])
  }
})

test.run()
