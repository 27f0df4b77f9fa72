import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { AccessTokens } from '../../server/auth/access-tokens.ts'
import { revokeDevice } from '../../server/auth/devices.ts'
import type { SignIns } from '../../server/auth/sign-ins.ts'
import { systemClock } from '../../server/clock.ts'
import type { Account } from '../../server/core/account.ts'
import type { Store } from '../../server/core/store.ts'
import { register, servingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'
import { VISITORS, type Deed, type VisitorName } from '../util/visitors.ts'

const test = suite('hostile/carriers', { limitMs: 60_000 })

const NAMES = Object.keys(VISITORS) as VisitorName[]
const FOREIGN = 'https://elsewhere.example'

type Token = 'good' | 'none' | 'made up' | 'expired' | 'revoked' | 'read-only'
type Column = readonly [token: Token, deed: Deed, origin?: string]

const COLUMNS = {
  'a good token': ['good', 'write'],
  'no token': ['none', 'write'],
  'a made-up token': ['made up', 'write'],
  'one that has expired': ['expired', 'write'],
  "a revoked device's": ['revoked', 'write'],
  'one that may only read': ['read-only', 'write'],
  'a foreign page': ['good', 'write', FOREIGN],
  'over a megabyte': ['good', 'oversize'],
  garbage: ['good', 'garbage']
} as const satisfies Record<string, Column>

type Row = { readonly [C in keyof typeof COLUMNS]: string }

const LECTERN = {
  'a good token': 'in, writes',
  'no token': 'closed 4401',
  'a made-up token': 'closed 4401',
  'one that has expired': 'closed 4401',
  "a revoked device's": 'closed 4403',
  'one that may only read': 'in, forbidden',
  'a foreign page': 'HTTP 403',
  'over a megabyte': 'closed 1009',
  garbage: 'closed 1007'
} satisfies Row

const YJS = { ...LECTERN, garbage: 'closed 4400' } satisfies Row

const FEED = {
  'a good token': 'in',
  'no token': 'HTTP 401',
  'a made-up token': 'HTTP 401',
  'one that has expired': 'HTTP 401',
  "a revoked device's": 'HTTP 403',
  'one that may only read': 'in',
  'a foreign page': 'in, hidden from the page',
  'over a megabyte': 'HTTP 431',
  garbage: 'HTTP 400'
} satisfies Row

/** The documented answer in each cell: `server/transports/README.md`. */
const MATRIX: { readonly [V in VisitorName]: Row } = {
  ws: LECTERN,
  'socket.io by websocket': { ...LECTERN, 'a foreign page': 'refused' },
  'socket.io by polling': { ...LECTERN, 'a foreign page': 'refused' },
  'y-websocket': YJS,
  hocuspocus: YJS,
  'long poll': FEED,
  events: FEED
}

/** An access token of a sign-in that goes on, as it was ten minutes ago. */
async function expiredToken(store: Store, signIns: SignIns, account: Account): Promise<string> {
  const { device } = await register(account, 'signed in')
  const { accessToken } = await signIns.begin(account, device)
  const tokens = await AccessTokens.open(store, systemClock, count => randomBytes(count))
  const claims = await tokens.read('access', accessToken)
  return tokens.sign('access', claims!, systemClock.nowMs() - 1_000)
}

for (const name of NAMES)
  test(`${name}: each visitor gets the documented answer`, async context => {
    const { hub, url, store, signIns } = await servingHub(context)
    const account = await hub.ensureAccount('reader')
    const revoked = await register(account, 'revoked')
    await revokeDevice(account, revoked.device)
    const tokens: Readonly<Record<Token, string>> = {
      good: (await register(account, 'good')).token,
      none: '',
      'made up': 'lectern_nothing',
      expired: await expiredToken(store, signIns, account),
      revoked: revoked.token,
      'read-only': (await register(account, 'reader', true)).token
    }
    const row: Record<string, string> = {}
    for (const [column, [token, deed, origin]] of Object.entries(COLUMNS) as [string, Column][])
      row[column] = await VISITORS[name]({ url, token: tokens[token], deed, ...(origin !== undefined && { origin }) })
    assert.equal(row, MATRIX[name])
  })

test('who asks for a live connection without an upgrade is told that it needs one', async context => {
  const { url } = await servingHub(context)
  for (const path of ['/live', '/yjs/book/emma', '/hocuspocus']) {
    const answer = await fetch(url + path)
    assert.is(answer.status, 400, path)
    assert.match(((await answer.json()) as { detail: string }).detail, /WebSocket/)
  }
})

test('who says nothing is sent away in time, on every carrier on which one has to say who one is', async context => {
  const { url } = await servingHub(context)
  const names = ['ws', 'socket.io by websocket', 'socket.io by polling', 'hocuspocus'] as const
  assert.equal(
    await Promise.all(names.map(name => VISITORS[name]({ url, token: '', deed: 'nothing' }))),
    // A provider that is to come back is told a code that lets it.
    ['closed 4408', 'closed 4408', 'closed 4408', 'closed 4503']
  )
})

test('a device that is revoked is cut off on every carrier at once', async context => {
  const { hub, url } = await servingHub(context)
  const account = await hub.ensureAccount('reader')
  const { token, device } = await register(account, 'phone')
  const ends: Promise<string>[] = []
  for (const name of NAMES)
    await new Promise<void>(resolve => {
      ends.push(VISITORS[name]({ url, token, deed: 'stay', onIn: resolve }))
    })
  await revokeDevice(account, device)
  assert.equal(
    await Promise.all(ends),
    NAMES.map(name => (name === 'long poll' || name === 'events' ? 'ended, device-revoked' : 'closed 4403'))
  )
  assert.is(hub.sessionCount, 0)
})

test.run()
