import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { HubError, LIMITS, missingUpdates } from '../../protocol/index.ts'
import { ClientIds, hashOf } from '../../protocol/yjs-clients.ts'
import { Document } from '../../server/core/documents/document.ts'
import { momentOf } from '../util/document-trace.ts'
import { suite } from '../util/suite.ts'
import { rawUpdate, textStruct, varUint } from '../util/yjs-update.ts'

const test = suite('protocol/yjs-clients')

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

test('as many ids as a document may have are taken, at random or in a row', () => {
  let seed = 7
  const next = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0)
  for (const take of [next, () => seed++]) {
    const ids = new ClientIds()
    for (let count = 0; count < 2 * LIMITS.maxDocumentClients; count++) ids.add(take())
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

test.run()
