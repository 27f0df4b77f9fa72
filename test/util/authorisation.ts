import { createHash, randomBytes } from 'node:crypto'
import type { ErrorCode } from '../../protocol/index.ts'
import { issueToken, parseToken } from '../../server/auth/tokens.ts'
import { revokeDevice, updateDevice } from '../../server/auth/devices.ts'
import type { Account } from '../../server/core/account.ts'
import type { Actor } from '../../server/core/policy.ts'
import { register, servingHub, type TestServingHub } from './serving-hub.ts'
import type { TestContext } from './suite.ts'

/** Whose thing it is that is asked for. */
export const OWNERSHIPS = ['own', "another's", 'nonexistent'] as const

/** A content, for tests to give to both accounts. */
export const HELD = { sha256: 'a'.repeat(64), sizeBytes: 1 }

/** Someone who asks. */
export interface Tried {
  readonly name: string
  readonly actor: Actor
  /** None: it does not say hello at all. */
  readonly token: string | undefined
  /** What a stranger is told. */
  readonly told?: ErrorCode
  /** Whose things are its own. */
  readonly owner: 'ada' | 'ben'
}

/** Two accounts of a whole hub, and who is tried on them. */
interface Scene {
  readonly hub: TestServingHub
  readonly accounts: { readonly ada: Account; readonly ben: Account }
  readonly tried: readonly Tried[]
  /** Those whose token is of a sign-in. */
  readonly byAccessToken: readonly Tried[]
}

/** Whose things are not one's own. */
export const other = (owner: Tried['owner']): Tried['owner'] => (owner === 'ada' ? 'ben' : 'ada')

/** Two accounts, and everyone who may come to their door. */
export async function scene(context: TestContext): Promise<Scene> {
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

/** What records a device can come to know. */
export const TABLES = ['books', 'positions', 'settings', 'devices', 'files', 'conflicts', 'contents'] as const

/** What an account's devices can come to know: its records, and how many changes there were, of documents too. */
export function stateOf({ head, views }: Account): string {
  const tables = TABLES.map(table => views.range(table, [], '', 10_000))
  return createHash('sha256')
    .update(JSON.stringify([head, tables]))
    .digest('hex')
}

/** What a stranger is told over HTTP, where no hello is no token. */
export const toldOverHttp = ({ token, told }: Tried): ErrorCode => (token === undefined ? 'unauthenticated' : told!)

/** What an HTTP request brought. */
export interface Heard {
  readonly status: number
  readonly text: string
}

/** Asks over HTTP, with the token both as a bearer's and as a cookie. */
export async function http(url: string, method: string, path: string, token: string | undefined, body?: object): Promise<Heard> {
  const isBytes = body instanceof Uint8Array
  const headers = {
    'content-type': isBytes ? 'application/octet-stream' : 'application/json',
    ...(token !== undefined && token !== '' && { authorization: `Bearer ${token}`, cookie: `token=${token}` })
  }
  const response = await fetch(url + path, { method, headers, ...(body && { body: isBytes ? body : JSON.stringify(body) }) })
  return { status: response.status, text: await response.text() }
}
