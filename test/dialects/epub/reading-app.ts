import { randomInt, randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { RestAnswer, RestHub } from '../../util/rest-hub.ts'

/** A model as JSON has it. */
export type Json = Record<string, any>

export const SYNCHRONIZE = '/api/synchronization/synchronize'

/** One installation of an app that speaks the API, by its account's name and password. */
export interface ReadingApp {
  readonly id: number
  /** The time that it was answered last; null before the first. */
  since: string | null
  /** Says who sends it, and since when. */
  model(changes?: Json): Json
  /** Sends a model as it is. */
  send(model: Json): Promise<RestAnswer>
  /** Sends what it changed, and comes to have what it is told. @returns the answer's `Result` */
  synchronize(changes?: Json): Promise<Json>
}

/** @param id of the installation; another one for each unless given */
export function readingApp(hub: RestHub, id = randomInt(1, 2 ** 31 - 1)): ReadingApp {
  const app: ReadingApp = {
    id,
    since: null,
    model: (changes = {}) => ({
      Account: { Email: hub.account, Password: hub.password, ...changes['Account'] },
      AccountApplicationId: id,
      ApplicationType: 1,
      LastSyncTimestamp: app.since,
      ...Object.fromEntries(Object.entries(changes).filter(([name]) => name !== 'Account'))
    }),
    send: model => hub.request('POST', SYNCHRONIZE, undefined, model),
    async synchronize(changes) {
      const { status, json, text } = await app.send(app.model(changes))
      assert.is(status, 200, text)
      assert.equal([json.Errors, json.IsSuccess, json.StatusCode], [null, true, 200], text)
      app.since = json.Result.CurrentSyncTimestamp
      return json.Result
    }
  }
  return app
}

/** An app that has everything of the account as it is now. */
export async function settledApp(hub: RestHub): Promise<ReadingApp> {
  const app = readingApp(hub)
  for (let isMore = true; isMore;) {
    const { Markings, Books, EPubHistoryActivities } = await app.synchronize()
    isMore = Markings.length + Books.length + EPubHistoryActivities.length > 0
  }
  return app
}

/** The number of a book that no other test has. */
export const bookNumber = (): number => randomInt(1, 900_000_000)

/** A marking with every member set. */
export const marking = (bookID: number, members: Json = {}): Json => ({
  id: 7,
  syncGuid: randomUUID(),
  groupId: randomUUID(),
  AccountId: 3,
  bookID,
  version: '1.0',
  content: 'It is a truth universally acknowledged <&> "so" \u{1f4d6}',
  chapter: 'Chapter 1',
  chapterId: 'ch01.xhtml',
  section: 'section',
  subSection1: 'one',
  subSection2: 'two',
  CharIndexStart: 10,
  CharIndexEnd: 20,
  note: 'a note',
  color: '#ffee00',
  type: 2,
  actionType: 1,
  textLength: 10,
  selectionOuterHtml: '<p class="x">It is</p>',
  selectionInnerHtml: 'It is',
  Timestamp: '2025-03-13T20:04:43.9577025-04:00',
  SyncIsRemoved: false,
  selectionParentOuterHtml: '<div><p class="x">It is</p></div>',
  ignoreParentChildRelationship: true,
  ...members
})

/** A book with every member set. */
export const book = (booksBookID: number, members: Json = {}): Json => ({
  title: 'Emma',
  url: 'https://books.example/emma',
  description: 'A novel.',
  bookIdentifier: `shop-${booksBookID}`,
  cover: 'https://books.example/emma.jpg',
  locked: true,
  new: true,
  featured: true,
  date: '2024-01-02T03:04:05.0000001Z',
  categories: [{ id: 1, name: 'Novels', image: 'a.png', image2: 'b.png', color: 'red' }],
  ProductId: 10,
  booksBookID,
  version: '3.0',
  bookVersion: '2',
  publisher: 'Murray',
  author: 'Jane Austen',
  tableOfContentHTML: '<ol><li>1</li></ol>',
  tableOfContentEpub30File: 'nav.xhtml',
  contentOpfPath: 'OEBPS/content.opf',
  spineContent: '<spine/>',
  manifestElementContent: '<manifest/>',
  parent: 'root',
  isInMyBooks: true,
  account_code_id: 5,
  account_code_start_date: '2024-01-01T00:00:00',
  account_code_end_date: '2034-01-01T00:00:00',
  datePurchased: '2024-01-02T00:00:00+02:00',
  lastHistoryActivityDate: '2024-05-06T07:08:09.1Z',
  fileSize: 123456,
  ...members
})
