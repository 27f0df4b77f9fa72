import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, type Plain } from '../../../../protocol/index.ts'
import type { Account } from '../../../../server/core/account.ts'
import { coreHub, type CoreHub, type TestClient } from '../../../util/core-hub.ts'
import { HeldStore, logsOf, storeAfter } from '../../../util/stores.ts'
import { momentOf } from '../../../util/document-trace.ts'
import { suite } from '../../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents/documents')

type Scene = CoreHub & { store: HeldStore; account0: Account; client: TestClient; token: string }

async function scene(store = new HeldStore()): Promise<Scene> {
  const hub = coreHub({ store })
  const { account, devices } = await hub.account('phone')
  const client = hub.connect()
  await client.hello(devices['phone']!.token)
  return { ...hub, store, account0: account, client, token: devices['phone']!.token }
}

const turns = async (count: number): Promise<void> => {
  for (let done = 0; done < count; done++) await new Promise<void>(resolve => void setImmediate(resolve))
}

/** Lets documents grow old, a sweep at a time. */
async function age({ clock }: CoreHub, ms = 90_000): Promise<void> {
  for (let passed = 0; passed < ms; passed += 15_000) {
    clock.advance(15_000)
    await turns(4)
  }
}

const annotationsOf = async (client: TestClient, book = 'b'): Promise<unknown> =>
  (await client.list('annotations', book)).map(([id, { note }]) => [id, note])

test('a document is in memory once it is needed, and leaves it, with a snapshot, when no one used it for a while', async () => {
  const hub = await scene()
  const { account0, client, store } = hub
  assert.is(account0.documents.size, 0)
  await client.ask(1, 'annotation.put', 'b', { id: 'a', note: 'one' })
  assert.is(account0.documents.size, 1)
  await age(hub, 45_000)
  assert.is(account0.documents.size, 1)
  await age(hub)
  assert.is(account0.documents.size, 0)
  assert.ok(store.inner.get([account0.id, 'snapshots', 'b']))
  store.holdReads()
  assert.equal(await annotationsOf(client), [['a', 'one']])
})

test('a document that is used stays', async () => {
  const hub = await scene()
  const { account0, client } = hub
  for (let number = 1; number <= 10; number++) {
    await client.ask(number, 'annotation.put', 'b', { id: 'a', note: `${number}` })
    await age(hub, 30_000)
  }
  assert.is(account0.documents.size, 1)
})

test('a document comes back as its snapshot and what the log holds beyond it', async () => {
  const hub = await scene()
  const { client, store, token } = hub
  await client.ask(1, 'annotation.put', 'b', { id: 'a', note: 'one' })
  await age(hub)
  await client.ask(2, 'setting.put', 's', { value: 'between' })
  await client.ask(3, 'annotation.put', 'b', { id: 'a', note: 'two' })
  await client.ask(4, 'annotation.put', 'c', { id: 'x', note: 'other book' })
  await client.ask(5, 'annotation.put', 'b', { id: 'b', note: 'three' })
  const again = coreHub({ store: store.inner }).connect()
  await again.hello(token, { client: 'again' })
  assert.equal(await annotationsOf(again), [['a', 'two'], ['b', 'three']]) // prettier-ignore
  assert.equal(await annotationsOf(again, 'c'), [['x', 'other book']])
})

test('a document that several wait for is loaded once', async () => {
  const { client, store, token } = await scene()
  await client.ask(1, 'annotation.put', 'b', { id: 'a', note: 'one' })
  const hub = coreHub({ store })
  const clients = Array.from({ length: 5 }, () => hub.connect())
  for (const [index, session] of clients.entries()) {
    await session.hello(token, { client: `c${index}` })
    await session.changesUpTo(2)
  }
  store.holdReads()
  const before = store.reads
  for (const [index, session] of clients.entries()) session.push(0, [1, 'annotation.put', 'b', { id: `from ${index}`, note: '' }])
  const read = clients[0]!.list('annotations', 'b')
  await store.until(({ heldReads }) => heldReads > 0)
  store.releaseReads()
  await read
  await Promise.all(clients.map(session => session.changesUpTo(7)))
  assert.is(store.reads, before + 1)
  assert.is((await clients[0]!.list('annotations', 'b')).length, 6)
})

test('documents that a push has waited for are there when it is served, however long the last of them took', async () => {
  const { client, store, token } = await scene()
  for (const [index, book] of ['b', 'c', 'd'].entries())
    await client.ask(index + 1, 'annotation.put', book, { id: 'a', note: book })
  const hub = coreHub({ store })
  const session = hub.connect()
  await session.hello(token)
  await session.changesUpTo(4)
  await session.ask(4, 'annotation.put', 'd', { id: 'b', note: '' })
  store.holdReads()
  session.push(
    0,
    ...['d', 'b', 'c'].map((book, index): [number, string, string, Plain] => [
      5 + index,
      'annotation.put',
      book,
      { id: 'z', note: '' }
    ])
  )
  await store.until(({ heldReads }) => heldReads > 0)
  await age(hub)
  const second = store.reads
  store.releaseReads()
  store.holdReads()
  await store.until(({ reads, heldReads }) => reads > second && heldReads > 0)
  await age(hub, 120_000)
  store.releaseReads()
  assert.equal((await session.next('acked')).refused, [])
  assert.is(session.closeCode, undefined)
})

test('after many edits a snapshot is stored with them, and a restart reads no more than what came since', async () => {
  const { client, store, account0, token } = await scene()
  const doc = docOf(5)
  for (let number = 1; number <= 1_200; number++) {
    const update = updateOf(doc, annotations => annotations.set(`a${number % 20}`, noteOf(`${number}`)))
    client.push(number - 1, [number, 'annotation.update', 'b', update])
    if (number % 100 === 0) await client.changesUpTo(number)
  }
  await client.changesUpTo(1_201)
  await store.until(() => store.inner.get([account0.id, 'snapshots', 'b']) !== undefined)
  assert.ok(account0.views.get('documents', 'b')!.tail.length < 700)
  for (const kept of [store.inner, await storeAfter(store.batches), await logsOf(store.batches)]) {
    const again = coreHub({ store: kept }).connect()
    await again.hello(token)
    const page = await again.read('document', 'b')
    const copy = docOf(6, page.kind === 'view' ? (page.value as Uint8Array) : undefined)
    assert.equal(copy.getMap(ANNOTATION_DOCUMENT.root).toJSON(), doc.getMap(ANNOTATION_DOCUMENT.root).toJSON())
  }
})

test('at whatever commit a crash comes, the document holds what was acked, and its Yjs clients keep their devices', async () => {
  const hub = await scene()
  const { client, store, token } = hub
  const doc = docOf(5)
  const acked: { batches: number; state: unknown; heard: number }[] = []
  const state = (from: Y.Doc): unknown => from.getMap(ANNOTATION_DOCUMENT.root).toJSON()
  for (let number = 1; number <= 24; number++) {
    const update = updateOf(doc, annotations => annotations.set(`a${number % 5}`, noteOf(`${number}`)))
    await client.ask(number, 'annotation.update', 'b', update)
    acked.push({ batches: store.batches.length, state: state(doc), heard: number })
    if (number % 6 === 0) await age(hub)
  }
  for (let count = 1; count <= store.batches.length; count++) {
    const crashed = coreHub({ store: await storeAfter(store.batches.slice(0, count)) })
    const again = crashed.connect()
    const welcome = await again.hello(token).catch(() => undefined)
    const last = acked.findLast(({ batches }) => batches <= count)
    if (welcome === undefined || last === undefined) continue
    const page = await again.read('document', 'b')
    const copy = docOf(6, page.kind === 'view' ? (page.value as Uint8Array) : undefined)
    assert.equal(state(copy), last.state, `after batch ${count}`)
    const { device } = (await crashed.account('other')).devices['other']!
    const account = (await crashed.hub.account('account1'))!
    await account.documents.load(new Set(['b']))
    assert.throws(
      () =>
        account.documents.use('b').apply(
          updateOf(copyAs(5, copy), map => map.set('x', 1)),
          momentOf(device)
        ),
      /belongs to another device/
    )
  }
})

const copyAs = (client: number, doc: Y.Doc): Y.Doc => docOf(client, Y.encodeStateAsUpdate(doc))

test('a long log of a document is read a part in each turn, so that others get theirs', async () => {
  const { client, store, token } = await scene()
  for (let number = 1; number <= 20; number++)
    await client.ask(number, 'annotation.put', 'b', { id: `a${number}`, note: 'x'.repeat(8_000) })
  const hub = coreHub({ store })
  const session = hub.connect()
  await session.hello(token)
  await session.changesUpTo(21)
  let turn = 0
  let isOver = false
  const count = (): void => {
    turn += 1
    if (!isOver) setImmediate(count)
  }
  count()
  const readIn: number[] = []
  const read = store.read.bind(store)
  store.read = (...asked) => {
    readIn.push(turn)
    return read(...asked)
  }
  assert.is(((await annotationsOf(session)) as unknown[]).length, 20)
  isOver = true
  assert.ok(readIn.length >= 4, `read ${readIn.length} times`)
  assert.is(new Set(readIn).size, readIn.length)
})

test('a document that takes more memory than all may have together stays while it is used, and others make room', async () => {
  const { client, account0 } = await scene()
  await client.ask(1, 'annotation.put', 'other', { id: 'a', note: 'one' })
  const doc = docOf(5)
  const empty = Array.from({ length: 60_000 }, () => ({}))
  const large = (): Uint8Array => updateOf(doc, map => map.set(`a${map.size}`, new Y.Map<unknown>([['extra', [...empty]]])))
  for (let number = 2; number <= 17; number++) await client.ask(number, 'annotation.update', 'b', large())
  const { heldBytes } = account0.documents.use('b')
  assert.ok(heldBytes > 67_108_864, `${heldBytes} bytes`)
  const document = account0.documents.use('b')
  await client.ask(
    18,
    'annotation.update',
    'b',
    updateOf(doc, map => map.set('last', noteOf('n')))
  )
  await client.ask(
    19,
    'annotation.update',
    'b',
    updateOf(doc, map => map.set('more', noteOf('n')))
  )
  assert.is(account0.documents.use('b'), document)
  assert.is(account0.documents.isLoaded('other'), false)
})

const LARGE = Array.from({ length: 60_000 }, () => ({}))

/** An account of so many documents that each take some four megabytes, as a hub that begins has it, and who reads it. */
async function largeLibrary(count: number, readers: number) {
  const { client, store, token } = await scene()
  const doc = docOf(5)
  const update = updateOf(doc, map => map.set('a', new Y.Map<unknown>([['extra', LARGE]])))
  for (let book = 0; book < count; book++) await client.ask(book + 1, 'annotation.update', `b${book}`, update)
  const hub = coreHub({ store: store.inner })
  const clients = Array.from({ length: readers }, () => hub.connect())
  for (const [index, each] of clients.entries()) await each.hello(token, { client: `c${index}` })
  const { documents } = (await hub.hub.account('account1'))!
  return { clients, documents }
}

test('documents that are read one after the other make room for each other', async () => {
  const { clients, documents } = await largeLibrary(40, 1)
  let most = 0
  for (let book = 0; book < 40; book++) {
    assert.is((await clients[0]!.list('annotations', `b${book}`)).length, 1)
    most = Math.max(most, documents.size)
  }
  assert.ok(most > 8 && most < 20, `${most} documents`)
})

test('documents that are read at the same time make room for each other too', async () => {
  const { clients, documents } = await largeLibrary(40, 40)
  let most = 0
  let isOver = false
  const look = (): void => {
    most = Math.max(most, documents.size)
    if (!isOver) setImmediate(look)
  }
  look()
  const pages = await Promise.all(clients.map((client, book) => client.list('annotations', `b${book}`)))
  isOver = true
  assert.ok(pages.every(({ length }) => length === 1))
  assert.ok(most > 8 && most < 20, `${most} documents`)
})

test('a document that was asked for is there for the rest of the turn, whoever makes room meanwhile', async () => {
  const { documents } = await largeLibrary(40, 1)
  const first = new Set(['b0'])
  await documents.load(first)
  for (let book = 1; book < 40; book++) {
    const other = documents.load(new Set([`b${book}`]))
    await documents.load(first)
    assert.ok(documents.isLoaded('b0'), `beside b${book}`)
    documents.use('b0')
    await other
  }
})

test('whoever reads many books is not refused because of those that were read before', async () => {
  const { client, store, token } = await scene()
  for (let book = 0; book < 520; book++) await client.ask(book + 1, 'annotation.put', `b${book}`, { id: 'a', note: '' })
  const again = coreHub({ store: store.inner }).connect()
  await again.hello(token)
  for (let book = 0; book < 520; book++) assert.is((await again.list('annotations', `b${book}`)).length, 1)
})

test('a log that lacks what the records speak of is an error, and not a loop without end', async () => {
  const { client, store, token } = await scene()
  await client.ask(1, 'annotation.put', 'b', { id: 'a', note: 'one' })
  const hub = coreHub({ store })
  const session = hub.connect()
  await session.hello(token)
  await session.changesUpTo(2)
  store.read = async () => []
  session.send('read', { id: 1, view: 'annotations', key: 'b', after: '' })
  assert.is((await session.closed()).bye?.code, 'internal')
})

test('a document of which something is lost is not served, and nothing of it is folded away', async () => {
  const { client, store, token } = await scene()
  const doc = docOf(5)
  await client.ask(
    1,
    'annotation.update',
    'b',
    updateOf(doc, map => map.set('a', noteOf('lost')))
  )
  await client.ask(
    2,
    'annotation.update',
    'b',
    updateOf(doc, map => (map.get('a') as Y.Map<Y.Text>).get('note')!.insert(0, 'not '))
  )
  const hub = coreHub({ store })
  const account = (await hub.hub.account('account1'))!
  account.views.edit('documents', ['b'], () => ({ tail: [], changedAtUs: 0 })).tail.shift()
  const session = hub.connect()
  await session.hello(token)
  session.send('read', { id: 1, view: 'annotations', key: 'b', after: '' })
  assert.is((await session.closed()).bye?.code, 'internal')
  await age(hub)
  assert.equal(account.views.get('documents', 'b')?.tail.length, 1)
  assert.is(account.views.get('snapshots', 'b'), undefined)
})

test.run()
