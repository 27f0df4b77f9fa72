import { checked, HubError, key, map, str, type InferFields } from '../../protocol/index.ts'
import type { Account } from '../core/account.ts'
import type { Authenticate } from '../core/hub.ts'
import { newId } from '../core/ids.ts'
import type { RandomBytes } from '../core/ports.ts'
import { issueToken, matches, parseToken } from './tokens.ts'

/** How a device presents itself: `app` is the app's name and version. */
export const deviceDescription = { name: key(256), app: str(256) } as const

export interface DeviceDescription extends InferFields<typeof deviceDescription> {
  readonly readOnly?: boolean
}

/**
 * Registers a device of an account. Resolves once that is durable.
 * @returns its id, and its token, which is shown this once
 * @throws HubError `bad-request` with the field
 */
export async function registerDevice(
  account: Account,
  { name, app, readOnly = false }: DeviceDescription,
  randomBytes: RandomBytes
): Promise<{ device: string; token: string }> {
  checked('bad-request', map(deviceDescription), { name, app }, 'device')
  const device = newId(randomBytes)
  const { token, secretHash } = issueToken(account.id, device, randomBytes)
  await account.write('device.put', device, { name, app, readOnly }, secretHash)
  return { device, token }
}

/**
 * Cuts a device off for ever: its live sessions end at once, and its token is good for nothing. Resolves once that is durable.
 * @throws HubError `not-found`
 */
export async function revokeDevice(account: Account, device: string): Promise<void> {
  const known = account.views.get('devices', device)
  if (known === undefined) throw new HubError('not-found', `there is no device ${device}`)
  if (!known.revoked) await account.write('device.revoke', device, {})
}

/** Finds out whose token it is. A token of no account, of no device and with a wrong secret are told apart by nothing. */
export const authenticateToken: Authenticate = async (token, open) => {
  const parsed = parseToken(token)
  const account = parsed && (await open(parsed.account))
  const device = parsed && account?.views.get('devices', parsed.device)
  if (parsed === undefined || account === undefined || device === undefined || !matches(parsed.secret, device.secretHash))
    throw new HubError('unauthenticated')
  if (device.revoked) throw new HubError('device-revoked')
  return { account, device: parsed.device, readOnly: device.readOnly }
}
