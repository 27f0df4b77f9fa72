import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import {
  ACTIONS,
  encodeFrame,
  ERRORS,
  VIEWS,
  type ActionKind,
  type ErrorCode,
  type HubFrame,
  type Plain,
  type ViewName
} from '../../protocol/index.ts'
import { issueToken, parseToken } from '../../server/auth/tokens.ts'
import { revokeDevice, updateDevice } from '../../server/auth/devices.ts'
import { callControl, CONTROL_SOCKET } from '../../server/control.ts'
import type { Account } from '../../server/core/account.ts'
import { holdContent } from '../../server/core/files/contents.ts'
import { Origin } from '../../server/core/origin.ts'
import { ACTORS, LEAST_ACTOR, permits, type Actor, type Verb } from '../../server/core/policy.ts'
import { isOperationName, operate, OPERATIONS } from '../../server/operations.ts'
import { converse, helloFrame, register, servingHub, type Conversation, type TestServingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { docOf, noteOf, updateOf } from '../util/yjs-update.ts'

const test = suite('hostile/authorisation')

const OBJECTS = ['own', "another's", 'nonexistent'] as const
type Thing = (typeof OBJECTS)[number]

/** Contents that both accounts hold. */
const HELD = { sha256: 'a'.repeat(64), sizeBytes: 1 }
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

interface Tried {
  readonly name: string
  readonly actor: Actor
  /** None: it does not say hello at all. */
  readonly token: string | undefined
  /** What a stranger is told. */
  readonly told?: ErrorCode
  /** Whose things are its own. */
  readonly owner: 'ada' | 'ben'
}

interface Scene {
  readonly hub: TestServingHub
  readonly accounts: { readonly ada: Account; readonly ben: Account }
  readonly tried: readonly Tried[]
  /** Those whose token is of a sign-in. */
  readonly byAccessToken: readonly Tried[]
}

const other = (owner: Tried['owner']): Tried['owner'] => (owner === 'ada' ? 'ben' : 'ada')

/** Two accounts, and everyone who may come to their door. */
async function scene(context: TestContext): Promise<Scene> {
  const hub = await servingHub(context)
  const account = async (name: string): Promise<Account> => hub.hub.ensureAccount((await hub.directory.add(name, `${name}'s`)).id)
  const accounts = { ada: await account('ada'), ben: await account('ben') }
  const [writer, reader, revoked, disabled, signedIn, signedOut, bens] = [
    await register(accounts.ada, 'writer'),
    await register(accounts.ada, 'reader', true),
    await register(accounts.ada, 'revoked'),
    await register(accounts.ada, 'disabled'),
    await register(accounts.ada, 'signed in'),
    await register(accounts.ada, 'signed out'),
    await register(accounts.ben, 'writer')
  ]
  const accessTokens = [
    await hub.signIns.begin(accounts.ada, signedIn.device),
    await hub.signIns.begin(accounts.ada, signedOut.device)
  ].map(({ accessToken }) => accessToken)
  await hub.signIns.end(accounts.ada, signedOut.device)
  await revokeDevice(accounts.ada, revoked.device)
  await updateDevice(accounts.ada, disabled.device, { disabled: true }, writer.device)
  const forged = (accountId: string, device: string): string => issueToken(accountId, device, count => randomBytes(count)).token
  const { secret } = parseToken(writer.token)!
  const stranger = { actor: 'stranger', told: 'unauthenticated', owner: 'ada' } as const
  return {
    hub,
    accounts,
    tried: [
      { ...stranger, name: 'without a hello', token: undefined, told: 'out-of-place' },
      { ...stranger, name: 'with an empty token', token: '' },
      { ...stranger, name: 'with garbage for a token', token: 'lectern_AAAA' },
      { ...stranger, name: 'with another secret', token: forged(accounts.ada.id, writer.device) },
      { ...stranger, name: 'with a device that is none', token: forged(accounts.ada.id, 'nobody') },
      { ...stranger, name: 'with an account that is none', token: forged('nobody', writer.device) },
      {
        ...stranger,
        name: "with its own secret for another account's device",
        token: issueToken(accounts.ben.id, bens.device, () => secret).token
      },
      { ...stranger, name: 'revoked', token: revoked.token, told: 'device-revoked' },
      { ...stranger, name: 'disabled', token: disabled.token, told: 'device-disabled' },
      { name: 'a device that may only read', actor: 'reader', token: reader.token, owner: 'ada' },
      { name: 'a device', actor: 'writer', token: writer.token, owner: 'ada' },
      { name: 'a device of the other account', actor: 'writer', token: bens.token, owner: 'ben' }
    ],
    byAccessToken: [
      { ...stranger, name: 'with an access token of a sign-in that ended', token: accessTokens[1] },
      { name: 'a device by its access token', actor: 'writer', token: accessTokens[0], owner: 'ada' }
    ]
  }
}

const TABLES = ['books', 'positions', 'settings', 'devices', 'files', 'conflicts', 'contents'] as const

/** What an account's devices can come to know: its records, and how many changes there were, of documents too. */
function stateOf({ head, views }: Account): string {
  const tables = TABLES.map(table => views.range(table, [], '', 10_000))
  return createHash('sha256')
    .update(JSON.stringify([head, tables]))
    .digest('hex')
}

/** The same of one thing. */
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
      await account.documents.load([id])
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
      const foreign = new Map<Thing, string>()
      for (const object of OBJECTS) {
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
        if (object !== 'own') foreign.set(object, normal(frames, keyOf(verb, id)))
      }
      assert.is(
        foreign.get("another's"),
        foreign.get('nonexistent'),
        `${who.name}, ${verb}: what is another's is told from what is not there`
      )
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

/** Every route there is, and who may use it. */
const ROUTES: Readonly<Record<string, Verb>> = {
  'get /': 'sign-in',
  'get /healthz': 'sign-in',
  'get /readyz': 'sign-in',
  'get /api/v1/changes': 'follow',
  'post /api/v1/pair': 'sign-in',
  'post /api/v1/sign-in': 'sign-in',
  'get /api/syncapp/syncapi.asmx': 'sign-in',
  'all /api/syncapp/syncapi.asmx': 'sign-in',
  'all /api/syncapp/syncapi.asmx/*': 'sign-in',
  'post /api/syncapp/syncapi.asmx': 'files',
  'get /healthcheck': 'sign-in',
  'get /users/auth': 'sign-in',
  'post /users/create': 'sign-in',
  'put /users/password': 'sign-in',
  'delete /users/me': 'sign-in',
  'get /syncs/progress/:document': 'positions',
  'put /syncs/progress': 'position.set'
}

const routesOfSource = ['routes', 'dialects/changelist', 'dialects/kosync']
  .map(folder => fileURLToPath(new URL(`../../server/${folder}`, import.meta.url)))
  .flatMap(folder => readdirSync(folder).map(name => join(folder, name)))
  .filter(file => file.endsWith('.ts'))
  .flatMap(file => [...readFileSync(file, 'utf8').matchAll(/app\.(get|post|put|patch|delete|all)\('([^']+)'/g)])
  .map(([, method, path]) => `${method} ${path}`)

interface Heard {
  readonly status: number
  readonly text: string
}

async function http(url: string, method: string, path: string, token: string | undefined, body?: object): Promise<Heard> {
  const isBytes = body instanceof Uint8Array
  const headers = {
    'content-type': isBytes ? 'application/octet-stream' : 'application/json',
    ...(token !== undefined && token !== '' && { authorization: `Bearer ${token}`, cookie: `token=${token}` })
  }
  const response = await fetch(url + path, { method, headers, ...(body && { body: isBytes ? body : JSON.stringify(body) }) })
  return { status: response.status, text: await response.text() }
}

test('over HTTP a token opens the log of its own account: there are ways in, and no way to things or to commands', async context => {
  assert.equal(routesOfSource.sort(), Object.keys(ROUTES).sort(), 'a route has no row here')
  const { hub, accounts, tried } = await scene(context)
  const before = [accounts.ada, accounts.ben].map(stateOf)
  let count = 0
  const paths = [
    ...Object.keys(VIEWS).flatMap(view => [`/api/v1/${view}`, `/api/v1/${view}/book`]),
    ...Object.keys(OPERATIONS).flatMap(name => [`/${name}`, `/api/v1/${name}`]),
    '/control.sock',
    '/store',
    '/../store'
  ]
  for (const path of paths)
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answers = new Set<string>()
      for (const { token } of tried) {
        const { status, text } = await http(hub.url, method, path, token, method === 'GET' ? undefined : { account: 'ada' })
        answers.add(`${status} ${text}`)
        count += 1
      }
      assert.is(answers.size, 1, `${method} ${path} is not the same for all`)
      assert.match([...answers][0]!, /^404 /, `${method} ${path}`)
    }
  for (const [route] of Object.entries(ROUTES).filter(([route, verb]) => route.startsWith('get') && verb === 'sign-in')) {
    const answers = await Promise.all(tried.map(({ token }) => http(hub.url, 'GET', route.slice(4), token)))
    assert.equal(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1, route)
    count += answers.length
  }
  for (const { actor, told, owner, token, name } of tried) {
    const { status, text } = await http(hub.url, 'GET', '/api/v1/changes', token)
    const answer = JSON.parse(text) as { code?: string; epoch?: string; cursor?: number }
    count += 1
    if (permits(actor, 'follow'))
      assert.equal(
        [status, answer.epoch, answer.cursor],
        [200, accounts[owner as 'ada'].epoch, accounts[owner as 'ada'].durableHead],
        name
      )
    else {
      // Who says nothing at all on a connection is one without a token here.
      const code = token === undefined ? 'unauthenticated' : told!
      assert.equal([status, answer.code], [ERRORS[code].http, code], name)
    }
  }
  assert.equal([accounts.ada, accounts.ben].map(stateOf), before)
  process.stdout.write(`FIGURE: ${count} cells over HTTP, each as the policy says\n`)
})

const BYTES = Buffer.from('x')
const CONTENT = { sha256: createHash('sha256').update(BYTES).digest('hex'), size_bytes: BYTES.length }

/** What is asked for by an operation of the native REST. */
interface RestThing {
  readonly id: string
  /** Of the account's log. */
  readonly cursor: string
}

type RestThingKind = 'device' | 'upload' | 'sent' | 'file' | 'conflict'

interface RestRow {
  readonly verb: Verb
  /** What it is about; a device when left out. */
  readonly of?: RestThingKind
  /** It changes the account. */
  readonly writes?: true
  readonly query?: (thing: RestThing) => string
  readonly body?: (thing: RestThing) => object
  /** How it answers when the thing is another's, or none; left out where it is about no thing. */
  readonly missing?: number
}

/** Every operation of the native REST that wants a token. */
const REST: Readonly<Record<string, RestRow>> = {
  'get /api/v1/sync/devices': { verb: 'devices' },
  'post /api/v1/sync/devices': { verb: 'manage-devices', writes: true, body: () => ({ name: 'new' }) },
  'get /api/v1/sync/devices/{id}': { verb: 'devices', missing: 404 },
  'put /api/v1/sync/devices/{id}': { verb: 'manage-devices', writes: true, body: () => ({ name: 'renamed' }), missing: 404 },
  'delete /api/v1/sync/devices/{id}': { verb: 'manage-devices', writes: true, missing: 404 },
  'post /api/v1/sync/devices/{id}/token': { verb: 'manage-devices', writes: true, missing: 404 },
  'get /api/v1/sync/changes': { verb: 'follow', query: ({ cursor }) => `?cursor=${cursor}`, missing: 200 },
  'post /api/v1/sync/ack': { verb: 'follow', body: ({ cursor }) => ({ cursor }), missing: 400 },
  'post /api/v1/sync/report': {
    verb: 'file.put',
    of: 'file',
    writes: true,
    body: ({ id }) => ({ entries: [{ change: 'deleted', path: id, base_sha256: CONTENT.sha256 }] }),
    missing: 200
  },
  'get /api/v1/sync/conflicts': { verb: 'conflicts' },
  'post /api/v1/sync/conflicts/{id}/resolve': {
    verb: 'conflict.resolve',
    of: 'conflict',
    writes: true,
    body: () => ({ keep: 'server' }),
    missing: 404
  },
  'post /api/v1/sync/upload': { verb: 'file.put', body: () => ({ path: 'new', ...CONTENT }) },
  'get /api/v1/sync/upload/{id}': { verb: 'file.put', of: 'upload', missing: 404 },
  'delete /api/v1/sync/upload/{id}': { verb: 'file.put', of: 'upload', missing: 404 },
  'put /api/v1/sync/upload/{id}/chunks/{index}': { verb: 'file.put', of: 'upload', body: () => BYTES, missing: 404 },
  'post /api/v1/sync/upload/{id}/complete': { verb: 'file.put', of: 'sent', writes: true, missing: 404 },
  'get /api/v1/sync/download/{path}': { verb: 'files', of: 'file', missing: 404 },
  // Last, because they end what others come with.
  'post /api/v1/auth/logout': { verb: 'follow' },
  'post /api/v1/auth/revoke-all': { verb: 'manage-devices' }
}

let things = 0

/** Makes a thing of an account, by a device of it. */
async function makeThing(url: string, token: string, kind: RestThingKind, name: string): Promise<string> {
  const path = `thing ${String(++things).padStart(6, '0')} ${name}`
  const ask = async (method: string, at: string, body?: object): Promise<{ id: string; result?: { conflict_id?: string } }> => {
    const { status, text } = await http(url, method, `/api/v1/sync/${at}`, token, body)
    assert.is(status, 200, text)
    return JSON.parse(text) as { id: string; result?: { conflict_id?: string } }
  }
  const put = async (content: object, bytes: Buffer): Promise<string | undefined> => {
    const { id } = await ask('POST', 'upload', { path, ...content })
    await ask('PUT', `upload/${id}/chunks/0`, bytes)
    return (await ask('POST', `upload/${id}/complete`)).result?.conflict_id
  }
  if (kind === 'device') return (await ask('POST', 'devices', { name })).id
  if (kind === 'upload' || kind === 'sent') {
    const { id } = await ask('POST', 'upload', { path, ...CONTENT })
    if (kind === 'sent') await ask('PUT', `upload/${id}/chunks/0`, BYTES)
    return id
  }
  await put(CONTENT, BYTES)
  if (kind === 'file') return path
  const other = Buffer.from('another')
  return (await put({ sha256: createHash('sha256').update(other).digest('hex'), size_bytes: other.length }, other))!
}

const WAYS_IN = ['post /api/v1/auth/login', 'post /api/v1/auth/refresh']

test('whoever asks the native REST, for whatever thing, gets what the policy says, and nothing else changes', async context => {
  const { hub, accounts, tried, byAccessToken } = await scene(context)
  const { paths } = JSON.parse((await http(hub.url, 'GET', '/api/v1/openapi.json', undefined)).text) as { paths: object }
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map(method => `${method} ${path}`)
  )
  assert.equal(operations.sort(), [...Object.keys(REST), ...WAYS_IN].sort(), 'an operation has no row here')
  const owners = ['ada', 'ben'] as const
  const tokens = { ada: (await register(accounts.ada, 'maker')).token, ben: (await register(accounts.ben, 'maker')).token }
  const thingOf = async (owner: Tried['owner'] | 'nobody', kind: RestThingKind): Promise<RestThing> => {
    if (owner === 'nobody') return { id: '9'.repeat(12), cursor: `${'e'.repeat(12)}:1` }
    return {
      id: await makeThing(hub.url, tokens[owner], kind, `secret of ${owner}`),
      cursor: `${accounts[owner].epoch}:1`
    }
  }
  let count = 0
  for (const [operation, row] of Object.entries(REST))
    for (const who of [...tried, ...byAccessToken]) {
      const foreign: string[] = []
      for (const object of row.missing === undefined ? (['own'] as const) : OBJECTS) {
        const owner = object === 'own' ? who.owner : object === "another's" ? other(who.owner) : 'nobody'
        const thing = await thingOf(owner, row.of ?? 'device')
        const before = owners.map(owner => stateOf(accounts[owner]))
        const [method, path] = operation.split(' ') as [string, string]
        const where = `${who.name}, ${operation}, ${object}`
        // An own sign-in that ends here is begun again.
        const ends = path.startsWith('/api/v1/auth/')
        const token = ends && who.name.includes('its access') ? await again(hub, accounts.ada, who.token!) : who.token
        const at =
          path.replace(/\{(id|path)\}/, encodeURIComponent(thing.id)).replace('{index}', '0') + (row.query?.(thing) ?? '')
        const { status, text } = await http(hub.url, method.toUpperCase(), at, token, row.body?.(thing))
        count += 1
        const may = permits(who.actor, row.verb)
        const code = status < 300 ? undefined : (JSON.parse(text) as { code: string }).code
        if (who.actor === 'stranger') {
          const expected = who.token === undefined ? 'unauthenticated' : who.told!
          assert.equal([status, code], [ERRORS[expected].http, expected], where)
        } else if (!may) assert.equal([status, code], [403, 'forbidden'], where)
        else assert.is(status, object === 'own' ? (status === 204 ? 204 : 200) : row.missing, where)
        const isChanged = owners.map((owner, index) => stateOf(accounts[owner]) !== before[index])
        assert.is(isChanged[owners.indexOf(other(who.owner))], false, `${where}: the other account changed`)
        assert.is(isChanged[owners.indexOf(who.owner)], may && object === 'own' && row.writes === true, where)
        // What it named itself tells it nothing.
        const told = text.replaceAll(thing.id, 'ID')
        assert.not.match(told, `secret of ${other(who.owner)}`, where)
        if (who.actor === 'stranger') assert.not.match(told, 'secret', where)
        if (object !== 'own') foreign.push(`${status} ${told}`)
      }
      assert.is(foreign[0], foreign[1], `${who.name}, ${operation}: what is another's is told from what is not there`)
    }
  process.stdout.write(`FIGURE: ${count} cells of the native REST, each as the policy says\n`)
})

/** A new access token of the device that an access token is of. */
async function again(hub: TestServingHub, account: Account, accessToken: string): Promise<string> {
  const { dev } = JSON.parse(Buffer.from(accessToken.split('.')[1]!, 'base64url').toString()) as { dev: string }
  return (await hub.signIns.begin(account, dev)).accessToken
}

test('by SOAP a token lists the files of its own account, and changes nothing', async context => {
  const { hub, accounts, tried } = await scene(context)
  for (const owner of ['ada', 'ben'] as const) {
    await holdContent(accounts[owner], 'maker', HELD.sha256, HELD.sizeBytes)
    await accounts[owner].perform(new Origin('maker', ''), 'file.put', `secret of ${owner}`, HELD)
  }
  const before = [accounts.ada, accounts.ben].map(stateOf)
  for (const { actor, owner, token = '', name } of tried) {
    const call = `<ChangeList xmlns="http://api.filesanywhere.com/"><Token>${token}</Token></ChangeList>`
    const body = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${call}</s:Body></s:Envelope>`
    const response = await fetch(`${hub.url}/api/syncapp/syncapi.asmx`, {
      method: 'POST',
      headers: { 'content-type': 'text/xml' },
      body
    })
    const text = await response.text()
    assert.is(response.status, permits(actor, 'files') ? 200 : 500, name)
    if (permits(actor, 'files')) assert.match(text, `secret of ${owner}`, name)
    else assert.not.match(text, 'secret', name)
    assert.not.match(text, `secret of ${other(owner)}`, name)
  }
  assert.equal([accounts.ada, accounts.ben].map(stateOf), before)
})

test("KOReader's key opens its own account's positions, and no device's token does; a reader that is cut off sets nothing", async context => {
  const { hub, accounts, tried } = await scene(context)
  for (const account of ['ada', 'ben']) await operate(hub, 'account.kosync', { account, password: `${account} reads` })
  const ask = async (method: string, path: string, headers: Record<string, string>, body?: object): Promise<Heard> => {
    const response = await fetch(hub.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    return { status: response.status, text: await response.text() }
  }
  const keyOf = (name: string, password: string): Record<string, string> => ({
    'x-auth-user': name,
    'x-auth-key': createHash('md5').update(password).digest('hex')
  })
  const place = (by: string): object => ({ document: 'doc', progress: `secret of ${by}`, percentage: 0.5, device: by })
  for (const by of ['ada', 'ben'])
    assert.is((await ask('PUT', '/syncs/progress', keyOf(by, `${by} reads`), place(by))).status, 200)
  for (const by of ['ada', 'ben'] as const) {
    const { text } = await ask('GET', '/syncs/progress/doc', keyOf(by, `${by} reads`))
    assert.match(text, `secret of ${by}`)
    assert.not.match(text, `secret of ${other(by)}`)
  }
  const before = [accounts.ada, accounts.ben].map(stateOf)
  const strangers = [
    {},
    keyOf('ada', 'ben reads'),
    keyOf('ben', 'ada reads'),
    keyOf('ada', "ada's"),
    keyOf('nobody', 'ada reads'),
    ...tried.flatMap(({ token = '' }) => [{ authorization: `Bearer ${token}` }, { 'x-auth-user': 'ada', 'x-auth-key': token }])
  ]
  for (const headers of strangers)
    for (const [method, path, body] of [
      ['GET', '/syncs/progress/doc'],
      ['PUT', '/syncs/progress', place('mallory')]
    ] as const) {
      const { status, text } = await ask(method, path, headers, body)
      // Past ten failures of one account they are not even looked at.
      assert.ok(status === 401 || status === 429, text)
      assert.not.match(text, 'secret')
    }
  assert.equal([accounts.ada, accounts.ben].map(stateOf), before)
  const [reader] = accounts.ada.views.range('devices', [], 'kosync-', 1).map(([id]) => id)
  await revokeDevice(accounts.ada, reader!)
  const cut = [accounts.ada, accounts.ben].map(stateOf)
  assert.is((await ask('PUT', '/syncs/progress', keyOf('ada', 'ada reads'), place('ada'))).status, 401)
  assert.equal([accounts.ada, accounts.ben].map(stateOf), cut)
})

test('over HTTP the annotations of a book are for devices of its account, and of others there is nothing', async context => {
  const { hub, accounts, tried } = await scene(context)
  for (const owner of ['ada', 'ben'] as const) {
    await accounts[owner].loadBooks(new Set([`${owner}'s`]))
    await accounts[owner].perform(new Origin('maker', ''), 'annotation.put', `${owner}'s`, {
      id: 'mark',
      quote: `secret of ${owner}`
    })
  }
  const before = [accounts.ada, accounts.ben].map(stateOf)
  for (const { actor, owner, token, told, name } of tried) {
    const of = (id: string): Promise<Heard> => http(hub.url, 'GET', `/api/v1/books/${encodeURIComponent(id)}/annotations`, token)
    const [own, another, none] = [await of(`${owner}'s`), await of(`${other(owner)}'s`), await of('nobody')]
    const code = token === undefined ? 'unauthenticated' : told
    const refused = actor === 'stranger' ? ERRORS[code!].http : undefined
    assert.equal([own.status, another.status, none.status], [refused ?? 200, refused ?? 404, refused ?? 404], name)
    assert.is(another.text, none.text, name)
    assert.is(own.text.includes(`secret of ${owner}`), refused === undefined, name)
  }
  assert.equal([accounts.ada, accounts.ben].map(stateOf), before)
})

test('a way in leads to the account of the code or the password, whoever comes; a wrong one looks like one that never was', async context => {
  const { hub, accounts, tried } = await scene(context)
  const device = { name: 'new', app: 'test' }
  for (const { token, name } of tried) {
    const { code } = hub.pairing.open(accounts.ben.id)
    const before = stateOf(accounts.ada)
    const { status, text } = await http(hub.url, 'POST', '/api/v1/pair', token, { code, ...device })
    assert.is(status, 200, name)
    assert.is((JSON.parse(text) as { account: string }).account, accounts.ben.id, name)
    assert.is(stateOf(accounts.ada), before, name)
  }
  const before = [accounts.ada, accounts.ben].map(stateOf)
  const { code: used } = hub.pairing.open(accounts.ada.id)
  await http(hub.url, 'POST', '/api/v1/pair', undefined, { code: used, ...device })
  const after = stateOf(accounts.ada)
  assert.is.not(after, before[0])
  const refused = [
    await http(hub.url, 'POST', '/api/v1/pair', undefined, { code: used, ...device }),
    await http(hub.url, 'POST', '/api/v1/pair', undefined, { code: '0000-0000', ...device }),
    await http(hub.url, 'POST', '/api/v1/pair', undefined, { code: 'none', ...device }),
    await http(hub.url, 'POST', '/api/v1/sign-in', undefined, { account: 'ada', password: "ben's", ...device }),
    await http(hub.url, 'POST', '/api/v1/sign-in', undefined, { account: 'eve', password: "ben's", ...device })
  ]
  assert.equal(new Set(refused.map(({ status, text }) => `${status} ${text}`)).size, 1)
  assert.is(refused[0]!.status, 401)
  assert.is(stateOf(accounts.ada), after)
})

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

test("the operator's socket tells another account's device from none no better than anyone", async context => {
  const { hub, accounts, tried } = await scene(context)
  const device = parseToken(tried.find(({ name }) => name === 'a device')!.token!)!.device
  const nobody = 'n'.repeat(device.length)
  const before = [accounts.ada, accounts.ben].map(stateOf)
  const refusals = await Promise.all(
    [device, nobody].map(device =>
      callControl(hub.dataFolder, 'device.revoke', { account: 'ben', device }).catch(
        (error: unknown) => error as Error & { code: string }
      )
    )
  )
  assert.equal(
    refusals.map(error => `${(error as { code: string }).code} ${(error as Error).message.replace(device, nobody)}`),
    Array.from({ length: 2 }, () => `not-found there is no device ${nobody}`)
  )
  assert.equal([accounts.ada, accounts.ben].map(stateOf), before)
  for (const name of ['toString', '__proto__', 'constructor', '', 'device', 'device.revoke/..'])
    assert.not(isOperationName(name), name)
})

test("nobody but the data folder's owner reaches the operator's socket", async context => {
  const { hub } = await scene(context)
  const path = join(hub.dataFolder, CONTROL_SOCKET)
  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.is(statSync(hub.dataFolder).mode & 0o777, 0o700)
  if (process.getuid?.() !== 0) {
    assert.is.not(process.env['CI'], 'true', 'CI runs this test as root, who can become someone else')
    process.stdout.write('SKIPPED: only root can try the socket as someone else\n')
    return
  }
  const script = `require('node:net').connect(process.argv[1]).on('error', e => console.log(e.code)).on('connect', () => console.log('in'))`
  const { stdout } = spawnSync(process.execPath, ['-e', script, path], { uid: 65_534, gid: 65_534, cwd: '/', timeout: 30_000 })
  assert.is(stdout.toString(), 'EACCES\n')
})

test('rights rise from actor to actor', () => {
  for (const verb of Object.keys(LEAST_ACTOR) as Verb[]) {
    const allowed = ACTORS.map(actor => permits(actor, verb))
    assert.not.match(allowed.join(' '), 'true false', verb)
    assert.ok(permits('operator', verb))
  }
})

test.run()
