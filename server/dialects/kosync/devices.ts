import { createHash } from 'node:crypto'
import { HubError } from '../../../protocol/index.ts'
import { registerUnlessKnown } from '../../auth/devices.ts'
import type { Account } from '../../core/account.ts'
import { Origin } from '../../core/origin.ts'
import { actorOf, refusalOfDevice } from '../../core/policy.ts'
import type { RandomBytes } from '../../core/ports.ts'

/** What the ids of the dialect's devices begin with. */
export const DEVICE_PREFIX = 'kosync-'
/** A key that fell into wrong hands, or an app that makes a new id each time, must not fill the account's list. */
const MAX_DEVICES = 256

/** What a reader says of itself. */
export interface ReaderNames {
  readonly device: string
  readonly device_id?: string
}

/** The id that a reader has in its account: by its own id, else by its name. */
export function idOfReader({ device, device_id }: ReaderNames): string {
  const digest = createHash('sha256').update(device_id === undefined ? `name ${device}` : `id ${device_id}`)
  return DEVICE_PREFIX + digest.digest('hex').slice(0, 24)
}

/**
 * The device of the account that a reader is: by its id, else by its name. It is registered when it is first heard of; nobody has a token of it. Its name in the
 * account's list is the one that it had then, and can be changed like any other.
 * @throws HubError `device-revoked`, `device-disabled`, `quota-exceeded`
 */
export async function originOf(account: Account, reader: ReaderNames, randomBytes: RandomBytes): Promise<Origin> {
  const id = idOfReader(reader)
  const known = account.views.get('devices', id)
  if (known === undefined) {
    const others = account.views.range('devices', [], DEVICE_PREFIX, MAX_DEVICES)
    if (others.filter(([other]) => other.startsWith(DEVICE_PREFIX)).length >= MAX_DEVICES)
      throw new HubError('quota-exceeded', `an account has at most ${MAX_DEVICES} devices that sync by kosync`)
    await registerUnlessKnown(account, id, { name: nameOf(reader.device), app: 'kosync' }, randomBytes)
  }
  const refusal = refusalOfDevice(account.views, id)
  if (refusal !== undefined) throw refusal
  return new Origin(id, '', known && actorOf(known))
}

/** In every engine since 2023, and in TypeScript's declarations from ES2024 on. */
type Es2024String = string & { toWellFormed(): string }

/** As the list of devices can show it. */
const nameOf = (device: string): string =>
  (
    (device as Es2024String)
      .toWellFormed()
      .replace(/[\u0000-\u001f\u007f]/g, ' ')
      .trim()
      .slice(0, 256) as Es2024String
  ).toWellFormed() || 'KOReader'
