import * as assert from 'uvu/assert'
import { bookUuid } from '../../../server/dialects/feed/book-ids.ts'
import { suite } from '../../util/suite.ts'
import { feedClient, newBook, type FeedClient } from './client.ts'

const test = suite('dialects/feed/sync')

let opened: Promise<FeedClient> | undefined
const feed = (): Promise<FeedClient> => (opened ??= feedClient(test.shared))

/** Now, as the feed tells it. */
const timeOf = async (client: FeedClient): Promise<string> => (await client.get('/sync?limit=1')).serverTime
const since = (time: string): string => `since=${encodeURIComponent(time)}`

/** What the feed tells of the books that something changed of meanwhile. */
async function toldOf(client: FeedClient, change: () => Promise<void>): Promise<Record<string, any>[]> {
  const time = await timeOf(client)
  await change()
  return (await client.drain(since(time))).books
}

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('a book of which nothing is known has every member, and null where it is unknown', async () => {
  const client = await feed()
  const book = newBook()
  const [told] = await toldOf(client, () => client.write('book.put', book, {}))
  const { id, createdAt, updatedAt, ...rest } = told!
  assert.match(id, UUID)
  assert.match(createdAt, ISO)
  assert.is(updatedAt, createdAt)
  assert.equal(rest, {
    status: 'organized',
    title: null,
    author: null,
    isbn10: null,
    isbn13: null,
    publisher: null,
    publishedYear: null,
    language: null,
    description: null,
    coverUrl: null,
    coverPath: null,
    pageCount: null,
    series: null,
    seriesIndex: null,
    genres: [],
    tags: [],
    hardcoverBookId: null,
    hardcoverEditionId: null,
    createdBy: null,
    possibleDuplicateOf: null,
    approvedAt: null,
    files: [],
    uploader: null,
    progress: {
      percentage: null,
      status: 'unread',
      lastDevice: null,
      lastTimestamp: null,
      startedAt: null,
      finishedAt: null,
      pausedAt: null,
      manuallySet: false,
      externallySet: false
    }
  })
})

test('all that is known of a book is told in its member, with its type', async () => {
  const client = await feed()
  const book = newBook()
  const sha256 = '5'.repeat(64)
  const [told] = await toldOf(client, () =>
    client.write('book.put', book, {
      title: 'Emma',
      authors: ['Jane Austen', 'A. N. Editor'],
      publisher: 'John Murray',
      published: 'December 23, 1815',
      language: 'en',
      description: 'A comedy of manners',
      series: 'Novels',
      seriesIndex: 4.5,
      subjects: ['Fiction', 'Romance'],
      tags: ['to read'],
      cover: sha256,
      file: { sha256, sizeBytes: 123_456_789_012, mediaType: 'application/epub+zip', name: 'Emma.epub' },
      identifiers: { 'isbn:9780141439587': 'import', 'hardcover:77': 'x', 'hardcover-edition:2147483648': 'x' },
      extra: { pageCount: 474 }
    })
  )
  const { id } = told!
  assert.is(id, bookUuid(book))
  const { files, coverUrl, createdAt: _, updatedAt: __, progress: ___, ...rest } = told!
  assert.equal(rest, {
    id,
    status: 'organized',
    title: 'Emma',
    author: 'Jane Austen, A. N. Editor',
    isbn10: '0141439580',
    isbn13: '9780141439587',
    publisher: 'John Murray',
    publishedYear: 1815,
    language: 'en',
    description: 'A comedy of manners',
    coverPath: `covers/${sha256}`,
    pageCount: 474,
    series: 'Novels',
    seriesIndex: 4.5,
    genres: ['Fiction', 'Romance'],
    tags: ['to read'],
    hardcoverBookId: 77,
    hardcoverEditionId: null,
    createdBy: null,
    possibleDuplicateOf: null,
    approvedAt: null,
    uploader: null
  })
  assert.ok(coverUrl.endsWith(`/api/library/${id}/cover`))
  assert.is(new URL(coverUrl).protocol.slice(0, 4), 'http')
  assert.equal(files, [{ id: files[0].id, format: 'epub', originalName: 'Emma.epub', fileSize: '123456789012' }])
  assert.match(files[0].id, UUID)
})

test('a book whose id is a UUID keeps it', async () => {
  const client = await feed()
  const book = crypto.randomUUID()
  const [told] = await toldOf(client, () => client.write('book.put', book, { title: 'x' }))
  assert.is(told!['id'], book)
})

test('the progress is that of the device that is furthest, and the status follows from it', async () => {
  const client = await feed()
  const other = await feedClient(test.shared, client.hub)
  const book = newBook()
  await client.write('book.put', book, { title: 'x' })
  const progress = async (): Promise<any> => (await client.get(`/${bookUuid(book)}`)).progress
  await client.write('position.set', book, { locators: { cfi: '/6/2' } })
  assert.equal([(await progress()).percentage, (await progress()).status], [null, 'unread'])
  await client.write('position.set', book, { progression: 0 })
  assert.equal([(await progress()).percentage, (await progress()).status, (await progress()).startedAt], [0, 'unread', null])
  const beganMs = Date.now()
  await other.write('position.set', book, { progression: 0.123_456 })
  const begun = await progress()
  assert.equal([begun.percentage, begun.status, begun.lastDevice], [0.1235, 'reading', 'Feed client'])
  assert.match(begun.startedAt, ISO)
  assert.ok(Number.isInteger(begun.lastTimestamp) && Math.abs(begun.lastTimestamp - beganMs / 1_000) < 3_600)
  await client.write('position.set', book, { progression: 0.94999 })
  assert.equal([(await progress()).status, (await progress()).finishedAt], ['reading', null])
  await client.write('position.set', book, { progression: 0.95 })
  const finished = await progress()
  assert.equal([finished.percentage, finished.status, finished.startedAt], [0.95, 'finished', begun.startedAt])
  assert.match(finished.finishedAt, ISO)
  await client.write('position.set', book, { progression: 0.1 })
  const again = await progress()
  assert.equal([again.percentage, again.startedAt, again.finishedAt], [0.1235, begun.startedAt, finished.finishedAt])
  const { bookId, progress: places } = await client.get(`/${bookUuid(book)}/progress`)
  assert.is(bookId, bookUuid(book))
  assert.equal(
    places.map(({ document, device, deviceId, progress, percentage }: any) => ({
      document,
      device,
      deviceId,
      progress,
      percentage
    })),
    [
      { document: book, device: 'Feed client', deviceId: client.device, progress: '', percentage: 0.1 },
      { document: book, device: 'Feed client', deviceId: other.device, progress: '', percentage: 0.1235 }
    ]
  )
})

const GOOD: [query: string, page: number, limit: number][] = [
  ['', 1, 20],
  ['page=1&limit=1', 1, 1],
  ['limit=100', 1, 100],
  ['page=1e1', 10, 20],
  ['page=%202', 2, 20],
  ['page=9007199254740991', 9_007_199_254_740_991, 20],
  ['unknown=1&other[]=2', 1, 20],
  ['since=2026-01-01T00:00:00Z', 1, 20],
  ['since=2026-01-01T00:00:00.5Z', 1, 20],
  ['since=2026-01-01T00:00:00.123456789012Z', 1, 20],
  ['since=2024-02-29T23:59:59Z', 1, 20],
  ['since=0001-01-01T00:00:00Z', 1, 20],
  ['since=9999-12-31T23:59:59Z', 1, 20]
]
for (const [query, page, limit] of GOOD)
  test(`?${query} is page ${page} of ${limit}`, async () => {
    const { data, pagination, serverTime } = await (await feed()).get(`/sync?${query}`)
    assert.equal([pagination.page, pagination.limit], [page, limit])
    assert.is(pagination.totalPages, Math.ceil(pagination.total / limit))
    assert.is(data.length, Math.max(0, Math.min(limit, pagination.total - (page - 1) * limit)))
    assert.match(serverTime, ISO)
  })

const BAD: [query: string, path: string, code: string][] = [
  ['page=', 'page', 'too_small'],
  ['page=0', 'page', 'too_small'],
  ['page=-1', 'page', 'too_small'],
  ['page=abc', 'page', 'invalid_type'],
  ['page=1.5', 'page', 'invalid_type'],
  ['page=1&page=2', 'page', 'invalid_type'],
  ['page=99999999999999999999', 'page', 'too_big'],
  ['limit=0', 'limit', 'too_small'],
  ['limit=101', 'limit', 'too_big'],
  ['limit=1.5', 'limit', 'invalid_type'],
  ['limit=', 'limit', 'too_small'],
  ['limit=5&limit=5', 'limit', 'invalid_type'],
  ['since=', 'since', 'invalid_format'],
  ['since=2026-01-01T00:00:00%2B00:00', 'since', 'invalid_format'],
  ['since=2026-01-01T00:00:00', 'since', 'invalid_format'],
  ['since=2026-01-01', 'since', 'invalid_format'],
  ['since=2026-01-01T00:00Z', 'since', 'invalid_format'],
  ['since=2026-02-30T00:00:00Z', 'since', 'invalid_format'],
  ['since=2026-01-01T24:00:00Z', 'since', 'invalid_format'],
  ['since=yesterday', 'since', 'invalid_format'],
  ['since=2026-01-01T00:00:00Z&since=2026-01-01T00:00:00Z', 'since', 'invalid_type']
]
for (const [query, path, code] of BAD)
  test(`?${query} is refused, and names ${path}`, async () => {
    const { status, json, headers } = await (await feed()).ask('GET', `/sync?${query}`)
    assert.is(status, 400)
    assert.match(headers.get('content-type') ?? '', /^application\/json/)
    assert.equal(Object.keys(json), ['error', 'issues'])
    assert.is(json.error, 'Validation failed')
    assert.equal(
      json.issues.map((issue: any) => [issue.path, issue.code, typeof issue.message]),
      [[[path], code, 'string']]
    )
  })

test('a page behind the last is empty, and tells the total', async () => {
  const client = await feed()
  const time = await timeOf(client)
  for (let count = 0; count < 3; count++) await client.write('book.put', newBook(), { title: 'x' })
  const { data, pagination } = await client.get(`/sync?page=7&limit=2&${since(time)}`)
  assert.equal([data, pagination], [[], { page: 7, limit: 2, total: 3, totalPages: 2 }])
  const none = await client.get(`/sync?${since(await timeOf(client))}`)
  assert.equal([none.data, none.pagination], [[], { page: 1, limit: 20, total: 0, totalPages: 0 }])
})

const TOLD: [what: string, change: (client: FeedClient, book: string) => Promise<unknown>][] = [
  ['its metadata', (client, book) => client.write('book.put', book, { title: 'y' })],
  ['a page turn', (client, book) => client.write('position.set', book, { progression: 0.3 })],
  ['a page turn back', (client, book) => client.write('position.set', book, { progression: 0.1 })],
  ['a status set by hand', (client, book) => client.ask('PATCH', `/${bookUuid(book)}/reading-status`, { status: 'paused' })],
  ['the status taken back', (client, book) => client.ask('DELETE', `/${bookUuid(book)}/reading-status`)],
  ['an annotation', (client, book) => client.write('annotation.put', book, { id: 'a', note: 'x' })]
]

test('every change moves a book into the changes since, once, and nothing else does', async () => {
  const client = await feed()
  const [book, quiet] = [newBook(), newBook()]
  for (const id of [book, quiet]) await client.write('book.put', id, { title: 'x' })
  for (const [what, change] of TOLD) {
    const told = await toldOf(client, async () => void (await change(client, book)))
    assert.equal(
      told.map(({ id }) => id),
      [bookUuid(book)],
      what
    )
    assert.equal(told[0], { ...(await client.get(`/${bookUuid(book)}`)), files: [] }, what)
  }
  assert.equal(await toldOf(client, () => client.write('setting.put', 'feed-test', { value: null })), [])
})

test('one time is told by all pages of a drain, in the order of the changes, and what is changed meanwhile is told once here and again since then', async () => {
  const client = await feed()
  const time = await timeOf(client)
  const books = Array.from({ length: 5 }, newBook)
  for (const book of books) await client.write('book.put', book, { title: 'before' })
  const pages: any[] = []
  for (let page = 1; page <= 3; page++) {
    pages.push(await client.get(`/sync?page=${page}&limit=2&${since(time)}`))
    // One that was told, and one that was not.
    if (page === 1) for (const book of [books[0]!, books[2]!]) await client.write('book.put', book, { title: 'after' })
    if (page === 1) await client.write('book.put', newBook(), { title: 'later' })
    if (page === 2) await client.write('book.remove', books[4]!, {})
  }
  assert.is(new Set(pages.map(({ serverTime }) => serverTime)).size, 1)
  assert.equal(
    pages.flatMap(({ data }) => data.map(({ id, title }: any) => [id, title])),
    [
      [bookUuid(books[0]!), 'before'],
      [bookUuid(books[1]!), 'before'],
      [bookUuid(books[2]!), 'after'],
      [bookUuid(books[3]!), 'before']
    ]
  )
  for (const { pagination } of pages) assert.equal([pagination.total, pagination.totalPages], [5, 3])
  const next = await client.drain(since(pages[0].serverTime))
  assert.equal(
    next.books.map(({ title }) => title),
    ['after', 'after', 'later']
  )
  const updated = next.books.map(({ updatedAt }) => updatedAt)
  assert.ok(updated.every((time, index) => index === 0 || time >= updated[index - 1]))
})

test('a removed book is gone from everything, until it is restored', async () => {
  const client = await feed()
  const book = newBook()
  await client.write('book.put', book, { title: 'x' })
  assert.equal(await toldOf(client, () => client.write('book.remove', book, {})), [])
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/progress'],
    ['GET', '/cover'],
    ['DELETE', '/reading-status']
  ] as const) {
    const { status, json } = await client.ask(method, `/${bookUuid(book)}${path}`)
    assert.equal([status, json], [404, { error: 'Book not found' }])
  }
  const told = await toldOf(client, () => client.write('book.restore', book, {}))
  assert.equal(
    told.map(({ id }) => id),
    [bookUuid(book)]
  )
})

test('positions of a book that was never put are no book', async () => {
  const client = await feed()
  assert.equal(await toldOf(client, () => client.write('position.set', newBook(), { progression: 0.5 })), [])
})

test.run()
