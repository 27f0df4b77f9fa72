import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, encodeValue, LIMITS, putAnnotation, scan } from '../../../../protocol/index.ts'
import { listAnnotations, markKnownAnnotation } from '../../../../server/core/documents/annotations.ts'
import { suite } from '../../../util/suite.ts'
import { docOf, mapStruct, noteOf, rawUpdate, updateOf } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents/annotations')

const { root } = ANNOTATION_DOCUMENT
const entryOf = (doc: Y.Doc, id: string): Y.Map<unknown> => doc.getMap(root).get(id) as Y.Map<unknown>
const noteIn = (doc: Y.Doc, id: string): Y.Text => entryOf(doc, id).get('note') as Y.Text

function sync(...docs: Y.Doc[]): void {
  for (const from of docs) for (const to of docs) Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)))
}

test('a put makes an annotation, changes the fields that it gives, and leaves the others', () => {
  const doc = docOf(1)
  putAnnotation(doc, 'a', { kind: 'highlight', quote: 'q', color: 'red', extra: { deep: [1, { two: null }] } }, 10)
  putAnnotation(doc, 'a', { color: 'blue', note: 'n' }, 20)
  const extra = { deep: [1, { two: null }] }
  assert.equal(listAnnotations(doc), [
    ['a', { createdAtMs: 10, kind: 'highlight', quote: 'q', color: 'blue', extra, updatedAtMs: 20, note: 'n' }]
  ])
})

test('nil clears a field, and leaves an empty note, into which others may be typing', () => {
  const doc = docOf(1)
  putAnnotation(doc, 'a', { quote: 'q', note: 'n', locators: { cfi: 'x', page: null } }, 10)
  putAnnotation(doc, 'a', { quote: null, note: null, locators: null, chapter: null }, 20)
  assert.equal(listAnnotations(doc), [['a', { createdAtMs: 10, updatedAtMs: 20, note: '' }]])
})

test('a changed note keeps what another is typing in it', () => {
  const hub = docOf(1)
  putAnnotation(hub, 'a', { note: 'The quick fox' }, 1)
  const writer = docOf(2, Y.encodeStateAsUpdate(hub))
  noteIn(writer, 'a').insert(13, ' jumps')
  putAnnotation(hub, 'a', { note: 'The quick brown fox' }, 2)
  sync(hub, writer)
  assert.is(noteIn(hub, 'a').toJSON(), 'The quick brown fox jumps')
  assert.is(noteIn(writer, 'a').toJSON(), 'The quick brown fox jumps')
})

for (const [last, next] of [
  ['nice 👍', 'nice 👎'],
  ['👍', '👎'],
  ['a👍b', 'a👎b'],
  ['\u{1f44d}', '\u{1f84d}'],
  ['x\u{1f44d}\u{1f84d}y', 'x\u{1f84d}\u{1f44d}y'],
  ['👍👍', '👍'],
  ['', '👍'],
  ['👍', ''],
  ['aaa', 'aa'],
  ['ab', 'aab'],
  ['👨‍👩‍👧', '👨‍👩‍👦']
] as const)
  test(`a note goes from ${JSON.stringify(last)} to ${JSON.stringify(next)} unbroken, and so it is read again`, () => {
    const doc = docOf(1)
    putAnnotation(doc, 'a', { note: last }, 1)
    putAnnotation(doc, 'a', { note: next }, 2)
    assert.is(noteIn(doc, 'a').toJSON(), next)
    assert.is(noteIn(docOf(2, Y.encodeStateAsUpdate(doc)), 'a').toJSON(), next)
  })

test('a removed annotation keeps its content, is listed as removed, and a restore takes the mark away', () => {
  const doc = docOf(1)
  putAnnotation(doc, 'a', { quote: 'q', note: 'n' }, 1)
  markKnownAnnotation(doc, 'a', 5)
  assert.equal(listAnnotations(doc), [['a', { createdAtMs: 1, quote: 'q', note: 'n', updatedAtMs: 1, removedAtMs: 5 }]])
  markKnownAnnotation(doc, 'a', undefined)
  assert.equal(listAnnotations(doc), [['a', { createdAtMs: 1, quote: 'q', note: 'n', updatedAtMs: 1 }]])
})

test('an edit by a device that has not heard of the removal does not undo it', () => {
  const hub = docOf(1)
  putAnnotation(hub, 'a', { note: 'n' }, 1)
  const stale = docOf(2, Y.encodeStateAsUpdate(hub))
  markKnownAnnotation(hub, 'a', 5)
  entryOf(stale, 'a').set('color', 'red')
  noteIn(stale, 'a').insert(0, 'my ')
  sync(hub, stale)
  putAnnotation(hub, 'a', { chapter: '1' }, 6)
  for (const doc of [hub, stale])
    assert.equal(
      listAnnotations(doc).map(([, { removedAtMs, note, color }]) => [removedAtMs, note, color]),
      [[5, 'my n', 'red']]
    )
})

test('marking an annotation that is not there is not found', () => {
  const doc = docOf(1)
  for (const mark of [1, undefined]) assert.throws(() => markKnownAnnotation(doc, 'a', mark), /there is no annotation a/)
  assert.equal(Y.encodeStateAsUpdate(doc), Y.encodeStateAsUpdate(new Y.Doc()))
})

test('an annotation that a Yjs client wrote as one plain object is changed and marked like any other', () => {
  const doc = docOf(1)
  doc.getMap(root).set('a', { quote: 'q', note: 'plain', order: [1, 2] })
  doc.getMap(root).set('b', { quote: 'r' })
  putAnnotation(doc, 'a', { note: 'text', color: 'red' }, 1)
  markKnownAnnotation(doc, 'b', 2)
  assert.equal(listAnnotations(doc), [
    ['a', { quote: 'q', note: 'text', order: [1, 2], color: 'red', updatedAtMs: 1 }],
    ['b', { quote: 'r', removedAtMs: 2 }]
  ])
})

test('what a Yjs client put where an annotation should be is left out, and a put replaces it', () => {
  const odd = [
    new Y.Text('t'),
    new Y.Array(),
    new Y.XmlText('x'),
    new Y.XmlElement('x'),
    new Y.XmlFragment(),
    5,
    'text',
    null,
    [1],
    Buffer.of(1)
  ]
  const doc = docOf(1)
  for (const [index, value] of odd.entries())
    doc.getMap(root).set(String(index), value instanceof Buffer ? new Uint8Array(value) : value)
  assert.equal(listAnnotations(doc), [])
  for (const index of odd.keys()) putAnnotation(doc, String(index), { color: 'red' }, 1)
  assert.equal(
    listAnnotations(doc).map(([, { color, createdAtMs }]) => [color, createdAtMs]),
    odd.map(() => ['red', 1])
  )
})

test('types within an annotation are listed as what they hold, and those without a plain form are left out', () => {
  const doc = docOf(1)
  const inner = new Y.Map<unknown>([['list', Y.Array.from<number | object>([1, new Y.Text('t'), new Y.XmlElement('x')])]])
  doc.getMap(root).set(
    'a',
    new Y.Map<unknown>([
      ['inner', inner],
      ['xml', new Y.XmlElement('x')],
      ['big', 5n],
      ['nan', NaN],
      ['u', undefined]
    ])
  )
  assert.equal(listAnnotations(doc), [['a', { inner: { list: [1, 't', null] } }]])
})

test('ids and keys that a frame cannot carry are left out', () => {
  const doc = docOf(1)
  const annotations = doc.getMap(root)
  for (const id of ['', 'a\nb', 'x'.repeat(129), 'ok']) annotations.set(id, noteOf('n'))
  annotations.set(
    'keys',
    new Y.Map<unknown>(['__proto__', 'constructor', 'é'.repeat(65), 'é'.repeat(64), 'tab\t', ''].map(key => [key, 1]))
  )
  assert.equal(listAnnotations(doc), [
    ['keys', { ['é'.repeat(64)]: 1, 'tab\t': 1, '': 1 }],
    ['ok', { note: 'n' }]
  ])
})

test('whatever nests without end is cut where a frame ends, and costs no stack', () => {
  const maps = Array.from({ length: 9_999 }, (_, clock) => mapStruct({ parent: clock === 0 ? root : [1, clock - 1], key: 'x' }))
  const page = listAnnotations(docOf(2, rawUpdate({ structs: [[1, 0, maps]] })))
  assert.is(page.length, 1)
  scan(encodeValue([20, 1, 1, page, '']), LIMITS.maxFrameBytes)
})

test('extra nests as deep in the view as a push may carry it', () => {
  const deepest = (levels: number): Record<string, never> =>
    JSON.parse('{"x":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1))
  const extra = deepest(LIMITS.maxDepth - 4)
  scan(encodeValue([1, 0, [[1, 0, 'annotation.put', 'b', { id: 'a', extra }]]]))
  const doc = docOf(1)
  putAnnotation(doc, 'a', { extra }, 1)
  const list = listAnnotations(doc)
  assert.equal(list[0]![1]['extra'], extra)
  scan(encodeValue([20, 1, 1, list, '']))
})

test('what keeps more room in memory than any frame could carry is left out', () => {
  const doc = docOf(1)
  const holder = (count: number): Y.Map<unknown> =>
    new Y.Map(
      Array.from({ length: count / 250 }, (_, at) => [
        `m${at}`,
        Y.Array.from(Array.from({ length: 250 }, () => new Y.Map([['1023', 0]])))
      ])
    )
  updateOf(doc, annotations => {
    annotations.set('a', holder(1_000))
    annotations.set('b', new Y.Map([['few', holder(250)]]))
  })
  assert.equal(
    listAnnotations(doc).map(([id]) => id),
    ['b']
  )
})

test('half a character that a Yjs client left is listed as an unknown one', () => {
  const doc = docOf(1)
  updateOf(doc, annotations => annotations.set('a', new Y.Map([['quote', 'x\ud83d']])))
  assert.equal(listAnnotations(doc), [['a', { quote: 'x\ufffd' }]])
})

test.run()
