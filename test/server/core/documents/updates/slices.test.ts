import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import * as Y from 'yjs'
import { updateSlices } from '../../../../../server/core/documents/updates/slices.ts'
import { suite } from '../../../../util/suite.ts'

const test = suite('server/core/documents/updates/slices')

/** What of everything that Yjs can hold is put into a document. */
const ACTS: readonly ((doc: Y.Doc, at: number) => void)[] = [
  doc => doc.getText('t').insert(0, 'words, 🐋 and — more'),
  (doc, at) => doc.getText('t').length > 3 && doc.getText('t').delete(at % (doc.getText('t').length - 2), 2),
  doc => doc.getText('t').insert(0, 'bold', { bold: true, link: { href: 'x' } }),
  doc => doc.getText('t').insertEmbed(0, { image: 'whale' }),
  (doc, at) => doc.getArray('a').insert(0, [at, 'text', null, true, -1.5, { deep: [at] }, [1]]),
  doc => doc.getArray('a').insert(0, [Uint8Array.of(1, 2, 3)]),
  doc => doc.getArray('a').insert(0, [new Y.Map([['key', new Y.Array()]]), new Y.Text('inner')]),
  doc => doc.getArray('a').insert(0, [new Y.Doc({ guid: 'below' })]),
  (doc, at) => doc.getArray('a').length > 0 && doc.getArray('a').delete(at % doc.getArray('a').length, 1),
  (doc, at) => doc.getMap('m').set(`key ${at % 5}`, at),
  doc => doc.getXmlFragment('x').insert(0, [new Y.XmlElement('p'), new Y.XmlText('t')]),
  doc => (doc.getXmlFragment('x').firstChild as Y.XmlElement | null)?.setAttribute?.('name', 'value')
]

/** Structs as they are written: their client and clock, and their bytes. */
const written = (structs: ReturnType<typeof Y.decodeUpdate>['structs']): unknown[] =>
  structs.map(struct => {
    const encoder = new Y.UpdateEncoderV1()
    struct.write(encoder, 0)
    return [struct.id.client, struct.id.clock, ...encoder.toUint8Array()]
  })

const sliced = (update: Uint8Array, most: number): ReturnType<typeof Y.decodeUpdate>[] =>
  Array.from(updateSlices(update, most), slice => Y.decodeUpdate(slice))

test('the slices of an update hold its structs in their order, each within the bound, and the last one what is deleted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: ACTS.length }), fc.nat({ max: 999 })), { maxLength: 200, size: 'max' }),
      fc.integer({ min: 1, max: 40 }),
      (acts, most) => {
        const authors = [1, 2, 3].map(client => Object.assign(new Y.Doc(), { clientID: client }))
        for (const [author, act, at] of acts) {
          const doc = authors[author]!
          if (act < ACTS.length) ACTS[act]!(doc, at)
          else for (const other of authors) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)))
        }
        // What only some have leaves gaps, for which skips stand.
        const update = Y.mergeUpdates(authors.map(doc => Y.encodeStateAsUpdate(doc, Uint8Array.of(1, 1, 1))))
        const whole = Y.decodeUpdate(update)
        const slices = sliced(update, most)
        assert.ok(slices.every(({ structs }) => structs.length <= most))
        assert.equal(written(slices.flatMap(({ structs }) => structs)), written(whole.structs))
        assert.equal(slices.at(-1)!.ds, whole.ds)
        assert.ok(slices.slice(0, -1).every(({ ds }) => ds.clients.size === 0))
      }
    )
  )
})

test('JSON contents and skips of old are sliced too', () => {
  const encoder = new Y.UpdateEncoderV1()
  encoder.writeLen(1)
  encoder.writeLen(3)
  encoder.writeClient(5)
  encoder.writeLen(0)
  const doc = new Y.Doc()
  new Y.Item(Y.createID(5, 0), null, null, null, null, doc.getArray('a'), null, new Y.ContentJSON([{ a: 1 }, 2])).write(
    encoder,
    0
  )
  new Y.Skip(Y.createID(5, 2), 300).write(encoder, 0)
  new Y.GC(Y.createID(5, 302), 7).write(encoder, 0)
  encoder.writeLen(0)
  const update = encoder.toUint8Array()
  assert.equal(
    sliced(update, 1).flatMap(({ structs }) => structs.map(({ id, length }) => [id.clock, length])),
    [
      [0, 2],
      [2, 300],
      [302, 7]
    ]
  )
})

test('a content of a kind that Yjs does not have is an error', () => {
  const doc = new Y.Doc()
  doc.clientID = 1
  doc.getText('t').insert(0, 'words')
  const update = Y.encodeStateAsUpdate(doc)
  update[update.indexOf(4)] = 0x1d
  assert.throws(() => sliced(update, 10), /no content of kind/)
})

test.run()
