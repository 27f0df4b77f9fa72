import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { restHub, type RestHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { escaped, FORMATS, type Sent } from './bodies.ts'
import { book, bookNumber, marking, settledApp, SYNCHRONIZE, type Json, type ReadingApp } from './reading-app.ts'

const test = suite('dialects/epub/round-trips')

/** One of each model, with every member set. */
function oneOfEach(): Json {
  const number = bookNumber()
  return {
    Account: {
      AccountId: 1,
      LastAccess: '2025-03-13T20:04:43.9577025-04:00',
      FirstName: 'Ada <&>',
      LastName: String(number),
      FontSize: 12,
      FontColor: '#000',
      BackgroundColor: '#fff',
      PageView: 255,
      Timestamp: '2025-03-13T20:04:43.9577025Z'
    },
    AccountCodes: [
      {
        Id: number,
        AccountId: 2,
        ProductId: 3,
        BookId: number,
        Date: '2025-01-01T00:00:00',
        StartDate: '2025-01-01T00:00:00.5+05:30',
        EndDate: '2026-01-01T00:00:00Z'
      }
    ],
    BookHtmlPages: [
      {
        BookHtmlPageId: number,
        BookId: number,
        FileName: 'a.xhtml',
        HtmlPageTitle: 'A & B',
        Content: '<html>\n</html>',
        BodyContent: '<p/>',
        BodyContentForTinyMCE: '<p>]]></p>',
        BodyContentWithoutHtmlTags: ' p ',
        RelativePathFromOpfFile: 'x/a.xhtml'
      }
    ],
    BookStyleSheets: [
      {
        BookStyleSheetId: number,
        BookId: number,
        Title: 'main',
        FilePath: 'main.css',
        OriginalContent: 'p{}',
        ModifiedContent: 'p > q {}'
      }
    ],
    Markings: [marking(number), marking(number, { CharIndexStart: -1, SyncIsRemoved: false })],
    Books: [book(number)],
    PopupSettings: {
      EPubPopupSettingId: number,
      AccountId: 2,
      Top: -3,
      Left: 4,
      Width: 5,
      Height: number,
      Timestamp: '2025-03-13T20:04:43.9577025-04:00'
    },
    EPubHistoryActivities: [marking(number)]
  }
}

async function send(hub: RestHub, { type, body }: Sent, accept?: string): Promise<string> {
  const response = await fetch(hub.url + SYNCHRONIZE, {
    method: 'POST',
    headers: { 'content-type': type, ...(accept !== undefined && { accept }) },
    body
  })
  const text = await response.text()
  assert.is(response.status, 200, text)
  return text
}

/** What an app is told, as JSON. */
async function toldAsJson(app: ReadingApp, hub: RestHub): Promise<Json> {
  const { Result } = JSON.parse(await send(hub, FORMATS['JSON']!(app.model()))) as Json
  app.since = Result.CurrentSyncTimestamp
  return Result
}

for (const [format, write] of Object.entries(FORMATS))
  test(`every member of every model that is sent as ${format} is told as JSON as it was`, async context => {
    const hub = await restHub(context)
    const [writer, reader] = [await settledApp(hub), await settledApp(hub)]
    const sent = oneOfEach()
    const own = await send(hub, write(writer.model(sent)), 'application/json')
    assert.equal([JSON.parse(own).Errors, JSON.parse(own).Result.Markings], [null, []], own)
    const told = await toldAsJson(reader, hub)
    for (const name of Object.keys(sent).filter(member => member !== 'Account')) {
      const list = (value: unknown): unknown => (name === 'Markings' ? [...(value as Json[])].sort(byGuid) : value)
      assert.equal(list(told[name]), list(sent[name]), name)
    }
    assert.equal(told['Account'], {
      ...sent['Account'],
      Email: hub.account,
      Password: null,
      PasswordHash: null,
      SecurityStamp: null
    })
  })

const byGuid = (one: Json, other: Json): number => (one['syncGuid'] < other['syncGuid'] ? -1 : 1)

test('every member of every model that is sent as XML is told as XML as it was', async context => {
  const hub = await restHub(context)
  const [writer, reader] = [await settledApp(hub), await settledApp(hub)]
  const sent = oneOfEach()
  await send(hub, FORMATS['XML']!(writer.model(sent)))
  const xml = await send(hub, FORMATS['XML']!(reader.model()), 'application/xml')
  assert.match(xml, /^<ApiResultOfSynchronizationModel8WPzUjNG /)
  const [, result] = /<Result[^>]*>(.*)<\/Result>/s.exec(xml.replaceAll('d2p1:', ''))!
  for (const [name, value] of Object.entries(sent)) {
    const [, told] = new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(result!) ?? []
    assert.ok(told !== undefined, name)
    for (const model of Array.isArray(value) ? (value as Json[]) : [value as Json])
      for (const [member, its] of Object.entries(model))
        if (!Array.isArray(its))
          assert.ok(told.includes(`<${member}>${escaped(String(its))}</${member}>`), `${name}.${member} in ${told}`)
  }
  assert.ok(!xml.includes(hub.password))
})

test('a secret in XML is one in whatever case and namespace it comes: it counts, and is never kept or told', async context => {
  const hub = await restHub(context)
  const [writer, reader] = [await settledApp(hub), await settledApp(hub)]
  const { type, body } = FORMATS['XML']!(writer.model({ Account: { FirstName: `Ada ${bookNumber()}` } }))
  const others = '<PASSWORDHASH>secret 1</PASSWORDHASH><x:securityStamp xmlns:x="urn:x">secret 2</x:securityStamp>'
  const asSent = body
    .replace(/<Password>(.*?)<\/Password>/, `<password>$1</password>${others}`)
    .replace('<FirstName>', '<nickname>Countess</nickname><FirstName>')
  assert.match(asSent, `<password>${escaped(hub.password)}</password>`)
  await send(hub, { type, body: asSent })
  for (const [accept, format] of Object.entries({ 'application/json': 'JSON', 'application/xml': 'XML' })) {
    const told = await send(hub, FORMATS[format]!(reader.model()), accept)
    assert.match(told, 'Countess', 'what no model has is kept')
    for (const secret of [hub.password, 'secret 1', 'secret 2']) assert.not.match(told, secret)
  }
})

test('a marking that was made by the native protocol has all members, and what an app changes of it leaves its own fields', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const app = await settledApp(hub)
  const { token } = await hub.device()
  const { account, device } = await hub.own.hub.authenticate(token)
  const { Origin } = await import('../../../server/core/origin.ts')
  const origin = new Origin(device, '')
  const id = randomUUID()
  await account.perform(origin, 'book.put', 'emma', { title: 'Emma', authors: ['Jane Austen', 'A. N. Other'] })
  await account.documents.load(new Set(['emma']))
  await account.perform(origin, 'annotation.put', 'emma', {
    id,
    kind: 'highlight',
    color: 'yellow',
    quote: 'handsome',
    note: 'n',
    chapter: 'One',
    locators: { cfi: '/6/4', href: 'ch1.xhtml', chars: '5-9' },
    extra: { other: 1 }
  })
  await account.perform(origin, 'position.set', 'emma', { progression: 0.25, locators: { cfi: '/6/8' }, chapter: 'Two' })
  const { Books, Markings, EPubHistoryActivities } = await app.synchronize()
  assert.equal([Books[0].title, Books[0].author, Books[0].isInMyBooks], ['Emma', 'Jane Austen, A. N. Other', true])
  const [told] = Markings
  const { booksBookID } = Books[0]
  assert.equal(
    [
      told.syncGuid,
      told.bookID,
      told.content,
      told.note,
      told.color,
      told.chapter,
      told.chapterId,
      told.CharIndexStart,
      told.CharIndexEnd,
      told.section
    ],
    [id, booksBookID, 'handsome', 'n', 'yellow', 'One', 'ch1.xhtml', 5, 9, '/6/4']
  )
  const [place] = EPubHistoryActivities
  assert.equal([place.bookID, place.chapter, place.section, place.subSection1], [booksBookID, 'Two', '/6/8', '0.25'])
  await app.synchronize({ Markings: [{ ...told, note: '', type: 3, CharIndexEnd: 12 }] })
  await account.documents.load(new Set(['emma']))
  const { annotationIn } = await import('../../../server/core/documents/annotations.ts')
  const { createdAtMs: _created, updatedAtMs: _updated, ...now } = annotationIn(account.documents.use('emma').doc, id)!
  assert.equal(now, {
    kind: 'highlight',
    color: 'yellow',
    quote: 'handsome',
    note: '',
    chapter: 'One',
    locators: { cfi: '/6/4', href: 'ch1.xhtml', chars: '5-12' },
    extra: { other: 1, epub: { note: '', type: 3, CharIndexEnd: 12 } }
  })
})

test('a book that an EPUB was imported of is told by the name that the EPUB has, by which an app knows its own copy', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const [app, other] = [await settledApp(hub), await settledApp(hub)]
  const { token } = await hub.device()
  const { account, device } = await hub.own.hub.authenticate(token)
  const { Origin } = await import('../../../server/core/origin.ts')
  const names: [key: string, told: string | null][] = [
    ['isbn:9780306406157', '9780306406157'],
    ['uuid:0a2c3c5e-7f3b-4b44-9d0c-1d2e3f405162', '0a2c3c5e-7f3b-4b44-9d0c-1d2e3f405162'],
    ['url:http://www.gutenberg.org/ebooks/25545', 'http://www.gutenberg.org/ebooks/25545'],
    ['epub:code.google.com.epub-samples.wasteland-basic', 'code.google.com.epub-samples.wasteland-basic'],
    ['koreader:59d481d168cca6267322f150c5f6a2a3', null]
  ]
  for (const [key, told] of names) {
    const identifiers = { [key]: 'epub', 'sha256:00': 'import' }
    await account.perform(new Origin(device, ''), 'book.put', key.slice(0, 4), { title: key, identifiers })
    const { Books } = await app.synchronize()
    assert.equal([Books.length, Books[0].title, Books[0].bookIdentifier], [1, key, told])
    if (told === null) continue
    const number = bookNumber()
    await other.synchronize({ Books: [{ booksBookID: number, title: `mine, ${key}`, bookIdentifier: told }] })
    assert.is(account.views.get('books', key.slice(0, 4))!.fields.title, `mine, ${key}`)
    await app.synchronize()
  }
})

test('what another client has put where this API keeps its own, and could not have, is passed over', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const app = await settledApp(hub)
  const { token } = await hub.device()
  const { account, device } = await hub.own.hub.authenticate(token)
  const { Origin } = await import('../../../server/core/origin.ts')
  const origin = new Origin(device, '')
  const epub = {
    id: 'x',
    groupId: 'x',
    Timestamp: 'never',
    type: 1.5,
    CharIndexStart: {},
    version: 7,
    section: 'kept',
    '+': [['a', '}'], ['b', '1'], ['c', '<d>'], 'e']
  }
  await account.perform(origin, 'book.put', 'emma', {
    title: 'Emma',
    extra: { epub: { date: 5, categories: ['x'], parent: 'kept' } }
  })
  await account.documents.load(new Set(['emma']))
  await account.perform(origin, 'annotation.put', 'emma', { id: 'x', note: 'n', extra: { epub } })
  await account.perform(origin, 'position.set', 'emma', { extra: { epub } })
  await account.perform(origin, 'setting.put', 'epub.popup', { value: { Top: 'x', Left: 3 } })
  await account.perform(origin, 'setting.put', 'epub.page.x', { value: 'x' })
  await account.perform(origin, 'setting.put', 'epub.nothing', { value: {} })
  const { Books, Markings, EPubHistoryActivities, PopupSettings } = await app.synchronize()
  const strange = ({ id, groupId, type, CharIndexStart, version, section, b }: Json): unknown[] => [
    id,
    groupId,
    type,
    CharIndexStart,
    version,
    section,
    b
  ]
  for (const one of [Markings[0], EPubHistoryActivities[0]]) assert.equal(strange(one), [0, null, null, null, null, 'kept', 1])
  assert.equal([Books[0].date, Books[0].categories, Books[0].parent], ['0001-01-01T00:00:00', [], 'kept'])
  assert.equal([PopupSettings.Top, PopupSettings.Left], [0, 3])
})

test.run()
