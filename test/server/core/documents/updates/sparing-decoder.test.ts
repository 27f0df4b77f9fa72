import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { applyUpdate, decodeUpdate, diffUpdate } from '../../../../../server/core/documents/updates/sparing-decoder.ts'
import { isSparse } from '../../../../util/sparse.ts'
import { suite } from '../../../../util/suite.ts'
import { jsonStruct, rawUpdate } from '../../../../util/yjs-update.ts'

const test = suite('server/core/documents/updates/sparing-decoder')

const name = fc.oneof(fc.nat({ max: 5_000 }).map(String), fc.string({ maxLength: 9 })).filter(name => name !== '__proto__')
const value = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, undefined, true, false, 5n, -0.5, 1e300),
    fc.integer(),
    fc.string({ maxLength: 9 }),
    fc.uint8Array({ maxLength: 9 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(name, tie('value'), {
      maxKeys: 9,
      noNullPrototype: true
    })
  )
})).value

const holding = (values: readonly unknown[]): Uint8Array => {
  const doc = new Y.Doc()
  doc.getArray('list').insert(0, [...values])
  for (const [index, value] of values.entries()) doc.getMap('map').set(String(index), value)
  return Y.encodeStateAsUpdate(doc)
}

test('a document reads as if Yjs had read the update by itself, and is written out as it came', () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 6 }), values => {
      const update = holding(values.map(held => ({ held })))
      const [ours, theirs] = [new Y.Doc(), new Y.Doc()]
      applyUpdate(ours, update)
      Y.applyUpdate(theirs, update)
      for (const doc of [ours, theirs]) doc.getArray('list')
      assert.equal(ours.getArray('list').toArray(), theirs.getArray('list').toArray())
      assert.equal([...ours.getMap('map').entries()], [...theirs.getMap('map').entries()])
      assert.equal(Y.encodeStateAsUpdate(ours), Y.encodeStateAsUpdate(theirs))
    })
  )
})

test('no room is kept up to keys that are small numbers', () => {
  const update = holding([{ 1023: { 900: 1 } }])
  const [ours, theirs] = [new Y.Doc(), new Y.Doc()]
  applyUpdate(ours, update)
  Y.applyUpdate(theirs, update)
  const outer = (doc: Y.Doc): Record<number, object> => doc.getArray<Record<number, object>>('list').get(0)
  assert.equal([isSparse(outer(theirs)), isSparse(outer(ours)), isSparse(outer(ours)[1023]!)], [false, true, true])
})

test('an update that is decoded, or cut to what is missing, keeps none either', () => {
  const update = holding([{ 1023: 0 }])
  const valuesOf = (update: Uint8Array): object[] =>
    decodeUpdate(update).structs.flatMap(struct =>
      struct instanceof Y.Item && struct.content instanceof Y.ContentAny ? (struct.content.arr as object[]) : []
    )
  assert.equal(valuesOf(update).map(isSparse), [true, true])
  assert.equal(valuesOf(diffUpdate(update, Uint8Array.of(0))).map(isSparse), [true, true])
})

test('what is called like the prototype is no member, as in Yjs', () => {
  const update = holding([{ held: 1 }])
  const at = Buffer.from(update).indexOf('held')
  const named = Buffer.concat([update.subarray(0, at - 1), Buffer.from('\u0009__proto__'), update.subarray(at + 4)])
  const [ours, theirs] = [new Y.Doc(), new Y.Doc()]
  applyUpdate(ours, named)
  Y.applyUpdate(theirs, named)
  assert.equal(Object.keys(ours.getArray<object>('list').get(0)), [])
  assert.equal(Y.encodeStateAsUpdate(ours), Y.encodeStateAsUpdate(theirs))
})

test('items and values are counted as they take memory', () => {
  const bytes = (values: readonly unknown[]): number => applyUpdate(new Y.Doc(), holding(values))
  const [one, two] = [bytes(['a']), bytes(['a', 'b'])]
  assert.ok(one >= 2 * 160 && one <= 1_000, `${one}`)
  assert.ok(two - one >= 160, `${two - one}`)
  const maps = Array.from({ length: 1_000 }, () => ({}))
  assert.ok(bytes([maps]) - one >= 1_000 * 2 * 60)
  const embedded = new Y.Doc()
  embedded.getText('t').insertEmbed(0, { maps })
  assert.ok(applyUpdate(new Y.Doc(), Y.encodeStateAsUpdate(embedded)) >= 1_000 * 60)
  const json = rawUpdate({ structs: [[1, 0, [jsonStruct(JSON.stringify(maps), { key: 'k' })]]] })
  assert.ok(applyUpdate(new Y.Doc(), json) >= 1_000 * 60)
})

test.run()
