import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ClosedError } from '../../client/index.ts'
import { MemoryStorage } from '../../client/storage.ts'
import { HubError, LIMITS, type Plain } from '../../protocol/index.ts'
import { suite } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'
import { comeBack, open, quiet } from './open.ts'
import { until } from '../util/until.ts'

const test = suite('client/annotations')

test('an annotation is put, changed, removed and restored', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  const id = notes.put({ kind: 'highlight', quote: 'handsome, clever', color: 'yellow' })
  notes.put({ id, color: null, note: 'the first words' })
  const { createdAtMs, updatedAtMs, ...found } = notes.get(id)!
  assert.equal(found, { id, kind: 'highlight', quote: 'handsome, clever', note: 'the first words' })
  assert.ok(createdAtMs !== undefined && updatedAtMs !== undefined)
  notes.remove(id)
  assert.equal(notes.list(), [])
  assert.is(notes.list({ removed: true }).length, 1)
  notes.restore(id)
  assert.is(notes.list().length, 1)
  await client.settled()
  assert.is(hub.document('b1').getMap('annotations').size, 1)
})

test('the edits of one turn are one action', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  const id = notes.put({ note: 'a' })
  notes.note(id).insert(1, 'b')
  notes.put({ id: 'other', quote: 'c' })
  await client.settled()
  notes.note(id).insert(2, 'c')
  await client.settled()
  assert.is(hub.pushed.length, 2)
  assert.is(notes.get(id)?.note, 'abc')
})

test('a document that is opened while storage takes nothing shows what the hub has told all the same', async context => {
  const hub = new FakeHub()
  const writer = await open(context, hub)
  const storage = new MemoryStorage()
  const { client } = await open(context, hub, { token: 'laptop', storage })
  await client.live()
  storage.write = () => Promise.reject(new Error('the device is full'))
  const ours = await writer.client.annotations('b1')
  const id = ours.put({ quote: 'told' })
  const isTold = new Promise<void>(resolve => client.on('annotations', () => resolve()))
  await isTold
  const theirs = await client.annotations('b1')
  assert.is(theirs.get(id)?.quote, 'told')
})

test('putting what is there already is no edit', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  const id = notes.put({ quote: 'a', note: 'n', locators: { cfi: '/6' }, extra: { list: [1, { a: 1 }] } })
  await client.settled()
  notes.put({ id, quote: 'a', note: 'n', locators: { cfi: '/6' }, extra: { list: [1, { a: 1 }] } })
  notes.restore(id)
  notes.remove('nobody')
  await client.settled()
  assert.is(hub.pushed.length, 1)
})

test('two clients that typed offline end with the same note, and both of its parts', async context => {
  const hub = new FakeHub()
  const phone = await open(context, hub)
  const laptop = await open(context, hub, { token: 'laptop' })
  const [left, right] = [await phone.client.annotations('b1'), await laptop.client.annotations('b1')]
  const id = left.put({ note: 'one two three' })
  await phone.client.settled()
  await until(() => right.get(id)?.note === 'one two three')
  hub.isWelcoming = false
  hub.cut()
  await until(() => phone.client.state === 'offline' && laptop.client.state === 'offline')
  left.put({ id, note: 'zero one two three' })
  right.put({ id, note: 'one two three four', color: 'red' })
  hub.isWelcoming = true
  await Promise.all([comeBack(phone), comeBack(laptop)])
  await Promise.all([phone.client.settled(), laptop.client.settled()])
  await until(() => left.get(id)?.note === 'zero one two three four' && left.get(id)?.color === 'red')
  await until(() => right.get(id)?.note === 'zero one two three four')
  assert.equal(Y.encodeStateVector(left.doc).length, Y.encodeStateVector(right.doc).length)
  assert.equal(left.list(), right.list())
})

test('a change of half an emoji keeps the others whole', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  const id = notes.put({ note: 'a\u{1f600}b' })
  for (const note of ['a\u{1f601}b', 'a\u{1f641}b', '\u{1f641}', '\u{1f641}\u{1f600}', '\u{1f600}', '']) {
    notes.put({ id, note })
    assert.is(notes.get(id)?.note, note)
  }
  await client.settled()
  const kept = hub.document('b1').getMap('annotations').get(id) as Y.Map<Y.Text>
  assert.is(kept.get('note')?.toJSON(), '')
})

test('annotations are there after a restart, offline, sent or not', async context => {
  const hub = new FakeHub()
  const first = await open(context, hub)
  const notes = await first.client.annotations('b1')
  notes.put({ id: 'sent', quote: 's' })
  await first.client.settled()
  await until(() => first.client.state === 'live')
  hub.isWelcoming = false
  hub.cut()
  await until(() => first.client.state === 'offline')
  notes.put({ id: 'unsent', quote: 'u' })
  await first.client.close()
  const { client, clock } = await open(context, hub, { storage: first.storage })
  const again = await client.annotations('b1')
  assert.equal(
    again.list().map(({ id }) => id),
    ['sent', 'unsent']
  )
  hub.isWelcoming = true
  await comeBack({ client, clock })
  await client.settled()
  assert.is(hub.document('b1').getMap('annotations').size, 2)
})

test('an update for a book that is not open is stored, and there when it is opened', async context => {
  const hub = new FakeHub()
  const phone = await open(context, hub)
  const laptop = await open(context, hub, { token: 'laptop' })
  await laptop.client.live()
  const told: string[] = []
  laptop.client.on('annotations', book => told.push(book))
  const notes = await phone.client.annotations('b1')
  for (let index = 0; index < 40; index++) {
    notes.put({ id: `n${index}`, quote: 'q' })
    await phone.client.settled()
  }
  await until(() => told.length === 40)
  const opened = await laptop.client.annotations('b1')
  assert.is(opened.list().length, 40)
  await laptop.client.close()
  assert.is((await laptop.storage.load('document\nb1\n')).length, 1)
})

test('a refused edit disappears, and what was edited beside it stays', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  notes.put({ id: 'good', quote: 'g' })
  await client.settled()
  let replaced = 0
  notes.on('replaced', () => (replaced += 1))
  const refused: string[] = []
  client.on('refused', (_, error) => refused.push((error as HubError).code))
  hub.refuses = () => 'document-too-large'
  notes.put({ id: 'bad', quote: 'b' })
  assert.is(notes.list().length, 2)
  await client.settled()
  assert.equal(
    notes.list().map(({ id }) => id),
    ['good']
  )
  assert.equal([refused, replaced], [['document-too-large'], 1])
  hub.refuses = () => undefined
  notes.put({ id: 'next', quote: 'n' })
  await client.settled()
  assert.is(hub.document('b1').getMap('annotations').size, 2)
})

test('a hub that lost edits is sent all that it lacks', async context => {
  const hub = new FakeHub()
  hub.documentPartBytes = 40
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  notes.put({ id: 'a', quote: 'first', note: 'x'.repeat(100) })
  await client.settled()
  notes.put({ id: 'b', quote: 'second' })
  await client.settled()
  // The log still counts, but the second update is gone from it.
  hub.log[1] = [...hub.log[1]!.slice(0, 8), new Uint8Array(2)] as unknown as (typeof hub.log)[number]
  notes.put({ id: 'c', quote: 'third' })
  await client.settled()
  assert.equal([...hub.document('b1').getMap('annotations').keys()].sort(), ['a', 'b', 'c'])
  assert.is(client.unanswered, 0)
  notes.put({ id: 'd', quote: 'fourth' })
  await client.settled()
  assert.is(hub.document('b1').getMap('annotations').size, 4)
})

test('a hub that lost more than one update may hold is sent it in several', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  notes.put({ id: 'a', note: 'first' })
  await client.settled()
  for (let count = 0; count < 3_000; count++) notes.note('a').insert(count % 2, 'x')
  await client.settled()
  hub.log = hub.log.map(change => change.with(8, new Uint8Array(2)) as unknown as typeof change)
  notes.put({ id: 'b', quote: 'second' })
  await client.settled()
  const healed = hub.log.slice(-3).map(change => Y.decodeUpdate(change[8] as Uint8Array).structs.length)
  assert.ok(healed.every(count => count <= LIMITS.maxUpdateStructs))
  assert.equal([hub.document('b1').getMap('annotations').size, client.unanswered], [2, 0])
  assert.is((hub.document('b1').getMap('annotations').get('a') as Y.Map<Y.Text>).get('note')?.length, 3_005)
})

test('after `close` nothing is mended any more', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  const notes = await client.annotations('b1')
  hub.refuses = () => 'update-gap'
  hub.letsGo = Infinity
  hub.documentPartBytes = 1
  await client.live()
  notes.put({ id: 'a', quote: 'q' })
  const failed: Error[] = []
  hub.tell('annotation.update', 'b1', Y.encodeStateAsUpdate(new Y.Doc()))
  client.on('error', error => failed.push(error))
  await until(() => failed.length === 1)
  assert.ok(clock.waits.includes(5_000))
  await client.close()
  assert.equal(clock.waits, [])
})

test('edits under a Yjs client id of another device are made again under a new one', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  notes.put({ id: 'a', note: 'one' })
  await client.settled()
  const foreign = notes.doc.clientID
  hub.refuses = ([, , , , body]) => (Y.parseUpdateMeta(body as Uint8Array).from.has(foreign) ? 'foreign-client' : undefined)
  notes.put({ id: 'a', note: 'one two', color: 'red' })
  await quiet(2)
  notes.put({ id: 'b', note: 'new' })
  await client.settled()
  assert.is.not(notes.doc.clientID, foreign)
  const map = hub.document('b1').getMap('annotations')
  assert.equal([...map.keys()].sort(), ['a', 'b'])
  const shown = (map.get('a') as Y.Map<unknown>).toJSON()
  assert.equal({ id: 'a', ...shown }, { ...notes.get('a') })
  assert.is(notes.get('a')?.note, 'one two')
  assert.is(client.unanswered, 0)
})

test("a resync shows the hub's annotations with the unsent ones on top, and gives the hub back what it lost", async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  const notes = await client.annotations('b1')
  notes.put({ id: 'kept', quote: 'k' })
  await client.settled()
  notes.put({ id: 'lost', quote: 'l' })
  await client.settled()
  hub.isWelcoming = false
  hub.restore(1)
  await until(() => client.state === 'offline')
  hub.isWelcoming = true
  await comeBack({ client, clock })
  notes.put({ id: 'new', quote: 'n' })
  await until(() => hub.document('b1').getMap('annotations').size === 3)
  assert.equal(
    notes
      .list()
      .map(({ id }) => id)
      .sort(),
    ['kept', 'lost', 'new']
  )
})

test('a version that cannot be brought back, which nobody waits for, is told as refused and is no unhandled rejection', async context => {
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  context.defer(() => process.off('unhandledRejection', note))
  const hub = new FakeHub()
  hub.refuses = () => 'not-found'
  const { client } = await open(context, hub)
  const refused: string[] = []
  client.on('refused', ({ kind }, error) => refused.push(`${kind} ${(error as HubError).code}`))
  await client.live()
  const notes = await client.annotations('b1')
  void notes.restore('a1', 7)
  await until(() => refused.length > 0)
  await quiet()
  assert.equal([refused, unhandled], [['annotation.restore not-found'], []])
})

test('fields that an annotation cannot have are refused on the spot', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  assert.throws(() => notes.put({ quote: 'x'.repeat(20_000) }), /annotation.quote/)
  let deep: Plain = 1
  for (let level = 0; level < 80; level++) deep = { deep }
  assert.throws(() => notes.put({ extra: { deep } }), /annotation.extra/)
  assert.throws(() => notes.put({ extra: { large: 'x'.repeat(LIMITS.maxBodyBytes) } }), /annotation.extra/)
  const outcome = client.annotations('b\n1').then(
    () => 'opened',
    (error: unknown) => (error as HubError).code
  )
  assert.is(await outcome, 'bad-action')
  assert.throws(
    () => notes.note('nobody'),
    (error: unknown) => error instanceof HubError && error.code === 'not-found'
  )
  notes.close()
  assert.throws(() => notes.put({ quote: 'x' }), /closed/)
  await quiet(2)
  assert.equal(hub.pushed, [])
})

test('an edit that no hub takes is told, with those behind it; those before it stay', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const refused: unknown[] = []
  client.on('refused', ({ number, key }, error) => refused.push([number, key, (error as HubError).code]))
  const notes = await client.annotations('b1')
  notes.put({ id: 'before', quote: 'b' })
  const before = notes.doc
  notes.doc.getMap('annotations').set('large', 'x'.repeat(LIMITS.maxUpdateBytes))
  notes.put({ id: 'behind', quote: 'b' })
  await client.settled()
  assert.equal(refused, [[0, 'b1', 'too-large']])
  assert.is.not(notes.doc, before)
  assert.equal([...hub.document('b1').getMap('annotations').keys()], ['before'])
  assert.equal(notes.list().map(({ id }) => id), ['before']) // prettier-ignore
})

test('an annotation has the id that `put` gives back, whatever was asked for', async context => {
  const { client } = await open(context, new FakeHub())
  const notes = await client.annotations('b1')
  const id = notes.put({ id: 'a\ud800', quote: 'q' })
  assert.is(notes.get(id)?.quote, 'q')
})

test('handles of one book share its document, and the last to close lets go of it', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const [first, second] = await Promise.all([client.annotations('b1'), client.annotations('b1')])
  let changes = 0
  second.on('change', () => (changes += 1))
  first.put({ id: 'a', quote: 'q' })
  assert.is(second.list().length, 1)
  first.close()
  first.close()
  second.put({ id: 'b', quote: 'q' })
  second.close()
  assert.is(changes, 2)
  await client.settled()
  assert.is(hub.document('b1').getMap('annotations').size, 2)
})

test('a handle of a client that is closed takes no edit, and says so', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  const id = notes.put({ quote: 'before' })
  await client.close()
  const edits = [() => notes.put({ quote: 'after' }), () => notes.remove(id), () => notes.restore(id), () => notes.restore(id, 1)]
  for (const edit of edits)
    assert.throws(edit, (error: Error) => error instanceof ClosedError && error.message.includes('annotations of b1'))
  assert.equal(
    notes.list().map(({ quote }) => quote),
    ['before']
  )
})

test('annotations that are being opened when the client is closed are not handed out', async context => {
  const { client } = await open(context, new FakeHub())
  const opening = client.annotations('b1').catch((error: unknown) => error)
  await client.close()
  assert.instance(await opening, ClosedError)
  assert.instance(await client.annotations('b1').catch((error: unknown) => error), ClosedError)
})

test('opening annotations writes nothing that storage has already', async context => {
  const storage = new MemoryStorage()
  const { client } = await open(context, new FakeHub(), { storage })
  await client.live()
  await client.putBook('b1', { title: 'Emma' })
  ;(await client.annotations('b1')).close()
  let writes = 0
  const write = storage.write.bind(storage)
  storage.write = changes => {
    writes += 1
    return write(changes)
  }
  for (let index = 0; index < 10; index++) (await client.annotations(`b${index}`)).close()
  assert.is(writes, 0)
})

test.run()
