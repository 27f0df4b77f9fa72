import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, LIMITS, putAnnotation, type ErrorCode } from '../../../../protocol/index.ts'
import { LoggedDocument, refusalOf, stateOf } from '../../../util/document-trace.ts'
import { suite } from '../../../util/suite.ts'
import {
  docOf,
  gcStruct,
  jsonStruct,
  mapStruct,
  nestedJsonStruct,
  nestedValueStruct,
  noteOf,
  rawUpdate,
  skipStruct,
  subdocumentStruct,
  textStruct,
  updateOf,
  valuesStruct
} from '../../../util/yjs-update.ts'

const test = suite('server/core/documents/gate')

/** A document in which devices `one` (Yjs client 11) and `two` (22) have written, and the hub itself. */
function shared(): { document: LoggedDocument; one: Y.Doc; two: Y.Doc } {
  const document = new LoggedDocument()
  const one = docOf(11)
  document.apply(
    updateOf(one, annotations => annotations.set('a', noteOf('written by one'))),
    'one'
  )
  const two = docOf(22, document.document.encode())
  document.apply(
    updateOf(two, annotations => annotations.set('b', noteOf('written by two'))),
    'two'
  )
  document.edit(doc => putAnnotation(doc, 'c', { note: 'written by the hub' }, 1))
  const now = document.document.encode()
  for (const doc of [one, two]) Y.applyUpdate(doc, now)
  return { document, one, two }
}

const clockOf = (doc: Y.Doc, client: number): number => Y.getState(doc.store, client)
/** Updates that device `one` sends and that must be refused, by what is wrong with them. */
const REFUSED: Record<string, { code: ErrorCode; make: (one: Y.Doc, clock: number) => Uint8Array }> = {
  'bytes of version 2': { code: 'bad-update', make: one => Y.encodeStateAsUpdateV2(one) },
  'version 2 of an empty document': { code: 'bad-update', make: () => Y.encodeStateAsUpdateV2(new Y.Doc()) },
  'bytes behind the end': {
    code: 'bad-update',
    make: (_, clock) => bytesOf(rawUpdate({ structs: [[11, clock, [gcStruct(1)]]] }), 0)
  },
  'an update that is cut off': { code: 'bad-update', make: one => Y.encodeStateAsUpdate(one).slice(0, 20) },
  'a delete set that is cut off': {
    code: 'bad-update',
    make: (_, clock) =>
      rawUpdate({ structs: [[11, clock, [textStruct('x', { key: 'z' })]]], deletes: [[22, [[0, 1]]]] }).slice(0, -2)
  },
  'nothing at all': { code: 'bad-update', make: () => new Uint8Array() },
  noise: { code: 'bad-update', make: () => Uint8Array.from({ length: 64 }, (_, index) => (index * 151) % 256) },
  'a gap before its first struct': {
    code: 'update-gap',
    make: (_, clock) => rawUpdate({ structs: [[11, clock + 1, [gcStruct(1)]]] })
  },
  'a hole between its structs': {
    code: 'update-gap',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [gcStruct(1), skipStruct(3), gcStruct(1)]]] })
  },
  'a client that starts behind its beginning': {
    code: 'update-gap',
    make: () => rawUpdate({ structs: [[99, 1, [gcStruct(1)]]] })
  },
  'one client twice': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [gcStruct(2)]], [11, clock, [gcStruct(1)]]] }) // prettier-ignore
  },
  'one client twice, the second part going on': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [gcStruct(2)]], [11, clock + 2, [gcStruct(1)]]] }) // prettier-ignore
  },
  'a struct of no length': { code: 'bad-update', make: (_, clock) => rawUpdate({ structs: [[11, clock, [gcStruct(0)]]] }) },
  'a span over the limit': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [gcStruct(LIMITS.maxUpdateSpan + 1)]]] })
  },
  "the rest of another device's client, claimed": {
    code: 'foreign-client',
    make: one => rawUpdate({ structs: [[22, clockOf(one, 22), [gcStruct(1_000_000)]]] })
  },
  "the rest of another device's client, claimed beyond the span limit": {
    code: 'bad-update',
    make: one => rawUpdate({ structs: [[22, clockOf(one, 22), [gcStruct(1e9)]]] })
  },
  "an edit in another device's name": {
    code: 'foreign-client',
    make: one => updateOf(docOf(22, Y.encodeStateAsUpdate(one)), annotations => annotations.set('x', 1))
  },
  "an edit in the hub's name": {
    code: 'foreign-client',
    make: one => updateOf(docOf(hubClientIn(one), Y.encodeStateAsUpdate(one)), annotations => annotations.set('x', 1))
  },
  'an unknown origin': {
    code: 'update-gap',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [textStruct('x', { origin: [77, 0] })]]] })
  },
  'an origin beyond what a client wrote': {
    code: 'update-gap',
    make: (one, clock) => rawUpdate({ structs: [[11, clock, [textStruct('x', { origin: [22, clockOf(one, 22)] })]]] })
  },
  'an unknown right origin': {
    code: 'update-gap',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [textStruct('x', { rightOrigin: [77, 3] })]]] })
  },
  'an unknown parent': {
    code: 'update-gap',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [textStruct('x', { parent: [77, 0] })]]] })
  },
  'itself as its origin': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [textStruct('xyz', { origin: [11, clock] })]]] })
  },
  'itself as its parent': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [mapStruct({ parent: [11, clock] })]]] })
  },
  'what comes after as its origin': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [textStruct('x', { origin: [11, clock + 1] }), textStruct('y', {})]]] })
  },
  'two clients that build on each other': {
    code: 'bad-update',
    make: (_, clock) =>
      rawUpdate({ structs: [[11, clock, [textStruct('x', { origin: [99, 0] })]], [99, 0, [textStruct('y', { origin: [11, clock] })]]] }) // prettier-ignore
  },
  'a delete of what no one wrote': { code: 'update-gap', make: () => rawUpdate({ deletes: [[77, [[0, 1]]]] }) },
  'a delete beyond what a client wrote': {
    code: 'update-gap',
    make: one => rawUpdate({ deletes: [[22, [[0, clockOf(one, 22) + 1]]]] })
  },
  'a delete that ends beyond all numbers': {
    code: 'bad-update',
    make: () => rawUpdate({ deletes: [[22, [[1, Number.MAX_SAFE_INTEGER]]]] })
  },
  'a delete of nothing': { code: 'bad-update', make: () => rawUpdate({ deletes: [[22, [[0, 0]]]] }) },
  'a subdocument': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [subdocumentStruct({ key: 'z' })]]] })
  },
  'clients over the limit': {
    code: 'bad-update',
    make: () =>
      rawUpdate({ structs: Array.from({ length: LIMITS.maxUpdateClients + 1 }, (_, index) => [1_000 + index, 0, [gcStruct(1)]]) })
  },
  'structs over the limit': {
    code: 'bad-update',
    make: (_, clock) =>
      rawUpdate({ structs: [[11, clock, Array.from({ length: LIMITS.maxUpdateStructs + 1 }, () => gcStruct(1))]] })
  },
  'deletes over the limit': {
    code: 'bad-update',
    make: () => rawUpdate({ deletes: [[22, Array.from({ length: LIMITS.maxUpdateStructs + 1 }, () => [0, 1] as const)]] })
  },
  'several values under one key': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [valuesStruct([1, 2], { key: 'z' })]]] })
  },
  'types nested over the limit': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, nestedMaps(clock, LIMITS.maxDocumentDepth + 1)]] })
  },
  'values nested over the limit': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [nestedValueStruct(LIMITS.maxDocumentDepth + 1, { key: 'z' })]]] })
  },
  'JSON nested over the limit': {
    code: 'bad-update',
    make: (_, clock) => rawUpdate({ structs: [[11, clock, [nestedJsonStruct(LIMITS.maxDocumentDepth + 1, { key: 'z' })]]] })
  },
  'values over the limit': {
    code: 'bad-update',
    make: (_, clock) =>
      rawUpdate({ structs: [[11, clock, [valuesStruct(ones(LIMITS.maxUpdateValues + 1), { parent: 'list' })]]] })
  },
  'values over the limit, some of them in JSON': {
    code: 'bad-update',
    make: (_, clock) => {
      const half = ones(LIMITS.maxUpdateValues / 2)
      const places = [{ parent: 'list' }, { origin: [11, clock] }] as const
      const structs = [jsonStruct(JSON.stringify(half), places[0]), valuesStruct(half, places[1])]
      return rawUpdate({ structs: [[11, clock, structs]] })
    }
  },
  'keys that are small numbers, over the limit of values with the room that engines keep up to them': {
    code: 'bad-update',
    make: () => {
      const doc = docOf(12)
      return updateOf(doc, () => doc.getArray('list').insert(0, [ones(LIMITS.maxUpdateValues / 128).map(() => ({ 1023: 0 }))]))
    }
  },
  'a member that is called like the prototype': {
    code: 'bad-update',
    make: () => {
      const doc = docOf(12)
      return updateOf(doc, map => map.set('z', { extra: [JSON.parse('{"__proto__": 1}')] }))
    }
  },
  'such keys in JSON': {
    code: 'bad-update',
    make: (_, clock) => {
      const json = JSON.stringify(ones(LIMITS.maxUpdateValues / 128).map(() => ({ 1023: 0 })))
      return rawUpdate({ structs: [[11, clock, [jsonStruct(json, { key: 'z' })]]] })
    }
  },
  'JSON that is none': { code: 'bad-update', make: (_, clock) => rawUpdate({ structs: [[11, clock, [[5, 1, 1, 97, 1, 123]]]] }) }
}

const ones = (count: number): number[] => Array.from({ length: count }, () => 1)

/** Maps of client 11, each in the one before it. */
const nestedMaps = (clock: number, depth: number): number[][] =>
  Array.from({ length: depth }, (_, index) =>
    mapStruct(index === 0 ? { key: 'z' } : { parent: [11, clock + index - 1], key: 'x' })
  )

function bytesOf(...parts: (Uint8Array | number)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(part => (typeof part === 'number' ? [part] : [...part])))
}

function hubClientIn(doc: Y.Doc): number {
  return [...doc.store.clients.keys()].find(client => client !== 11 && client !== 22)!
}

for (const [fault, { code, make }] of Object.entries(REFUSED))
  test(`${fault}: refused as ${code}, without a trace, and the device may go on`, () => {
    const { document, one, two } = shared()
    assert.is(document.refuse(make(one, clockOf(one, 11)), 'one'), code)
    document.apply(
      updateOf(one, annotations => annotations.set('d', noteOf('one goes on'))),
      'one'
    )
    document.apply(
      updateOf(two, annotations => annotations.set('e', noteOf('two goes on'))),
      'two'
    )
    assert.equal([...document.document.doc.getMap(ANNOTATION_DOCUMENT.root).keys()].sort(), ['a', 'b', 'c', 'd', 'e'])
    assert.equal(stateOf(document.rebuilt()), stateOf(document.document))
  })

test('a hole that a client could fill later is not kept for it: it sends what is missing, and all of it again', () => {
  const { document, one } = shared()
  const first = updateOf(one, annotations => annotations.set('d', 1))
  const second = updateOf(one, annotations => annotations.set('e', 2))
  assert.is(document.refuse(second, 'one'), 'update-gap')
  document.apply(first, 'one')
  document.apply(second, 'one')
  assert.equal(document.document.doc.getMap(ANNOTATION_DOCUMENT.root).get('e'), 2)
})

test("an update may repeat anyone's known edits, and one that brings nothing new changes nothing", () => {
  const { document, one, two } = shared()
  const before = stateOf(document.document)
  document.apply(Y.encodeStateAsUpdate(one), 'two')
  document.apply(Y.encodeStateAsUpdate(new Y.Doc()), 'two')
  assert.equal(stateOf(document.document), before)
  updateOf(two, annotations => annotations.set('d', noteOf('more')))
  document.apply(Y.encodeStateAsUpdate(two), 'two')
  assert.equal(document.document.encode(), Y.encodeStateAsUpdate(two))
  assert.ok(document.log.at(-1)!.update.length < 80, 'what was known is in the log twice')
})

test('repeating the known edits of a client does not make it yours', () => {
  const { document, one } = shared()
  document.apply(Y.encodeStateAsUpdate(one), 'three')
  document.apply(
    updateOf(one, annotations => annotations.set('d', 1)),
    'one'
  )
  const forged = updateOf(docOf(11, document.document.encode()), annotations => annotations.set('f', 1))
  assert.is(document.refuse(forged, 'three'), 'foreign-client')
})

test('a struct that claims to go on from a known one in another place stands where it stands after a restart', () => {
  const { document } = shared()
  const maps = [mapStruct({ key: 'x' }), mapStruct({ key: 'y' })]
  document.apply(rawUpdate({ structs: [[33, 0, [...maps, valuesStruct([1], { parent: [33, 0], key: 'color' })]]] }), 'three')
  document.apply(rawUpdate({ structs: [[33, 2, [valuesStruct([1, 2], { parent: [33, 1], key: 'style' })]]] }), 'three')
  assert.equal(stateOf(document.rebuilt()), stateOf(document.document))
})

test('a document has so many types at its root, that of the annotations among them; what is in those it has goes on', () => {
  const document = new LoggedDocument()
  const inRoot = (name: string): number[] => textStruct('x', { parent: name, key: 'k' })
  const named = (count: number): string[] => Array.from({ length: count }, (_, index) => `root ${index}`)
  const update = (clock: number, names: readonly string[]): Uint8Array => rawUpdate({ structs: [[1, clock, names.map(inRoot)]] })
  document.apply(update(0, named(LIMITS.maxDocumentRoots - 1)), 'one')
  const before = stateOf(document.document)
  assert.is(
    refusalOf(() => document.apply(update(LIMITS.maxDocumentRoots - 1, ['one more']), 'one')),
    'document-too-large'
  )
  assert.equal(stateOf(document.document), before)
  document.apply(update(LIMITS.maxDocumentRoots - 1, named(9)), 'one')
  const many = new LoggedDocument()
  assert.is(
    refusalOf(() => many.apply(update(0, named(LIMITS.maxDocumentRoots + 1)), 'one')),
    'document-too-large'
  )
})

test('what the limits still allow is accepted', () => {
  const { document } = shared()
  document.apply(
    rawUpdate({ structs: Array.from({ length: LIMITS.maxUpdateClients }, (_, index) => [1_000 + index, 0, [gcStruct(1)]]) }),
    'three'
  )
  document.apply(
    rawUpdate({
      structs: [
        [5_000, 0, Array.from({ length: LIMITS.maxUpdateStructs }, (_, clock) => textStruct('x', { key: `k${clock % 97}` }))]
      ]
    }),
    'three'
  )
  document.apply(rawUpdate({ structs: [[6_000, 0, [gcStruct(LIMITS.maxUpdateSpan)]]] }), 'three')
  document.apply(rawUpdate({ structs: [[11, 4, nestedMaps(4, LIMITS.maxDocumentDepth)]] }), 'one')
  document.apply(rawUpdate({ structs: [[7_000, 0, [nestedValueStruct(LIMITS.maxDocumentDepth, { key: 'y' })]]] }), 'three')
  document.apply(rawUpdate({ structs: [[8_000, 0, [valuesStruct(ones(LIMITS.maxUpdateValues), { parent: 'list' })]]] }), 'three')
  assert.equal(stateOf(document.rebuilt()), stateOf(document.document))
})

test('two clients whose edits build on each other far and wide are taken, in whatever order they stand', () => {
  for (const [first, second] of [
    [50, 60],
    [60, 50]
  ] as const) {
    const { document } = shared()
    const count = LIMITS.maxUpdateStructs / 2
    const ahead = Array.from({ length: count }, (_, clock) => textStruct('a', { origin: [second, clock] }))
    const behind = Array.from({ length: count }, (_, clock) =>
      textStruct('b', clock === 0 ? { key: 'y' } : { origin: [first, clock - 1] })
    )
    document.apply(rawUpdate({ structs: [[first, 0, ahead], [second, 0, behind]] }), 'three') // prettier-ignore
    assert.equal(stateOf(document.rebuilt()), stateOf(document.document))
  }
})

test('a document that keeps what was overwritten may send several old values of a key in one piece', () => {
  const { document } = shared()
  const keeping = Object.assign(new Y.Doc({ gc: false }), { clientID: 33 })
  const update = updateOf(keeping, annotations => {
    for (const value of [1, 2, 3]) annotations.set('z', value)
  })
  assert.ok(Y.decodeUpdate(update).structs.some(({ length }) => length > 1))
  document.apply(update, 'three')
  assert.is(document.document.doc.getMap(ANNOTATION_DOCUMENT.root).get('z'), 3)
  assert.equal(stateOf(document.rebuilt()), stateOf(document.document))
})

test('edits beneath what was deleted meanwhile are taken, and come to nothing', () => {
  const { document, one, two } = shared()
  document.apply(
    updateOf(two, annotations => annotations.delete('a')),
    'two'
  )
  const late = updateOf(one, annotations => (annotations.get('a') as Y.Map<unknown>).set('color', 'red'))
  document.apply(late, 'one')
  assert.not(document.document.doc.getMap(ANNOTATION_DOCUMENT.root).has('a'))
  assert.equal(stateOf(document.rebuilt()), stateOf(document.document))
})

test.run()
