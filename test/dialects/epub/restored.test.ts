import * as assert from 'uvu/assert'
import type { Account } from '../../../server/core/account.ts'
import { Origin } from '../../../server/core/origin.ts'
import { restHub, type RestHub } from '../../util/rest-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { tablesRead } from '../../util/tables-read.ts'
import { marking, readingApp } from './reading-app.ts'

const test = suite('dialects/epub/restored')

/** A hub as it was when its account had one book, which no app had been told. */
async function hubBefore(context: TestContext): Promise<{ hub: RestHub; account: Account } | undefined> {
  const hub = await restHub(context)
  if (hub.own === undefined) return undefined
  const account = await hub.own.hub.ensureAccount(hub.own.directory.find(hub.account)!.id)
  await account.perform(new Origin('browser', ''), 'book.put', 'emma', { title: 'Emma' })
  return { hub, account }
}

test('behind a restored hub a book has the number again under which an app knows it', async context => {
  const before = await hubBefore(context)
  if (before === undefined) return
  const app = readingApp(before.hub)
  const [{ booksBookID: number }] = (await app.synchronize())['Books']
  const restored = (await hubBefore(context))!
  const again = readingApp(restored.hub, app.id)
  again.since = app.since
  const one = marking(number)
  const { Books } = await again.synchronize({
    Markings: [one],
    EPubHistoryActivities: [marking(number, { content: null })]
  })
  assert.equal([Books.length, Books[0].booksBookID], [1, number])
  const { account } = restored
  const known = await account.documents.withDocument('emma', document => document.list('', 9))
  assert.equal(
    known.map(([id]) => id),
    [one['syncGuid']]
  )
  assert.ok(account.views.get('positions', 'emma', `epub-1-${app.id}`))
})

test('the library is looked through for a number that no book has when a place first comes under it, and not again', async context => {
  const before = await hubBefore(context)
  if (before === undefined) return
  const app = readingApp(before.hub)
  await app.synchronize()
  const pagesFor = async (chapter: string): Promise<number> => {
    const tables = tablesRead(before.account.views)
    await app.synchronize({ EPubHistoryActivities: [marking(1_500_000_000, { content: null, chapter })] })
    return tables.filter(table => table === 'books').length
  }
  const [first, second] = [await pagesFor('one'), await pagesFor('two')]
  assert.is(first - second, 1)
})

test.run()
