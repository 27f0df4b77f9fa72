import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { type Plain, type ViewName } from '../../../protocol/index.ts'
import { listAnnotations } from '../../../server/core/documents/annotations.ts'
import { Origin } from '../../../server/core/origin.ts'
import { readPage } from '../../../server/core/read.ts'
import { coreHub, raw, type CoreHub, type TestAction, type TestClient } from '../../util/core-hub.ts'
import { refusalOf } from '../../util/document-trace.ts'
import { Random } from '../../util/random.ts'
import { HeldStore } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../util/yjs-update.ts'

const test = suite('server/core/read')

async function signedIn(store = new HeldStore()): Promise<CoreHub & { client: TestClient; token: string; store: HeldStore }> {
  const hub = coreHub({ store })
  const { devices } = await hub.account('phone')
  const client = hub.connect()
  await client.hello(devices['phone']!.token)
  return { ...hub, client, token: devices['phone']!.token, store }
}

const failure = async (client: TestClient, view: ViewName, key: string, after = ''): Promise<string> => {
  const answer = await client.read(view, key, after)
  return answer.kind === 'failed' ? `${answer.code} ${answer.field}` : 'read'
}

test('each view shows what was put', async () => {
  const { client } = await signedIn()
  client.push(
    0,
    [1, 'book.put', 'b', { title: 'T', identifiers: { 'isbn:1': 'x' } }],
    [2, 'position.set', 'b', { progression: 0.5 }, 7],
    [3, 'annotation.put', 'b', { id: 'a', note: 'n' }, 8],
    [4, 'setting.put', 's', { value: [1, { two: null }] }]
  )
  await client.changesUpTo(5)
  const us = client.changes.map(([, timeUs]) => timeUs)
  const device = client.changes[0]![7]
  const book = ['b', { title: 'T', identifiers: { 'isbn:1': 'x' }, removed: false, cursor: 2, changedAtUs: us[1] }]
  assert.equal(await client.list('books'), [book])
  assert.equal(await client.list('book', 'b'), [book])
  assert.equal(await client.list('positions', 'b'), [[device, { progression: 0.5, atMs: 7, cursor: 3, changedAtUs: us[2] }]])
  assert.equal(await client.list('annotations', 'b'), [['a', { note: 'n', createdAtMs: 8, updatedAtMs: 8 }]])
  assert.equal(await client.list('settings'), [['s', { value: [1, { two: null }], cursor: 5, changedAtUs: us[4] }]])
  assert.equal(await client.list('devices'), [
    [device, { name: 'phone', app: 'test', readOnly: false, disabled: false, revoked: false, registeredAtUs: us[0] }]
  ])
  const page = await client.read('books')
  assert.is(page.kind === 'view' && page.cursor, 5)
})

test('what is not there is empty or not found, and a place that cannot be is refused; no session ends over it', async () => {
  const { client, connect, token } = await signedIn()
  const other = connect()
  await other.hello(token, { client: 'other' })
  assert.is(await failure(client, 'book', 'none'), 'not-found key')
  for (const view of ['annotations', 'positions'] as const) assert.equal(await client.list(view, 'none'), [])
  const page = await client.read('document', 'none')
  assert.equal(page.kind === 'view' && Buffer.from(page.value as Uint8Array), Buffer.of(0, 0))
  for (const view of ['books', 'annotations', 'document', 'positions', 'settings', 'devices'] as const)
    for (const after of ['x'.repeat(129), '書'.repeat(500)])
      assert.is(await failure(client, view, 'b', after), 'bad-request after', view)
  for (const after of ['1', '-1', 'x', '1.5', '1e9'])
    assert.is(await failure(client, 'document', 'none', after), 'bad-request after')
  assert.equal([client.closeCode, other.closeCode], [undefined, undefined])
})

test('a key that no record can have ends the session that names it alone', async () => {
  for (const key of ['\0', 'a\u0000b', 'x'.repeat(1_025), '\n']) {
    const { client, connect, token } = await signedIn()
    const other = connect()
    await other.hello(token, { client: 'other' })
    client.bytes(raw([3, 1, 'positions', key, '']))
    assert.is((await client.closed()).bye?.code, 'bad-frame')
    assert.is((await other.read('books')).kind, 'view')
  }
})

test('a page that is read by another way than a frame is held to the same keys', async () => {
  const { hub } = await signedIn()
  const account = (await hub.account('account1'))!
  for (const view of ['books', 'book', 'annotations', 'positions', 'settings', 'devices'] as const)
    for (const text of ['\0', 'a\u0000b', 'x'.repeat(129), '\ud800']) {
      assert.is(
        refusalOf(() => readPage(account, view, text, '')),
        'bad-request'
      )
      assert.is(
        refusalOf(() => readPage(account, view, 'b', text)),
        'bad-request'
      )
    }
})

test('reading the documents of books that are not there brings none into memory', async () => {
  const { client, hub } = await signedIn()
  for (let count = 0; count < 50; count++) {
    await client.read('annotations', `none${count}`)
    await client.read('document', `none${count}`)
  }
  assert.is((await hub.account('account1'))!.documents.size, 0)
})

test('pages of thousands of books hold each once, in the order of their ids, while books are added and changed', async () => {
  const { client, connect, token } = await signedIn()
  const random = new Random(3)
  const idOf = (): string => `${random.pick(['a', 'é', '書', '😀', 'Z'])}${random.below(1e9)}`
  const ids = new Set<string>()
  while (ids.size < 3_500) ids.add(idOf())
  let number = 0
  const putAll = (books: Iterable<string>, title: string): void => {
    const actions = [...books].map((id): TestAction => [++number, 'book.put', id, { title }])
    while (actions.length > 0) client.push(0, ...actions.splice(0, 1_000))
  }
  putAll(ids, 'first')
  await client.changesUpTo(1 + ids.size)
  const reader = connect()
  await reader.hello(token, { client: 'reader' })
  const read: string[] = []
  for (let after = '', pages = 0; ; pages++) {
    const page = await reader.read('books', '', after)
    if (page.kind === 'failed') throw new Error(page.message)
    const entries = page.value as [string, Plain][]
    assert.ok(entries.length <= 1_000)
    read.push(...entries.map(([id]) => id))
    if (page.next === '') break
    after = page.next
    putAll(random.shuffle([...ids]).slice(0, 200), `changed ${pages}`)
    putAll(Array.from({ length: 50 }, idOf), 'new')
  }
  assert.is(new Set(read).size, read.length, 'a book came twice')
  assert.equal(
    read,
    read.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
  )
  assert.equal(
    [...ids].filter(id => !read.includes(id)),
    []
  )
})

test('a page ends before it fills a frame, and entries of any size come whole', async () => {
  const { client } = await signedIn()
  const description = 'é'.repeat(15_000)
  for (let book = 0; book < 30; book++)
    client.push(0, [book + 1, 'book.put', `b${book}`, { description, extra: { text: description } }])
  const books = await client.list('books')
  assert.is(books.length, 30)
  assert.is(new Set(books.map(([id]) => id)).size, 30)
  assert.is(client.fault, undefined)
})

test('an annotation that a Yjs client let grow beyond any frame is left out, and the others are read', async () => {
  const { client } = await signedIn()
  const doc = docOf(1)
  const made = updateOf(doc, annotations => {
    for (const id of ['a', 'b', 'c']) annotations.set(id, noteOf(''))
  })
  client.push(0, [1, 'annotation.update', 'b', made])
  for (let part = 0; part < 3; part++) {
    const more = updateOf(doc, annotations =>
      ((annotations.get('b') as Y.Map<unknown>).get('note') as Y.Text).insert(0, 'x'.repeat(500_000))
    )
    await client.ask(part + 2, 'annotation.update', 'b', more)
  }
  assert.equal((await client.list('annotations', 'b')).map(([id]) => id), ['a', 'c']) // prettier-ignore
})

test('annotations come in pages too, and each once', async () => {
  const { client } = await signedIn()
  const doc = docOf(1)
  for (let part = 0; part < 5; part++) {
    const update = updateOf(doc, annotations => {
      for (let index = 0; index < 500; index++) annotations.set(`a${part * 500 + index}`, noteOf('note '.repeat(20)))
    })
    await client.ask(part + 1, 'annotation.update', 'b', update)
  }
  const read = await client.list('annotations', 'b')
  assert.equal(read, listAnnotations(doc))
  assert.is(read.length, 2_500)
})

test('a document is read in parts of one state, while others write and the reader reads other things', async () => {
  const { client, connect, token } = await signedIn()
  const doc = docOf(1)
  for (let part = 0; part < 3; part++) {
    const update = updateOf(doc, annotations => annotations.set(`a${part}`, noteOf('x'.repeat(300_000))))
    await client.ask(part + 1, 'annotation.update', 'b', update)
  }
  const expected = Y.encodeStateAsUpdate(doc)
  const reader = connect()
  await reader.hello(token, { client: 'reader' })
  const parts: Uint8Array[] = []
  const cursors = new Set<number>()
  for (let after = ''; ;) {
    const page = await reader.read('document', 'b', after)
    if (page.kind === 'failed') throw new Error(page.message)
    parts.push(page.value as Uint8Array)
    cursors.add(page.cursor)
    if (page.next === '') break
    after = page.next
    await client.ask(100 + parts.length, 'annotation.put', 'b', { id: 'later', note: `${parts.length}` })
    assert.is((await reader.read('settings')).kind, 'view')
    assert.is((await reader.read('book', 'none')).kind, 'failed')
  }
  assert.ok(parts.length > 3)
  assert.equal([...cursors], [4])
  assert.equal(new Uint8Array(Buffer.concat(parts)), expected)
  assert.is(await failure(reader, 'document', 'b', '262144'), 'bad-request after', 'a finished reading goes on')
})

test('a page says at which cursor it stood, also when its document had to be loaded first', async () => {
  const { client, store, token } = await signedIn()
  await client.ask(1, 'annotation.put', 'b', { id: 'a', note: 'n' })
  const restarted = coreHub({ store })
  const [reader, writer] = [restarted.connect(), restarted.connect()]
  await reader.hello(token, { client: 'reader' })
  await writer.hello(token, { client: 'writer' })
  await Promise.all([reader, writer].map(session => session.changesUpTo(2)))
  store.holdReads()
  const reading = reader.read('annotations', 'b')
  await store.until(({ heldReads }) => heldReads > 0)
  await writer.ask(1, 'setting.put', 's', { value: 1 })
  store.releaseReads()
  const page = await reading
  assert.is(page.kind === 'view' && page.cursor, 3)
})

test('earlier places of many devices in one book are listed by cursor, and each can be restored', async () => {
  const hub = coreHub()
  const { account, devices } = await hub.account(...Array.from({ length: 40 }, (_, at) => `d${at}`))
  const client = hub.connect()
  await client.hello(devices['d39']!.token)
  for (const progression of [0.1, 0.2])
    for (let at = 0; at < 40; at++)
      await account.perform(new Origin(devices[`d${at}`]!.device, ''), 'position.set', 'emma', { progression })
  const listed = await client.list('position-history', 'emma')
  assert.is(listed.length, 80)
  const cursors = listed.map(([, { cursor }]) => cursor as number)
  assert.equal(
    cursors,
    [...cursors].sort((left, right) => left - right)
  )
  for (const [index, cursor] of cursors.slice(0, 40).entries())
    assert.equal((await client.ask(index + 1, 'position.restore', 'emma', { cursor })).refused, [])
})

test.run()
