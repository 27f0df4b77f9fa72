import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import type { Client } from '../../client/node.ts'
import { ANNOTATION_DOCUMENT } from '../../protocol/index.ts'
import type { RestHub } from '../util/rest-hub.ts'
import type { TestContext } from '../util/suite.ts'
import { FORMATS } from './epub/bodies.ts'
import { readingApp, SYNCHRONIZE, type Json } from './epub/reading-app.ts'
import { readerAt } from './kosync/reader.ts'

/** What is compared: texts, and null for what is not there. */
export type Facts = Readonly<Record<string, string | null>>

/** A book that one way writes into, by all of its names. */
export interface MatrixBook {
  /** The library's. */
  readonly id: string
  /** Every book has its own. */
  readonly title: string
  /** KOReader's. */
  readonly document: string
  /** The reading app's; unknown until it tells one. */
  readonly number: number | undefined
}

export const THINGS = ['annotation', 'removal', 'position', 'book', 'setting'] as const
export type Thing = (typeof THINGS)[number]

/** One way into the hub and out of it. What it does not carry is left out. */
export interface Way {
  readonly name: string
  readonly write: { readonly [T in Thing]?: (book: MatrixBook, facts: Facts, id: string) => Promise<void> | void }
  readonly read: { readonly [T in Thing]?: (book: MatrixBook, id: string) => Promise<Facts | undefined> | Facts | undefined }
}

const textOf = (value: unknown): string | null =>
  value === undefined || value === null || value === '' ? null : `${value as string | number}`
const factsOf = (held: object | undefined, names: Readonly<Record<string, string>>): Facts | undefined =>
  held && Object.fromEntries(Object.entries(names).map(([fact, name]) => [fact, textOf((held as Json)[name])]))

const SAME = { quote: 'quote', note: 'note', color: 'color', chapter: 'chapter' }
const POPUP = { EPubPopupSettingId: 1, AccountId: 1, Top: 1, Left: 2, Width: 3, Timestamp: '2025-03-13T20:04:43.9577025Z' }
const placeFacts = (position: Json | undefined): Facts | undefined =>
  position && {
    progression: textOf(position['progression']),
    chapter: textOf(position['chapter']),
    href: textOf(position['locators']?.href),
    xpointer: textOf(position['locators']?.xpointer)
  }
const bookFacts = (held: Json | undefined): Facts | undefined =>
  held && {
    ...factsOf(held, { title: 'title', publisher: 'publisher', description: 'description' }),
    author: textOf(held['authors']?.join(', '))
  }

const removalOf = (annotation: object | undefined): Facts | undefined =>
  annotation && { isRemoved: String((annotation as Json)['removedAtMs'] !== undefined) }

/** A live session, by the SDK. */
export function lecternWay(client: Client): Way {
  return {
    name: 'a Lectern session',
    write: {
      async annotation({ id: book }, facts, id) {
        const notes = await client.annotations(book)
        notes.put({ id, kind: 'highlight', ...facts })
        await client.settled()
      },
      async removal({ id: book }, _, id) {
        const notes = await client.annotations(book)
        notes.remove(id)
        await client.settled()
      },
      async position({ id }, { progression, chapter, href, xpointer }) {
        await client.setPosition(id, {
          progression: Number(progression),
          chapter: chapter!,
          locators: { href: href!, xpointer: xpointer! }
        })
      },
      async book({ id }, { author, ...fields }) {
        await client.putBook(id, { ...fields, authors: [author!] })
      },
      async setting(_, { height }) {
        await client.putSetting('epub.popup', { ...POPUP, Height: Number(height) })
      }
    },
    read: {
      annotation: async ({ id: book }, id) => factsOf((await client.annotations(book)).get(id), SAME),
      removal: async ({ id: book }, id) => removalOf((await client.annotations(book)).get(id)),
      position: ({ id }) => placeFacts(client.positions(id).newest),
      book: ({ id }) => bookFacts(client.books.get(id)),
      setting: () => factsOf((client.settings.get('epub.popup') ?? undefined) as Json | undefined, { height: 'Height' })
    }
  }
}

/** An editor for Yjs, by the unmodified provider. */
export function yjsWay({ defer }: TestContext, url: string, token: string): Way {
  const docs = new Map<string, Y.Doc>()
  const open = (book: string): Y.Map<Y.Map<unknown>> => {
    let doc = docs.get(book)
    if (doc === undefined) {
      doc = new Y.Doc()
      docs.set(book, doc)
      const provider = new WebsocketProvider(`${url.replace('http', 'ws')}/yjs`, `book/${book}`, doc, {
        params: { token },
        WebSocketPolyfill: WebSocket as never,
        disableBc: true
      })
      defer(() => {
        provider.destroy()
        // Its awareness looks at the time until the document goes.
        provider.doc.destroy()
      })
    }
    return doc.getMap(ANNOTATION_DOCUMENT.root)
  }
  return {
    name: 'y-websocket',
    write: {
      annotation({ id: book }, { note, ...fields }, id) {
        open(book).set(id, new Y.Map<unknown>([['kind', 'highlight'], ['note', new Y.Text(note!)], ...Object.entries(fields)]))
      },
      removal({ id: book }, _, id) {
        open(book).get(id)!.set(ANNOTATION_DOCUMENT.removedField, 1)
      }
    },
    read: {
      removal: ({ id: book }, id) => removalOf(open(book).get(id)?.toJSON()),
      annotation: ({ id: book }, id) => factsOf(open(book).get(id)?.toJSON(), SAME)
    }
  }
}

/** An app that synchronizes, in one form of its bodies. Who writes and who reads are two installations. */
export function epubWay(hub: RestHub, format: 'JSON' | 'XML' | 'form', accept: string): Way {
  const [writer, reader] = [readingApp(hub), readingApp(hub)]
  const markings = new Map<string, Json>()
  const books = new Map<string, Json>()
  const places = new Map<string, Json>()
  const sent = new Map<string, Json>()
  let popup: Json | undefined
  const exchange = async (app: typeof writer, changes: Json = {}): Promise<Json> => {
    const { type, body } = FORMATS[format]!(app.model(changes))
    const response = await fetch(hub.url + SYNCHRONIZE, { method: 'POST', headers: { 'content-type': type, accept }, body })
    const text = await response.text()
    assert.is(response.status, 200, text)
    const result = accept === 'application/xml' ? resultOfXml(text) : (JSON.parse(text) as Json)['Result']
    app.since = result.CurrentSyncTimestamp
    return result as Json
  }
  const told = async (): Promise<void> => {
    const result = await exchange(reader)
    for (const marking of result['Markings']) markings.set(marking.syncGuid, marking)
    for (const book of result['Books']) books.set(book.title, book)
    for (const place of result['EPubHistoryActivities']) places.set(textOf(place.bookID)!, place)
    popup = result['PopupSettings'] ?? popup
  }
  const numberOf = ({ number, title }: MatrixBook): string => textOf(number ?? books.get(title)?.['booksBookID'])!
  const blank = {
    id: 0,
    AccountId: 0,
    groupId: null,
    type: 1,
    actionType: 1,
    SyncIsRemoved: false,
    ignoreParentChildRelationship: false,
    Timestamp: POPUP.Timestamp
  }
  return {
    name: `epub ${format}`,
    write: {
      async annotation({ number }, { quote, ...facts }, id) {
        sent.set(id, { ...blank, syncGuid: id, bookID: number, content: quote, ...facts })
        await exchange(writer, { Markings: [sent.get(id)!] })
      },
      async removal(_, __, id) {
        await exchange(writer, { Markings: [{ ...sent.get(id)!, SyncIsRemoved: true }] })
      },
      async position({ number }, { chapter, href }, id) {
        await exchange(writer, { EPubHistoryActivities: [{ ...blank, syncGuid: id, bookID: number, chapter, chapterId: href }] })
      },
      async book({ number }, facts) {
        await exchange(writer, { Books: [{ booksBookID: number, isInMyBooks: true, ...facts }] })
      },
      async setting(_, { height }) {
        await exchange(writer, { PopupSettings: { ...POPUP, Height: Number(height) } })
      }
    },
    read: {
      async annotation(_, id) {
        await told()
        return factsOf(markings.get(id), { ...SAME, quote: 'content' })
      },
      async removal(_, id) {
        await told()
        return factsOf(markings.get(id), { isRemoved: 'SyncIsRemoved' })
      },
      async position(book) {
        await told()
        const place = places.get(numberOf(book))
        return factsOf(place, { progression: 'subSection1', chapter: 'chapter', href: 'chapterId', xpointer: 'section' })
      },
      async book({ title }) {
        await told()
        return factsOf(books.get(title), { title: 'title', author: 'author', publisher: 'publisher', description: 'description' })
      },
      async setting() {
        await told()
        return factsOf(popup, { height: 'Height' })
      }
    }
  }
}

/** The lists and models of an answer, with their values as texts. */
function resultOfXml(xml: string): Json {
  const plain = xml.replace(/(<\/?)\w+:/g, '$1')
  const inner = (text: string, name: string): string | undefined =>
    new RegExp(`<${name}(?: [^>]*)?>(.*?)</${name}>`, 's').exec(text)?.[1]
  const members = (text: string): Json =>
    Object.fromEntries(
      [...text.matchAll(/<(\w+)(?: [^>]*)?>([^<]*)<\/\1>/g)].map(([, name, value]) => [name!, unescaped(value!)])
    )
  const items = (list: string, item: string): Json[] =>
    [...(inner(plain, list) ?? '').matchAll(new RegExp(`<${item}(?: [^>]*)?>(.*?)</${item}>`, 'gs'))].map(([, text]) =>
      members(text!)
    )
  const popup = inner(plain, 'PopupSettings')
  return {
    Markings: items('Markings', 'position'),
    Books: items('Books', 'book'),
    EPubHistoryActivities: items('EPubHistoryActivities', 'position'),
    PopupSettings: popup === undefined ? null : members(popup),
    CurrentSyncTimestamp: inner(plain, 'CurrentSyncTimestamp')
  }
}

const unescaped = (text: string): string => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

/** Plain HTTP: a book's annotations in JSON-LD, and the log. */
export function restWay(hub: RestHub, token: string): Way {
  const latest = new Map<string, Json>()
  let at = 'cursor=0'
  const catchUp = async (): Promise<void> => {
    for (let hasMore = true; hasMore;) {
      const { json } = await hub.request('GET', `/api/v1/changes?${at}`, token)
      for (const { kind, key, body } of json.changes as { kind: string; key: string; body: Json }[])
        latest.set(`${kind} ${key}`, kind === 'book.put' ? { ...latest.get(`${kind} ${key}`), ...body } : body)
      at = `epoch=${json.epoch as string}&cursor=${json.cursor as number}`
      hasMore = json.hasMore as boolean
    }
  }
  return {
    name: 'REST',
    write: {},
    read: {
      async annotation({ id: book }, id) {
        const { json } = await hub.request('GET', `/api/v1/books/${book}/annotations`, token)
        const item = (json.first?.items as Json[] | undefined)?.find(found => found['id'] === `urn:uuid:${id}`)
        return (
          item && {
            quote: item['target'].selector[0].exact,
            note: item['body'].value,
            color: item['lectern'].color,
            chapter: item['lectern'].chapter
          }
        )
      },
      async removal({ id: book }, id) {
        const { text } = await hub.request('GET', `/api/v1/books/${book}/annotations`, token)
        return { isRemoved: String(!text.includes(id)) }
      },
      async position({ id }) {
        await catchUp()
        return placeFacts(latest.get(`position.set ${id}`))
      },
      async book({ id }) {
        await catchUp()
        return bookFacts(latest.get(`book.put ${id}`))
      },
      async setting() {
        await catchUp()
        return factsOf(latest.get('setting.put epub.popup')?.['value'] as Json | undefined, { height: 'Height' })
      }
    }
  }
}

/** The library feed. */
export function feedWay(hub: RestHub, token: string): Way {
  const recordOf = async ({ title }: MatrixBook): Promise<Json | undefined> => {
    const { json } = await hub.request('GET', '/api/library/sync?limit=100', token)
    return (json.data as Json[]).find(record => record['title'] === title)
  }
  return {
    name: 'the library feed',
    write: {},
    read: {
      position: async book => factsOf((await recordOf(book))?.['progress'] as Json | undefined, { progression: 'percentage' }),
      book: async book =>
        factsOf(await recordOf(book), { title: 'title', author: 'author', publisher: 'publisher', description: 'description' })
    }
  }
}

/** KOReader. */
export function kosyncWay(url: string, account: string, password: string): Way {
  const reader = readerAt(url, account, password)
  return {
    name: 'kosync',
    write: {
      async position({ document }, { progression, xpointer }) {
        const { status, text } = await reader.put(document, xpointer, Number(progression))
        assert.is(status, 200, text)
      }
    },
    read: {
      position: async ({ document }) =>
        factsOf((await reader.get(document)) as Json, { progression: 'percentage', xpointer: 'progress' })
    }
  }
}
