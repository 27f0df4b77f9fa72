import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { Plain, WireChange } from '../../../protocol/index.ts'
import { revokeDevice, updateDevice } from '../../../server/auth/devices.ts'
import { bookHashes } from '../../../server/files/book-hashes.ts'
import { Origin } from '../../../server/core/origin.ts'
import { positionVersions } from '../../../server/core/position-history.ts'
import type { PositionHistoryRecord } from '../../../server/core/records.ts'
import { operate } from '../../../server/operations.ts'
import { tablesRead } from '../../util/tables-read.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { makeEpub } from '../../util/make-epub.ts'
import { register } from '../../util/serving-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { WireClient } from '../../util/wire-client.ts'
import { newDocument, ownReader, type OwnReader } from './reader.ts'

const test = suite('dialects/kosync/books')

/** A live device of the account, which hears of every change. */
async function liveDevice(context: TestContext, { account, hub }: OwnReader): Promise<WireClient & { device: string }> {
  const { device, token } = await register(account, 'desk')
  const wire = new WireClient()
  await wire.connect(hub.url, token)
  context.defer(() => wire.close())
  return Object.assign(wire, { device })
}

type Fields = Record<string, Plain>

/** What a live device heard of positions: the book, the device, the fields. */
const positionsOf = (changes: readonly WireChange[]): [book: string, device: string, fields: Fields][] =>
  changes
    .filter(([, , , , , , kind]) => kind === 'position.set')
    .map(([, , device, , , , , book, fields]) => [book, device, fields as Fields])

/** Waits until the device has heard of everything that was changed. */
const heardAll = async (wire: WireClient, { account }: OwnReader): Promise<void> => {
  await account.settled()
  await wire.upTo(account.durableHead)
}

const kosyncOf = ({ extra }: Fields): Fields => (extra as { kosync: Fields }).kosync
const link = ({ hub }: OwnReader, book: string, identifier: string): Promise<Plain> =>
  operate(hub, 'book.link', { account: 'ada', book, identifier })

test('a document whose file was imported is its book: live devices see where the reader is, and it sees where they are', async context => {
  const own = await ownReader(context)
  const wire = await liveDevice(context, own)
  const path = join(temporaryFolder(context), 'emma.epub')
  writeFileSync(path, makeEpub({ title: 'Emma' }))
  const { book } = (await operate(own.hub, 'import', { account: 'ada', path })) as { book: string }
  const { koreaderMd5: document } = await bookHashes(path)
  await own.put(document, '/body/DocFragment[3]/body/p[1]/text().0', 0.25)
  await heardAll(wire, own)
  const [[place, device, fields]] = positionsOf(wire.changes) as [[string, string, Fields]]
  assert.is(place, book)
  assert.equal(fields, {
    progression: 0.25,
    locators: { xpointer: '/body/DocFragment[3]/body/p[1]/text().0' },
    extra: { kosync: { device: 'Libra', device_id: 'A1' } }
  })
  assert.equal(
    [own.account.views.get('devices', device)?.name, own.account.views.get('devices', device)?.app],
    ['Libra', 'kosync']
  )

  const at = async (locators: Record<string, string>, progression: number): Promise<unknown> => {
    await own.account.perform(new Origin(wire.device, 'tab'), 'position.set', book, { progression, locators })
    return own.get(document)
  }
  const told = await at({ xpointer: '/body/DocFragment[4].0', cfi: 'epubcfi(/6/8!/4/2)' }, 0.5)
  const { timestamp } = told as { timestamp: number }
  assert.equal(told, {
    document,
    percentage: 0.5,
    progress: '/body/DocFragment[4].0',
    device: 'desk',
    device_id: wire.device,
    timestamp
  })
  assert.is(((await at({ page: '12' }, 0.5)) as Fields)['progress'], '12')
  assert.is(((await at({ cfi: 'epubcfi(/6/14[c7]!/4/2/1:3)' }, 0.6)) as Fields)['progress'], '/body/DocFragment[7].0')
  assert.is(
    ((await at({ cfi: 'epubcfi(/6/16!/4/2)', page: '41' }, 0.6)) as Fields)['progress'],
    '/body/DocFragment[8].0',
    'a reader of a text that flows cannot go to a page'
  )
  assert.is(((await at({ page: 'xii' }, 0.6)) as Fields)['device'], 'Libra', 'that is no page of a reader')
  assert.is(((await at({ href: 'c8.xhtml' }, 0.7)) as Fields)['device'], 'Libra', 'nobody could go there')
})

test('an older file of a book goes on being the book, beside the newer one', async context => {
  const own = await ownReader(context)
  const [older, newer] = [newDocument(), newDocument()]
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', { identifiers: { [`koreader:${older}`]: 'import' } })
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', { identifiers: { [`koreader:${newer}`]: 'import' } })
  await own.put(older, '5', 0.5)
  assert.is((await own.get(newer)).progress, '5')
})

test('what was read before its book was there is nowhere a book, and joins it when it comes, live, once, with its own time', async context => {
  const own = await ownReader(context)
  const wire = await liveDevice(context, own)
  const document = newDocument()
  const { json: first } = await own.put(document, '10', 0.1, { metadata: { title: 'Emma', filename: 'emma.epub' } })
  await own.put(document, '20', 0.2, { device: 'Kobo', device_id: 'C3' })
  assert.equal(own.account.views.range('books', [], '', 9), [])
  assert.equal(await operate(own.hub, 'book.unlinked', { account: 'ada' }), [
    { document, percentage: 0.2, device: 'Kobo', changedAtMs: unlinkedAtMs(own, document) }
  ])
  await heardAll(wire, own)
  const before = wire.changes.length
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', {
    title: 'Emma',
    identifiers: { [`koreader:${document}`]: 'app', 'isbn:1': 'app' }
  })
  await heardAll(wire, own)
  const [put, ...joined] = wire.changes.slice(before)
  assert.is(put![6], 'book.put')
  assert.equal(
    positionsOf(joined).map(([book, device, fields]) => [
      book,
      own.account.views.get('devices', device)?.name,
      fields['locators']
    ]),
    [
      ['emma', 'Libra', { page: '10' }],
      ['emma', 'Kobo', { page: '20' }]
    ]
  )
  assert.is(joined.length, 2)
  assert.is(Math.floor(joined[0]![5] / 1_000), (first as { timestamp: number }).timestamp)
  assert.equal(await operate(own.hub, 'book.unlinked', { account: 'ada' }), [])

  const head = own.account.head
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', { identifiers: { [`koreader:${document}`]: 'again' } })
  assert.is((await own.get(document)).progress, '20')
  await own.account.settled()
  assert.is(own.account.head, head + 1, 'what had joined joined again')
})

const unlinkedAtMs = ({ account }: OwnReader, document: string): number =>
  Math.floor(
    Math.max(...account.views.range('positions', [`kosync-${document}`], '', 9).map(([, { changedAtUs }]) => changedAtUs)) / 1_000
  )

test('what joins does not hide a newer place that the book has: it is as old as it was', async context => {
  const own = await ownReader(context)
  const document = newDocument()
  await own.put(document, '10', 0.1)
  const known = newDocument()
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', { identifiers: { [`koreader:${known}`]: 'app' } })
  // A joined time has whole milliseconds.
  const { json } = await own.put(known, '30', 0.3, { device: 'Kobo', device_id: 'C3' })
  await link(own, 'emma', document)
  assert.equal(await own.get(document), { document, percentage: 0.3, progress: '30', device: 'Kobo', device_id: 'C3', timestamp: (json as { timestamp: number }).timestamp }) // prettier-ignore
  await own.put(document, '11', 0.11)
  assert.is((await own.get(known)).progress, '11')
})

test('a book is linked and unlinked by hand; after that each goes its own way, and what was joined stays', async context => {
  const own = await ownReader(context)
  const document = newDocument()
  await own.put(document, '10', 0.1)
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', { title: 'Emma' })
  for (const [book, identifier] of [
    ['none', document],
    ['emma', ''],
    ['emma', 'x'.repeat(113)]
  ] as const)
    // prettier-ignore
    await link(own, book, identifier).then(
      () => assert.unreachable(),
      (error: { code: string }) => assert.ok(['not-found', 'bad-request'].includes(error.code))
    )
  assert.equal(await link(own, 'emma', document), { identifier: `koreader:${document}` })
  const positions = (): unknown[] =>
    own.account.views.range('positions', ['emma'], '', 9).map(([, { fields }]) => fields.locators)
  assert.equal(positions(), [{ page: '10' }])
  const unlink = (): Promise<Plain> => operate(own.hub, 'book.unlink', { account: 'ada', book: 'emma', identifier: document })
  assert.equal(await unlink(), { identifier: `koreader:${document}` })
  await own.put(document, '20', 0.2)
  assert.equal([positions(), (await own.get(document)).progress], [[{ page: '10' }], '20'])
  await unlink().then(
    () => assert.unreachable(),
    (error: { code: string }) => assert.is(error.code, 'not-found')
  )
  await link(own, 'emma', document)
  assert.equal(positions(), [{ page: '20' }])
})

test('of two copies of a book a reader is in the one that is there, whichever of them was removed', async context => {
  const own = await ownReader(context)
  const desk = new Origin('desk', '')
  const document = newDocument()
  for (const book of ['one', 'two'])
    await own.account.perform(desk, 'book.put', book, { identifiers: { [`koreader:${document}`]: 'app' } })
  await own.put(document, '10', 0.1)
  await own.account.perform(desk, 'book.remove', 'two', {})
  await own.put(document, '20', 0.2)
  const pagesIn = (book: string): unknown[] =>
    own.account.views.range('positions', [book], '', 9).map(([, { fields }]) => fields.locators?.['page'])
  assert.equal([pagesIn('one'), pagesIn('two'), (await own.get(document)).progress], [['20'], ['10'], '20'])
  await own.account.perform(desk, 'book.remove', 'one', {})
  await own.put(document, '30', 0.3)
  assert.equal([pagesIn('one'), pagesIn('two')], [['30'], ['10']], 'no other is there')
})

test('of two copies the one that stays has the reader at once, with its places, whichever was removed or restored', async context => {
  const own = await ownReader(context)
  const desk = new Origin('desk', '')
  const document = newDocument()
  for (const book of ['one', 'two'])
    await own.account.perform(desk, 'book.put', book, { identifiers: { [`koreader:${document}`]: 'app' } })
  const { json } = await own.put(document, '10', 0.1)
  await own.account.perform(desk, 'book.remove', 'two', {})
  const told = { document, percentage: 0.1, progress: '10', device: 'Libra', device_id: 'A1', timestamp: (json as { timestamp: number }).timestamp } // prettier-ignore
  const bookOf = (): string | undefined => own.account.views.get('identifiers', `koreader:${document}`)?.book
  assert.equal([bookOf(), await own.get(document)], ['one', told])
  await own.account.perform(desk, 'book.remove', 'one', {})
  assert.equal([bookOf(), await own.get(document)], ['one', told], 'no other is there')
  await own.account.perform(desk, 'book.restore', 'two', {})
  assert.equal([bookOf(), await own.get(document)], ['two', told])
})

test('all documents of a library whose books are removed at once go to their other copies', async context => {
  const own = await ownReader(context)
  const desk = new Origin('desk', '')
  const documents = Array.from({ length: 40 }, newDocument)
  for (const copy of ['one', 'two'])
    await Promise.all(
      documents.map(document =>
        own.account.perform(desk, 'book.put', `${copy}-${document}`, { identifiers: { [`koreader:${document}`]: 'app' } })
      )
    )
  const wire = await liveDevice(context, own)
  const { head } = own.account
  await Promise.all(documents.map(document => own.account.perform(desk, 'book.remove', `two-${document}`, {})))
  await wire.upTo(head + 2 * documents.length)
  const books = documents.map(document => own.account.views.get('identifiers', `koreader:${document}`)?.book)
  assert.equal(
    books,
    documents.map(document => `one-${document}`)
  )
})

test('a page that is turned in a removed book looks at no other book', async context => {
  const own = await ownReader(context)
  const desk = new Origin('desk', '')
  const document = newDocument()
  await own.account.perform(desk, 'book.put', 'emma', { identifiers: { [`koreader:${document}`]: 'app' } })
  await own.account.perform(desk, 'book.remove', 'emma', {})
  await own.put(document, '10', 0.1)
  const tables = tablesRead(own.account.views)
  await own.put(document, '20', 0.2)
  assert.equal([tables.includes('positions'), tables.includes('books')], [true, false])
})

test('what a hub did not come to join is told all the same, and joins with the next place', async context => {
  const own = await ownReader(context)
  const document = newDocument()
  await own.put(document, '10', 0.1, { device: 'Kobo', device_id: 'C3' })
  const [[device]] = own.account.views.range('positions', [`kosync-${document}`], '', 1) as [[string, unknown]]
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', { identifiers: { [`koreader:${document}`]: 'app' } })
  await own.account.settled()
  // As if the hub had ended between the two.
  await own.account.perform(new Origin(device, ''), 'position.set', `kosync-${document}`, {
    progression: 0.2,
    locators: { page: '20' },
    extra: { kosync: { device: 'Kobo', device_id: 'C3' } }
  })
  assert.is((await own.get(document)).progress, '20')
  await own.put(document, '30', 0.3)
  const joined = own.account.views.range('positions', ['emma'], '', 9).map(([, { fields }]) => fields.progression)
  assert.equal(new Set(joined), new Set([0.2, 0.3]))
})

test('a place that was sent before, while somebody was further since, is kept, told and flagged; the further one is still to be had', async context => {
  const own = await ownReader(context)
  const wire = await liveDevice(context, own)
  const document = newDocument()
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', { identifiers: { [`koreader:${document}`]: 'app' } })
  const flags = async (): Promise<(Plain | undefined)[]> => {
    await heardAll(wire, own)
    return positionsOf(wire.changes).map(([, , fields]) => kosyncOf(fields)['replayed'])
  }
  await own.put(document, '/body/a', 0.1)
  await own.put(document, '/body/a', 0.1)
  assert.equal(await flags(), [undefined, undefined], 'the same again is nothing new')
  await own.put(document, '/body/b', 0.6, { device: 'Kobo', device_id: 'C3' })
  await own.put(document, '/body/a', 0.1)
  assert.equal((await flags()).slice(2), [undefined, true])
  assert.is((await own.get(document)).progress, '/body/a', 'the protocol is that the last one counts')
  await own.put(document, '/body/c', 0.05)
  await own.put(document, '/body/d', 0.7)
  await own.put(document, '/body/c', 0.05)
  assert.equal((await flags()).slice(4), [undefined, undefined, true])
  const kept = own.account.views.range('positionHistories', ['emma'], '', 9).flatMap(([, history]) => positionVersions(history))
  const furthest = kept.find(({ fields }) => fields.progression === 0.7)!
  await own.account.perform(new Origin(wire.device, ''), 'position.restore', 'emma', { cursor: furthest.cursor })
  assert.equal([(await own.get(document)).progress, (await own.get(document)).percentage], ['/body/d', 0.7])
})

test('an account can have its readers told the furthest place instead of the newest, and go back', async context => {
  const own = await ownReader(context)
  const document = newDocument()
  await own.put(document, '90', 0.9, { device: 'Kobo', device_id: 'C3' })
  await own.put(document, '10', 0.1)
  const told = async (answers: string): Promise<unknown> => {
    await operate(own.hub, 'account.kosync', { account: 'ada', answers })
    return (await own.get(document)).progress
  }
  assert.equal([await told('furthest'), await told('newest'), await told('furthest')], ['90', '10', '90'])
  await own.put(document, '91', 0.9)
  assert.is((await own.get(document)).progress, '91', 'of two that are as far the newer')
})

test('a reader that was revoked or disabled sets nothing any more, and is told so for good; others go on', async context => {
  const own = await ownReader(context)
  const document = newDocument()
  const kobo = { device: 'Kobo', device_id: 'C3' }
  await own.put(document, '1', 0.1)
  await own.put(document, '2', 0.2, kobo)
  const [libra, other] = own.account.views
    .range('devices', [], '', 9)
    .sort(([, left], [, right]) => (left.name > right.name ? -1 : 1))
  await updateDevice(own.account, libra![0], { disabled: true }, libra![0])
  const refused = await own.put(document, '3', 0.3)
  assert.equal([refused.status, refused.text], [401, '{"code":2001,"message":"Unauthorized"}'])
  assert.is((await own.put(document, '4', 0.4, kobo)).status, 200)
  await updateDevice(own.account, libra![0], { disabled: false }, libra![0])
  assert.is((await own.put(document, '5', 0.5)).status, 200)
  await revokeDevice(own.account, other![0])
  assert.is((await own.put(document, '6', 0.6, kobo)).status, 401)
  assert.is((await own.get(document)).progress, '5')
})

test('an account has so many readers and no more, whatever ids are made up', async context => {
  const own = await ownReader(context)
  const statuses = new Set<number>()
  for (let first = 0; first < 256; first += 32) {
    const ids = Array.from({ length: 32 }, (_, index) => `id ${first + index}`)
    for (const { status } of await Promise.all(ids.map(device_id => own.put('doc', '1', 0.1, { device_id }))))
      statuses.add(status)
  }
  assert.equal([...statuses], [200])
  assert.is((await own.put('doc', '1', 0.1, { device_id: 'one more' })).status, 507)
  assert.is((await own.put('doc', '1', 0.1, { device_id: 'id 7' })).status, 200)
})

test("an earlier place that another device restores is told to the reader as that device's, so that it takes it", async context => {
  const own = await ownReader(context)
  const document = newDocument()
  await own.account.perform(new Origin('desk', ''), 'book.put', 'emma', { identifiers: { [`koreader:${document}`]: 'desk' } })
  for (const [step, percentage] of [[10, 0.4] as const, [20, 0.8] as const, [1, 0.05] as const])
    await own.put(document, `/body/DocFragment[${step}].0`, percentage)
  assert.equal((await own.get(document)).device_id, 'A1')
  const wire = await liveDevice(context, own)
  const [[, history]] = own.account.views.range('positionHistories', ['emma'], '', 9) as [[string, PositionHistoryRecord]]
  const { cursor } = positionVersions(history).find(({ progression }) => progression === 0.8)!
  await own.account.perform(new Origin(wire.device, ''), 'position.restore', 'emma', { cursor })
  const { timestamp: _, ...told } = await own.get(document)
  const progress = '/body/DocFragment[20].0'
  assert.equal(told, { document, percentage: 0.8, progress, device: 'desk', device_id: wire.device })
})

test.run()
