import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { updateSteps, writeSteps } from '../../../../../server/core/documents/updates/steps.ts'
import { edit, isSame, play } from '../../../../util/many-authors.ts'
import { suite } from '../../../../util/suite.ts'

const test = suite('server/core/documents/updates/steps')

const WEIGHTLESS = { cost: Infinity, costOf: () => 0 }

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
