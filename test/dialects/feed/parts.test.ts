import * as assert from 'uvu/assert'
import type { Account } from '../../../server/core/account.ts'
import { Origin } from '../../../server/core/origin.ts'
import { BookIds, bookUuid } from '../../../server/dialects/feed/book-ids.ts'
import { Drains } from '../../../server/dialects/feed/drains.ts'
import { listBooks, readBooks } from '../../../server/dialects/feed/library.ts'
import { progressOf } from '../../../server/dialects/feed/progress.ts'
import { coreHub, type CoreHub } from '../../util/core-hub.ts'
import { costOf } from '../../util/cost.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/feed: parts')

const WRITER = new Origin('writer', '')
const DAY_MS = 86_400_000

async function library(books: number): Promise<{ hub: CoreHub; account: Account; put: (book: string) => Promise<number> }> {
  const hub = coreHub()
  const { account } = await hub.account('phone')
  const put = (book: string): Promise<number> => account.perform(WRITER, 'book.put', book, { title: 'x' })
  await Promise.all(Array.from({ length: books }, (_, index) => put(`b${index}`)))
  return { hub, account, put }
}

test('a book that is not read on for thirty days is paused, and one that is finished is not', async () => {
  const { hub, account } = await library(2)
  await account.perform(WRITER, 'position.set', 'b0', { progression: 0.5 })
  await account.perform(WRITER, 'position.set', 'b1', { progression: 0.95 })
  const statuses = (ms: number): string[] =>
    ['b0', 'b1'].map(book => progressOf(account.views, book, account.views.get('books', book)!, hub.clock.nowMs() + ms).status)
  assert.equal(statuses(30 * DAY_MS), ['reading', 'finished'])
  assert.equal(statuses(30 * DAY_MS + 1), ['paused', 'finished'])
})

test('of two devices that are as far, the newer is told', async () => {
  const { account } = await library(1)
  for (const device of ['d1', 'd2']) await account.perform(new Origin(device, ''), 'position.set', 'b0', { progression: 0.5 })
  const { lastDevice } = progressOf(account.views, 'b0', account.views.get('books', 'b0')!, 0)
  assert.is(lastDevice, 'd2')
})

test('a page of a list that is gone is of a new one, whose time is the one that the client brought', async () => {
  const { hub, account } = await library(5)
  const page = { page: 2, limit: 2 }
  const sinceUs = 1_700_000_000_000_123
  const before = new Drains(hub.clock)
  const { serverTimeMs, books } = await before.drain(account, 'phone', { ...page, page: 1 }, undefined)
  assert.is(serverTimeMs, account.sealTime())
  assert.equal(await before.drain(account, 'phone', page, undefined), {
    ...(await before.drain(account, 'phone', page, undefined))
  })
  assert.is((await before.drain(account, 'phone', page, undefined)).serverTimeMs, serverTimeMs)
  const after = new Drains(hub.clock)
  const lost = await after.drain(account, 'phone', page, undefined)
  assert.equal([lost.serverTimeMs, lost.books], [0, books])
  assert.is((await after.drain(account, 'phone', page, sinceUs)).serverTimeMs, 1_700_000_000_000)
  assert.is((await after.drain(account, 'phone', { ...page, page: 3 }, undefined)).serverTimeMs, 0)
})

test('of an account eight lists are kept, those that were used last, for a quarter of an hour', async () => {
  const { hub, account } = await library(3)
  const drains = new Drains(hub.clock)
  const page = (device: string, number: number): Promise<{ serverTimeMs: number }> =>
    drains.drain(account, device, { page: number, limit: 1 }, undefined)
  const isKept = async (device: string): Promise<boolean> => (await page(device, 2)).serverTimeMs > 0
  for (let device = 0; device < 8; device++) await page(`d${device}`, 1)
  assert.is(await isKept('d0'), true)
  await page('d8', 1)
  assert.equal([await isKept('d0'), await isKept('d1')], [true, false])
  hub.clock.step(15 * 60_000)
  assert.is(await isKept('d0'), true)
  hub.clock.step(15 * 60_000 + 1)
  assert.is(await isKept('d0'), false)
})

test('of lists that are asked for at once one is made behind the other', async () => {
  const { hub, account } = await library(501)
  const turns: (() => void)[] = []
  const clock = {
    nowMs: () => hub.clock.nowMs(),
    nextTurn: (task: () => void) => void turns.push(task),
    setTimer: () => () => undefined
  }
  const drains = new Drains(clock)
  const made = Promise.all(['d0', 'd1', 'd2'].map(device => drains.drain(account, device, { page: 1, limit: 100 }, undefined)))
  for (let list = 0; list < 3; list++) {
    await new Promise(resolve => setImmediate(resolve))
    assert.is(turns.length, 1, `list ${list}`)
    turns.pop()!()
  }
  for (const { books } of await made) assert.is(books.length, 501)
})

test('books that take long to read are read one in each turn', async () => {
  const { account } = await library(8)
  let [nowMs, turns] = [0, 0]
  const nextTurn = (task: () => void): void => {
    turns += 1
    setImmediate(task)
  }
  const clock = { nowMs: () => (nowMs += 5), nextTurn, setTimer: () => () => undefined }
  const books = Array.from({ length: 8 }, (_, index) => `b${index}`)
  const read = await readBooks(account, books, { clock, base: '' })
  assert.equal(
    read.map(({ id }) => id),
    books.map(bookUuid)
  )
  assert.is(turns, 7)
})

test('books that take long to look through are looked through one in each turn', async () => {
  const { account } = await library(8)
  let [nowMs, turns] = [0, 0]
  const nextTurn = (task: () => void): void => {
    turns += 1
    setImmediate(task)
  }
  const clock = { nowMs: () => (nowMs += 5), nextTurn, setTimer: () => () => undefined }
  const { total } = await listBooks(account, { page: 1, limit: 20, sort: 'title_asc', q: '' }, { clock, base: '' })
  assert.is(total, 8)
  assert.ok(turns >= 8, `${turns} turns`)
})

test('rows of a thousand marks in what books say of themselves hold nobody up who looks through the list', async () => {
  const { hub, account } = await library(8)
  const description = '\u0315\u0300'.repeat(16_000)
  const rows = `a${'\u0301'.repeat(31)}`.repeat(1_000)
  const putAll = (text: string) =>
    Promise.all(Array.from({ length: 8 }, (_, index) => account.perform(WRITER, 'book.put', `b${index}`, { description: text })))
  const found = async (q: string): Promise<number> =>
    (await listBooks(account, { page: 1, limit: 20, sort: 'title_asc', q }, { clock: hub.clock, base: '' })).total
  await putAll('Caf\u00e9')
  assert.is(await found('CAFE\u0301'), 8)
  await putAll(description)
  let total = 0
  const costUs = await costOf(async () => (total = await found(description.slice(0, 400))))
  assert.is(total, 8)
  // Sorted, each would take a second or more.
  assert.ok(costUs < 2_000_000, `${costUs} µs`)
  await putAll(rows)
  assert.is(await found(rows.slice(0, 400)), 8)
})

test('a book is found by its id on the wire, however many there are, and one that came later too', async () => {
  const { hub, account, put } = await library(1_200)
  const ids = new BookIds(hub.clock)
  for (const book of ['b0', 'b777', 'b1199']) assert.is((await ids.find(account, bookUuid(book))).book, book)
  await put('later')
  assert.is((await ids.find(account, bookUuid('later'))).book, 'later')
  assert.is((await ids.find(account, bookUuid('b5'))).book, 'b5')
  const refused = await ids.find(account, bookUuid('never')).catch((error: { code: string }) => error.code)
  assert.is(refused, 'not-found')
})

test.run()
