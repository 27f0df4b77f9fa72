import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import * as Y from 'yjs'
import { HubError, LIMITS, splitUpdate } from '../../protocol/index.ts'
import { inspectUpdate } from '../../server/core/documents/gate.ts'
import { edit, isSame, play } from '../util/many-authors.ts'
import { suite } from '../util/suite.ts'

const test = suite('protocol/split-update')

const ONE_BY_ONE = Math.ceil(5_000 / LIMITS.maxUpdateStructs)

/** Applies the parts to what the hub holds, each through its gate, and says how many there were. */
function takeIn(hub: Y.Doc, update: Uint8Array): number {
  const parts = splitUpdate(update)
  for (const part of parts) {
    assert.ok(part.length <= LIMITS.maxUpdateBytes)
    inspectUpdate(part, { doc: hub, owners: new Map() }, 'device')
    Y.applyUpdate(hub, part)
    assert.is(hub.store.pendingStructs, null)
    assert.is(hub.store.pendingDs, null)
  }
  return parts.length
}

const copyOf = (doc: Y.Doc): Y.Doc => {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return copy
}

test('the parts of an update, applied in order, are the whole; each is within the limits and taken by the hub', () => {
  let split = 0
  fc.assert(
    fc.property(fc.array(edit, { minLength: 100, maxLength: 600, size: 'max' }), fc.nat({ max: 300 }), (edits, held) => {
      const authors = Array.from({ length: 5 }, () => new Y.Doc())
      for (const one of edits.slice(0, held)) play(authors, one)
      for (const other of authors) Y.applyUpdate(authors[0]!, Y.encodeStateAsUpdate(other))
      const hub = copyOf(authors[0]!)
      for (const one of edits.slice(held)) play(authors, one)
      for (const other of authors) Y.applyUpdate(authors[0]!, Y.encodeStateAsUpdate(other))
      const update = Y.encodeStateAsUpdate(authors[0]!, Y.encodeStateVector(hub))
      if (takeIn(hub, update) > 1) split += 1
      assert.ok(isSame(hub, authors[0]!))
      assert.equal(hub.getText('t').toJSON(), authors[0]!.getText('t').toJSON())
      assert.equal(hub.getMap('annotations').toJSON(), authors[0]!.getMap('annotations').toJSON())
    }),
    { numRuns: 12, seed: 7, endOnFailure: true }
  )
  assert.ok(split > 3, `only ${split} were split`)
})

test('an update within the limits stays as it is', () => {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'hello')
  const update = Y.encodeStateAsUpdate(doc)
  assert.equal(splitUpdate(update), [update])
})

test('an update of more Yjs clients than one may name is cut', () => {
  const doc = new Y.Doc()
  for (let count = 0; count < 200; count++) {
    doc.clientID = 1_000 + ((count * 7) % 200)
    doc.getText('t').insert(count, 'x')
  }
  const hub = new Y.Doc()
  assert.ok(takeIn(hub, Y.encodeStateAsUpdate(doc)) >= 4)
  assert.ok(isSame(hub, doc))
})

test('an update of more bytes than one may hold is cut', () => {
  const doc = new Y.Doc()
  for (let count = 0; count < 40; count++) doc.getMap('annotations').set(String(count), 'x'.repeat(50_000))
  const hub = new Y.Doc()
  assert.is(takeIn(hub, Y.encodeStateAsUpdate(doc)), 3)
  assert.ok(isSame(hub, doc))
})

test('an update of more values than one may hold is cut', () => {
  const doc = new Y.Doc()
  const list = Array.from({ length: LIMITS.maxUpdateValues / 4 }, () => 1)
  for (const key of 'abcdefgh') doc.getMap('m').set(key, { list })
  const hub = new Y.Doc()
  assert.is(takeIn(hub, Y.encodeStateAsUpdate(doc)), 3)
  assert.ok(isSame(hub, doc))
})

test('an update that deletes in more places than one may is cut', () => {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'ab'.repeat(5_000))
  const hub = copyOf(doc)
  doc.transact(() => {
    for (let count = 0; count < 5_000; count++) doc.getText('t').delete(count, 1)
  })
  assert.is(takeIn(hub, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(hub))), ONE_BY_ONE)
  assert.ok(isSame(hub, doc))
})

test('one edit that no update can hold is refused', () => {
  const [long, wide] = [new Y.Doc(), new Y.Doc()]
  long.getText('t').insert(0, 'x'.repeat(LIMITS.maxUpdateBytes))
  wide.getMap('m').set('a', { list: Array.from({ length: LIMITS.maxUpdateValues }, () => 1) })
  for (const doc of [long, wide])
    assert.throws(
      () => splitUpdate(Y.encodeStateAsUpdate(doc)),
      (error: unknown) => error instanceof HubError && error.code === 'too-large'
    )
})

test('what builds on edits that are missing stays whole, for the hub to refuse', () => {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', update => updates.push(update))
  for (let count = 0; count < 3_000; count++) doc.getText('t').insert(0, 'x')
  const merged = Y.mergeUpdates(updates.filter((_, index) => index !== 10))
  assert.equal(splitUpdate(merged), [merged])
})

test.run()
