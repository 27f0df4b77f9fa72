import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { restHub, type RestAnswer, type RestHub } from '../../util/rest-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { book, bookNumber, marking, readingApp, settledApp, type Json, type ReadingApp } from './reading-app.ts'

const test = suite('dialects/epub/siblings')

type Ask = (method: string, path: string, body?: unknown) => Promise<RestAnswer>

/** An app that has everything, and the calls that it makes with a token, as the same device. */
async function appWithToken(context: TestContext): Promise<{ hub: RestHub; app: ReadingApp; ask: Ask }> {
  const hub = await restHub(context)
  const [{ token }, app] = [await hub.device(), await settledApp(hub)]
  const ask: Ask = (method, path, body) =>
    hub.request(method, `${path}${path.includes('?') ? '&' : '?'}accountApplicationId=${app.id}&applicationType=1`, token, body)
  return { hub, app, ask }
}

const resultOf = ({ status, json, text }: RestAnswer): any => {
  assert.equal([status, json?.IsSuccess, json?.StatusCode, json?.Errors], [200, true, 200, null], text)
  return json.Result
}

test('a device is registered by its own call, once, and by its first synchronization', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const count = async (id: number): Promise<number> =>
    (await device.ask('GET', '/devices')).json.devices.filter((device: Json) => device['id'] === `epub-1-${id}`).length
  const app = readingApp(hub)
  for (let again = 0; again < 2; again++)
    assert.is(resultOf(await hub.request('POST', '/api/synchronization/registerDevice', undefined, app.model())), true)
  assert.is(await count(app.id), 1)
  const other = readingApp(hub)
  await other.synchronize()
  assert.is(await count(other.id), 1)
})

test('markings that are posted are told to others and not to their own device, and posting them again changes nothing', async context => {
  const { hub, app, ask } = await appWithToken(context)
  const other = await settledApp(hub)
  const [one, two] = [marking(bookNumber()), marking(bookNumber())]
  for (let again = 0; again < 2; again++)
    assert.equal(resultOf(await ask('POST', '/api/markings/postMarkingsApp', [one, two])), [one, two])
  assert.equal((await app.synchronize())['Markings'], [])
  assert.is((await other.synchronize())['Markings'].length, 2)
  assert.equal((await other.synchronize())['Markings'], [])
})

test('a note is edited, and nothing else of its marking', async context => {
  const { hub, app, ask } = await appWithToken(context)
  const other = await settledApp(hub)
  const one = marking(bookNumber())
  await app.synchronize({ Markings: [one] })
  await other.synchronize()
  const edited = { ...one, note: 'another note' }
  assert.equal(resultOf(await ask('POST', '/api/markings/editNote', { ...edited, color: 'ignored' })), edited)
  assert.equal((await other.synchronize())['Markings'], [edited])
  assert.equal((await app.synchronize())['Markings'], [])
})

test('a note is taken away by null or an empty text, also by an installation that was told of nothing', async context => {
  const { hub, app, ask } = await appWithToken(context)
  for (const note of [null, '']) {
    const one = marking(bookNumber())
    await app.synchronize({ Markings: [one] })
    const fresh = `/api/markings/editNote?accountApplicationId=${readingApp(hub).id}&applicationType=1`
    const { token } = await hub.device()
    const edited = await hub.request('POST', fresh, token, { syncGuid: one['syncGuid'], note })
    assert.equal(resultOf(edited), { ...one, note })
    assert.equal(resultOf(await ask('GET', `/api/markings/getMarkingById?syncGuid=${one['syncGuid']}`)), { ...one, note })
  }
})

test('markings are removed by their syncGuid, and told as removed', async context => {
  const { hub, app, ask } = await appWithToken(context)
  const other = await settledApp(hub)
  const one = marking(bookNumber())
  await app.synchronize({ Markings: [one] })
  await other.synchronize()
  const removed = { ...one, SyncIsRemoved: true }
  assert.equal(resultOf(await ask('POST', '/api/markings/removeMarkings', [{ syncGuid: one['syncGuid'] }])), [removed])
  assert.equal((await other.synchronize())['Markings'], [removed])
})

test('what there is not is refused by name, and the rest is done', async context => {
  const { app, ask } = await appWithToken(context)
  const [one, nobody] = [marking(bookNumber()), randomUUID()]
  await app.synchronize({ Markings: [one] })
  const { status, json } = await ask('POST', '/api/markings/removeMarkings', [{ syncGuid: nobody }, one])
  assert.equal([status, json.IsSuccess, json.StatusCode, json.Result.length], [200, false, 200, 1])
  assert.equal(json.Errors.Messages, [`there is no marking ${nobody}`])
  const edit = await ask('POST', '/api/markings/editNote', { syncGuid: nobody, note: 'x' })
  assert.equal([edit.status, edit.json.IsSuccess, edit.json.StatusCode, edit.json.Result], [200, false, 400, null])
  for (const body of [undefined, []]) {
    const none = await ask('POST', '/api/markings/postMarkingsApp', body)
    assert.equal([none.status, none.json.Result], [200, []])
  }
})

test('a marking is found by its syncGuid, in any case', async context => {
  const { app, ask } = await appWithToken(context)
  const one = marking(bookNumber())
  await app.synchronize({ Markings: [one] })
  const get = (guid: string): Promise<RestAnswer> => ask('GET', `/api/markings/getMarkingById?syncGuid=${guid}`)
  assert.equal(resultOf(await get(one['syncGuid'])), one)
  assert.equal(resultOf(await get(one['syncGuid'].toUpperCase())), one)
  for (const guid of [randomUUID(), '', 'x', '%00']) {
    const { status, json } = await get(guid)
    assert.equal([status, json.IsSuccess, json.StatusCode, json.Result], [200, false, 404, null])
  }
})

test('initial content is the account, its popup and all books, and the first synchronization has them all the same', async context => {
  const { hub, app, ask } = await appWithToken(context)
  const emma = book(bookNumber())
  const popup = {
    EPubPopupSettingId: 1,
    AccountId: 1,
    Top: emma['booksBookID'],
    Left: 0,
    Width: 0,
    Height: 0,
    Timestamp: '2025-01-01T00:00:00'
  }
  await app.synchronize({ Books: [emma], PopupSettings: popup, Account: { FirstName: 'Ada' } })
  const content = resultOf(await ask('GET', '/api/synchronization/downloadInitialContent'))
  assert.equal([content.PopupSettings, content.Account.FirstName, content.Account.Password], [popup, 'Ada', null])
  const isEmma = (one: Json): boolean => one['booksBookID'] === emma['booksBookID']
  assert.equal(content.Books.filter(isEmma), [emma])
  assert.equal([content.Markings, content.CurrentSyncTimestamp], [null, null])
  assert.equal((await readingApp(hub).synchronize())['Books'].filter(isEmma), [emma])
})

test('the type of the application is required where the API says so', async context => {
  const hub = await restHub(context)
  const { token } = await hub.device()
  const { status, json } = await hub.request('GET', '/api/synchronization/downloadInitialContent', token)
  assert.equal([status, json.IsSuccess, json.StatusCode], [200, false, 400])
})

test.run()
