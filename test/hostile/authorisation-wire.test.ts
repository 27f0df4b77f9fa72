import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import {
  ACTIONS,
  encodeFrame,
  ERRORS,
  VIEWS,
  type ActionKind,
  type HubFrame,
  type Plain,
  type ViewName
} from '../../protocol/index.ts'
import type { Account } from '../../server/core/account.ts'
import { holdContent } from '../../server/core/files/contents.ts'
import { Origin } from '../../server/core/origin.ts'
import { LEAST_ACTOR, permits, type Verb } from '../../server/core/policy.ts'
import { HELD, http, other, OWNERSHIPS, scene, stateOf, TABLES, type Tried } from '../util/authorisation.ts'
import { converse, helloFrame, type Conversation } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'
import { docOf, noteOf, updateOf } from '../util/yjs-update.ts'

const test = suite('hostile/authorisation-wire')

const OTHER = { sha256: 'b'.repeat(64), sizeBytes: 1 }
/** The conflict over each thing. Conflicts of the two accounts have different ids. */
const CONFLICTS = new Map<string, string>()
const NO_CONFLICT = '9007199254740991'
/** Where the place in each thing was set. */
const PLACES = new Map<string, number>()
/** Each kind of action, so that it is accepted on a thing that is there. */
const BODIES: { readonly [K in ActionKind]: (id: string) => Plain } = {
  'annotation.update': () =>
    updateOf(docOf(randomBytes(4).readUInt32BE()), annotations => annotations.set('theirs', noteOf('n'))),
  'annotation.put': () => ({ id: 'mark', color: 'red' }),
  'annotation.remove': () => ({ id: 'mark' }),
  'annotation.restore': () => ({ id: 'mark' }),
  'position.set': () => ({ progression: 0.5 }),
  'position.restore': id => ({ cursor: PLACES.get(id) ?? 1 }),
  'book.put': () => ({ subtitle: 'S' }),
  'book.remove': () => ({}),
  'book.restore': () => ({}),
  'file.put': () => ({ ...HELD }),
  'file.remove': () => ({ base: HELD.sha256 }),
  'file.move': id => ({ to: `${id} moved`, base: HELD.sha256 }),
  'file.restore': () => ({}),
  'conflict.resolve': () => ({ keep: 'client' }),
  'setting.put': () => ({ value: 1 }),
  'household.act': () => ({ sequenceNumber: 0, userId: '', integrity: '', encodedAction: '{"type":"FORCE_SYNC"}' })
}
/** Those that make nothing: on a thing that is not there they are refused. */
const NEED_A_THING = new Set<Verb>([
  'annotation.remove',
  'annotation.restore',
  'position.restore',
  'book.remove',
  'book.restore',
  'file.remove',
  'file.move',
  'file.restore',
  'conflict.resolve',
  'book'
])

const WIRE_VERBS = [...Object.keys(ACTIONS), ...Object.keys(VIEWS), 'follow'] as Verb[]

/** What an account's devices can come to know of one thing, and how many changes there were. */
const stateOfThing = ({ head, views }: Account, id: string): string =>
  JSON.stringify([head, TABLES.map(table => [views.get(table, id), views.range(table, [id], '', 100)])])

/** What an answer says, without what is different each time: names of things, cursors and times. */
const normal = (frames: readonly HubFrame[], id: string): string =>
  JSON.stringify(frames)
    .replaceAll(id, 'ID')
    .replace(/"(cursor|head|lastNumber|timeMs|changedAtUs|updatedAtMs|createdAtMs)":\d+/g, '"$1":0')
    .replace(/"accepted":\[\[1,\d+\]\]/, '"accepted":[[1,0]]')

/** What the frame for a verb names, to mean the thing. */
const keyOf = (verb: Verb, id: string): string => (verb === 'conflict.resolve' ? (CONFLICTS.get(id) ?? NO_CONFLICT) : id)

function isAnswer(verb: Verb): (frame: HubFrame) => boolean {
  const kinds = verb === 'follow' ? ['pong'] : verb in ACTIONS ? ['acked'] : ['view', 'failed']
  return ({ kind }) => kinds.includes(kind)
}

/** One cell on the Lectern wire: the frame that asks for `verb` of the thing `id`, by someone on a connection of its own. */
async function askByWire(
  url: string,
  { token }: Tried,
  verb: Verb,
  id: string,
  epoch: string,
  cell: number
): Promise<Conversation & { readonly text: string }> {
  const asks =
    verb === 'follow'
      ? encodeFrame('ping', { nonce: 1 })
      : verb in ACTIONS
        ? encodeFrame('push', { confirmed: 0, actions: [[1, 0, verb, keyOf(verb, id), BODIES[verb as ActionKind](id)]] })
        : encodeFrame('read', { id: 1, view: verb as ViewName, key: id, after: '', item: 'mark' })
  const hello =
    token === undefined ? [] : [helloFrame(token, { client: `c${cell}`, ...(verb === 'follow' && { epoch, cursor: 1 }) })]
  const { frames, closeCode } = await converse(url, [...hello, asks], isAnswer(verb))
  // What follows the log by the way is checked for secrets, and has its own cell.
  const kinds = verb === 'follow' ? ['resync', 'bye'] : ['acked', 'view', 'failed', 'bye']
  return { frames: frames.filter(({ kind }) => kinds.includes(kind)), closeCode, text: JSON.stringify(frames) }
}

test('whoever comes by the wire, to whatever thing, gets what the policy says, and nothing else changes', async context => {
  assert.equal(Object.keys(BODIES).sort(), Object.keys(ACTIONS).sort(), 'an action has no row here')
  assert.equal(
    WIRE_VERBS.filter(verb => !(verb in LEAST_ACTOR)),
    [],
    'what can be asked for has no row in the policy'
  )
  const { hub, accounts, tried } = await scene(context)
  const owners = ['ada', 'ben'] as const
  const thing = (cell: number, owner: string): string => `${owner}-${String(cell).padStart(4, '0')}`
  for (const owner of owners)
    for (const { sha256, sizeBytes } of [HELD, OTHER]) await holdContent(accounts[owner], 'maker', sha256, sizeBytes)
  const cellsEach = tried.length * WIRE_VERBS.length
  for (const owner of owners)
    for (let cell = 0; cell < cellsEach; cell++) {
      const id = thing(cell, owner)
      const [account, by] = [accounts[owner], new Origin(`maker-of-${owner}`, 'maker')]
      await account.documents.load(new Set([id]))
      void account.perform(by, 'book.put', id, { title: `secret of ${owner}` })
      void account.perform(by, 'annotation.put', id, { id: 'mark', note: `secret of ${owner}` })
      void account.perform(by, 'position.set', id, { chapter: `secret of ${owner}` }).then(cursor => PLACES.set(id, cursor))
      void account.perform(by, 'file.put', id, HELD)
      void account.perform(by, 'file.put', id, OTHER).then(cursor => CONFLICTS.set(id, String(cursor)))
      await account.perform(by, 'setting.put', id, { value: `secret of ${owner}` })
    }
  let cell = 0
  let count = 0
  for (const who of tried) {
    const mayNotChange = owners.filter(owner => owner !== who.owner || who.actor !== 'writer').map(owner => accounts[owner])
    const unchanged = mayNotChange.map(stateOf)
    for (const verb of WIRE_VERBS) {
      const foreign: string[] = []
      for (const object of OWNERSHIPS) {
        const where = `${who.name}, ${verb}, ${object}`
        const owner = object === 'own' ? who.owner : object === "another's" ? other(who.owner) : 'non'
        const id = thing(cell, owner)
        const epoch = object === 'nonexistent' ? 'e'.repeat(accounts.ada.epoch.length) : accounts[owner as 'ada'].epoch
        const before = owners.map(owner => stateOfThing(accounts[owner], id))
        const heads = owners.map(owner => accounts[owner].head)
        const { frames, closeCode, text } = await askByWire(hub.url, who, verb, id, epoch, count++)
        const isChanged = owners.map((owner, index) => stateOfThing(accounts[owner], id) !== before[index])
        const may = permits(who.actor, verb)
        const [answer] = frames
        if (who.actor === 'stranger') {
          const bye = answer?.kind === 'bye' ? answer.code : undefined
          assert.equal([frames.length, bye, closeCode], [1, who.told, ERRORS[who.told!].close], where)
        } else if (verb === 'follow') {
          assert.is(closeCode, undefined, where)
          assert.equal(
            frames.map(({ kind }) => kind),
            object === 'own' ? [] : ['resync'],
            where
          )
        } else {
          const expected = !may ? 'forbidden' : object !== 'own' && NEED_A_THING.has(verb) ? 'not-found' : 'done'
          assert.is(outcomeOf(answer), expected, where)
        }
        const mayWrite = may && verb in ACTIONS && !(object !== 'own' && NEED_A_THING.has(verb))
        assert.is(isChanged[owners.indexOf(other(who.owner))], false, `${where}: the other account changed`)
        assert.is(isChanged[owners.indexOf(who.owner)], mayWrite, where)
        assert.is(accounts[who.owner].head - heads[owners.indexOf(who.owner)]!, mayWrite ? 1 : 0, where)
        assert.not.match(text, `secret of ${other(who.owner)}`, where)
        if (who.actor === 'stranger') assert.not.match(text, 'secret', where)
        if (object !== 'own') foreign.push(normal(frames, keyOf(verb, id)))
      }
      assert.is(foreign[0], foreign[1], `${who.name}, ${verb}: what is another's is told from what is not there`)
      cell += 1
    }
    assert.equal(mayNotChange.map(stateOf), unchanged, who.name)
  }
  process.stdout.write(`FIGURE: ${count} cells on the wire, each as the policy says\n`)
})

function outcomeOf(frame: HubFrame | undefined): string {
  if (frame?.kind === 'view') return 'done'
  if (frame?.kind === 'acked' && frame.accepted.length === 1) return 'done'
  if (frame?.kind === 'acked' && frame.refused.length === 1) return frame.refused[0]![1]
  return frame?.kind === 'failed' || frame?.kind === 'bye' ? frame.code : 'nothing'
}

test('a device that joins by a code for reading reads everything and changes nothing, and cannot ask to be more', async context => {
  const { hub, accounts } = await scene(context)
  const { code } = hub.pairing.open(accounts.ada.id, true)
  const asked = await http(hub.url, 'POST', '/api/v1/pair', undefined, { code, name: 'display', app: 't', readOnly: false })
  assert.is(asked.status, 400, 'a device describes itself, and does not give itself rights')
  const { text } = await http(hub.url, 'POST', '/api/v1/pair', undefined, { code, name: 'display', app: 't' })
  const { token, device } = JSON.parse(text) as { token: string; device: string }
  assert.is(accounts.ada.views.get('devices', device)?.readOnly, true)
  const push = encodeFrame('push', { confirmed: 0, actions: [[1, 0, 'book.put', 'b', {}]] })
  const { frames } = await converse(hub.url, [helloFrame(token), push], ({ kind }) => kind === 'acked')
  assert.equal(outcomeOf(frames.at(-1)), 'forbidden')
  assert.is(accounts.ada.views.get('books', 'b'), undefined)
})

test.run()
