import { createDecipheriv, createHash } from 'node:crypto'
import { bool, map, opt, str, type Plain } from '../../../../protocol/index.ts'
import { passwordHash, passwordSalt } from '../forms.ts'
import { isSame } from '../integrity.ts'
import { refuse } from '../refuse.ts'

/** A new password: a hash that devices check it with, and one that they sign with. */
export const newPassword = map({
  hash: passwordHash,
  secondHash: str(1_024),
  secondSalt: passwordSalt,
  encrypted: opt(bool)
})

interface NewPassword {
  readonly hash: string
  readonly secondHash: string
  readonly secondSalt: string
  readonly encrypted?: boolean
}

/**
 * An action in which no password is sealed.
 * @param unseal opens a second hash, given what it was sealed with beside that
 * @throws HubError `bad-action`
 */
export function withOpenPasswords(
  action: Record<string, Plain>,
  unseal: (sealed: string, about: string) => string
): Record<string, Plain> {
  const opened = { ...action }
  for (const [name, value] of Object.entries(action)) {
    if (!isSealed(value)) continue
    const { hash, secondHash, secondSalt } = value
    opened[name] = { hash, secondHash: unseal(secondHash, `ParentPassword:${hash}:${secondSalt}`), secondSalt }
  }
  return opened
}

/** No member of an action but a password is sealed. */
const isSealed = (value: Plain | undefined): value is Plain & NewPassword =>
  typeof value === 'object' && value !== null && 'encrypted' in value && value.encrypted === true

/** What a user record has of a password. @throws HubError `bad-action`, `forbidden` */
export function passwordOf({ hash, secondHash, secondSalt, encrypted }: NewPassword): {
  readonly user: { readonly password: string; readonly secondPasswordSalt: string }
  readonly secondHash: string
} {
  if (encrypted === true) refuse('forbidden', 'there are no keys here that a password could be sealed for')
  mustBeHash(secondHash)
  return { user: { password: hash, secondPasswordSalt: secondSalt }, secondHash }
}

function mustBeHash(secondHash: string): void {
  if (passwordHash.fault(secondHash) !== undefined) refuse('bad-action', 'the second hash is none of bcrypt')
}

const sha512 = (text: string): Buffer => createHash('sha512').update(text).digest()

/** The members of a change of password that is sent under the old one. */
interface PasswordChange {
  readonly userId: string
  readonly hash: string
  readonly secondSalt: string
  /** In hex: 16 bytes that the cipher starts from, 16 of salt, and the new second hash in AES-128-CTR. */
  readonly secondHashEncrypted: string
  readonly integrity: string
}

/** The new second hash. @throws HubError `unauthenticated` when whoever sent it does not know the old one */
export function secondHashUnder(old: string, change: PasswordChange): string {
  const { userId, hash, secondSalt, secondHashEncrypted, integrity } = change
  if (!isSame(integrity.toLowerCase(), sha512(old + userId + hash + secondSalt + secondHashEncrypted).toString('hex')))
    refuse('unauthenticated', 'the new password is not sealed with the old one')
  const [start, salt, sealed] = [[0, 32] as const, [32, 64] as const, [64] as const].map(range =>
    secondHashEncrypted.slice(...range)
  )
  const cipher = createDecipheriv('aes-128-ctr', sha512(old + salt!).subarray(0, 16), Buffer.from(start!, 'hex'))
  const secondHash = cipher.update(sealed!, 'hex', 'latin1') + cipher.final('latin1')
  mustBeHash(secondHash)
  return secondHash
}

/** What proves that another parent may be removed. */
export const isRemovalProof = (proof: string, userId: string, secondHash: string): boolean =>
  isSame(proof, sha512(`${userId}${secondHash}remove`).toString('hex').slice(0, 16))
