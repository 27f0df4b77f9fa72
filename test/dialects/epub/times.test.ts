import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { noteTold, toldOf } from '../../../server/core/tellings.ts'
import { dateOfUs } from '../../../server/dialects/epub/dates.ts'
import { sinceOf } from '../../../server/dialects/epub/times.ts'
import { coreHub } from '../../util/core-hub.ts'
import { restHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { bookNumber, marking, readingApp, type Json } from './reading-app.ts'

const test = suite('dialects/epub/times')

const SECOND_US = 1_700_000_000_000_000

test('of times that were answered within a millisecond the one that is said is meant, and of a rounded one the oldest', async () => {
  const { account } = await coreHub().account('phone')
  const times = [100, 600, 900, 1_100].map(us => SECOND_US + us)
  noteTold(account, { device: 'phone', item: 'answered', sinceUs: 0, atUs: 0, value: times })
  const sinceUs = (us: number): number =>
    sinceOf(account.views, 'phone', SECOND_US + 60_000_000, dateOfUs(SECOND_US + us)) - SECOND_US
  assert.equal(
    times.map(us => sinceUs(us - SECOND_US)),
    [100, 600, 900, 1_100]
  )
  // To a millisecond, up: what the answers behind the first told may have been lost.
  assert.is(sinceUs(1_000), 100)
  assert.is(sinceUs(7_000), 1_100)
})

test('a place in a book that changed again behind a full answer is told by the next one, once', async context => {
  const hub = await restHub(context)
  const [writer, other, fresh] = [readingApp(hub), readingApp(hub), readingApp(hub)]
  const [first, second] = [bookNumber(), bookNumber()]
  const place = marking(first, { CharIndexStart: 4_711 })
  await other.synchronize({ EPubHistoryActivities: [place] })
  const short = {
    selectionOuterHtml: '',
    selectionInnerHtml: '',
    selectionParentOuterHtml: '',
    content: 'x',
    chapter: '',
    note: ''
  }
  const many = Array.from({ length: 2_000 }, () => marking(second, { ...short, syncGuid: randomUUID() }))
  await writer.synchronize({ Markings: many })
  await writer.synchronize({ Markings: [marking(first)] })
  const told: number[] = []
  for (let isMore = true; isMore;) {
    const { Markings, EPubHistoryActivities } = await fresh.synchronize()
    told.push(...EPubHistoryActivities.filter((one: Json) => one['bookID'] === first).map((one: Json) => one['CharIndexStart']))
    isMore = Markings.length + EPubHistoryActivities.length > 0
  }
  assert.equal(told, [4_711])
})

test('of an app that never says how far it has got no more is remembered than one request may bring', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const app = readingApp(hub)
  const number = bookNumber()
  const model = (at: number) => app.model({ EPubHistoryActivities: [marking(number, { CharIndexStart: at })] })
  assert.is((await app.send(model(1))).status, 200)
  const account = await hub.own.hub.ensureAccount(hub.own.directory.find(hub.account)!.id)
  const { views } = account
  const [device, item] = [`epub-1-${app.id}`, `places:epub-${number}`]
  const digest = (at: number): Uint8Array => new Uint8Array(12).fill(at % 256)
  const value = { sinceUs: 0, sent: Array.from({ length: 2_000 }, (_, at) => digest(at)) }
  noteTold(account, { device, item, sinceUs: 0, atUs: 0, value })
  assert.is((await app.send(model(2))).status, 200)
  const { sent } = toldOf(views, device, item, Infinity) as { sent: Uint8Array[] }
  assert.equal([sent.length, [...sent[0]!]], [2_000, [...digest(1)]])
})

test.run()
