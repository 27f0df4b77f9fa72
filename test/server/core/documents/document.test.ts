import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, LIMITS, putAnnotation } from '../../../../protocol/index.ts'
import { listAnnotations, markKnownAnnotation } from '../../../../server/core/documents/annotations.ts'
import { Document } from '../../../../server/core/documents/document.ts'
import { tailUpdateOf } from '../../../../server/core/documents/tail.ts'
import { snapshotAtOnce, LoggedDocument, momentOf, refusalOf, stateOf } from '../../../util/document-trace.ts'
import { suite } from '../../../util/suite.ts'
import { docOf, noteOf, rawUpdate, textStruct, updateOf } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents/document')

const put = (id: string, note: string) => (doc: Y.Doc) => putAnnotation(doc, id, { note }, 1)
const clientsOf = (update: Uint8Array): number[] => [...Y.parseUpdateMeta(update).to.keys()]

test('an edit of the hub comes back as an update that others can apply', () => {
  const logged = new LoggedDocument()
  const reader = docOf(5)
  Y.applyUpdate(reader, logged.edit(put('a', 'one')))
  Y.applyUpdate(reader, logged.edit(put('a', 'two')))
  assert.equal(listAnnotations(reader), [['a', { createdAtMs: 1, note: 'two', updatedAtMs: 1 }]])
})

test('an update of the log keeps nothing of the block that it was read from', () => {
  const block = new Uint8Array(65_536)
  const body = block.subarray(100, 110)
  const change = {
    kind: 'annotation.update',
    key: 'b',
    body,
    cursor: 1,
    timeUs: 1,
    device: 'd',
    client: 'c',
    number: 1,
    atMs: 1
  } as const
  const { update } = tailUpdateOf({ change, note: 0 })
  assert.equal(update, Uint8Array.from(body))
  assert.is.not(update.buffer, block.buffer)
})

test('an edit that throws leaves no trace, and the next one is whole', () => {
  const logged = new LoggedDocument()
  logged.edit(put('a', 'one'))
  const before = stateOf(logged.document)
  const code = refusalOf(() =>
    logged.edit(doc => {
      putAnnotation(doc, 'b', { note: 'half' }, 1)
      markKnownAnnotation(doc, 'missing', 1)
    })
  )
  assert.is(code, 'not-found')
  assert.equal(stateOf(logged.document), before)
  logged.edit(put('c', 'next'))
  assert.equal(stateOf(logged.rebuilt()), stateOf(logged.document))
})

test('an edit that is refused before it changed anything does not cost building the document anew', () => {
  const logged = new LoggedDocument()
  logged.edit(put('a', 'one'))
  const { doc } = logged.document
  const code = refusalOf(() => logged.edit(doc => markKnownAnnotation(doc, 'missing', 1)))
  assert.is(code, 'not-found')
  assert.is(logged.document.doc, doc)
})

test('an edit on which Yjs itself fails is refused, and not the end of the account', () => {
  const logged = new LoggedDocument()
  logged.edit(put('a', 'one'))
  const failing = { toJSON: () => 1 } as unknown as Y.Text
  assert.is(
    refusalOf(() =>
      logged.edit(doc => {
        putAnnotation(doc, 'b', { note: 'half' }, 1)
        doc.getMap<unknown>(ANNOTATION_DOCUMENT.root).set('c', Object.create(failing, {}))
        doc.getMap<unknown>(ANNOTATION_DOCUMENT.root).set('d', Symbol('no value'))
      })
    ),
    'bad-update'
  )
  logged.edit(put('a', 'two'))
  assert.equal(listAnnotations(logged.document.doc).map(([id, { note }]) => [id, note]), [['a', 'two']]) // prettier-ignore
})

test('an edit that changes nothing is an update that changes nothing', () => {
  const logged = new LoggedDocument()
  const update = logged.edit(() => undefined)
  const doc = docOf(1)
  Y.applyUpdate(doc, update)
  assert.equal(Y.encodeStateAsUpdate(doc), Y.encodeStateAsUpdate(new Y.Doc()))
})

test('the hub edits under one Yjs client for the whole life of a document, restarts and snapshots included', () => {
  const logged = new LoggedDocument()
  const [client] = clientsOf(logged.edit(put('a', 'one')))
  assert.equal(clientsOf(logged.edit(put('b', 'two'))), [client])
  assert.equal(clientsOf(logged.rebuilt().edit(put('c', 'three'), momentOf('plain'))), [client])
  const snapshot = snapshotAtOnce(logged.document)!
  assert.equal(clientsOf(Document.open('epoch', snapshot, []).edit(put('c', 'three'), momentOf('plain'))), [client])
})

test('under another epoch the hub edits under another Yjs client: the log may lack edits that devices have', () => {
  const logged = new LoggedDocument()
  const [client] = clientsOf(logged.edit(put('a', 'one')))
  const restored = Document.open('other', undefined, logged.log)
  assert.not.equal(clientsOf(restored.edit(put('b', 'two'), momentOf('plain'))), [client])
  assert.is(listAnnotations(restored.doc).length, 2)
})

test("in a log that came out of a backup any device may give back what is another's", () => {
  const logged = new LoggedDocument()
  const one = docOf(11)
  logged.apply(updateOf(one, map => map.set('a', 1)), 'one') // prettier-ignore
  const after = updateOf(one, map => map.set('b', 2))
  for (const [epoch, outcome] of [
    ['epoch', 'foreign-client'],
    ['restored-epoch', undefined]
  ] as const)
    // prettier-ignore
    assert.is(refusalOf(() => Document.open(epoch, undefined, logged.log).apply(after, momentOf('two'))), outcome, epoch)
})

test('a Yjs client belongs to the device that used it first, after a restart and in a snapshot too', () => {
  const logged = new LoggedDocument()
  const one = docOf(11)
  logged.apply(
    updateOf(one, annotations => annotations.set('a', noteOf('one'))),
    'one'
  )
  const next = updateOf(one, annotations => annotations.set('b', noteOf('two')))
  const early = logged.log.slice()
  for (const document of [
    logged.document,
    logged.rebuilt(),
    Document.open('epoch', snapshotAtOnce(Document.open('epoch', undefined, early)), [])
  ]) {
    assert.is(
      refusalOf(() => document.apply(next, momentOf('two'))),
      'foreign-client'
    )
    document.apply(next, momentOf('one'))
  }
})

test('a snapshot is due after many updates that weigh something beside it, and takes their place', () => {
  const logged = new LoggedDocument()
  let updates = 0
  for (; !logged.document.isSnapshotDue; updates++) logged.edit(put(`a${updates % 7}`, `note ${updates}`))
  assert.is(updates, 512)
  assert.ok(logged.document.hasTail)
  const snapshot = snapshotAtOnce(logged.document)!
  assert.not(logged.document.hasTail || logged.document.isSnapshotDue)
  assert.equal(stateOf(Document.open('epoch', snapshot, [])), stateOf(logged.document))
})

test('a document in which annotations were changed and then deleted can be made a snapshot of', () => {
  const logged = new LoggedDocument()
  const one = docOf(11)
  for (const color of ['red', 'green', 'blue']) {
    logged.apply(
      updateOf(one, annotations => annotations.set(color, noteOf('n', { color }))),
      'one'
    )
    for (const style of ['a', 'b', 'c'])
      logged.apply(
        updateOf(one, annotations => (annotations.get(color) as Y.Map<unknown>).set('style', style)),
        'one'
      )
    logged.apply(
      updateOf(one, annotations => annotations.delete(color)),
      'one'
    )
  }
  const snapshot = snapshotAtOnce(logged.document)
  assert.ok(snapshot)
  assert.equal(stateOf(Document.open('epoch', snapshot, [])), stateOf(logged.document))
})

test('a document over the limit takes no more, from devices or from the hub, and what it holds stays', () => {
  const logged = new LoggedDocument()
  const letters = 'x'.repeat(700_000)
  let code
  for (let clock = 0; code === undefined; clock += letters.length) {
    const update = rawUpdate({ structs: [[11, clock, [textStruct(letters, clock === 0 ? {} : { origin: [11, clock - 1] })]]] })
    code = refusalOf(() => logged.apply(update, 'one'))
  }
  assert.is(code, 'document-too-large')
  assert.is(logged.log.length, Math.floor(LIMITS.maxDocumentBytes / 700_020))
  logged.apply(rawUpdate({ structs: [[12, 0, [textStruct('x'.repeat(650_000), {})]]] }), 'one')
  assert.is(
    refusalOf(() => logged.edit(put('a', 'n'))),
    'document-too-large'
  )
  assert.equal(Y.encodeStateVector(logged.rebuilt().doc), Y.encodeStateVector(logged.document.doc))
})

test('a document that broke half-way is built again from its snapshot and what came since', () => {
  const logged = new LoggedDocument()
  logged.edit(put('a', 'kept'))
  snapshotAtOnce(logged.document)
  logged.log.length = 0
  logged.edit(put('b', 'kept too'))
  const { doc } = logged.document
  const code = refusalOf(() =>
    logged.edit(doc => {
      putAnnotation(doc, 'c', { note: 'half' }, 1)
      markKnownAnnotation(doc, 'missing', 1)
    })
  )
  assert.is(code, 'not-found')
  assert.is.not(logged.document.doc, doc)
  assert.equal([...logged.document.doc.getMap(ANNOTATION_DOCUMENT.root).keys()].sort(), ['a', 'b'])
})

test('a document of which something is lost opens with what there is, and what builds on the lost part waits', () => {
  const logged = new LoggedDocument()
  const doc = docOf(5)
  logged.apply(
    updateOf(doc, map => map.set('a', noteOf('lost'))),
    'phone'
  )
  logged.apply(
    updateOf(doc, map => (map.get('a') as Y.Map<Y.Text>).get('note')!.insert(0, 'not ')),
    'phone'
  )
  logged.apply(
    updateOf(docOf(6), map => map.set('b', noteOf('kept'))),
    'phone'
  )
  const left = Document.open('epoch', undefined, logged.log.slice(1))
  assert.equal(
    listAnnotations(left.doc).map(([id]) => id),
    ['b']
  )
  assert.not(left.isComplete)
})

test('ids are sorted once between two edits, and reading says what it costs', () => {
  const spent: number[] = []
  const document = Document.open('epoch', undefined, [], undefined, cost => spent.push(cost))
  for (const id of ['c', 'a', 'b', 'd']) document.edit(doc => doc.getMap(ANNOTATION_DOCUMENT.root).set(id, {}), momentOf('phone'))
  const costOf = (read: () => unknown): number => {
    spent.length = 0
    read()
    return spent.reduce((sum, cost) => sum + cost, 0)
  }
  const ids = (after: string): string[] => document.list(after, 2).map(([id]) => id)
  assert.is(
    costOf(() => assert.equal(ids(''), ['a', 'b'])),
    4 + 2
  )
  assert.is(
    costOf(() => assert.equal(ids('b'), ['c', 'd'])),
    2
  )
  assert.ok(costOf(() => document.since(Uint8Array.of(1, 1, 0))) > 0)
  assert.ok(costOf(() => document.encode()) > 0)
  assert.is(
    costOf(() => document.since(Uint8Array.of(0))),
    0,
    'written out already'
  )
  document.edit(doc => doc.getMap(ANNOTATION_DOCUMENT.root).set('aa', {}), momentOf('phone'))
  assert.equal(ids('a'), ['aa', 'b'])
})

test('a document is folded and opened in bounded steps, and what it takes in meanwhile stands beyond the snapshot', () => {
  const logged = new LoggedDocument()
  const doc = docOf(1)
  logged.apply(
    updateOf(doc, annotations => annotations.set('a', noteOf('words '))),
    'one'
  )
  const note = (): Y.Text => (doc.getMap('annotations').get('a') as Y.Map<Y.Text>).get('note')!
  // In reverse, so that no two characters become one edit.
  for (let round = 0; round < 10; round++)
    logged.apply(
      updateOf(doc, () => {
        for (let count = 0; count < 400; count++) note().insert(0, 'x')
      }),
      'one'
    )
  const [heldBefore, before] = [logged.log.length, stateOf(logged.document)]
  const snapshotting = logged.document.snapshotting()
  let steps = 0
  let step = snapshotting.next()
  for (; step.done !== true; step = snapshotting.next()) {
    steps += 1
    logged.apply(
      updateOf(doc, () => note().insert(3, `step ${steps}`)),
      'one'
    )
  }
  assert.ok(steps >= 5, `${steps} steps`)
  const { snapshot, count } = step.value!
  assert.is(count, heldBefore)
  assert.equal(stateOf(Document.open('epoch', snapshot, [])), before)
  assert.ok(logged.document.hasTail)
  const opening = Document.opening('epoch', snapshot, logged.log.slice(count))
  let opened = opening.next()
  for (steps = 0; opened.done !== true; opened = opening.next()) steps += 1
  assert.ok(steps >= 4, `${steps} steps`)
  assert.equal(stateOf(opened.value), stateOf(logged.document))
  assert.equal(stateOf(logged.rebuilt()), stateOf(logged.document))
  const again = snapshotAtOnce(logged.document)!
  assert.equal(stateOf(Document.open('epoch', again, [])), stateOf(logged.document))
  assert.not(logged.document.hasTail)
})

test('a document that is built anew while it is folded takes no less than nothing', () => {
  const document = Document.open('e', undefined, [])
  for (let at = 1; at <= 100; at++)
    document.edit(doc => putAnnotation(doc, `a${at}`, { note: 'n', extra: { at } }, 1), momentOf('@', at))
  const snapshotting = document.snapshotting()
  snapshotting.next()
  const fail = (doc: Y.Doc): void => {
    doc.getMap('other').set('k', 1)
    throw new Error('half-way')
  }
  assert.throws(() => document.edit(fail, momentOf('@', 101)))
  while (snapshotting.next().done !== true);
  const again = Document.open('e', snapshotAtOnce(document), [])
  assert.ok(document.heldBytes >= again.heldBytes, `${document.heldBytes} and ${again.heldBytes}`)
})

test('what was made of a document that was read anew counts, and no longer what it was made of', () => {
  const document = Document.open('e', undefined, [])
  const doc = docOf(1)
  const text = doc.getText('t')
  for (let at = 0; at < 2_000; at++)
    document.apply(
      updateOf(doc, () => text.insert(at, 'x')),
      momentOf('one', at + 1)
    )
  const typed = document.heldBytes
  snapshotAtOnce(document)
  assert.ok(document.heldBytes < typed / 20, `${document.heldBytes} of ${typed}`)
})

test.run()
