import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import type { AnnotationFields, Annotations } from '../../client/index.ts'
import { BookDocument } from '../../client/book-document.ts'
import { encodeFrame, isSameValue, openNote, putAnnotation, type Frame } from '../../protocol/index.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { until } from '../util/until.ts'
import { FakeHub } from './fake-hub.ts'
import { comeBack, open, quiet, type Opened } from './open.ts'

const test = suite('client/rivals')

interface Side extends Opened {
  readonly notes: Annotations
}

const shown = ({ notes }: Side): unknown => notes.list()

/** Two devices that are offline, with the annotations of one book open. */
async function apart(
  context: TestContext,
  before: (side: Side) => void = () => undefined
): Promise<[hub: FakeHub, left: Side, right: Side]> {
  const hub = new FakeHub()
  const sides: Side[] = []
  for (const token of ['phone', 'laptop']) {
    const opened = await open(context, hub, { token })
    await opened.client.live()
    sides.push({ ...opened, notes: await opened.client.annotations('b1') })
  }
  const [left, right] = sides as [Side, Side]
  before(left)
  await left.client.settled()
  await until(() => isSameValue(shown(left), shown(right)))
  hub.isWelcoming = false
  hub.cut()
  await until(() => sides.every(({ client }) => client.state === 'offline'))
  return [hub, left, right]
}

/** One after the other comes back, and then both hear of all. */
async function meet(hub: FakeHub, first: Side, second: Side): Promise<void> {
  hub.isWelcoming = true
  for (const side of [first, second]) {
    await comeBack(side)
    await side.client.settled()
    await quiet()
    await side.client.settled()
  }
  await until(() => isSameValue(shown(first), shown(second)))
}

/** Each in a turn of its own. */
async function putOneByOne(notes: Annotations, all: readonly AnnotationFields[]): Promise<void> {
  for (const fields of all) {
    notes.put(fields)
    await quiet(2)
  }
}

for (const [first, second] of [
  [7, 9],
  [9, 7]
] as const)
  test(`of two that put one id offline the later one's fields stand, with what only the other has: Yjs clients ${first} and ${second}`, async context => {
    const [hub, left, right] = await apart(context)
    left.notes.doc.clientID = first
    right.notes.doc.clientID = second
    await putOneByOne(left.notes, [{ id: 'page-7', kind: 'bookmark', note: 'one' }, { id: 'page-7', color: 'red' }]) // prettier-ignore
    await putOneByOne(right.notes, [{ id: 'page-7', kind: 'bookmark', style: 'bold' }, { id: 'page-7', note: 'an' }, { id: 'page-7', note: 'an essay' }]) // prettier-ignore
    await meet(hub, left, right)
    const { kind, color, style, note } = left.notes.get('page-7')!
    assert.equal([kind, color, style, note], ['bookmark', 'red', 'bold', 'an essay'])
  })

test('an annotation that another device deleted from the document is there again with what was written into it offline', async context => {
  const [hub, left, right] = await apart(context, ({ notes }) => notes.put({ id: 'u1', color: 'red', note: 'made' }))
  left.notes.doc.getMap('annotations').delete('u1')
  await putOneByOne(right.notes, [{ id: 'u1', note: 'made, and an' }, { id: 'u1', note: 'made, and an essay' }]) // prettier-ignore
  await meet(hub, left, right)
  assert.equal([left.notes.get('u1')?.note, left.notes.get('u1')?.color], ['made, and an essay', 'red'])
})

test('an annotation that another device deleted stays deleted where nothing was written into it', async context => {
  const [hub, left, right] = await apart(context, ({ notes }) => notes.put({ id: 'u1', note: 'made' }))
  left.notes.doc.getMap('annotations').delete('u1')
  right.notes.put({ id: 'another', note: 'edited meanwhile' })
  await meet(hub, left, right)
  assert.equal(
    left.notes.list().map(({ id }) => id),
    ['another']
  )
})

test('what was written offline is there again also where the book was closed before the device came back', async context => {
  const [hub, left, right] = await apart(context)
  left.notes.doc.clientID = 9
  right.notes.doc.clientID = 7
  await putOneByOne(left.notes, [{ id: 'page-7', note: 'one' }])
  await putOneByOne(right.notes, [{ id: 'page-7', note: 'an' }, { id: 'page-7', note: 'an essay' }]) // prettier-ignore
  right.notes.close()
  hub.isWelcoming = true
  for (const side of [left, right]) {
    await comeBack(side)
    await side.client.settled()
  }
  await until(() => left.notes.get('page-7')?.note === 'an essay')
})

test('what was written offline is there again though storage gives the closed book back only once the hub has taken the edit', async context => {
  const [hub, left, right] = await apart(context)
  left.notes.doc.clientID = 9
  right.notes.doc.clientID = 7
  await putOneByOne(left.notes, [{ id: 'page-7', note: 'one' }])
  await putOneByOne(right.notes, [{ id: 'page-7', note: 'an' }, { id: 'page-7', note: 'an essay' }]) // prettier-ignore
  right.notes.close()
  await right.client.saved()
  let giveBack = (): void => undefined
  const taken = new Promise<void>(resolve => (giveBack = resolve))
  const load = right.storage.load.bind(right.storage)
  right.storage.load = async prefix => {
    if (prefix.startsWith('document')) await taken
    return load(prefix)
  }
  hub.isWelcoming = true
  await comeBack(left)
  await left.client.settled()
  await comeBack(right)
  await right.client.settled()
  await quiet()
  giveBack()
  await until(() => left.notes.get('page-7')?.note === 'an essay')
})

test('a document that began anew is told of when all that the hub has is in it, so that who looks takes nothing for lost', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  const notes = await client.annotations('b1')
  notes.put({ id: 'here', note: 'an essay' })
  await client.settled()
  notes.put({ id: 'later', note: 'after the backup' })
  await client.settled()
  const seen: unknown[] = []
  const look = (): void => void seen.push(notes.get('here')?.note)
  notes.on('replaced', look)
  notes.on('change', look)
  hub.isWelcoming = false
  hub.restore(1)
  await until(() => client.state === 'offline')
  hub.isWelcoming = true
  await comeBack({ client, clock })
  await until(() => hub.document('b1').getMap('annotations').size === 2)
  assert.ok(seen.length > 0)
  assert.equal(new Set(seen), new Set(['an essay']))
})

test('where a rival comes and loses, what others wrote meanwhile stays beside what is on the way from here', async () => {
  const docOf = (clientId: number, note: string): Y.Doc => {
    const doc = new Y.Doc()
    doc.clientID = clientId
    putAnnotation(doc, 'x', { kind: 'note', note }, 1)
    return doc
  }
  const [stands, rival] = [docOf(1_000, 'abc'), docOf(1, 'rival')].map(doc => Y.encodeStateAsUpdate(doc)) as [
    Uint8Array,
    Uint8Array
  ]
  const other = new Y.Doc()
  Y.applyUpdate(other, stands)
  openNote(other, 'x')!.insert(0, 'Y')
  const pending: Uint8Array[] = []
  const onEdit = (updates: readonly Uint8Array[]): void => void pending.push(...updates)
  const document = new BookDocument({ updates: [stands], pending: () => pending, onEdit, onError: assert.unreachable })
  openNote(document.doc, 'x')!.insert(3, 'X')
  document.flush()
  document.receive(rival)
  document.receive(Y.encodeStateAsUpdate(other, Y.encodeStateVectorFromUpdate(stands)))
  await quiet()
  assert.equal([openNote(document.doc, 'x')!.toJSON(), pending.length], ['YabcX', 1])
})

test('much that waits is sent in frames that a slow line delivers, and of which each counts', async context => {
  const hub = new FakeHub()
  hub.isWelcoming = false
  const side = await open(context, hub)
  for (let book = 0; book < 200; book++) void side.client.putBook(`b${book}`, { title: 'x'.repeat(500), extra: { text: 'x'.repeat(5_000) } }) // prettier-ignore
  await quiet()
  hub.isWelcoming = true
  hub.cut()
  await comeBack(side)
  await side.client.settled()
  const pushes = hub.received.filter(({ kind }) => kind === 'push')
  assert.ok(pushes.every(frame => encodeFrame('push', frame as Frame<'push'>).length <= 65_536))
  assert.ok(pushes.length > 10)
})

test.run()
