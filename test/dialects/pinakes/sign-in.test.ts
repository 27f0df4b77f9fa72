import { createHmac } from 'node:crypto'
import * as assert from 'uvu/assert'
import { isRefused, otherAccount, restHub, type RestAnswer, type RestHub, type RestTokens } from '../../util/rest-hub.ts'
import { converse, helloFrame } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/pinakes/sign-in')

const auth = (hub: RestHub, what: string, body?: unknown, token?: string): Promise<RestAnswer> =>
  hub.request('POST', `/api/v1/auth/${what}`, token, body)
const refreshed = (hub: RestHub, refresh_token: unknown): Promise<RestAnswer> => auth(hub, 'refresh', { refresh_token })
const devices = (hub: RestHub, token?: string, headers?: Record<string, string>): Promise<RestAnswer> =>
  hub.request('GET', '/api/v1/sync/devices', token, undefined, headers)

const partsOf = (token: string): [header: string, claims: string, signature: string] =>
  token.split('.') as [string, string, string]
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decoded = (part: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>

test('a login registers a device, whose access token opens everything that its own would', async context => {
  const hub = await restHub(context)
  const tokens = await hub.login('my laptop')
  const { access_token, refresh_token, device_id, ...rest } = tokens as RestTokens & Record<string, unknown>
  assert.equal(rest, { token_type: 'Bearer', expires_in: 600 })
  assert.is.not(access_token, refresh_token)
  const { status, json } = await devices(hub, access_token)
  assert.is(status, 200)
  const own = json.devices.find(({ id }: { id: string }) => id === device_id)
  assert.equal([own.name, own.is_current, own.read_only], ['my laptop', true, false])
  assert.is((await hub.request('GET', '/api/v1/changes', access_token)).status, 200)
  assert.is((await hub.request('GET', '/api/v1/sync/changes', access_token)).status, 200)
})

test('answers with tokens are kept by no cache', async context => {
  const hub = await restHub(context)
  const { refresh_token } = await hub.login()
  assert.is((await refreshed(hub, refresh_token)).headers.get('cache-control'), 'no-store')
})

test('a login by device id is that device again, and ends its sign-in before', async context => {
  const hub = await restHub(context)
  const { account, password } = hub
  const first = await hub.login('phone')
  const again = await auth(hub, 'login', { account, password, device_id: first.device_id })
  assert.equal([again.status, again.json.device_id], [200, first.device_id])
  isRefused(await devices(hub, first.access_token), 401, 'unauthenticated')
  isRefused(await refreshed(hub, first.refresh_token), 401, 'unauthenticated')
  assert.is((await devices(hub, again.json.access_token)).status, 200)
})

test('a login that is not right gets nothing, and registers nothing', async context => {
  const hub = await restHub(context)
  const { account, password } = hub
  const { access_token } = await hub.login()
  const before = (await devices(hub, access_token)).text
  const cases: [body: unknown, status: number, code: string, field?: string][] = [
    [{ account, password: `${password}!` }, 401, 'unauthenticated'],
    [{ account: 'nobody here', password }, 401, 'unauthenticated'],
    [{ account, password, device_id: 'nobody' }, 404, 'not-found'],
    [{ account, password, device_id: 'no\u0000body' }, 404, 'not-found'],
    [{ account }, 400, 'bad-request', 'password'],
    [{ password }, 400, 'bad-request', 'account'],
    [{ account: '', password }, 400, 'bad-request', 'account'],
    [{ account: 'a\u0000b', password }, 400, 'bad-request', 'account'],
    [{ account: 'x'.repeat(129), password }, 400, 'bad-request', 'account'],
    [{ account, password: 'x'.repeat(257) }, 400, 'bad-request', 'password'],
    [{ account, password: 7 }, 400, 'bad-request', 'password'],
    [{ account, password, device_name: '' }, 400, 'bad-request', 'device_name'],
    [{ account, password, device_id: 'x'.repeat(65) }, 400, 'bad-request', 'device_id'],
    [{ account, password, read_only: true }, 400, 'bad-request', 'read_only'],
    [undefined, 400, 'bad-request', 'account'],
    [[], 400, 'bad-request'],
    [{ account, password: 'x'.repeat(70_000) }, 413, 'too-large']
  ]
  for (const [body, status, code, field] of cases) isRefused(await auth(hub, 'login', body), status, code, field)
  assert.is((await auth(hub, 'login', { account: ` ${account.toUpperCase()} `, password, device_id: 'nobody' })).status, 404)
  assert.is((await devices(hub, access_token)).text, before)
})

test('whoever guesses passwords is held back', async context => {
  const hub = await restHub(context)
  const account = `guessed-${Date.now()}`
  for (let tries = 0; tries < 10; tries++)
    isRefused(await auth(hub, 'login', { account, password: `guess ${tries}` }), 401, 'unauthenticated')
  const held = await auth(hub, 'login', { account, password: 'guess' })
  isRefused(held, 429, 'rate-limited')
  assert.ok(Number(held.headers.get('retry-after')) > 0)
})

test('a refresh token is good once, for new tokens of the same device', async context => {
  const hub = await restHub(context)
  const first = await hub.login()
  const { status, json } = await refreshed(hub, first.refresh_token)
  assert.equal([status, json.device_id, json.token_type, json.expires_in], [200, first.device_id, 'Bearer', 600])
  for (const token of [first.access_token, json.access_token]) assert.is((await devices(hub, token)).status, 200)
  const next = await refreshed(hub, json.refresh_token)
  assert.is(next.status, 200)
})

test('a refresh token that is used again ends its sign-in, for whoever has the newer one too', async context => {
  const hub = await restHub(context)
  const first = await hub.login()
  const bystander = await hub.login()
  const second = (await refreshed(hub, first.refresh_token)).json as RestTokens
  isRefused(await refreshed(hub, first.refresh_token), 401, 'unauthenticated')
  isRefused(await refreshed(hub, second.refresh_token), 401, 'unauthenticated')
  for (const { access_token } of [first, second]) isRefused(await devices(hub, access_token), 401, 'unauthenticated')
  assert.is((await devices(hub, bystander.access_token)).status, 200, 'another sign-in of the account ended, too')
})

test('of many who come with one refresh token at once, one at most goes on', async context => {
  const hub = await restHub(context)
  const { refresh_token } = await hub.login()
  const answers = await Promise.all(Array.from({ length: 8 }, () => refreshed(hub, refresh_token)))
  assert.equal(
    answers.map(({ status }) => status).filter(status => status !== 401),
    [200]
  )
  const winner = answers.find(({ status }) => status === 200)!.json as RestTokens
  isRefused(await devices(hub, winner.access_token), 401, 'unauthenticated')
})

test('tokens of one kind do not stand in for the other', async context => {
  const hub = await restHub(context)
  const { access_token, refresh_token } = await hub.login()
  isRefused(await devices(hub, refresh_token), 401, 'unauthenticated')
  isRefused(await refreshed(hub, access_token), 401, 'unauthenticated')
  const { token } = await hub.device()
  isRefused(await refreshed(hub, token), 401, 'unauthenticated')
  assert.is((await devices(hub, access_token)).status, 200)
  assert.is((await refreshed(hub, refresh_token)).status, 200, 'an attempt with the wrong kind used it up')
})

test('a refresh takes a refresh token and nothing else', async context => {
  const hub = await restHub(context)
  for (const [body, field] of [
    [undefined, 'refresh_token'],
    [{}, 'refresh_token'],
    [{ refresh_token: '' }, 'refresh_token'],
    [{ refresh_token: 7 }, 'refresh_token'],
    [{ refresh_token: 'x'.repeat(2_049) }, 'refresh_token'],
    [{ refresh_token: 'x', device_id: 'y' }, 'device_id'],
    [['x'], undefined]
  ] as const)
    isRefused(await auth(hub, 'refresh', body), 400, 'bad-request', field)
  for (const token of ['x', 'a.b.c', 'lectern_', 'x'.repeat(2_048)])
    isRefused(await refreshed(hub, token), 401, 'unauthenticated')
})

test('a logout holds at once, for its own device alone', async context => {
  const hub = await restHub(context)
  const [first, second] = [await hub.login(), await hub.login()]
  const stream = await fetch(`${hub.url}/api/v1/changes?live=sse`, { headers: { authorization: `Bearer ${first.access_token}` } })
  const told = stream.text()
  const { status, text } = await auth(hub, 'logout', undefined, first.access_token)
  assert.equal([status, text], [204, ''])
  assert.match(await told, /event: bye\ndata: \{"code":"unauthenticated"/)
  isRefused(await devices(hub, first.access_token), 401, 'unauthenticated')
  isRefused(await refreshed(hub, first.refresh_token), 401, 'unauthenticated')
  isRefused(await auth(hub, 'logout', undefined, first.access_token), 401, 'unauthenticated')
  assert.is((await devices(hub, second.access_token)).status, 200)
})

test('an access token opens a live connection, which outlives it and ends with its sign-in', async context => {
  const hub = await restHub(context)
  const { access_token } = await hub.login()
  let isWelcome = false
  const ended = converse(hub.url, [helloFrame(access_token)], ({ kind }) => {
    if (kind === 'welcome') {
      isWelcome = true
      void auth(hub, 'logout', undefined, access_token)
    }
    return false
  })
  const { frames, closeCode } = await ended
  const last = frames.at(-1)
  assert.equal([isWelcome, last?.kind === 'bye' && last.code, closeCode], [true, 'unauthenticated', 4401])
  assert.is((await converse(hub.url, [helloFrame(access_token)])).closeCode, 4401)
})

test("revoke-all ends every sign-in of the account, and no device's own token", async context => {
  const hub = await restHub(context)
  const [first, second] = [await hub.login(), await hub.login()]
  const { token } = await hub.device()
  assert.is((await auth(hub, 'revoke-all', undefined, first.access_token)).status, 204)
  for (const { access_token, refresh_token } of [first, second]) {
    isRefused(await devices(hub, access_token), 401, 'unauthenticated')
    isRefused(await refreshed(hub, refresh_token), 401, 'unauthenticated')
  }
  assert.is((await devices(hub, token)).status, 200)
  assert.is((await devices(hub, (await hub.login()).access_token)).status, 200)
})

test('a device that may only read can end its own sign-in and not those of others', async context => {
  const hub = await restHub(context)
  const { account, password } = hub
  const reader = await hub.device({ read_only: true })
  const tokens = (await auth(hub, 'login', { account, password, device_id: reader.id })).json as RestTokens
  for (const token of [reader.token, tokens.access_token]) {
    isRefused(await auth(hub, 'revoke-all', undefined, token), 403, 'forbidden')
    isRefused(await hub.request('POST', '/api/v1/sync/devices', token, { name: 'more' }), 403, 'forbidden')
  }
  assert.is((await auth(hub, 'logout', undefined, tokens.access_token)).status, 204)
  assert.is((await reader.ask('GET', '/devices')).status, 200)
})

test("a disabled device's tokens are refused, and good again once it is enabled; a deleted one's never", async context => {
  const hub = await restHub(context)
  const asker = await hub.device()
  const { account, password } = hub
  const { access_token, refresh_token, device_id } = await hub.login()
  const isShutOut = async (code: string): Promise<void> => {
    isRefused(await devices(hub, access_token), 403, code)
    isRefused(await refreshed(hub, refresh_token), 403, code)
    isRefused(await hub.request('GET', '/api/v1/changes', access_token), 403, code)
    isRefused(await auth(hub, 'logout', undefined, access_token), 403, code)
  }
  await asker.ask('PUT', `/devices/${device_id}`, { disabled: true })
  await isShutOut('device-disabled')
  isRefused(await auth(hub, 'login', { account, password, device_id }), 403, 'device-disabled')
  await asker.ask('PUT', `/devices/${device_id}`, { disabled: false })
  assert.is((await devices(hub, access_token)).status, 200)
  await asker.ask('DELETE', `/devices/${device_id}`)
  await isShutOut('device-revoked')
  isRefused(await auth(hub, 'login', { account, password, device_id }), 404, 'not-found')
})

test('a new token of a device leaves its sign-in as it is', async context => {
  const hub = await restHub(context)
  const { access_token, device_id } = await hub.login()
  const { json } = await hub.request('POST', `/api/v1/sync/devices/${device_id}/token`, access_token)
  for (const token of [access_token, json.token]) assert.is((await devices(hub, token)).status, 200)
  assert.is((await auth(hub, 'logout', undefined, json.token)).status, 204, 'a device ends its sign-in by its own token')
  isRefused(await devices(hub, access_token), 401, 'unauthenticated')
})

test('a request without a token that this hub gave is unauthenticated, whatever it asks', async context => {
  const hub = await restHub(context)
  const { access_token, refresh_token } = await hub.login()
  const { token } = await hub.device()
  const [header, claims, signature] = partsOf(access_token)
  const signed = (head: object, body: object, key: string): string => {
    const text = `${encoded(head)}.${encoded(body)}`
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
  }
  const forged = [
    'garbage',
    'a.b.c',
    '..',
    `${header}.${claims}.`,
    `${header}.${claims}`,
    `${header}.${claims}.${partsOf(refresh_token)[2]}`,
    `${header}.${partsOf(refresh_token)[1]}.${signature}`,
    `${encoded({ alg: 'none', typ: 'at+jwt' })}.${claims}.`,
    `${encoded({ alg: 'None', typ: 'at+jwt' })}.${claims}.${signature}`,
    `${encoded({ alg: 'HS384', typ: 'at+jwt' })}.${claims}.${signature}`,
    `${encoded({ alg: 'RS256', typ: 'at+jwt' })}.${claims}.${signature}`,
    `${partsOf(refresh_token)[0]}.${claims}.${signature}`,
    `${header}.${encoded({ ...decoded(claims), exp: 9_999_999_999 })}.${signature}`,
    `${header}.${encoded({ ...decoded(claims), sub: 'another' })}.${signature}`,
    `${access_token.slice(0, -4)}AAAA`,
    `${access_token}.${signature}`,
    ...['', 'secret', 'lectern', '\u0000'.repeat(32)].map(key => signed(decoded(header), decoded(claims), key)),
    signed({ ...decoded(header), jwk: { kty: 'oct', k: 'AA' }, kid: '../key' }, decoded(claims), '\u0000'),
    token.slice(0, -2),
    `${token}A`,
    'lectern_',
    'x'.repeat(7_000)
  ]
  for (const each of forged)
    for (const path of ['/api/v1/sync/devices', '/api/sync/changes', '/api/v1/changes'])
      isRefused(await hub.request('GET', path, each), 401, 'unauthenticated')
  const schemes = [
    {},
    { authorization: '' },
    { authorization: access_token },
    { authorization: `Basic ${access_token}` },
    { authorization: 'Bearer ' }
  ]
  for (const headers of schemes) isRefused(await devices(hub, undefined, headers), 401, 'unauthenticated')
  isRefused(await hub.request('GET', `/api/v1/sync/devices?token=${access_token}`), 401, 'unauthenticated')
  isRefused(await devices(hub, undefined, { cookie: `token=${access_token}` }), 401, 'unauthenticated')
  assert.is((await devices(hub, undefined, { authorization: `bearer ${access_token}` })).status, 200)
  for (const what of ['logout', 'revoke-all']) isRefused(await auth(hub, what), 401, 'unauthenticated')
  isRefused(await hub.request('GET', '/api/v1/sync/nothing'), 401, 'unauthenticated')
  isRefused(await hub.request('POST', '/api/v1/sync/devices', 'garbage', { nonsense: true }), 401, 'unauthenticated')
})

test("an access token opens one account's things only", async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) {
    process.stdout.write('SKIPPED: needs a second account\n')
    return
  }
  const other = await otherAccount(context, hub)
  const [mine, theirs] = [await hub.login('of the one'), await other.login('of the other')]
  assert.not.match((await devices(hub, mine.access_token)).text, 'of the other')
  assert.not.match((await hub.request('GET', '/api/v1/sync/changes', mine.access_token)).text, 'of the other')
  const { account, password } = hub
  isRefused(await auth(hub, 'login', { account, password, device_id: theirs.device_id }), 404, 'not-found')
  await auth(hub, 'revoke-all', undefined, mine.access_token)
  assert.is((await devices(hub, theirs.access_token)).status, 200)
})

test('a page of a foreign origin may not sign in', async context => {
  const hub = await restHub(context)
  const headers = { origin: 'https://evil.example' }
  const body = { account: hub.account, password: hub.password }
  isRefused(await hub.request('POST', '/api/v1/auth/login', undefined, body, headers), 403, 'origin-refused')
})

test.run()
