import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { LIMITS } from '../../protocol/index.ts'
import { register, servingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'
import { docOf, gcStruct, noteOf, rawUpdate, subdocumentStruct, textStruct, updateOf } from '../util/yjs-update.ts'

const test = suite('hostile/updates')

const VICTIM = 11
const ENEMY = 22

/** A book in which a victim has written, and an enemy of the same account who may write too. */
async function scene(context: TestContext): Promise<{ victim: WireClient; enemy: WireClient; doc: Y.Doc; head: () => number }> {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const [victim, enemy] = [new WireClient(), new WireClient()]
  for (const wire of [victim, enemy]) {
    await wire.connect(hub.url, (await register(account, 'device')).token)
    context.defer(() => wire.close())
  }
  const doc = docOf(VICTIM)
  const update = updateOf(doc, annotations => annotations.set('a', noteOf('mine')))
  victim.send('push', { confirmed: 0, actions: [[1, 0, 'annotation.update', 'book', update]] })
  await victim.next('acked')
  return { victim, enemy, doc, head: () => account.head }
}

const ask = async (wire: WireClient, number: number, update: Uint8Array): Promise<string> => {
  const answer = wire.next('acked')
  wire.send('push', { confirmed: number - 1, actions: [[number, 0, 'annotation.update', 'book', update]] })
  return (await answer).refused[0]?.[1] ?? 'accepted'
}

/** Of the enemy's, and one of the victim's, in the case's own words. */
const UPDATES: Readonly<Record<string, [code: string, make: (doc: Y.Doc) => Uint8Array]>> = {
  'case 12: a truncated update': [
    'bad-update',
    doc => updateOf(docOf(ENEMY, Y.encodeStateAsUpdate(doc)), annotations => annotations.set('b', noteOf('b'))).slice(0, -3)
  ],
  'case 12: a delete set that is cut off behind sound text': [
    'bad-update',
    () => rawUpdate({ structs: [[ENEMY, 0, [textStruct('x', { key: 'z' })]]], deletes: [[VICTIM, [[0, 1]]]] }).slice(0, -1)
  ],
  'case 12: random bytes': ['bad-update', () => new Uint8Array(randomBytes(500).fill(0xff, 0, 8))],
  "case 13: a struct that takes up the victim's next billion clocks": [
    'bad-update',
    doc => rawUpdate({ structs: [[VICTIM, Y.getState(doc.store, VICTIM), [gcStruct(1e9)]]] })
  ],
  "case 13: a struct that takes up the victim's next clock": [
    'foreign-client',
    doc => rawUpdate({ structs: [[VICTIM, Y.getState(doc.store, VICTIM), [gcStruct(1)]]] })
  ],
  'case 14: a gap of clocks': ['update-gap', () => rawUpdate({ structs: [[ENEMY, 5, [gcStruct(1)]]] })],
  'case 14: a span over the limit': [
    'bad-update',
    () => rawUpdate({ structs: [[ENEMY, 0, [gcStruct(LIMITS.maxUpdateSpan + 1)]]] })
  ],
  'case 14: 16,000 clients with gaps': [
    'bad-update',
    () => rawUpdate({ structs: Array.from({ length: 16_000 }, (_, index) => [1_000 + index, 1, [gcStruct(1)]] as const) })
  ],
  'case 15: format version 2': ['bad-update', doc => Y.encodeStateAsUpdateV2(doc)],
  'case 15: more clients than an update may name': [
    'bad-update',
    () => rawUpdate({ structs: Array.from({ length: 65 }, (_, index) => [1_000 + index, 0, [gcStruct(1)]] as const) })
  ],
  'case 15: a subdocument': ['bad-update', () => rawUpdate({ structs: [[ENEMY, 0, [subdocumentStruct({ key: 'z' })]]] })]
}

test('a hostile update is refused with its code, leaves no trace, and takes nothing from the victim', async context => {
  const { victim, enemy, doc, head } = await scene(context)
  const before = [head(), Buffer.from(await victim.document('book')).toString('hex')]
  let number = 0
  for (const [name, [code, make]] of Object.entries(UPDATES)) {
    assert.is(await ask(enemy, ++number, make(doc)), code, name)
    assert.equal([head(), Buffer.from(await enemy.document('book')).toString('hex')], before, name)
  }
  const next = updateOf(doc, annotations => annotations.set('b', noteOf('mine too')))
  assert.is(await ask(victim, 2, next), 'accepted')
  await enemy.upTo(head())
  const seen = new Y.Doc()
  for (const [, , , , , , kind, , body] of enemy.changes)
    if (kind === 'annotation.update') Y.applyUpdate(seen, body as Uint8Array)
  assert.equal(seen.getMap('annotations').toJSON(), doc.getMap('annotations').toJSON())
  assert.is(victim.closeCode, undefined)
})

test('case 13: who goes on sending what Yjs cannot apply is sent away', async context => {
  const { enemy, head, doc } = await scene(context)
  const before = head()
  const bad = Y.encodeStateAsUpdateV2(doc)
  const actions = Array.from({ length: 20 }, (_, index) => [index + 1, 0, 'annotation.update', 'book', bad] as const)
  const ended = enemy.next('bye')
  enemy.send('push', { confirmed: 0, actions })
  assert.is((await ended).code, 'too-many-refused')
  assert.is(head(), before)
})

test.run()
