import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import { ERRORS } from '../../protocol/index.ts'
import type { Account } from '../../server/core/account.ts'
import { permits, type Verb } from '../../server/core/policy.ts'
import { http, OWNERSHIPS, other, scene, stateOf, toldOverHttp, type Tried } from '../util/authorisation.ts'
import { register, type TestServingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'

const test = suite('hostile/authorisation-rest')

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
      for (const object of row.missing === undefined ? (['own'] as const) : OWNERSHIPS) {
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
          const expected = toldOverHttp(who)
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

test.run()
