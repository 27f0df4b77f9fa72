import { randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import * as assert from 'uvu/assert'
import { HubError } from '../../../protocol/index.ts'
import { AccessTokens } from '../../../server/auth/access-tokens.ts'
import { hubKey } from '../../../server/auth/hub-key.ts'
import { ACCESS_MS, REFRESH_MS, SignIns } from '../../../server/auth/sign-ins.ts'
import type { Account } from '../../../server/core/account.ts'
import type { Hub } from '../../../server/core/hub.ts'
import type { Store } from '../../../server/core/store.ts'
import { coreHub } from '../../util/core-hub.ts'
import type { ManualClock } from '../../util/manual-clock.ts'
import { HeldStore } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/auth/sign-ins')

const random = (count: number): Uint8Array => randomBytes(count)
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error as HubError).code
  )

interface Scene {
  readonly hub: Hub
  readonly store: Store
  readonly clock: ManualClock
  readonly account: Account
  readonly device: string
  readonly signIns: SignIns
  /** What becomes of whoever comes with this token. */
  readonly come: (token: string, by?: SignIns) => Promise<string>
  readonly refresh: (token: string, by?: SignIns) => Promise<string>
}

async function scene(on?: Store): Promise<Scene> {
  const { hub, store, clock, account: make } = coreHub(on && { store: on })
  const { account, devices } = await make('phone')
  const signIns = new SignIns(store, await AccessTokens.open(store, clock, random), clock, random)
  const open = (id: string): Promise<Account | undefined> => hub.account(id)
  return {
    hub,
    store,
    clock,
    account,
    device: devices['phone']!.device,
    signIns,
    come: (token, by = signIns) => codeOf(by.authenticate(token, open)),
    refresh: (token, by = signIns) => codeOf(by.refresh(token, open))
  }
}

test('an access token is good for ten minutes, a refresh token for thirty days', async () => {
  const { account, device, clock, signIns, come, refresh } = await scene()
  const { accessToken, refreshToken } = await signIns.begin(account, device)
  clock.advance(ACCESS_MS - 1_000)
  assert.is(await come(accessToken), 'done')
  clock.advance(1_000)
  assert.is(await come(accessToken), 'unauthenticated')
  clock.advance(REFRESH_MS - ACCESS_MS - 1_000)
  assert.is(await refresh(refreshToken), 'done')
  const again = await signIns.begin(account, device)
  clock.advance(REFRESH_MS)
  assert.is(await refresh(again.refreshToken), 'unauthenticated')
})

test('a sign-in goes on for as long as it is refreshed', async () => {
  const { account, device, clock, hub, signIns, come } = await scene()
  let tokens = await signIns.begin(account, device)
  for (let month = 0; month < 4; month++) {
    clock.advance(REFRESH_MS - 1_000)
    tokens = await signIns.refresh(tokens.refreshToken, id => hub.account(id))
  }
  assert.is(await come(tokens.accessToken), 'done')
})

test('tokens outlive a restart, and so does the end of a sign-in', async () => {
  const { account, device, clock, store, signIns, come, refresh } = await scene()
  const tokens = await signIns.begin(account, device)
  const restarted = async (): Promise<SignIns> => new SignIns(store, await AccessTokens.open(store, clock, random), clock, random)
  assert.is(await come(tokens.accessToken, await restarted()), 'done')
  await signIns.end(account, device)
  assert.is(await come(tokens.accessToken, await restarted()), 'unauthenticated')
  assert.is(await refresh(tokens.refreshToken, await restarted()), 'unauthenticated')
})

test('a refresh, and an end, hold before they are durable', async () => {
  const store = new HeldStore()
  const { account, device, hub, signIns, come, refresh } = await scene(store)
  const first = await signIns.begin(account, device)
  store.holdCommits()
  const second = signIns.refresh(first.refreshToken, id => hub.account(id))
  while (store.heldCommits === 0) await new Promise(resolve => void setImmediate(resolve))
  assert.is(await come(first.accessToken), 'done', 'a refresh ends the access tokens before it')
  const again = refresh(first.refreshToken)
  while (store.heldCommits === 1) await new Promise(resolve => void setImmediate(resolve))
  assert.is(await come(first.accessToken), 'unauthenticated', 'the second use of a refresh token does not count yet')
  store.releaseCommits()
  assert.is(await again, 'unauthenticated')
  assert.is(await come((await second).accessToken), 'unauthenticated')
})

test("a sign-in of another life of the account's log is none", async () => {
  const { account, device, signIns, hub } = await scene()
  const { accessToken, refreshToken } = await signIns.begin(account, device)
  const restored = async (id: string): Promise<Account | undefined> => {
    const opened = await hub.account(id)
    return opened && (Object.create(opened, { epoch: { value: 'restored' } }) as Account)
  }
  assert.is(await codeOf(signIns.authenticate(accessToken, restored)), 'unauthenticated')
  assert.is(await codeOf(signIns.refresh(refreshToken, restored)), 'unauthenticated')
})

test('a token signed with another key, or without what it must say, is good for nothing', async () => {
  const { account, device, clock, store, signIns, come } = await scene()
  const own = await hubKey(store, 'access-tokens', random)
  const tokens = await signIns.begin(account, device)
  const { fam } = JSON.parse(Buffer.from(tokens.accessToken.split('.')[1]!, 'base64url').toString()) as { fam: string }
  const claims = { dev: device, fam, gen: 1, sub: account.id, exp: Math.floor(clock.nowMs() / 1_000) + 60 }
  const signed = (key: Uint8Array, body: object, typ = 'at+jwt', alg = 'HS256'): Promise<string> =>
    new SignJWT({ ...body }).setProtectedHeader({ alg, typ }).sign(key)
  assert.is(await come(await signed(own, claims)), 'done', 'the others prove nothing')
  assert.is(await come(await signed(random(32), claims)), 'unauthenticated')
  assert.is(await come(await signed(await hubKey(store, 'another purpose', random), claims)), 'unauthenticated')
  assert.is(await come(await signed(own, claims, 'JWT')), 'unauthenticated')
  assert.is(await come(await signed(own, claims, 'rt+jwt')), 'unauthenticated')
  assert.is(await come(await signed(Buffer.concat([own, own]), claims, 'at+jwt', 'HS512')), 'unauthenticated')
  for (const missing of Object.keys(claims)) {
    const rest = Object.fromEntries(Object.entries(claims).filter(([name]) => name !== missing))
    assert.is(await come(await signed(own, rest)), 'unauthenticated', missing)
  }
  for (const wrong of [
    { gen: 0 },
    { gen: '1' },
    { dev: ['x'] },
    { fam: 'another' },
    { sub: 'nobody' },
    { dev: 'nobody' },
    { nbf: claims.exp }
  ])
    assert.is(await come(await signed(own, { ...claims, ...wrong })), 'unauthenticated', JSON.stringify(wrong))
})

test('sign-ins of a device that is disabled while it refreshes keep their place', async () => {
  const { account, device, signIns, refresh } = await scene()
  const { refreshToken } = await signIns.begin(account, device)
  await account.write('device.put', device, { name: 'n', app: '', readOnly: false, disabled: true })
  assert.is(await refresh(refreshToken), 'device-disabled')
  await account.write('device.put', device, { name: 'n', app: '', readOnly: false })
  assert.is(await refresh(refreshToken), 'done')
})

test('a sign-in ends the connections that it opened, and no others', async () => {
  const { hub, store, clock, account: make } = coreHub()
  const { account, devices } = await make('phone')
  const { device, token } = devices['phone']!
  const signIns = new SignIns(store, await AccessTokens.open(store, clock, random), clock, random)
  const open = (id: string): Promise<Account | undefined> => hub.account(id)
  const { accessToken } = await signIns.begin(account, device)
  const [byAccess, byOwn] = [await signIns.authenticate(accessToken, open), await signIns.authenticate(token, open)]
  const ended: string[] = []
  for (const [name, { refusal }] of Object.entries({ byAccess, byOwn }))
    account.follow({
      device,
      client: name,
      refusal,
      deliver: () => undefined,
      end: ({ code }) => ended.push(`${name} ${code}`)
    })
  await signIns.end(account, device)
  assert.equal(ended, ['byAccess unauthenticated'])
})

test.run()
