import { HubError, LIMITS, type ActionKind, type ViewName } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import type { DeviceRecord } from './records.ts'
import type { Views } from './views.ts'

/**
 * Who asks, each with the rights of those before it: someone not yet known, a device that may only read, any other device, and the operator,
 * who holds the data folder.
 */
export const ACTORS = ['stranger', 'reader', 'writer', 'operator'] as const

export type Actor = (typeof ACTORS)[number]

/** The rights of a device. */
export const actorOf = ({ readOnly }: Pick<DeviceRecord, 'readOnly'>): Actor => (readOnly ? 'reader' : 'writer')

/** Everything that can be asked of a hub: the kinds of action, the views, following the log, an account's devices, a way in, and operators' commands. */
export type Verb = ActionKind | ViewName | 'follow' | 'manage-devices' | 'sign-in' | 'operate'

/** The actor with the fewest rights that may ask for it. */
export const LEAST_ACTOR: { readonly [V in Verb]: Actor } = {
  'annotation.update': 'writer',
  'annotation.put': 'writer',
  'annotation.remove': 'writer',
  'annotation.restore': 'writer',
  'position.set': 'writer',
  'position.restore': 'writer',
  'book.put': 'writer',
  'book.remove': 'writer',
  'book.restore': 'writer',
  'file.put': 'writer',
  'file.remove': 'writer',
  'file.move': 'writer',
  'file.restore': 'writer',
  'conflict.resolve': 'writer',
  'setting.put': 'writer',
  'household.act': 'operator',
  books: 'reader',
  book: 'reader',
  annotations: 'reader',
  'annotation-history': 'reader',
  document: 'reader',
  positions: 'reader',
  'position-history': 'reader',
  files: 'reader',
  'file-history': 'reader',
  folders: 'reader',
  conflicts: 'reader',
  settings: 'reader',
  devices: 'reader',
  follow: 'reader',
  'manage-devices': 'writer',
  'sign-in': 'stranger',
  operate: 'operator'
}

/**
 * The one answer to who may do what. It is about the asker's own account: nothing that is asked for names an account, so that of others' things
 * nothing can be asked.
 */
export const permits = (actor: Actor, verb: Verb): boolean => ACTORS.indexOf(actor) >= ACTORS.indexOf(LEAST_ACTOR[verb])

/** Why a device is not let in; undefined when it is. A device that there is not is `unauthenticated`. */
export function refusalOfDevice(views: Views, device: string): HubError | undefined {
  const record = views.get('devices', device)
  return record === undefined ? new HubError('unauthenticated') : refusalOf(record)
}

/** Why a device that there is is not let in; undefined when it is. */
export function refusalOf({ revoked, disabled }: DeviceRecord): HubError | undefined {
  if (revoked) return new HubError('device-revoked')
  return disabled === true ? new HubError('device-disabled') : undefined
}

/**
 * A new device must find room: whoever has a password could register one after the other.
 * @throws HubError `quota-exceeded`
 */
export function mustHaveRoomForDevice(views: Views, device: string): void {
  if (views.get('devices', device) !== undefined) return
  let count = 0
  for (const page of views.pages('devices', [], LIMITS.maxDevices)) {
    count += page.filter(([, { revoked }]) => !revoked).length
    if (count >= LIMITS.maxDevices)
      throw new HubError(
        'quota-exceeded',
        `an account has at most ${LIMITS.maxDevices} devices; cut off those that are no longer used`
      )
  }
}

/** Whom a token stands for. */
export interface Bearer {
  readonly account: Account
  readonly device: string
  readonly actor: Actor
  /** Why the token lets nobody in any more; undefined while it does. Whoever is about to follow the account asks once more: things may have changed since. */
  readonly refusal: () => HubError | undefined
}

/** @throws HubError what `refusal` says */
export function mustBeLetIn({ refusal }: Pick<Bearer, 'refusal'>): void {
  const reason = refusal()
  if (reason !== undefined) throw reason
}
