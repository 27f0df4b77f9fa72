import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { ERRORS, VIEWS } from '../../protocol/index.ts'
import { parseToken } from '../../server/auth/tokens.ts'
import { revokeDevice } from '../../server/auth/devices.ts'
import { callControl } from '../../server/control.ts'
import { holdContent } from '../../server/core/files/contents.ts'
import { Origin } from '../../server/core/origin.ts'
import { permits, type Verb } from '../../server/core/policy.ts'
import { CONTROL_SOCKET } from '../../server/data-folder.ts'
import { isOperationName, operate, OPERATIONS } from '../../server/operations.ts'
import { HELD, http, other, scene, stateOf, toldOverHttp, type Heard } from '../util/authorisation.ts'
import { suite } from '../util/suite.ts'

const test = suite('hostile/authorisation-http')

/** Every route there is, and who may use it. */
const ROUTES: Readonly<Record<string, Verb>> = {
  'get /': 'sign-in',
  'get /dashboard/main.js': 'sign-in',
  'get /dashboard/style.css': 'sign-in',
  'get /healthz': 'sign-in',
  'get /readyz': 'sign-in',
  'get /api/v1/changes': 'follow',
  'post /api/v1/pair': 'sign-in',
  'post /api/v1/pairing-codes': 'manage-devices',
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

const routesOfSource = ['dashboard', 'routes', 'dialects/changelist', 'dialects/kosync']
  .map(folder => fileURLToPath(new URL(`../../server/${folder}`, import.meta.url)))
  .flatMap(folder => readdirSync(folder).map(name => join(folder, name)))
  .filter(file => file.endsWith('.ts'))
  .flatMap(file => [...readFileSync(file, 'utf8').matchAll(/app\.(get|post|put|patch|delete|all)\('([^']+)'/g)])
  .map(([, method, path]) => `${method} ${path}`)

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
  for (const who of tried) {
    const { actor, owner, token, name } = who
    const { status, text } = await http(hub.url, 'GET', '/api/v1/changes', token)
    const answer = JSON.parse(text) as { code?: string; epoch?: string; cursor?: number }
    count += 1
    if (permits(actor, 'follow'))
      assert.equal([status, answer.epoch, answer.cursor], [200, accounts[owner].epoch, accounts[owner].durableHead], name)
    else {
      const code = toldOverHttp(who)
      assert.equal([status, answer.code], [ERRORS[code].http, code], name)
    }
  }
  for (const who of tried) {
    const { actor, owner, token, name } = who
    const { status, text } = await http(hub.url, 'POST', '/api/v1/pairing-codes', token, {})
    const { code } = JSON.parse(text) as { code: string }
    count += 1
    if (permits(actor, 'manage-devices'))
      assert.equal(
        [status, hub.pairing.redeem(code)],
        [200, { account: accounts[owner].id, readOnly: false, by: parseToken(token!)!.device }],
        name
      )
    else if (permits(actor, 'devices')) assert.equal([status, code], [403, 'forbidden'], name)
    else assert.equal([status, code], [ERRORS[toldOverHttp(who)].http, toldOverHttp(who)], name)
  }
  assert.equal([accounts.ada, accounts.ben].map(stateOf), before)
  process.stdout.write(`FIGURE: ${count} cells over HTTP, each as the policy says\n`)
})

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
    await accounts[owner].documents.load(new Set([`${owner}'s`]))
    await accounts[owner].perform(new Origin('maker', ''), 'annotation.put', `${owner}'s`, {
      id: 'mark',
      quote: `secret of ${owner}`
    })
  }
  const before = [accounts.ada, accounts.ben].map(stateOf)
  for (const who of tried) {
    const { actor, owner, token, name } = who
    const of = (id: string): Promise<Heard> => http(hub.url, 'GET', `/api/v1/books/${encodeURIComponent(id)}/annotations`, token)
    const [own, another, none] = [await of(`${owner}'s`), await of(`${other(owner)}'s`), await of('nobody')]
    const refused = actor === 'stranger' ? ERRORS[toldOverHttp(who)].http : undefined
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
  // Three codes, and two passwords.
  for (const alike of [refused.slice(0, 3), refused.slice(3)]) {
    assert.equal(new Set(alike.map(({ status, text }) => `${status} ${text}`)).size, 1)
    assert.is(alike[0]!.status, 401)
  }
  assert.is(stateOf(accounts.ada), after)
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

test.run()
