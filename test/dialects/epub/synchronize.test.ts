import { randomInt, randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { Origin } from '../../../server/core/origin.ts'
import { restHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { book, bookNumber, marking, readingApp, settledApp, type Json, type ReadingApp } from './reading-app.ts'

const test = suite('dialects/epub/synchronize')

/** What an answer tells of one marking; undefined when it does not. */
const markingIn = (result: Json, { syncGuid }: Json): Json | undefined =>
  result['Markings'].find((told: Json) => told['syncGuid'] === syncGuid)

/** An app with a marking, and another one that was told of it. */
async function shared(apps: readonly ReadingApp[], members: Json = {}): Promise<Json> {
  const one = marking(bookNumber(), members)
  const [first, ...others] = apps
  await first!.synchronize({ Markings: [one] })
  for (const other of others) assert.equal(markingIn(await other.synchronize(), one), one)
  return one
}

test('every member of a marking reaches another device as it was sent, unknown ones too', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const whole = marking(bookNumber(), { penWidth: 2.5, tags: ['x', { y: null }] })
  const empty = {
    ...marking(bookNumber()),
    note: '',
    content: '',
    color: '',
    chapter: '',
    section: '',
    Timestamp: '2025-01-01T00:00:00'
  }
  const none = Object.fromEntries(
    Object.entries(marking(bookNumber())).map(([name, value]) => [
      name,
      typeof value === 'string' && !/Guid|Timestamp/.test(name) ? null : value
    ])
  )
  for (const sent of [
    whole,
    empty,
    { ...none, groupId: null, CharIndexStart: null, CharIndexEnd: null, type: null, actionType: null, textLength: null }
  ]) {
    await first.synchronize({ Markings: [sent] })
    const { Markings } = await second.synchronize()
    assert.equal(Markings, [sent])
    assert.equal(Object.keys(Markings[0]), Object.keys(sent))
  }
})

test('every member of books, codes, pages, style sheets, the popup and the preferences reaches another device as it was sent', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const number = bookNumber()
  const sent = {
    Books: [book(number)],
    AccountCodes: [
      {
        Id: number,
        AccountId: 2,
        ProductId: 3,
        BookId: number,
        Date: '2025-01-01T00:00:00',
        StartDate: '2025-01-01T00:00:00.5',
        EndDate: '2026-01-01T00:00:00Z'
      }
    ],
    BookHtmlPages: [
      {
        BookHtmlPageId: number,
        BookId: number,
        FileName: 'a.xhtml',
        HtmlPageTitle: 'A',
        Content: '<html/>',
        BodyContent: '<p/>',
        BodyContentForTinyMCE: '<p>',
        BodyContentWithoutHtmlTags: 'p',
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
        ModifiedContent: 'p{color:red}'
      }
    ],
    PopupSettings: {
      EPubPopupSettingId: number,
      AccountId: 2,
      Top: -3,
      Left: 4,
      Width: 5,
      Height: number,
      Timestamp: '2025-03-13T20:04:43.9577025-04:00'
    },
    Account: {
      AccountId: 1,
      LastAccess: '2025-03-13T20:04:43.9577025-04:00',
      FirstName: 'Ada',
      LastName: String(number),
      FontSize: 12,
      FontColor: '#000',
      BackgroundColor: '#fff',
      PageView: 2,
      PasswordHash: 'hash',
      SecurityStamp: 'stamp',
      Timestamp: '2025-03-13T20:04:43.9577025-04:00'
    }
  }
  const own = await first.synchronize(sent)
  for (const list of ['Books', 'Markings', 'EPubHistoryActivities']) assert.equal(own[list], [], `${list} is not echoed`)
  for (const one of ['PopupSettings', 'Account', 'AccountCodes', 'BookHtmlPages', 'BookStyleSheets']) assert.is(own[one], null)
  const told = await second.synchronize()
  assert.equal(told['Account'], { ...sent.Account, Email: hub.account, Password: null, PasswordHash: null, SecurityStamp: null })
  for (const name of ['Books', 'AccountCodes', 'BookHtmlPages', 'BookStyleSheets', 'PopupSettings'] as const)
    assert.equal(told[name], sent[name])
  const again = await second.synchronize()
  assert.equal([again['Books'], again['PopupSettings'], again['Account'], again['AccountCodes']], [[], null, null, null])
})

test('one book on its own is taken like one of a list, and its removal and return are told', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const emma = book(bookNumber())
  await first.synchronize({ Book: emma })
  assert.equal((await second.synchronize())['Books'], [emma])
  for (const isInMyBooks of [false, true]) {
    await first.synchronize({ Books: [{ ...emma, isInMyBooks }] })
    assert.equal((await second.synchronize())['Books'], [{ ...emma, isInMyBooks }])
  }
})

test('activities of one device are told to the others, each once and in its order', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const number = bookNumber()
  const at = (minute: number): Json =>
    marking(number, { CharIndexStart: minute, Timestamp: `2025-03-13T20:0${minute}:43.9577025-04:00` })
  const [one, two, three] = [at(1), at(2), at(3)]
  const own = await first.synchronize({ EPubHistoryActivities: [two, one] })
  assert.equal(own['EPubHistoryActivities'], [])
  assert.equal((await second.synchronize())['EPubHistoryActivities'], [one, two])
  assert.equal((await second.synchronize())['EPubHistoryActivities'], [])
  await first.synchronize({ EPubHistoryActivities: [three] })
  assert.equal((await second.synchronize())['EPubHistoryActivities'], [three])
})

test('a note and a colour that two devices edit at once both survive, and so do two edits of one note', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const one = await shared([first, second], { note: 'the quick fox', color: 'red' })
  await first.synchronize({ Markings: [{ ...one, note: 'the very quick fox' }] })
  const merged = { ...one, note: 'the very quick fox', color: 'blue' }
  assert.equal(markingIn(await second.synchronize({ Markings: [{ ...one, color: 'blue' }] }), one), merged)
  assert.equal(markingIn(await first.synchronize(), one), merged)
  await first.synchronize({ Markings: [{ ...merged, note: 'so the very quick fox' }] })
  const both = { ...merged, note: 'so the very quick fox jumps' }
  assert.equal(markingIn(await second.synchronize({ Markings: [{ ...merged, note: 'the very quick fox jumps' }] }), one), both)
  assert.equal(markingIn(await first.synchronize(), one), both)
  for (const app of [first, second]) assert.equal((await app.synchronize())['Markings'], [])
})

test('the same request once more changes nothing, and is answered the same', async context => {
  const hub = await restHub(context)
  const [first, second, third] = [await settledApp(hub), await settledApp(hub), await settledApp(hub)]
  const one = await shared([first, second, third], { note: 'fox' })
  await first.synchronize({ Markings: [{ ...one, note: 'a fox' }] })
  const activity = marking(bookNumber())
  const popup = {
    EPubPopupSettingId: 1,
    AccountId: 1,
    Top: randomInt(1e9),
    Left: 0,
    Width: 0,
    Height: 0,
    Timestamp: '2025-01-01T00:00:00'
  }
  const request = second.model({
    Markings: [{ ...one, note: 'fox!' }, marking(one['bookID'])],
    EPubHistoryActivities: [activity, { ...activity, syncGuid: randomUUID() }, activity],
    PopupSettings: popup
  })
  const { json: answer } = await second.send(request)
  assert.is(markingIn(answer.Result, one)?.['note'], 'a fox!')
  const others = await third.synchronize()
  assert.equal(
    [others['Markings'].length, others['EPubHistoryActivities'].length, others['PopupSettings'].Top],
    [2, 2, popup.Top]
  )
  for (let again = 0; again < 2; again++) {
    const { json } = await second.send(request)
    assert.equal({ ...json.Result, ServerDateTime: null }, { ...answer.Result, ServerDateTime: null })
    const none = await third.synchronize()
    assert.equal([none['Markings'], none['EPubHistoryActivities'], none['PopupSettings']], [[], [], null])
  }
  // Nor does it undo what another did meanwhile.
  await third.synchronize({ PopupSettings: { ...popup, Top: 1 } })
  await second.send(request)
  assert.equal([(await third.synchronize())['PopupSettings'], (await first.synchronize())['PopupSettings'].Top], [null, 1])
})

test('removal is told, is undone by who knows of it, and not by a device that is behind', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const one = await shared([first, second])
  await first.synchronize({ Markings: [{ ...one, SyncIsRemoved: true }] })
  const edited = { ...one, color: 'green' }
  const removed = { ...edited, SyncIsRemoved: true }
  assert.equal(
    markingIn(await second.synchronize({ Markings: [edited] }), one),
    removed,
    'an edit of one that is gone leaves it gone'
  )
  assert.equal(markingIn(await first.synchronize(), one), removed)
  await second.synchronize({ Markings: [edited] })
  assert.equal(markingIn(await first.synchronize(), one), edited)
  const fresh = readingApp(hub)
  await first.synchronize({ Markings: [{ ...edited, SyncIsRemoved: true }] })
  assert.is(markingIn(await fresh.synchronize(), one), undefined, 'who has nothing hears nothing of it')
})

test('of one marking that a request has twice, the one with the later Timestamp is the newer', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const old = marking(bookNumber(), { Timestamp: '2025-03-13T20:04:43.9577025-04:00' })
  const newer = { ...old, note: 'newer', Timestamp: '2025-03-13T20:04:43.9577026-04:00' }
  await first.synchronize({ Markings: [newer, old] })
  assert.equal((await second.synchronize())['Markings'], [newer])
})

test('an answer that is lost is told again, and one that arrived is not', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const one = marking(bookNumber())
  await first.synchronize({ Markings: [one] })
  const { since } = second
  assert.equal((await second.synchronize())['Markings'], [one])
  second.since = since
  assert.equal((await second.synchronize())['Markings'], [one])
  assert.equal((await second.synchronize())['Markings'], [])
})

test('a client that rounds its time, or takes that of ServerDateTime, misses nothing and is told nothing twice', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const kept = [
    (result: Json): string => `${result['CurrentSyncTimestamp'].slice(0, 23).replace('Z', '')}Z`,
    (result: Json): string => new Date(Date.parse(result['CurrentSyncTimestamp']) + 2).toISOString(),
    (result: Json): string => result['ServerDateTime'],
    (): string => '2999-01-01T00:00:00'
  ]
  for (const keep of kept) {
    const one = marking(bookNumber())
    await first.synchronize({ Markings: [one] })
    const result = await second.synchronize()
    assert.equal(result['Markings'], [one])
    second.since = keep(result)
  }
  assert.equal((await second.synchronize())['Markings'], [])
})

test('times of the hub have what it takes to tell changes of one moment apart, and come back as they were sent', async context => {
  const hub = await restHub(context)
  const app = await settledApp(hub)
  const { since } = app
  const { LastSyncTimestamp, CurrentSyncTimestamp } = await app.synchronize({ Markings: [marking(bookNumber())] })
  assert.is(LastSyncTimestamp, since)
  assert.match(CurrentSyncTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$/)
  const exact = (date: string): string => date.slice(0, -1).padEnd(27, date.includes('.') ? '0' : '.0')
  assert.ok(exact(CurrentSyncTimestamp) > exact(since!))
})

test('what is refused is told by name, and the rest is done', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const [good, other] = [marking(bookNumber()), marking(bookNumber())]
  const long = marking(bookNumber(), { note: 'x'.repeat(70_000) })
  const { status, json } = await first.send(
    first.model({ Markings: [good, long, { ...other, bookID: -1 }, other], Books: [book(bookNumber(), { booksBookID: null })] })
  )
  assert.equal([status, json.IsSuccess, json.StatusCode, json.Errors.ErrorsNumber], [200, false, 200, 3])
  assert.equal(json.Errors.Messages.map((message: string) => message.split(':')[0]).sort(), [
    'Books[0]',
    'Markings[1]',
    'Markings[2]'
  ])
  assert.is(json.Errors.MessagesString, json.Errors.Messages.join('\n'))
  assert.equal((await second.synchronize())['Markings'].length, 2)
})

test('a request of too many items is refused as a whole', async context => {
  const hub = await restHub(context)
  const app = await settledApp(hub)
  const number = bookNumber()
  const { status, json } = await app.send(
    app.model({ EPubHistoryActivities: Array.from({ length: 2_001 }, () => ({ syncGuid: randomUUID(), bookID: number })) })
  )
  assert.equal([status, json.IsSuccess, json.StatusCode, json.Result], [200, false, 400, null])
})

test('many markings of one request are all told, in order of books, and a device that begins has them all', async context => {
  const hub = await restHub(context)
  const [first, second] = [await settledApp(hub), await settledApp(hub)]
  const numbers = [bookNumber(), bookNumber(), bookNumber()]
  const many = numbers.flatMap(number => Array.from({ length: 60 }, (_, at) => marking(number, { CharIndexStart: at })))
  await first.synchronize({ Markings: many })
  const guids = (list: Json[]): string[] => list.map(one => String(one['syncGuid'])).sort()
  assert.equal(guids((await second.synchronize())['Markings']), guids(many))
  const fresh = guids((await readingApp(hub).synchronize())['Markings'])
  assert.ok(guids(many).every(guid => fresh.includes(guid)))
})

test('an installation that begins again is told what it had sent itself', async context => {
  const hub = await restHub(context)
  const app = readingApp(hub)
  const one = marking(bookNumber())
  assert.is(markingIn(await app.synchronize({ Markings: [one] }), one), undefined)
  app.since = null
  assert.equal(markingIn(await app.synchronize(), one), one)
})

test('a marking that an installation was told of stays one when it is set up anew, however many were cut off before', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const { token } = await hub.device()
  const account = await hub.own.hub.ensureAccount(hub.own.directory.find(hub.account)!.id)
  for (let id = 1_000; id < 1_070; id++) {
    assert.is((await readingApp(hub, id).send(readingApp(hub, id).model())).status, 200)
    assert.is((await hub.request('DELETE', `/api/v1/sync/devices/epub-1-${id}`, token)).status, 204)
  }
  const [number, key] = [bookNumber(), 'no-guid']
  await account.documents.load(new Set([`epub-${number}`]))
  await account.perform(new Origin('phone', ''), 'annotation.put', `epub-${number}`, { id: key, kind: 'note', note: 'n' })
  const [one] = (await readingApp(hub, 9_000).synchronize())['Markings']
  await readingApp(hub, 9_001).synchronize({ Markings: [{ ...one, note: 'edited' }] })
  const known = await account.documents.withDocument(`epub-${number}`, document => document.list('', 9))
  assert.equal(
    known.map(([id, { note }]) => [id, note]),
    [[key, 'edited']]
  )
})

test.run()
