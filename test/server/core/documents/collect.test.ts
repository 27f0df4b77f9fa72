import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { QuietDoc } from '../../../../server/core/documents/quiet-doc.ts'
import { suite } from '../../../util/suite.ts'
import { mapStruct, rawUpdate, textStruct, valuesStruct } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents/collect')

/** What a document keeps of each client's edits, piece by piece. */
const piecesOf = (doc: Y.Doc): unknown =>
  [...doc.store.clients]
    .sort(([left], [right]) => left - right)
    .map(([client, made]) => [
      client,
      made.map(({ id, length, deleted, constructor }) => [id.clock, length, deleted, constructor.name])
    ])

/** Applies the same to a document of the hub and to one of Yjs. */
function both(updates: readonly Uint8Array[]): [hub: Y.Doc, plain: Y.Doc] {
  const docs: [Y.Doc, Y.Doc] = [new QuietDoc(), new Y.Doc()]
  for (const update of updates) for (const doc of docs) Y.applyUpdate(doc, update)
  return docs
}

test('what many deletions leave behind is what Yjs leaves behind, piece by piece', () => {
  const edit = fc.record({ at: fc.nat({ max: 9_999 }), length: fc.integer({ min: 1, max: 200 }), act: fc.nat({ max: 4 }) })
  let joined = 0
  fc.assert(
    fc.property(fc.array(edit, { minLength: 30, maxLength: 120, size: 'max' }), edits => {
      const authors = [1, 2].map(clientID => Object.assign(new Y.Doc(), { clientID })) as [Y.Doc, Y.Doc]
      const updates: Uint8Array[] = []
      for (const doc of authors) doc.on('update', (update: Uint8Array) => updates.push(update))
      for (const { at, length, act } of edits) {
        const doc = authors[at % 2]!
        for (const other of authors) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)))
        const [text, map] = [doc.getText('t'), doc.getMap<Y.Map<unknown>>('annotations')]
        doc.transact(() => {
          if (act < 2) for (let count = 0; count < length; count++) text.insert((at * (count + 1)) % (text.length + 1), 'ab')
          else if (act === 2)
            for (let count = 0; count < length; count++)
              map.set(`${at}-${count}`, new Y.Map<unknown>([['note', new Y.Text('n')], ['color', count]])) // prettier-ignore
          else if (act === 3) text.delete(0, Math.min(text.length, length * 20))
          else for (const id of [...map.keys()].slice(0, length)) map.delete(id)
        })
      }
      const [hub, plain] = both(updates)
      assert.equal(piecesOf(hub), piecesOf(plain))
      assert.equal(Y.encodeStateAsUpdate(hub), Y.encodeStateAsUpdate(plain))
      if (Y.createDeleteSetFromStructStore(hub.store).clients.size > 0) joined += 1
      for (const doc of [hub, plain]) Y.applyUpdate(doc, rawUpdate({ structs: [[9, 0, [textStruct('x', { parent: 't' })]]] }))
      assert.equal([hub.getText('t').toJSON(), hub.getMap('annotations').toJSON()], [plain.getText('t').toJSON(), plain.getMap('annotations').toJSON()]) // prettier-ignore
    }),
    { numRuns: 25 }
  )
  assert.ok(joined > 15, `only ${joined} deleted anything`)
})

test('a key keeps its newest value where older ones are joined behind it', () => {
  const sets = Array.from({ length: 600 }, (_, clock) =>
    valuesStruct([clock % 60], clock === 0 ? { parent: 'm', key: 'k' } : { origin: [1, clock - 1] })
  )
  const [hub, plain] = both([rawUpdate({ structs: [[1, 0, sets]] }), rawUpdate({ deletes: [[1, [[0, 600]]]] })])
  assert.equal(piecesOf(hub), piecesOf(plain))
  assert.is(hub.getMap('m').size, 0)
  for (const doc of [hub, plain]) Y.applyUpdate(doc, rawUpdate({ structs: [[2, 0, [valuesStruct([7], { origin: [1, 599] })]]] }))
  assert.equal([hub.getMap('m').toJSON(), plain.getMap('m').toJSON()], [{ k: 7 }, { k: 7 }])
})

test('types that lie among what stays are collected with all that they hold', () => {
  const structs = Array.from({ length: 600 }, (_, clock) =>
    clock % 3 === 0
      ? mapStruct({ key: `k${clock}` })
      : textStruct('x', { parent: [1, clock - (clock % 3)], key: `f${clock % 3}` })
  )
  const spans = Array.from({ length: 100 }, (_, index) => [index * 6, 1] as const)
  const [hub, plain] = both([rawUpdate({ structs: [[1, 0, structs]] }), rawUpdate({ deletes: [[1, spans]] })])
  assert.equal(piecesOf(hub), piecesOf(plain))
  assert.is((piecesOf(hub) as [number, unknown[]][])[0]![1].length, 500)
})

test.run()
