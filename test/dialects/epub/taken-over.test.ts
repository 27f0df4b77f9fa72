import * as assert from 'uvu/assert'
import type { Account } from '../../../server/core/account.ts'
import { Origin } from '../../../server/core/origin.ts'
import { restHub, type RestHub } from '../../util/rest-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { bookNumber, readingApp, type Json, type ReadingApp } from './reading-app.ts'

const test = suite('dialects/epub/taken-over')

interface Scene {
  readonly hub: RestHub
  readonly account: Account
  readonly token: string
  readonly book: string
  /** The marking that the lost phone was told. */
  readonly one: Json
  /** An app that goes on from the lost phone's backup, under a number of its own. */
  readonly fresh: ReadingApp
}

/** An annotation of another client was told to a phone, which was then lost and cut off. */
async function lostPhone(context: TestContext): Promise<Scene | undefined> {
  const hub = await restHub(context)
  if (hub.own === undefined) return undefined
  const { token } = await hub.device()
  const account = await hub.own.hub.ensureAccount(hub.own.directory.find(hub.account)!.id)
  const book = `epub-${bookNumber()}`
  await account.documents.load(new Set([book]))
  await account.perform(new Origin('browser', ''), 'annotation.put', book, { id: 'no-guid', kind: 'note', note: 'n' })
  const lost = readingApp(hub)
  const [one] = (await lost.synchronize())['Markings']
  assert.is((await hub.request('DELETE', `/api/v1/sync/devices/epub-1-${lost.id}`, token)).status, 204)
  const fresh = readingApp(hub)
  fresh.since = lost.since
  return { hub, account, token, book, one, fresh }
}

const notesIn = async ({ account, book }: Scene): Promise<unknown[]> =>
  (await account.documents.withDocument(book, document => document.list('', 9))).map(([id, { note, removedAtMs }]) => [
    id,
    note,
    removedAtMs !== undefined
  ])

test('a marking that a lost phone was told stays one when its backup goes on under another number, and is edited there', async context => {
  const scene = await lostPhone(context)
  if (scene === undefined) return
  const { hub, fresh, one } = scene
  const { Markings } = await fresh.synchronize({ Markings: [{ ...one, note: 'edited' }] })
  assert.equal(
    Markings.map(({ syncGuid, note }: Json) => [syncGuid, note]),
    [[one['syncGuid'], 'edited']]
  )
  assert.equal(await notesIn(scene), [['no-guid', 'edited', false]])
  assert.is((await readingApp(hub).synchronize())['Markings'].length, 1)
})

test('the same marking is edited and removed by the calls for one, where it names its book', async context => {
  const scene = await lostPhone(context)
  if (scene === undefined) return
  const { hub, token, fresh, one } = scene
  const ask = async (path: string, body: unknown): Promise<Json> =>
    (await hub.request('POST', `/api/markings/${path}?accountApplicationId=${fresh.id}&applicationType=1`, token, body)).json
  assert.is((await ask('editNote', { ...one, note: 'edited' }))['Result'].note, 'edited')
  assert.equal(await notesIn(scene), [['no-guid', 'edited', false]])
  assert.equal((await ask('removeMarkings', [one]))['Result'].length, 1)
  assert.equal(await notesIn(scene), [['no-guid', 'edited', true]])
  const nobody = '00000000-0000-5000-8000-000000000001'
  const { IsSuccess, Errors } = await ask('removeMarkings', [{ ...one, syncGuid: nobody }])
  assert.equal([IsSuccess, Errors.Messages], [false, [`[0]: there is no marking ${nobody}`]])
})

test.run()
