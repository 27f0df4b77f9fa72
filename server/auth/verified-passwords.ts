import { createHmac } from 'node:crypto'
import type { Clock, RandomBytes } from '../core/ports.ts'
import type { Passwords } from './passwords.ts'

/** How long a password is remembered after its hash was computed. */
const KEPT_MS = 600_000

export interface VerifiedPasswordsParts {
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  /**
   * How many are remembered; past that the one that was not used for longest goes.
   * @default 1_000
   */
  readonly maxEntries?: number
}

export interface VerifiedPasswords extends Passwords {
  /** True when the password was found to be right a while ago, and is still remembered: it costs no hash, and need not be counted as a try. */
  recalls(hash: string, password: string): boolean
}

/**
 * The same checks, which remember for a while what was right: a client that sends its password with each request costs one hash in ten minutes. Kept in memory
 * alone, and only as a keyed digest of the password and of its hash: with another password set, what was remembered fits nothing. What is wrong is never remembered.
 */
export function rememberVerified(
  passwords: Passwords,
  { clock, randomBytes, maxEntries = 1_000 }: VerifiedPasswordsParts
): VerifiedPasswords {
  const key = randomBytes(32)
  /** Until when each is good; the one that was used last stands last. */
  const known = new Map<string, number>()
  const remember = (digest: string, untilMs: number): void => {
    known.delete(digest)
    known.set(digest, untilMs)
    if (known.size > maxEntries) known.delete(known.keys().next().value!)
  }
  // The length parts the two: no other pair comes to the same text.
  const digestOf = (hash: string, password: string): string =>
    createHmac('sha256', key).update(`${hash.length}:${hash}${password}`).digest('base64')
  const recalls = (digest: string): boolean => {
    const untilMs = known.get(digest)
    const nowMs = clock.nowMs()
    // A clock that went back must not make it last longer.
    const isKnown = untilMs !== undefined && untilMs > nowMs && untilMs <= nowMs + KEPT_MS
    if (isKnown) remember(digest, untilMs)
    else known.delete(digest)
    return isKnown
  }
  return {
    hash: password => passwords.hash(password),
    recalls: (hash, password) => recalls(digestOf(hash, password)),
    async verify(hash, password) {
      if (hash === undefined) return passwords.verify(hash, password)
      const digest = digestOf(hash, password)
      if (recalls(digest)) return true
      const isRight = await passwords.verify(hash, password)
      if (isRight) remember(digest, clock.nowMs() + KEPT_MS)
      return isRight
    }
  }
}
