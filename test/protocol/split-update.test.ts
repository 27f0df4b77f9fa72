import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import * as Y from 'yjs'
import { missingUpdates, splitUpdate, updateSteps, writeSteps } from '../../protocol/split-update.ts'
import { HubError, LIMITS } from '../../protocol/index.ts'
import { inspectUpdate } from '../../server/core/documents/gate.ts'
import { suite } from '../util/suite.ts'

const test = suite('protocol/split-update')

const WEIGHTLESS = { cost: Infinity, costOf: () => 0 }
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

const isSame = (left: Y.Doc, right: Y.Doc): boolean => Y.equalSnapshots(Y.snapshot(left), Y.snapshot(right))

const edit = fc.record({
  author: fc.nat({ max: 4 }),
  act: fc.constantFrom('type', 'type', 'set', 'note', 'cut', 'drop', 'sync'),
  at: fc.nat({ max: 9_999 }),
  length: fc.integer({ min: 1, max: 40 })
})

/** Many small edits of several authors, each of whom builds on what the others did. */
function play(authors: Y.Doc[], { author, act, at, length }: typeof edit extends fc.Arbitrary<infer E> ? E : never): void {
  const doc = authors[author]!
  const text = doc.getText('t')
  const map = doc.getMap('annotations')
  const note = map.get(String(at % 20))
  if (act === 'type')
    for (let count = 0; count < length; count++)
      text.insert((at * (count + 1)) % (text.length + 1), 'abcd'.slice(0, 1 + (at % 4)))
  else if (act === 'set') for (let count = 0; count < length; count++) map.set(String((at + count) % 20), count)
  else if (act === 'note' && note instanceof Y.Text) note.insert(at % (note.length + 1), 'note')
  else if (act === 'note') map.set(String(at % 20), new Y.Text('note'))
  else if (act === 'cut')
    for (let count = 0; count < length && text.length > 0; count++) text.delete((at * (count + 1)) % text.length, 1)
  else if (act === 'drop') map.delete(String(at % 20))
  else for (const other of authors) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)))
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

test('a state of many values is taken in parts, though one update may not hold as many', () => {
  const doc = new Y.Doc()
  for (const key of 'abc') doc.getMap('m').set(key, { list: Array.from({ length: 50_000 }, () => 1) })
  const hub = new Y.Doc()
  const parts = missingUpdates(Y.encodeStateAsUpdate(doc), hub)
  assert.is(parts.length, 2)
  for (const part of parts) {
    inspectUpdate(part, { doc: hub, owners: new Map() }, 'device')
    Y.applyUpdate(hub, part)
  }
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

test('a state of far more values than a document is sent with is refused before anything of it is built', () => {
  const doc = new Y.Doc()
  for (let at = 0; at < 300; at++) doc.getMap('m').set(String(at), { list: Array.from({ length: 1_000 }, () => 1) })
  assert.throws(() => missingUpdates(Y.encodeStateAsUpdate(doc), new Y.Doc()), /holds over 262144 values/)
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

test('an update is taken in step by step, each step builds on those before it, and what is on its way may change meanwhile', () => {
  fc.assert(
    fc.property(
      fc.array(edit, { minLength: 50, maxLength: 300, size: 'max' }),
      fc.integer({ min: 1, max: 50 }),
      (edits, most) => {
        const authors = Array.from({ length: 5 }, () => new Y.Doc())
        for (const one of edits) play(authors, one)
        const [whole] = authors as [Y.Doc]
        for (const other of authors) Y.applyUpdate(whole, Y.encodeStateAsUpdate(other))
        const update = Y.encodeStateAsUpdate(whole)
        const copy = new Y.Doc()
        for (const part of updateSteps(update, { ...WEIGHTLESS, structs: most })) {
          if (part === undefined) continue
          const { structs, ds } = Y.decodeUpdate(part)
          assert.ok(structs.length <= most && [...ds.clients.values()].flat().length <= Math.max(most, structs.length))
          Y.applyUpdate(copy, part)
          assert.is(copy.store.pendingStructs, null)
          assert.is(copy.store.pendingDs, null)
        }
        assert.ok(isSame(copy, whole))
        assert.equal(copy.getMap('annotations').toJSON(), whole.getMap('annotations').toJSON())
        assert.is(copy.getText('t').toJSON(), whole.getText('t').toJSON())
      }
    ),
    { numRuns: 30 }
  )
})

test('a document is written in steps as Yjs writes it in one go', () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 100, maxLength: 600, size: 'max' }), edits => {
      const authors = Array.from({ length: 5 }, () => new Y.Doc())
      for (const one of edits) play(authors, one)
      const [doc] = authors as [Y.Doc]
      const writing = writeSteps(doc)
      let step = writing.next()
      while (step.done !== true) step = writing.next()
      assert.ok(Buffer.from(step.value).equals(Y.encodeStateAsUpdate(doc)))
    }),
    { numRuns: 30 }
  )
  const long = new Y.Doc()
  for (let count = 0; count < 3_500; count++) long.getText('t').insert(0, 'x')
  assert.is([...writeSteps(long)].length, 3)
})

test('a step ends before an edit that costs more than is left of it, unless that stands alone', () => {
  const doc = new Y.Doc()
  for (let count = 0; count < 6; count++) doc.getText('t').insert(0, 'x')
  const costs = [1, 1, 1, 5, 0, 2]
  const bounds = {
    structs: 100,
    cost: 2,
    costOf: ({ id }: { id: Y.ID }) => costs[id.clock]!
  }
  const parts = [...updateSteps(Y.encodeStateAsUpdate(doc), bounds)].filter(part => part !== undefined)
  assert.equal(parts.map(part => Y.decodeUpdate(part).structs.map(({ id }) => id.clock)), [[0, 1], [2], [3], [4, 5]]) // prettier-ignore
})

test('of an update that lacks what it builds on the steps bring all there is', () => {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'before')
  const known = Y.encodeStateVector(doc)
  for (let index = 0; index < 40; index++) doc.getText('t').insert((index * 7) % 5, 'x')
  const whole = new Y.Doc()
  const stepped = new Y.Doc()
  const rest = Y.encodeStateAsUpdate(doc, known)
  Y.applyUpdate(whole, rest)
  for (const part of updateSteps(rest, { ...WEIGHTLESS, structs: 4 })) if (part !== undefined) Y.applyUpdate(stepped, part)
  assert.ok(stepped.store.pendingStructs !== null)
  for (const copy of [whole, stepped]) Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(copy)))
  assert.ok(isSame(stepped, doc) && isSame(whole, doc))
})

test.run()
