import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { LIMITS } from '../../../../protocol/index.ts'
import { conflictSteps } from '../../../../server/core/documents/conflicts.ts'
import { Document } from '../../../../server/core/documents/document.ts'
import { momentOf, refusalOf } from '../../../util/document-trace.ts'
import { suite } from '../../../util/suite.ts'

const test = suite('server/core/documents/conflicts')

/** An update of `count` characters of root text `t`, each of which claims to have no neighbour. */
function withoutNeighbours(client: number, count: number, start = 0): Uint8Array {
  const bytes: number[] = []
  const uint = (value: number): void => {
    for (; value > 127; value = Math.floor(value / 128)) bytes.push(128 | (value & 127))
    bytes.push(value)
  }
  for (const value of [1, count, client, start]) uint(value)
  for (let index = 0; index < count; index++) bytes.push(4, 1, 1, 0x74, 1, 0x61)
  uint(0)
  return Uint8Array.from(bytes)
}

test('updates that pile up at one place are refused before they cost much', () => {
  const document = Document.open('epoch', undefined, [])
  let accepted = 0
  for (let client = 1; client <= 40; client++)
    if (refusalOfApply(document, withoutNeighbours(client, 250), `d${client}`) === undefined) accepted += 1
  assert.ok(accepted > 0 && accepted < 40, `${accepted} accepted`)
  assert.is(refusalOfApply(document, withoutNeighbours(99, 2_000), 'd99'), 'bad-update')
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
    most = Math.max(most, conflictSteps(Y.decodeUpdate(update).structs, hub, Infinity))
    Y.applyUpdate(hub, update)
  })
  const text = doc.getText('t')
  for (let index = 0; index < 2_000; index++) text.insert(Math.floor((index * 7_919) % (text.length + 1)), 'a')
  text.delete(100, 500)
  text.insert(50, 'pasted '.repeat(1_000))
  for (let index = 0; index < 500; index++)
    doc.getMap('annotations').set(`id ${index % 50}`, new Y.Map([['note', new Y.Text('n')]]))
  assert.ok(most <= 5, `${most} steps`)
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

test('characters typed one by one at the front of a text are no conflict, however many come at once', () => {
  const doc = new Y.Doc()
  for (let index = 0; index < 1_500; index++) doc.getText('t').insert(0, 'x')
  const { structs } = Y.decodeUpdate(Y.encodeStateAsUpdate(doc))
  assert.ok(conflictSteps(structs, new Y.Doc(), Infinity) < LIMITS.maxConflictSteps / 10)
})

test.run()
