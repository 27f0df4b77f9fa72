import { HubError } from '../../../protocol/index.ts'
import type { AccountDirectory } from '../../auth/accounts.ts'
import { registerUnlessKnown } from '../../auth/devices.ts'
import { signInByPassword } from '../../auth/password-sign-in.ts'
import type { SignInLimits } from '../../auth/sign-in-limits.ts'
import type { Account } from '../../core/account.ts'
import type { Hub } from '../../core/hub.ts'
import { Origin } from '../../core/origin.ts'
import { actorOf, mustBeLetIn, permits, refusalOfDevice, type Actor } from '../../core/policy.ts'
import type { RandomBytes } from '../../core/ports.ts'
import type { AccountModel } from './model.ts'

export interface SignInParts {
  readonly hub: Hub
  readonly directory: AccountDirectory
  readonly limits: SignInLimits
  readonly randomBytes: RandomBytes
}

/** Who asks: a device of an account, and what it may do. */
export interface Caller {
  readonly account: Account
  readonly device: string
  readonly origin: Origin
  /** Why it is not let in any more; undefined while it is. */
  refusal(): HubError | undefined
}

/** What a request says of who sends it. */
export interface Credentials {
  /** A bearer's; empty when there is none. */
  readonly token: string
  /** The sender's. */
  readonly address: string
  readonly account: AccountModel | null | undefined
  readonly application: number | null | undefined
  readonly applicationType: number | string | null | undefined
}

/** How the ids of devices begin that came by this API. */
export const DEVICE_PREFIX = 'epub-'
/** A number, or a name as an enumeration has it. */
const TYPE = /^[-\w]{1,32}$/

/**
 * Finds out who asks: by a bearer token, else by the account's name and password. The device is the one that `AccountApplicationId` and `ApplicationType` name, which is registered when it comes
 * first; a bearer that names none, or may only read, is itself the device.
 * @throws HubError `unauthenticated`, `device-revoked`, `device-disabled`, `rate-limited`, `bad-request`, `quota-exceeded`
 */
export async function callerOf(parts: SignInParts, credentials: Credentials): Promise<Caller> {
  const { token, application, applicationType } = credentials
  if (token === '') {
    const account = await accountOf(parts, credentials)
    return callerAs(account, await deviceFor(parts, account, application ?? 0, applicationType ?? 0), 'writer', () => undefined)
  }
  const bearer = await parts.hub.authenticate(token)
  const { account, actor, refusal } = bearer
  const isItself = typeof application !== 'number' || !permits(actor, 'manage-devices')
  const device = isItself ? bearer.device : await deviceFor(parts, account, application, applicationType ?? 0, bearer.device)
  return callerAs(account, device, actor, refusal)
}

function callerAs(account: Account, device: string, bearer: Actor, refusalOfBearer: Caller['refusal']): Caller {
  const refusal = (): HubError | undefined => refusalOfBearer() ?? refusalOfDevice(account.views, device)
  mustBeLetIn({ refusal })
  const record = account.views.get('devices', device)
  const actor = record === undefined || bearer === 'reader' ? bearer : actorOf(record)
  return { account, device, origin: new Origin(device, '', actor), refusal }
}

async function accountOf(parts: SignInParts, { account, address }: Credentials): Promise<Account> {
  const { Email: email, Password: password } = account ?? {}
  if (!email || !password) throw new HubError('unauthenticated')
  const entry = await signInByPassword(parts, { name: email, password, address, isRepeated: true })
  if (entry === undefined) throw new HubError('unauthenticated')
  return parts.hub.ensureAccount(entry.id)
}

/**
 * The device of an application, registered where it is new. Its token is told to nobody: it comes by the account's password, or by another device's token.
 * @param by the device that signs it in; itself when left out
 */
async function deviceFor(
  { randomBytes }: SignInParts,
  account: Account,
  application: number,
  applicationType: number | string,
  by?: string
): Promise<string> {
  const type = String(applicationType).toLowerCase()
  if (!TYPE.test(type)) throw new HubError('bad-request', 'not the number or the name of a type', { field: 'ApplicationType' })
  const device = `${DEVICE_PREFIX}${type}-${application}`
  if (account.isFull && account.views.get('devices', device) === undefined) throw new HubError('quota-exceeded')
  const description = { name: `Reading app ${application}`, app: `epub ${type}` }
  await registerUnlessKnown(account, device, description, randomBytes, by)
  return device
}
