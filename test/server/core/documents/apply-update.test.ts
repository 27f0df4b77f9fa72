import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { applyUpdate, countObjects } from '../../../../server/core/documents/apply-update.ts'
import { suite } from '../../../util/suite.ts'

const test = suite('server/core/documents/apply-update')

setFlagsFromString('--allow-natives-syntax')
/** Whether V8 keeps of an object's numbered members only those that there are. */
const isSparse = runInThisContext('object => %HasDictionaryElements(object)') as (object: object) => boolean

const value = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, undefined, true, false, 5n, -0.5, 1e300),
    fc.integer(),
    fc.string({ maxLength: 9 }),
    fc.uint8Array({ maxLength: 9 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.oneof(fc.nat({ max: 5_000 }).map(String), fc.string({ maxLength: 9 })), tie('value'), {
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

test('every item and every value counts as an object', () => {
  const update = holding([{ a: 1, b: [2, 3] }, 'text'])
  const inList = 1 + 6
  const inMap = 2 + 6
  assert.is(applyUpdate(new Y.Doc(), update), inList + inMap)
  assert.is(countObjects(update), inList + inMap)
})

test.run()
