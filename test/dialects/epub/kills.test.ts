import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { HubProcess } from '../../util/hub-process.ts'
import { restHubAt } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { marking, readingApp, type Json, type ReadingApp } from './reading-app.ts'

const test = suite('dialects/epub/kills')

const KILLS = 4
const MARKINGS = 60
const BOOKS = [11, 12, 13]

test('a hub that is killed while an app synchronizes has each change once when the app sends the same again', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const [account, password] = ['ada', 'correct horse']
  await hub.operate('account.add', { account, password })
  const rest = restHubAt(context, hub.url, account, password)
  const [writer, mirror] = [readingApp(rest), readingApp(rest)]
  const markings = Array.from({ length: MARKINGS }, (_, at) => marking(BOOKS[at % 3]!, { syncGuid: randomUUID(), note: 'begun' }))
  await writer.synchronize({ Markings: markings })
  const held = new Map<string, Json>()
  const places: string[] = []
  const take = ({ Markings, EPubHistoryActivities }: Json): void => {
    for (const one of Markings) held.set(one.syncGuid, one)
    for (const { bookID, CharIndexStart } of EPubHistoryActivities) places.push(`${bookID} ${CharIndexStart}`)
  }
  take(await mirror.synchronize())
  for (let round = 1; round <= KILLS; round++) {
    for (const [at, one] of markings.entries()) {
      one['note'] += ` ${round}`
      one['SyncIsRemoved'] = (at + round) % 3 === 0
    }
    const activities = Array.from({ length: 30 }, (_, at) => marking(BOOKS[at % 3]!, { CharIndexStart: round * 100 + at }))
    const model = writer.model({ Markings: markings, EPubHistoryActivities: activities })
    const cut = writer.send(model).catch(() => undefined)
    await delay(round * 40)
    await hub.kill()
    await cut
    await hub.start()
    take(await mirror.synchronize())
    const again = await writer.send(model)
    assert.equal([again.status, again.json?.Errors], [200, null], again.text)
    writer.since = again.json.Result.CurrentSyncTimestamp
    take(await mirror.synchronize())
    for (const { syncGuid, note, SyncIsRemoved } of markings)
      assert.equal([held.get(syncGuid)?.['note'], held.get(syncGuid)?.['SyncIsRemoved']], [note, SyncIsRemoved], `round ${round}`)
  }
  assert.equal(places, [...new Set(places)], 'no place comes twice')
  assert.is(places.length, KILLS * 30)
  await quiet(writer)
  await quiet(mirror)
})

/** Nothing is left to be told. */
async function quiet(app: ReadingApp): Promise<void> {
  const { Markings, EPubHistoryActivities, Books } = await app.synchronize()
  assert.equal([Markings, EPubHistoryActivities, Books], [[], [], []])
}

test.run()
