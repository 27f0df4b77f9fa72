import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { ActionBody } from '../../../protocol/index.ts'
import { Acting } from './acting.ts'
import { id } from './forms.ts'
import type { FamilyRecords } from './family-change.ts'
import type { UserRecord } from './records.ts'
import { refuse } from './refuse.ts'

/** The flag of a child that may limit itself. */
const SELF_LIMIT_FLAG = 2

type Signed = ActionBody<'household.act'>

/**
 * Who an action is by, once its integrity proves it.
 * @param actor what it is sent as
 * @throws HubError `unauthenticated` when it does not, `forbidden` where another proof would
 */
export function actingOf(family: FamilyRecords, device: string, actor: string, signed: Signed): Acting {
  if (actor === 'hub') return new Acting('hub', device, '', false)
  const sender = family.get('device', device)?.device ?? refuse('not-found', 'the device is of no family')
  if (actor === 'appLogic') return new Acting('appLogic', device, '', false)
  const { userId, integrity } = signed
  // A text that is no id names nobody, and the records cannot be asked for it.
  const user = id.fault(userId) === undefined ? family.get('user', userId) : undefined
  if (actor === 'parent' && integrity === 'childDevice') {
    const mayLimitItself = user?.user.type === 'child' && (user.user.flags & SELF_LIMIT_FLAG) !== 0
    if (sender.currentUserId !== userId || !mayLimitItself) refuse('forbidden', 'the child may not limit itself here')
    return new Acting('parent', device, userId, true)
  }
  const type = actor === 'parent' ? 'parent' : 'child'
  if (user === undefined || user.user.type !== type) return refuse('not-found', `there is no ${type} ${userId}`)
  if (actor === 'parent' && integrity === 'device') {
    if (sender.currentUserId !== userId || !sender.isUserKeptSignedIn)
      refuse('unauthenticated', 'the device asks for the password')
  } else if (actor === 'parent' && integrity.startsWith('u2f:')) {
    refuse('forbidden', 'this hub takes no security keys; use the password')
  } else if (!isSigned(actor === 'parent', device, user, signed))
    refuse('unauthenticated', 'the integrity is of another password or action')
  return new Acting(type, device, userId, false)
}

function isSigned(isParent: boolean, device: string, { secondHash }: UserRecord, signed: Signed): boolean {
  if (secondHash === '') return false
  const { integrity } = signed
  const expected =
    isParent && integrity.startsWith('password:')
      ? hmacOf(device, secondHash, signed)
      : createHash('sha512').update(`${signed.sequenceNumber}${device}${secondHash}${signed.encodedAction}`).digest('hex')
  return expected !== undefined && isSame(integrity, expected)
}

/** Undefined of a number that this cannot sign: nothing is the right integrity then. */
function hmacOf(device: string, secondHash: string, { sequenceNumber, encodedAction }: Signed): string | undefined {
  if (!Number.isSafeInteger(sequenceNumber) || sequenceNumber < 0) return undefined
  const number = Buffer.alloc(8)
  number.writeBigUInt64BE(BigInt(sequenceNumber))
  const hmac = createHmac('sha256', secondHash).update(number)
  for (const text of [device, encodedAction]) {
    const bytes = Buffer.from(text)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    hmac.update(length).update(bytes)
  }
  return `password:${hmac.digest('base64')}`
}

/** Takes the same time wherever they differ. */
export function isSame(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)]
  return left.length === right.length && timingSafeEqual(left, right)
}
