import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { LIMITS, type HubError } from '../../../../../protocol/index.ts'
import { missingUpdates } from '../../../../../server/core/documents/updates/missing.ts'
import { ClientIds, hashOf } from '../../../../../server/core/documents/updates/untrusted.ts'
import { Document } from '../../../../../server/core/documents/document.ts'
import { decodeAwareness } from '../../../../../server/core/yjs/awareness.ts'
import { momentOf } from '../../../../util/document-trace.ts'
import { suite } from '../../../../util/suite.ts'
import { rawUpdate, textStruct, varUint } from '../../../../util/yjs-update.ts'

const test = suite('server/core/documents/updates/untrusted')

/** So many ids from one on that V8 keeps in one place of a Map of thousands. */
function likeOneAnother(from: number, count: number): number[] {
  const ids: number[] = []
  for (let id = from; ids.length < count; id++) if (hashOf(id) % 4_096 === 5) ids.push(id)
  return ids
}

const inARow = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index)

/** Too many that share a hash, among others: of V8's small integers, and of larger numbers, which have another hash. */
const SLOW = [
  [...inARow(1_000, 448), ...likeOneAnother(1_000_000, 65)],
  [...inARow(1_000, 448), ...likeOneAnother(2 ** 31, 65)]
]

const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return (error as HubError).code
  }
  return 'none'
}

test('as many ids as an update of a document may name are taken, at random or in a row', () => {
  let seed = 7
  const next = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0)
  for (const take of [next, () => seed++]) {
    const ids = new ClientIds()
    for (let count = 0; count < 4 * LIMITS.maxDocumentClients; count++) ids.add(take())
    assert.is(
      refusal(() => ids.add(take())),
      'bad-update'
    )
  }
})

test('ids that share a hash are refused once they are many, wherever they are named', () => {
  for (const clients of SLOW) {
    const document = Document.open('epoch', undefined, [])
    const deletes = rawUpdate({ deletes: clients.map(client => [client, [[0, 1]]]) })
    assert.is(
      refusal(() => document.apply(deletes, momentOf('one'))),
      'bad-update'
    )
    const stateVector = Uint8Array.from([...varUint(clients.length), ...clients.flatMap(client => [...varUint(client), 1])])
    assert.is(
      refusal(() => document.since(stateVector)),
      'bad-frame'
    )
    const whole = rawUpdate({ structs: clients.map(client => [client, 0, [textStruct('a', { key: `${client}` })]]) })
    assert.is(
      refusal(() => missingUpdates(whole, new Y.Doc())),
      'bad-update'
    )
    assert.is(
      refusal(() => missingUpdates(deletes, new Y.Doc())),
      'bad-update'
    )
  }
})

test('a document takes no more Yjs clients whose ids share a hash, however few come at once, and others as before', () => {
  for (const clients of SLOW) {
    const document = Document.open('epoch', undefined, [])
    const put = (client: number): string =>
      refusal(() =>
        document.apply(rawUpdate({ structs: [[client, 0, [textStruct('a', { key: `${client}` })]]] }), momentOf('one'))
      )
    const last = clients.at(-1)!
    for (const client of clients.slice(0, -1)) assert.is(put(client), 'none')
    const before = document.encode()
    assert.is(put(last), 'bad-update')
    assert.equal(document.encode(), before)
    assert.is(put(77), 'none')
  }
})

/** Bytes that lib0 reads as a number over all numbers, and as none. */
const INFINITE = [...Array.from({ length: 146 }, () => 0x80), 0x7f]
const NO_NUMBER = [...Array.from({ length: 147 }, () => 0x80), 0]
const TOO_LARGE = varUint(2 ** 53)

test('an update with a number that is none, or too large, is refused wherever it stands, before anything is done with it', () => {
  const text = [...varUint(1), 0x61]
  for (const bad of [INFINITE, NO_NUMBER, TOO_LARGE]) {
    const updates: readonly number[][] = [
      // A client; a clock; the clients and clocks of a left, a right and a parent; the length of a hole.
      [1, 1, ...bad, 0, 4, 1, 1, 0x74, ...text, 0],
      [1, 1, 7, ...bad, 4, 1, 1, 0x74, ...text, 0],
      [1, 1, 7, 0, 0x84, ...bad, 0, ...text, 0],
      [1, 1, 7, 0, 0x84, 1, ...bad, ...text, 0],
      [1, 1, 7, 0, 0x44, ...bad, 0, ...text, 0],
      [1, 1, 7, 0, 0x44, 1, ...bad, ...text, 0],
      [1, 1, 7, 0, 4, 0, ...bad, 0, ...text, 0],
      [1, 1, 7, 0, 4, 0, 1, ...bad, ...text, 0],
      [1, 1, 7, 0, 10, ...bad, 0],
      [1, 1, 7, 0, 0, ...bad, 0],
      // Deletions: a client, a clock, a length.
      [0, 1, ...bad, 1, 0, 1],
      [0, 1, 7, 1, ...bad, 1],
      [0, 1, 7, 1, 0, ...bad]
    ]
    for (const [index, bytes] of updates.entries()) {
      const update = Uint8Array.from(bytes)
      const document = Document.open('epoch', undefined, [])
      assert.is(
        refusal(() => document.apply(update, momentOf('one'))),
        'bad-update',
        `update ${index}`
      )
      let hasThrown = false
      try {
        missingUpdates(update, new Y.Doc())
      } catch {
        hasThrown = true
      }
      assert.ok(hasThrown, `state ${index}`)
    }
    const document = Document.open('epoch', undefined, [])
    assert.is(
      refusal(() => document.since(Uint8Array.from([1, ...bad, 1]))),
      'bad-frame'
    )
  }
})

test('awareness with a number that is none is refused', () => {
  for (const bad of [INFINITE, NO_NUMBER, TOO_LARGE])
    for (const bytes of [
      [1, ...bad, 1, 2, 0x7b, 0x7d],
      [1, 1, ...bad, 2, 0x7b, 0x7d]
    ])
      assert.is(
        refusal(() => decodeAwareness(Uint8Array.from(bytes))),
        'bad-frame'
      )
})

test.run()
