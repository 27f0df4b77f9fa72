import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { encodeFrame, type HubFrame } from '../../protocol/index.ts'
import { revokeDevice } from '../../server/auth/devices.ts'
import { RawSocket } from '../util/raw-socket.ts'
import { converse, helloFrame, register, servingHub, type TestServingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const test = suite('hostile/sign-in')

const scene = async (context: TestContext, flags?: Record<string, string>): Promise<TestServingHub> => {
  const hub = await servingHub(context, flags)
  await hub.directory.add('ada', 'right')
  return hub
}

const post = (url: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers })

const device = { name: 'phone', app: 'test' }
const byeOf = (frames: readonly HubFrame[]): string | undefined => frames.find(frame => frame.kind === 'bye')?.code

test('case 26: a token that is none, in whatever dress, is told so and costs nothing', async context => {
  const hub = await scene(context)
  const account = await hub.hub.ensureAccount(hub.directory.get('ada').id)
  const { token } = await register(account, 'phone')
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { sub: account.id, exp: 9_999_999_999, iat: 9_999_999_999, aud: 'elsewhere', jti: 'x' }
  const tokens = [
    `${part({ alg: 'none' })}.${part(claims)}.`,
    `${part({ alg: 'HS256', kid: '../../etc/passwd', crit: ['exp'] })}.${part(claims)}.${randomBytes(32).toString('base64url')}`,
    `${part({ alg: 'dir', enc: 'A256GCM' })}..a.b.c`,
    token.slice(0, -1),
    `${token}A`,
    `${token}=`,
    token.toUpperCase(),
    ` ${token}`,
    token.replace('lectern_', 'Bearer lectern_'),
    'lectern_',
    '../../store',
    '\u0000'
  ]
  for (const bad of tokens) {
    const { frames, closeCode } = await converse(hub.url, [helloFrame(bad)])
    assert.equal([byeOf(frames), closeCode], ['unauthenticated', 4401], bad)
  }
  const { closeCode } = await converse(hub.url, [helloFrame('x'.repeat(100_000))])
  assert.ok(closeCode === 1006 || closeCode === 1009, `a token of 100 KB: ${closeCode}`)
})

test('case 26: a device that is revoked while it writes is cut off, and nothing that it sends afterwards takes effect', async context => {
  const hub = await scene(context)
  const account = await hub.hub.ensureAccount(hub.directory.get('ada').id)
  for (let round = 0; round < 20; round++) {
    const { token, device } = await register(account, 'phone')
    const wire = new WireClient()
    context.defer(() => wire.close())
    await wire.connect(hub.url, token)
    const acked = wire.next('acked')
    const ended = wire.next('bye')
    let number = 0
    const write = (): void => {
      if (wire.closeCode !== undefined) return
      wire.send('push', { confirmed: 0, actions: [[++number, 0, 'setting.put', 'k', { value: number }]] })
      setImmediate(write)
    }
    write()
    await acked
    await revokeDevice(account, device)
    const { head } = account
    assert.is((await ended).code, 'device-revoked')
    assert.is(byeOf((await converse(hub.url, [helloFrame(token)])).frames), 'device-revoked')
    assert.is(account.head, head)
  }
})

test('case 27: a page of another origin may neither upgrade nor post; cookies sign nobody in', async context => {
  const hub = await scene(context, { allowedOrigins: 'https://reader.example' })
  const own = new URL(hub.url).host
  const foreign = ['https://evil.example', 'null', `http://${own}.evil.example`, 'https://reader.example.evil.example', 'file://']
  const { code } = hub.pairing.open(hub.directory.get('ada').id)
  for (const origin of foreign) {
    const raw = new RawSocket(context, hub.url)
    raw.upgrade({ Host: own, Origin: origin, Cookie: 'token=lectern_x' })
    assert.match(await raw.until(text => text.includes('\r\n\r\n')), /^HTTP\/1\.1 403 /, origin)
    const form = await post(hub.url, '/api/v1/pair', JSON.stringify({ code, ...device }), {
      origin,
      'content-type': 'text/plain'
    })
    assert.is(form.status, 403, origin)
    assert.is(((await form.json()) as { code: string }).code, 'origin-refused')
    assert.is(form.headers.get('access-control-allow-origin'), null)
  }
  for (const origin of ['https://reader.example', `http://${own}`]) {
    const raw = new RawSocket(context, hub.url)
    raw.upgrade({ Host: own, Origin: origin })
    assert.match(await raw.until(text => text.includes('\r\n\r\n')), /^HTTP\/1\.1 101 /, origin)
    const wrong = await post(hub.url, '/api/v1/pair', { code: '0000-0000', ...device }, { origin })
    assert.is(wrong.status, 401, origin)
  }
  assert.is((await post(hub.url, '/api/v1/pair', { code, ...device })).status, 200, 'the code was used up')
})

test('case 28: of 40 sign-ins at once most are told to come back, live devices are served meanwhile, and the right one still gets in', async context => {
  const hub = await scene(context)
  const account = await hub.hub.ensureAccount(hub.directory.get('ada').id)
  const { token } = await register(account, 'phone')
  const tries = Array.from({ length: 40 }, (_, index) =>
    post(hub.url, '/api/v1/sign-in', { account: `name ${index}`, password: 'wrong', ...device })
  )
  let served = 0
  const over = new AbortController()
  const all = Promise.all(tries).finally(() => over.abort())
  for (let number = 1; !over.signal.aborted; number++) {
    const push = encodeFrame('push', { confirmed: 0, actions: [[number, 0, 'setting.put', 'k', { value: number }]] })
    const { frames } = await converse(hub.url, [helloFrame(token), push], ({ kind }) => kind === 'acked')
    assert.is(frames.at(-1)?.kind, 'acked')
    served += 1
  }
  const statuses = (await all).map(({ status }) => status)
  const count = (status: number): number => statuses.filter(one => one === status).length
  assert.is(count(401) + count(503), 40, statuses.join(' '))
  assert.ok(count(503) > 0 && served > 0)
  assert.is((await post(hub.url, '/api/v1/sign-in', { account: 'ada', password: 'right', ...device })).status, 200)
  process.stdout.write(
    `FIGURE: of 40 sign-ins at once ${count(401)} were tried and ${count(503)} sent away; ${served} writes meanwhile\n`
  )
})

test('bodies that are no JSON, or other JSON than expected, are refused by name and make no device', async context => {
  const hub = await scene(context)
  const account = await hub.hub.ensureAccount(hub.directory.get('ada').id)
  const { code } = hub.pairing.open(account.id)
  const bodies = [
    '',
    '{',
    'null',
    '[]',
    '"x"',
    '1e999',
    '['.repeat(60_000),
    '{"__proto__":{"code":"x"}}',
    JSON.stringify({ code, ...device, isAdmin: true }),
    JSON.stringify({ code, ...device, name: 'a\nb' }),
    JSON.stringify({ code, ...device, name: 'x'.repeat(257) }),
    JSON.stringify({ code: [code], ...device }),
    JSON.stringify({ code: { toString: 1 }, ...device }),
    JSON.stringify({ code })
  ]
  for (const body of bodies) {
    const response = await post(hub.url, '/api/v1/pair', body)
    const answer = (await response.json()) as { code: string; detail: string }
    assert.equal([response.status, answer.code], [400, 'bad-request'], body.slice(0, 60))
    assert.not.match(answer.detail, /node_modules|\/server\/|at /, 'an answer tells of the inside')
  }
  assert.is(account.head, 0)
  assert.not((await post(hub.url, '/api/v1/pair', bodies[8]!)).ok)
  assert.is((await post(hub.url, '/api/v1/pair', { code, ...device })).status, 200)
})

test.run()
