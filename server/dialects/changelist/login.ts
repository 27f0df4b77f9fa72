import { createHash, createHmac } from 'node:crypto'
import { checked, HubError, str } from '../../../protocol/index.ts'
import type { AccountDirectory } from '../../auth/accounts.ts'
import { hubKey } from '../../auth/hub-key.ts'
import { signInByPassword } from '../../auth/password-sign-in.ts'
import type { SignInLimits } from '../../auth/sign-in-limits.ts'
import { issueToken, matches, parseToken } from '../../auth/tokens.ts'
import type { Account } from '../../core/account.ts'
import type { Hub } from '../../core/hub.ts'
import { refusalOfDevice } from '../../core/policy.ts'
import type { RandomBytes } from '../../core/ports.ts'
import type { Store } from '../../core/store.ts'
import { escapeXml } from '../dot-net.ts'
import type { Fields } from './fields.ts'
import { API } from './soap.ts'
import { parseInteger } from './values.ts'

/** What devices of this dialect are called in the account's list. */
const DEVICE = { name: 'SOAP client', app: 'changelist', readOnly: true } as const
const passwordShape = str(256, 1)

export interface LoginParts {
  readonly hub: Hub
  readonly store: Store
  readonly directory: AccountDirectory
  readonly limits: SignInLimits
  readonly randomBytes: RandomBytes
}

/**
 * Signs an account in, as the content of a response's body. Who is refused is told so in the result, as the API has it, and not by a fault.
 * @param address the sender's
 */
export type AccountLogin = (request: LoginRequest, address: string) => Promise<string>

export interface LoginRequest {
  readonly apiKey: string
  readonly userName: string
  readonly password: string
}

/**
 * Of the documented parameters the key of the API, the name and the password count; the others are read, so that a bad value is told, and have no effect.
 * @throws SoapFault naming the place of a value that is none
 */
export function readLogin(body: Fields): LoginRequest {
  body.value('OrgID', text => parseInteger(text, 64), 0n)
  return { apiKey: body.text('APIKey') ?? '', userName: body.text('UserName') ?? '', password: body.text('Password') ?? '' }
}

export function createAccountLogin(parts: LoginParts): AccountLogin {
  let key: Promise<Uint8Array> | undefined
  // Of two that ask at once for a key that there is not yet, each would get one of its own.
  const keyOfTokens = (): Promise<Uint8Array> => (key ??= hubKey(parts.store, 'changelist', parts.randomBytes))
  return async (request, address) => {
    try {
      const account = await signIn(parts, request, address)
      const app = createHash('sha256').update(request.apiKey).digest('hex').slice(0, 16)
      return resultXml('', await tokenOf(account, app, await keyOfTokens()))
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      return resultXml(error.message, undefined)
    }
  }
}

const resultXml = (message: string, token: string | undefined): string =>
  `<AccountLoginResponse xmlns="${API}"><LoginResult>${element('ErrorMessage', message)}${token === undefined ? '' : element('Token', token)}${element('ClientEncryptedPassword', '')}</LoginResult></AccountLoginResponse>`

const element = (name: string, text: string): string => (text === '' ? `<${name} />` : `<${name}>${escapeXml(text)}</${name}>`)

/** @throws HubError */
async function signIn(parts: LoginParts, { userName, password }: LoginRequest, address: string): Promise<Account> {
  checked('bad-request', passwordShape, password, 'Password')
  const entry = await signInByPassword(parts, { name: userName, password, address })
  if (entry === undefined) throw new HubError('unauthenticated', 'the user name or the password is not valid')
  return parts.hub.ensureAccount(entry.id)
}

/**
 * The token of the account's device for one app, which is registered at its first login. A device keeps the hash of one token only, and a login must not make
 * the last one's worthless: so the token is computed from a key of the hub, and is the same each time. A device that was revoked, or that was given another token,
 * is passed by for a new one.
 */
async function tokenOf(account: Account, app: string, key: Uint8Array): Promise<string> {
  for (let count = 1; ; count++) {
    const device = `soap-${app}-${count}`
    const secret = createHmac('sha256', key).update(`${account.id}\n${device}`).digest()
    const { token, secretHash } = issueToken(account.id, device, () => secret)
    const known = account.views.get('devices', device)
    if (known === undefined) {
      await account.write('device.put', device, DEVICE, { secretHash })
      return token
    }
    if (known.revoked || !matches(parseToken(token)!.secret, known.secretHash)) continue
    const refusal = refusalOfDevice(account.views, device)
    if (refusal !== undefined) throw refusal
    await account.settled()
    return token
  }
}
