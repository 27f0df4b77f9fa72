import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { LIMITS, splitUpdate } from '../../../../protocol/index.ts'
import { placeCost, reloadCost, updateCost } from '../../../../server/core/documents/cost.ts'
import { Document } from '../../../../server/core/documents/document.ts'
import { Places } from '../../../../server/core/documents/places.ts'
import { updateSteps } from '../../../../server/core/documents/updates/steps.ts'
import { snapshotAtOnce, momentOf, refusalOf } from '../../../util/document-trace.ts'
import { suite } from '../../../util/suite.ts'
import {
  mapStruct,
  prependedUpdate,
  rawUpdate,
  textStruct,
  unplacedUpdate,
  valuesStruct,
  type Id,
  type ItemPlace
} from '../../../util/yjs-update.ts'

const test = suite('server/core/documents/cost')

function costOf(update: Uint8Array, doc: Y.Doc): number {
  const { structs, ds } = Y.decodeUpdate(update)
  return updateCost(structs, ds.clients, new Places(structs, doc), doc, Infinity)
}

/** A document with so many items of client 1 in a list, none of which joins another. */
function longList(count: number, first: ItemPlace = { parent: 't' }, text = 'a'): Document {
  const document = Document.open('epoch', undefined, [])
  for (let start = 0; start < count; start += 500)
    document.apply(prependedUpdate(1, start * text.length, 500, first, text), momentOf('one'))
  return document
}

test('updates that pile up at one place are refused before they cost much', () => {
  const document = Document.open('epoch', undefined, [])
  let accepted = 0
  for (let client = 1; client <= 40; client++)
    if (refusalOfApply(document, unplacedUpdate(client, 100), `d${client}`) === undefined) accepted += 1
  assert.ok(accepted > 0 && accepted < 40, `${accepted} accepted`)
  assert.is(refusalOfApply(document, unplacedUpdate(99, 2_000), 'd99'), 'bad-update')
})

test('a character that claims no neighbours passes by the whole list, whoever else is in the update', () => {
  const { doc } = longList(2_000)
  assert.is(costOf(unplacedUpdate(2, 1), doc), 1 + 2_000)
  // The first one stands at the end; the second claims to stand anywhere before it.
  const structs = [textStruct('b', { origin: [1, 0] }), textStruct('c', { rightOrigin: [2, 0] })]
  assert.is(costOf(rawUpdate({ structs: [[2, 0, structs]] }), doc), 2 + 2_000 + 1)
})

test('items of one update that claim places among each other are ordered against each other', () => {
  const doc = new Y.Doc()
  const at = (clock: number): Id => [1, clock]
  const one = (structs: number[][]): number => costOf(rawUpdate({ structs: [[1, 0, structs]] }), doc)
  const front = Array.from({ length: 100 }, (_, clock) =>
    textStruct('a', clock === 0 ? { parent: 't' } : { rightOrigin: at(clock - 1) })
  )
  const back = Array.from({ length: 100 }, (_, clock) =>
    textStruct('a', clock === 0 ? { parent: 't' } : { origin: at(clock - 1) })
  )
  assert.equal([one(front), one(back)], [100, 100])
  // Each passes by all that stands before the one that it names.
  const strays = Array.from({ length: 50 }, (_, index) => textStruct('b', { rightOrigin: at(index) }))
  assert.ok(one([...front, ...strays]) >= 50 * 50)
  assert.ok(one([...back, ...strays]) >= 50 * 49)
  const behind = Array.from({ length: 50 }, () => textStruct('c', { origin: at(0) }))
  assert.ok(one([...back, ...behind]) >= 50 * 50)
})

test('neighbours that are claimed the wrong way round are never met: that costs the rest of the list', () => {
  const { doc } = longList(2_000, { parent: 't' }, 'ab')
  const crossed = (origin: number, right: number): number =>
    costOf(rawUpdate({ structs: [[2, 0, [textStruct('x', { origin: [1, origin], rightOrigin: [1, right] })]]] }), doc)
  // The letters of client 1 stand in pairs, the newest in front.
  assert.is(crossed(3_998, 3_999), 1)
  assert.is(crossed(3_999, 3_998), 1 + 1_999)
})

test('what an update brings behind items of the document is passed by with them', () => {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, rawUpdate({ structs: [[1, 0, [textStruct('p', { parent: 't' })]], [3, 0, [textStruct('q', { origin: [1, 0] })]]] })) // prettier-ignore
  const behind = Array.from({ length: 100 }, (_, index) => textStruct('b', { origin: index === 0 ? [3, 0] : [4, index - 1] }))
  const before = Array.from({ length: 50 }, (_, index) =>
    textStruct('c', index === 0 ? { origin: [1, 0] } : { origin: [1, 0], rightOrigin: [5, index - 1] })
  )
  assert.is(costOf(rawUpdate({ structs: [[4, 0, behind], [5, 0, before]] }), doc), 150 + 50 * 101) // prettier-ignore
})

test('values that lie in one item are copied where it is cut', () => {
  const doc = new Y.Doc()
  Y.applyUpdate(
    doc,
    rawUpdate({
      structs: [
        [
          1,
          0,
          [
            valuesStruct(
              Array.from({ length: 6_400 }, () => 1),
              { parent: 'l' }
            )
          ]
        ]
      ]
    })
  )
  assert.is(costOf(rawUpdate({ deletes: [[1, [[10, 1]]]] }), doc), 2 * 100)
})

test('a key that was set often costs whoever claims to be the first to set it', () => {
  const { doc } = longList(2_000, { parent: 'm', key: 'k' })
  const first = textStruct('b', { rightOrigin: [1, 1_999] })
  assert.is(costOf(rawUpdate({ structs: [[2, 0, [first]]] }), doc), 1 + Math.floor(1_999 / 64))
})

test('a span of deletions costs by what it covers, each time, and by what makes room where it cuts', () => {
  const { doc } = longList(2_000, { parent: 't' }, 'ab')
  assert.is(costOf(rawUpdate({ deletes: [[1, [[0, 4_000]]]] }), doc), 250 + 1)
  assert.is(costOf(rawUpdate({ deletes: [[1, [[0, 4_000], [0, 4_000]]]] }), doc), 500 + 2) // prettier-ignore
  assert.is(costOf(rawUpdate({ deletes: [[1, [[1, 1]]]] }), doc), 1)
  assert.is(costOf(rawUpdate({ deletes: [[1, [[1, 2]]]] }), doc), 1 + 1)
})

test('what an update deletes of its own costs too', () => {
  const structs = Array.from({ length: 800 }, (_, clock) =>
    textStruct('a', clock === 0 ? { parent: 't' } : { rightOrigin: [1, clock - 1] })
  )
  const spans = Array.from({ length: 10 }, () => [0, 800] as const)
  assert.is(costOf(rawUpdate({ structs: [[1, 0, structs]], deletes: [[1, spans]] }), new Y.Doc()), 800 + 10 * 100)
})

test('all that was ever deleted, sent again as Yjs does, cuts nothing', () => {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'ab'.repeat(2_000))
  for (let at = 0; at < 2_000; at++) doc.getText('t').delete(at, 1)
  const hub = new Y.Doc()
  Y.applyUpdate(hub, Y.encodeStateAsUpdate(doc))
  const before = Y.encodeStateVector(doc)
  doc.getMap('annotations').set('one', 1)
  assert.is(costOf(Y.encodeStateAsUpdate(doc, before), hub), 1)
})

test('known edits that are sent again in another place are judged where they stand', () => {
  const document = longList(2_000, { parent: 't' }, 'ab')
  document.apply(unplacedUpdate(2, 1), momentOf('two'))
  const spent: number[] = []
  const again = Document.open('epoch', snapshotAtOnce(document), [], undefined, cost => void spent.push(cost))
  // The letter stands behind all the others; what goes on from it claims to stand behind the last.
  const longer = textStruct('ab', { origin: [1, 3_999] })
  again.apply(rawUpdate({ structs: [[2, 0, [longer]]] }), momentOf('two'))
  const honest = textStruct('c', { origin: [2, 1] })
  again.apply(rawUpdate({ structs: [[2, 2, [honest]]] }), momentOf('two'))
  assert.equal(spent.filter(cost => cost > 0), [1, 1]) // prettier-ignore
})

test('what a document deletes with a type is spent, to look back at it too, and so is what was refused', () => {
  const spent: number[] = []
  const document = Document.open('epoch', undefined, [], undefined, cost => void spent.push(cost))
  document.apply(rawUpdate({ structs: [[1, 0, [mapStruct({ key: 'a' })]]] }), momentOf('one'))
  const structs = Array.from({ length: 800 }, (_, clock) => textStruct('x', { parent: [1, 0], key: `k${clock}` }))
  document.apply(rawUpdate({ structs: [[2, 0, structs]] }), momentOf('two'))
  spent.length = 0
  document.apply(rawUpdate({ deletes: [[1, [[0, 1]]]] }), momentOf('one'))
  const [own, lookingBack, deleting] = spent
  assert.equal([own, deleting], [0, Math.floor(801 / 8)])
  assert.ok(lookingBack! >= 801 / 10, `${lookingBack}`)
  assert.is(refusalOfApply(document, unplacedUpdate(3, 2_000), 'three'), 'bad-update')
  assert.ok(spent.at(-1)! > LIMITS.maxUpdateCost)
})

test('the hub leaves the cleaning up of a formatted text to those who read it', () => {
  const writer = new Y.Doc()
  writer.clientID = 5
  const text = new Y.Text('xy')
  writer.getMap('annotations').set('n', text)
  text.format(0, 1, { bold: true })
  const document = Document.open('epoch', undefined, [])
  document.apply(Y.encodeStateAsUpdate(writer), momentOf('five'))
  document.apply(rawUpdate({ deletes: [[5, [[1, 1]]]] }), momentOf('five'))
  const deleted = Y.createDeleteSetFromStructStore(document.doc.store).clients.get(5)!
  assert.equal(deleted.map(({ clock, len }) => [clock, len]), [[1, 1]]) // prettier-ignore
})

test('a snapshot is due when what came since costs much, however few updates it is, and it takes their place', () => {
  const document = longList(50_000)
  snapshotAtOnce(document)
  for (let client = 2; !document.isSnapshotDue; client++) document.apply(unplacedUpdate(client, 1), momentOf(`d${client}`))
  assert.is(document.doc.store.clients.size, 1 + 20)
  snapshotAtOnce(document)
  assert.not(document.isSnapshotDue)
  document.apply(unplacedUpdate(99, 1), momentOf('d99'))
  assert.not(document.isSnapshotDue)
})

test('a document consists of so many items and no more, however few bytes they take', () => {
  const document = longList(LIMITS.maxDocumentItems + 500)
  assert.is(refusalOfApply(document, prependedUpdate(1, LIMITS.maxDocumentItems + 500, 1, {}), 'one'), 'document-too-large')
})

test('a document is opened in bounded steps, whatever its order costs', () => {
  const document = longList(20_000)
  const snapshot = snapshotAtOnce(document)!
  const tail = []
  for (let client = 2; client < 12; client++) {
    const update = unplacedUpdate(client, 1)
    document.apply(update, momentOf(`d${client}`))
    tail.push({ update, owner: `d${client}`, at: momentOf(`d${client}`) })
  }
  const stepsFor = (...parts: Parameters<typeof Document.opening>): number => [...Document.opening(...parts)].length
  const most = stepsFor('epoch', snapshot, [])
  assert.is(stepsFor('epoch', snapshot, tail), most + 10)
  assert.ok(stepsFor('epoch', snapshotAtOnce(document), []) >= most + 10)
})

const refusalOfApply = (document: Document, update: Uint8Array, device: string): string | undefined => {
  let code: string | undefined
  try {
    document.apply(update, momentOf(device))
  } catch (error) {
    code = refusalOf(() => {
      throw error
    })
  }
  return code
}

test('typing, pasting and setting keys one after the other pass by next to nothing', () => {
  const doc = new Y.Doc()
  const hub = new Y.Doc()
  let most = 0
  doc.on('update', (update: Uint8Array) => {
    most = Math.max(most, costOf(update, hub))
    Y.applyUpdate(hub, update)
  })
  const text = doc.getText('t')
  for (let index = 0; index < 2_000; index++) text.insert(Math.floor((index * 7_919) % (text.length + 1)), 'a')
  text.delete(100, 500)
  text.insert(50, 'pasted '.repeat(1_000))
  for (let index = 0; index < 500; index++)
    doc.getMap('annotations').set(`id ${index % 50}`, new Y.Map([['note', new Y.Text('n')]]))
  assert.ok(most <= 250, `${most} steps`)
})

test('two that type for long at the same place are not refused', () => {
  const hub = Document.open('epoch', undefined, [])
  const docs = [1, 2].map(clientID => Object.assign(new Y.Doc(), { clientID }))
  for (const [index, doc] of docs.entries()) {
    const text = doc.getText('t')
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    for (let at = 0; at < 5_000; at++) text.insert(at % 3 === 0 ? 0 : text.length, 'x')
    for (const update of updates) hub.apply(update, momentOf(`d${index}`))
  }
  assert.is(hub.doc.getText('t').length, 10_000)
})

test('characters typed one by one at the front of a long text are no conflict, however many come at once', () => {
  const doc = new Y.Doc()
  for (let index = 0; index < 2_000; index++) doc.getText('t').insert(0, 'x')
  const hub = new Y.Doc()
  Y.applyUpdate(hub, Y.encodeStateAsUpdate(doc))
  for (let index = 0; index < 400; index++) doc.getText('t').insert(0, 'x')
  assert.is(costOf(Y.encodeStateAsUpdate(doc, Y.encodeStateVector(hub)), hub), 400)
})

test('what one author writes where nobody else does costs no more than twice what it is made of', () => {
  const edit = fc.record({ at: fc.nat({ max: 9_999 }), act: fc.nat({ max: 6 }) })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 300, maxLength: 900, size: 'max' }), edits => {
      const [doc, hub] = [5, 9].map(clientID => Object.assign(new Y.Doc(), { clientID })) as [Y.Doc, Y.Doc]
      // Each in front of the last, so that they stay items of their own.
      for (let count = 0; count < 40; count++) doc.getText('t').insert(0, 'A long paragraph that was pasted in one go. ')
      doc.getArray('l').insert(
        0,
        Array.from({ length: 200 }, (_, index) => index)
      )
      Y.applyUpdate(hub, Y.encodeStateAsUpdate(doc))
      doc.clientID = 2
      const before = Y.encodeStateVector(doc)
      const [text, list, map] = [doc.getText('t'), doc.getArray<number>('l'), doc.getMap<unknown>('annotations')]
      let caret = 0
      for (const { at, act } of edits) {
        if (act === 0) text.insert((caret = at % (text.length + 1)), 'x')
        // Typed in front of what was typed last, again and again.
        else if (act === 1) text.insert(Math.min(caret, text.length), 'y')
        else if (act === 2) text.delete(at % (text.length - 3), 3)
        else if (act === 3) list.insert(at % 3 === 0 ? 0 : at % list.length, [at])
        else if (act === 4) list.delete(at % list.length, 1)
        else if (act === 5) map.set(`${at % 30}`, at % 2 === 0 ? at : new Y.Map([['note', new Y.Text(`${at}`)]]))
        else text.format(at % (text.length - 9), 8, { bold: at % 2 === 0 ? true : null })
      }
      for (const part of splitUpdate(Y.encodeStateAsUpdate(doc, before))) {
        const { structs, ds } = Y.decodeUpdate(part)
        const spans = [...ds.clients.values()].flat()
        const deleted = spans.reduce((sum, { len }) => sum + len, 0)
        const cost = costOf(part, hub)
        const most = 2 * (structs.length + spans.length + deleted)
        assert.ok(cost <= most, `${cost} for ${structs.length} structs and ${spans.length} spans`)
        Y.applyUpdate(hub, part)
      }
    }),
    { numRuns: 30 }
  )
})

test('what people write together costs no more to take in again than was found of the document', () => {
  const edit = fc.record({ by: fc.nat({ max: 3 }), at: fc.nat({ max: 9_999 }), act: fc.nat({ max: 6 }) })
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 300, size: 'max' }), edits => {
      const docs = [4, 1, 3, 2].map(clientID => Object.assign(new Y.Doc(), { clientID }))
      for (const { by, at, act } of edits) {
        const doc = docs[by]!
        const [text, list, map] = [doc.getText('t'), doc.getArray<number>('l'), doc.getMap('m')]
        if (act === 0) text.insert(at % (text.length + 1), 'x')
        else if (act === 1) text.insert(0, 'yz')
        else if (act === 2 && text.length > 0) text.delete(at % text.length, 1)
        else if (act === 3) list.insert(at % (list.length + 1), [at])
        else if (act === 4) map.set(`${at % 3}`, at % 2 === 0 ? at : new Y.Text(`${at}`))
        else if (act === 5) map.delete(`${at % 3}`)
        else Y.applyUpdate(doc, Y.encodeStateAsUpdate(docs[at % 4]!))
      }
      const [whole] = docs
      for (const doc of docs) Y.applyUpdate(whole!, Y.encodeStateAsUpdate(doc))
      const again = new Y.Doc()
      let cost = 0
      for (const part of updateSteps(Y.encodeStateAsUpdate(whole!), { structs: 1, cost: Infinity, costOf: () => 0 })) {
        const { structs } = Y.decodeUpdate(part ?? Uint8Array.of(0, 0))
        for (const struct of structs) cost += 1 + placeCost(struct, new Places(structs, again))
        if (part !== undefined) Y.applyUpdate(again, part)
      }
      assert.ok(cost <= reloadCost(whole!, Infinity), `${cost}, and not ${reloadCost(whole!, Infinity)} at most`)
    }),
    { numRuns: 100 }
  )
})

test('a short document is read back and opened at once, and one in which items may pass each other by or values be cut is not', () => {
  const stepsOf = (update: Uint8Array): [snapshotting: number, opening: number] => {
    const document = Document.open('epoch', undefined, [])
    document.apply(update, momentOf('one'))
    const snapshotting = [...document.snapshotting()].length
    return [snapshotting, [...Document.opening('epoch', snapshotAtOnce(document), [])].length]
  }
  const made = (change: (doc: Y.Doc) => void): Uint8Array => {
    const doc = new Y.Doc()
    change(doc)
    return Y.encodeStateAsUpdate(doc)
  }
  const short = made(doc => {
    for (let key = 0; key < 300; key++) doc.getMap('annotations').set(`${key}`, new Y.Map([['note', new Y.Text('a')]]))
  })
  const [snapshotting, opening] = stepsOf(short)
  assert.is(opening, 0)
  assert.is(stepsOf(made(doc => doc.getText('t').insert(0, 'a'.repeat(60_000))))[1], 0)
  for (const long of [
    prependedUpdate(1, 0, 400, { parent: 't' }, 'a'),
    made(doc =>
      doc.getArray('l').insert(
        0,
        Array.from({ length: 3_000 }, () => null)
      )
    ),
    made(doc => doc.getText('t').insert(0, 'a'.repeat(70_000)))
  ]) {
    const [snapshottingLong, openingLong] = stepsOf(long)
    assert.ok(snapshottingLong > snapshotting && openingLong > 0, `${snapshottingLong} and ${openingLong}`)
  }
})

test('a note of an offline day, merged into one that others wrote meanwhile, costs little', () => {
  const [here, there] = [1, 2].map(clientID => Object.assign(new Y.Doc(), { clientID })) as [Y.Doc, Y.Doc]
  here.getText('t').insert(0, 'both know this sentence')
  Y.applyUpdate(there, Y.encodeStateAsUpdate(here))
  const before = Y.encodeStateVector(there)
  for (const [doc, seed] of [
    [here, 7_919],
    [there, 104_729]
  ] as const)
    // prettier-ignore
    for (let index = 0; index < 400; index++) {
      const text = doc.getText('t')
      const at = (index * seed) % text.length
      if (index % 5 === 0) text.delete(at, 1)
      else text.insert(at, 'x')
    }
  assert.ok(costOf(Y.encodeStateAsUpdate(there, before), here) < LIMITS.maxUpdateCost / 20)
})

test.run()
