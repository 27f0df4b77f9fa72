import * as assert from 'uvu/assert'
import { bookUuid } from '../../../server/dialects/feed/book-ids.ts'
import { RestFiles } from '../../util/rest-files.ts'
import { suite } from '../../util/suite.ts'
import { feedClient, newBook, type FeedClient } from './client.ts'

const test = suite('dialects/feed/books')

let opened: Promise<FeedClient> | undefined
const feed = (): Promise<FeedClient> => (opened ??= feedClient(test.shared))

async function someBook(fields: object = {}): Promise<{ client: FeedClient; book: string; at: string }> {
  const client = await feed()
  const book = newBook()
  await client.write('book.put', book, { title: 'x', ...fields })
  return { client, book, at: `/${bookUuid(book)}` }
}

const DAY = '2026-01-01T00:00:00.000Z'
const NEXT_DAY = '2026-01-02T00:00:00.000Z'

test('a status that is set by hand wins over what follows from the progress, until it is taken back', async () => {
  const { client, book, at } = await someBook()
  await client.write('position.set', book, { progression: 0.99 })
  const before = (await client.get(at)).progress
  assert.is(before.status, 'finished')
  const set = await client.ask('PATCH', `${at}/reading-status`, { status: 'reading', startedAt: DAY })
  assert.is(set.status, 200)
  assert.equal(set.json, { ...before, status: 'reading', startedAt: DAY, manuallySet: true })
  await client.write('position.set', book, { progression: 0.1 })
  assert.is((await client.get(at)).progress.status, 'reading')
  await client.write('position.set', book, { progression: 0.99 })
  const back = await client.ask('DELETE', `${at}/reading-status`)
  assert.equal(
    [back.status, back.json.status, back.json.manuallySet, back.json.startedAt],
    [200, 'finished', false, before.startedAt]
  )
  const again = await client.ask('DELETE', `${at}/reading-status`)
  assert.equal([again.status, again.json], [200, back.json])
})

test('each status keeps the dates that it has, and lets the others go', async () => {
  const { client, at } = await someBook()
  const dates = { startedAt: DAY, finishedAt: NEXT_DAY, pausedAt: NEXT_DAY }
  const set = async (body: object): Promise<unknown[]> => {
    const { status, json, text } = await client.ask('PATCH', `${at}/reading-status`, body)
    assert.is(status, 200, text)
    assert.equal(json, (await client.get(at)).progress)
    return [json.status, json.startedAt, json.finishedAt, json.pausedAt]
  }
  assert.equal(await set({ status: 'paused', ...dates }), ['paused', DAY, null, NEXT_DAY])
  assert.equal(await set({ status: 'finished', ...dates }), ['finished', DAY, NEXT_DAY, null])
  assert.equal(await set({ status: 'finished' }), ['finished', DAY, NEXT_DAY, null])
  assert.equal(await set({ status: 'reading' }), ['reading', DAY, null, null])
  assert.equal(await set({ status: 'unread', ...dates }), ['unread', null, null, null])
  assert.equal(await set({ status: 'reading' }), ['reading', null, null, null])
})

test("a status that was given up is told as paused, which is the API's nearest word", async () => {
  const { client, at } = await someBook({ status: { state: 'abandoned', startedAtMs: 0 } })
  const { status, startedAt, manuallySet } = (await client.get(at)).progress
  assert.equal([status, startedAt, manuallySet], ['paused', '1970-01-01T00:00:00.000Z', true])
})

const WRONG: [what: string, body: unknown, error: string][] = [
  ['no status', {}, 'Validation failed'],
  ['an unknown status', { status: 'abandoned' }, 'Validation failed'],
  ['a list', [], 'Validation failed'],
  ['a date without a zone', { status: 'reading', startedAt: '2026-01-01T00:00:00' }, 'Validation failed'],
  ['a number for a date', { status: 'reading', startedAt: 5 }, 'Validation failed'],
  ['a date to come', { status: 'reading', startedAt: '9999-01-01T00:00:00Z' }, 'Dates cannot be in the future'],
  ['a date before all dates', { status: 'reading', startedAt: '1969-01-01T00:00:00Z' }, 'Dates cannot be before 1970'],
  [
    'an end before the beginning',
    { status: 'finished', startedAt: NEXT_DAY, finishedAt: DAY },
    'finishedAt cannot be before startedAt'
  ],
  ['what is no JSON', new TextEncoder().encode('{'), 'Malformed JSON in request body'],
  ['nothing', new Uint8Array(), 'Malformed JSON in request body'],
  ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'Malformed JSON in request body']
]
for (const [what, body, error] of WRONG)
  test(`a status with ${what} is refused, and changes nothing`, async () => {
    const { client, at } = await someBook()
    const { status, json } = await client.ask('PATCH', `${at}/reading-status`, body)
    assert.equal([status, json.error], [400, error])
    assert.is(Array.isArray(json.issues), error === 'Validation failed')
    assert.is((await client.get(at)).progress.manuallySet, false)
  })

test('a body over 64 KiB is refused', async () => {
  const { client, at } = await someBook()
  const { status, json } = await client.ask('PATCH', `${at}/reading-status`, { status: 'unread', more: 'x'.repeat(65_536) })
  assert.equal([status, json], [413, { error: 'the body is over 65536 bytes' }])
})

test('one book is told as the feed tells it, with where its file is', async () => {
  const sha256 = 'a'.repeat(64)
  const { client, at } = await someBook({ file: { sha256, sizeBytes: 5, mediaType: 'application/pdf', name: 'x.PDF' } })
  const { files } = await client.get(at)
  assert.equal(files, [
    { id: files[0].id, format: 'pdf', originalName: 'x.PDF', fileSize: '5', storagePath: `aa/aa/${sha256}`, checksum: sha256 }
  ])
  const upper = await client.get(at.toUpperCase())
  assert.is(upper.id, at.slice(1))
})

const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')

test('a cover comes with its tag and its kind, and not again for that tag', async () => {
  const { client, book, at } = await someBook()
  const files = new RestFiles(() => client.hub.url, client.token)
  const sha256 = await files.put(`covers/${book}.png`, new Uint8Array(PNG))
  assert.is((await client.ask('GET', `${at}/cover`)).json.error, 'Cover not found')
  await client.write('book.put', book, { cover: sha256 })
  const cover = await client.ask('GET', `${at}/cover`)
  assert.equal(
    [cover.status, cover.headers.get('content-type'), cover.headers.get('cache-control'), cover.headers.get('etag')],
    [200, 'image/png', 'private, max-age=86400', `"${sha256}"`]
  )
  for (const tag of [`"${sha256}"`, `W/"${sha256}"`, `"x", "${sha256}"`, '*']) {
    const again = await client.ask('GET', `${at}/cover`, undefined, { 'if-none-match': tag })
    assert.equal([again.status, again.text], [304, ''], tag)
  }
  assert.is((await client.ask('GET', `${at}/cover`, undefined, { 'if-none-match': '"other"' })).status, 200)
})

test('a cover that is no image, or that the hub does not hold, is none', async () => {
  const { client, book, at } = await someBook()
  const files = new RestFiles(() => client.hub.url, client.token)
  const page = await files.put(`covers/${book}.html`, new TextEncoder().encode('<script>alert(1)</script>'))
  for (const cover of [page, 'c'.repeat(64)]) {
    await client.write('book.put', book, { cover })
    const { status, json } = await client.ask('GET', `${at}/cover`)
    assert.equal([status, json], [404, { error: 'Cover not found' }])
  }
})

test('a file is downloaded under its name, whole or in part', async () => {
  const { client, book, at } = await someBook()
  const files = new RestFiles(() => client.hub.url, client.token)
  const bytes = new TextEncoder().encode(`the text of ${book}`)
  const sha256 = await files.put(`${book}.epub`, bytes)
  await client.write('book.put', book, {
    file: { sha256, sizeBytes: bytes.length, mediaType: 'application/epub+zip', name: 'Émile "1".epub' }
  })
  const { id } = (await client.get(at)).files[0]
  const whole = await client.ask('GET', `${at}/download/${id}`)
  assert.equal([whole.status, whole.text], [200, `the text of ${book}`])
  assert.is(whole.headers.get('content-type'), 'application/epub+zip')
  assert.match(whole.headers.get('content-disposition')!, /^attachment; filename="_mile _1_.epub"; filename\*=UTF-8''%C3%89mile/)
  const part = await client.ask('GET', `${at}/download/${id}`, undefined, { range: 'bytes=4-7' })
  assert.equal([part.status, part.text], [206, 'text'])
  const beyond = await client.ask('GET', `${at}/download/${id}`, undefined, { range: 'bytes=999-' })
  assert.equal([beyond.status, Object.keys(beyond.json)], [416, ['error']])
  for (const wrong of [crypto.randomUUID(), sha256, '..%2f..%2fstore'])
    assert.equal((await client.ask('GET', `${at}/download/${wrong}`)).json, { error: 'File not found' })
})

test('a book between two others of its series stands between them', async () => {
  const client = await feed()
  const series = `Series ${newBook()}`
  for (const seriesIndex of [10, 1.5, 2, 0.5, 1, 1_000_000])
    await client.write('book.put', newBook(), { title: String(seriesIndex), series, seriesIndex })
  const { data } = await client.get(`?series=${encodeURIComponent(series)}&sort=series_asc`)
  assert.equal(
    data.map(({ title }: any) => title),
    ['0.5', '1', '1.5', '2', '10', '1000000']
  )
})

test('the list is looked through by what is asked, in the order that is asked', async () => {
  const client = await feed()
  const series = `Series ${newBook()}`
  const put = (title: string, author: string, seriesIndex: number, more: object = {}): Promise<void> =>
    client.write('book.put', newBook(), { title, authors: [author], series, seriesIndex, ...more })
  await put('Beta', 'Zoë Ä', 10, { subjects: ['Fiction'], language: 'en' })
  await put('alpha', 'Yan', 2, { subjects: ['fiction', 'Poems'], language: 'de', description: 'about a whale' })
  await put('Gamma', 'Xi', 1, { language: 'de' })
  const titles = async (query: string): Promise<string[]> => {
    const { data } = await client.get(`?series=${encodeURIComponent(series)}&${query}`)
    for (const book of data) assert.not('progress' in book)
    return data.map(({ title }: any) => title)
  }
  for (const [query, expected] of [
    ['', 'Gamma alpha Beta'],
    ['sort=added_newest', 'Gamma alpha Beta'],
    ['sort=added_oldest', 'Beta alpha Gamma'],
    ['sort=title_asc', 'alpha Beta Gamma'],
    ['sort=title_desc', 'Gamma Beta alpha'],
    ['sort=author_asc', 'Gamma alpha Beta'],
    ['sort=author_desc', 'Beta alpha Gamma'],
    ['sort=series_asc', 'Gamma alpha Beta'],
    ['author=zo%C3%AB', 'Beta'],
    ['genre=FICTION', 'alpha Beta'],
    ['language=de', 'Gamma alpha'],
    ['q=whale', 'alpha'],
    ['q=AMM', 'Gamma'],
    ['q=nothing-of-it', ''],
    ['uploaderId=someone', ''],
    ['limit=1&page=2', 'alpha'],
    ['limit=2&page=2', 'Beta']
  ] as const)
    assert.is((await titles(query)).join(' '), expected, query)
  const { pagination } = await client.get(`?series=${encodeURIComponent(series)}&limit=2&page=9`)
  assert.equal(pagination, { page: 9, limit: 2, total: 3, totalPages: 2 })
  assert.equal((await client.get('/?q=whale')).pagination.total, 1)
  assert.equal((await client.get('/sync/?limit=1')).pagination.limit, 1)
  for (const query of ['sort=best', 'limit=101', 'page=0', 'q=a&q=b']) {
    const { status, json } = await client.ask('GET', `?${query}`)
    assert.equal([status, json.error], [400, 'Validation failed'], query)
  }
})

test.run()
