import { checked, HubError, key, map, str, type InferFields } from '../../protocol/index.ts'
import type { Account } from '../core/account.ts'
import type { Authenticate } from '../core/hub.ts'
import { newId } from '../core/ids.ts'
import { actorOf, mustBeLetIn, refusalOf } from '../core/policy.ts'
import type { RandomBytes } from '../core/ports.ts'
import type { DeviceRecord } from '../core/records.ts'
import { forgetTold } from '../core/tellings.ts'
import { issueToken, matches, parseToken } from './tokens.ts'

const deviceId = key(64)

/** How a device presents itself: `app` is the app's name and version. */
export const deviceDescription = { name: key(256), app: str(256) } as const

export interface DeviceDescription extends InferFields<typeof deviceDescription> {
  readonly readOnly?: boolean
}

/**
 * Registers a device of an account. Resolves once that is durable.
 * @param by the device that wants it; the new one itself when left out
 * @returns its id, and its token, which is shown this once
 * @throws HubError `bad-request` with the field
 */
export async function registerDevice(
  account: Account,
  { name, app, readOnly = false }: DeviceDescription,
  randomBytes: RandomBytes,
  by?: string
): Promise<{ device: string; token: string }> {
  checked('bad-request', map(deviceDescription), { name, app }, 'device')
  const device = newId(randomBytes)
  const { token, secretHash } = issueToken(account.id, device, randomBytes)
  await account.write('device.put', device, { name, app, readOnly }, { secretHash, by })
  return { device, token }
}

/**
 * Registers a device under an id that says which it is, unless it is registered: for those who come by another secret than a token, and are told none. Resolves once that is
 * durable.
 * @param by the device that wants it; the new one itself when left out
 * @throws HubError `quota-exceeded`
 */
export async function registerUnlessKnown(
  account: Account,
  device: string,
  { name, app, readOnly = false }: DeviceDescription,
  randomBytes: RandomBytes,
  by?: string
): Promise<void> {
  if (account.views.get('devices', device) !== undefined) return
  const { secretHash } = issueToken(account.id, device, randomBytes)
  await account.write('device.put', device, { name, app, readOnly }, { secretHash, by })
}

/**
 * Cuts a device off for ever: its live sessions end at once, and its token is good for nothing. What it was told is forgotten. Resolves once that is durable.
 * @throws HubError `not-found`
 */
export async function revokeDevice(account: Account, device: string, by?: string): Promise<void> {
  const known = account.views.get('devices', device)
  if (known === undefined) throw new HubError('not-found', `there is no device ${device}`)
  if (!known.revoked) await account.write('device.revoke', device, {}, { by })
  await forgetTold(account, device)
}

/**
 * Gives a device a new token: the old one, and the connections that it opened, are good for nothing. Resolves once that is durable.
 * @param by the device that wants it
 * @returns the token, which is shown this once
 * @throws HubError `not-found`
 */
export async function renewToken(account: Account, device: string, by: string, randomBytes: RandomBytes): Promise<string> {
  const description = describe(deviceOf(account, device))
  const { token, secretHash } = issueToken(account.id, device, randomBytes)
  await account.write('device.put', device, description, { secretHash, by })
  return token
}

/** What of a device can be changed; what is left out stays. */
export interface DeviceUpdate {
  readonly name?: string | undefined
  readonly app?: string | undefined
  /** True cuts it off, its live sessions at once, until it is enabled again. */
  readonly disabled?: boolean | undefined
}

/**
 * Renames, disables or enables a device. Resolves once that is durable.
 * @param by the device that wants it
 * @throws HubError `not-found`, `bad-request` with the field
 */
export async function updateDevice(account: Account, device: string, update: DeviceUpdate, by: string): Promise<void> {
  const known = deviceOf(account, device)
  const { name = known.name, app = known.app, disabled = known.disabled === true } = update
  checked('bad-request', map(deviceDescription), { name, app }, 'device')
  if (name === known.name && app === known.app && disabled === (known.disabled === true)) return
  await account.write('device.put', device, describe({ ...known, name, app, disabled }), { by })
}

/**
 * A device that was not revoked.
 * @throws HubError `not-found`
 */
export function deviceOf(account: Account, device: string): DeviceRecord {
  // What is no id cannot be looked up: a key of the store has its form too.
  const known = deviceId.fault(device) === undefined ? account.views.get('devices', device) : undefined
  if (known === undefined || known.revoked) throw new HubError('not-found', `there is no device ${device}`)
  return known
}

/** As the log has it. */
const describe = ({ name, app, readOnly, disabled }: Pick<DeviceRecord, 'name' | 'app' | 'readOnly' | 'disabled'>) => ({
  name,
  app,
  readOnly,
  ...(disabled === true && { disabled })
})

/** Finds out whose device's token it is. A token of no account, of no device and with a wrong secret are told apart by nothing. */
export const authenticateToken: Authenticate = async (token, open) => {
  const parsed = parseToken(token)
  const account = parsed && (await open(parsed.account))
  const record = parsed && account?.views.get('devices', parsed.device)
  if (parsed === undefined || account === undefined || record === undefined || !matches(parsed.secret, record.secretHash))
    throw new HubError('unauthenticated')
  mustBeLetIn({ refusal: () => refusalOf(record) })
  const { device } = parsed
  // Text, because the bytes may be a corner of some larger buffer, which a live session would keep.
  const secret = textOf(record.secretHash)
  return {
    account,
    device,
    actor: actorOf(record),
    refusal: () => {
      const now = account.views.get('devices', device)
      return now === undefined || textOf(now.secretHash) !== secret ? new HubError('unauthenticated') : refusalOf(now)
    }
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
