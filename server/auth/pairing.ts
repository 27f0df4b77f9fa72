import { createHash } from 'node:crypto'
import type { Clock, RandomBytes } from '../core/ports.ts'

/** Crockford's base 32: no I, L, O or U, so that nothing read off a screen is mistaken for something else. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const CODE_LENGTH = 8
const TYPED_CODE = new RegExp(`^[${ALPHABET}]{${CODE_LENGTH}}$`)

/** How long a code can be used. */
const CODE_TTL_MS = 300_000

/** Room for a code with spaces and hyphens between all of its characters. */
const MAX_TYPED_LENGTH = 32

export interface PairingOptions {
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  /**
   * Codes of one account that are open at once; one more closes the oldest.
   * @default 5
   */
  readonly maxOpenPerAccount?: number
}

export interface Pairing {
  /**
   * Opens a code, such as `7KQ2-M9XD`, that lets whoever types it join the account, once.
   * @param readOnly the device that joins may only read
   * @param by the device that asked for it; left out for the operator's
   */
  open(account: string, readOnly?: boolean, by?: string): { code: string; expiresAtMs: number }
  /**
   * What a code was opened for; undefined when it is wrong, used or too old. Case, spaces and hyphens do not matter. Whoever redeems it MUST look whether the device that
   * asked for it is still let in.
   */
  redeem(code: string): Invitation | undefined
}

/** What a code was opened for, and by which device, if by one. */
export interface Invitation {
  readonly account: string
  readonly readOnly: boolean
  readonly by?: string
}

interface OpenCode {
  readonly invitation: Invitation
  readonly expiresAtMs: number
  readonly cancelTimer: () => void
}

/** Codes that pair a new device with an account. Kept in memory and hashed: a restart closes all of them. */
export function createPairing({ clock, randomBytes, maxOpenPerAccount = 5 }: PairingOptions): Pairing {
  const openCodes = new Map<string, OpenCode>()

  function close(hash: string): OpenCode | undefined {
    const open = openCodes.get(hash)
    open?.cancelTimer()
    openCodes.delete(hash)
    return open
  }

  return {
    open(account, readOnly = false, by) {
      const own = [...openCodes].filter(([, { invitation }]) => invitation.account === account)
      for (const [hash] of own.slice(0, Math.max(0, own.length - maxOpenPerAccount + 1))) close(hash)
      const code = randomCode(randomBytes)
      const hash = hashOf(code)
      close(hash)
      const expiresAtMs = clock.nowMs() + CODE_TTL_MS
      // The timer bounds memory and holds when the clock is set back; the time is checked too, for a machine that slept.
      const cancelTimer = clock.setTimer(CODE_TTL_MS, () => openCodes.delete(hash))
      const invitation = { account, readOnly, ...(by !== undefined && { by }) }
      openCodes.set(hash, { invitation, expiresAtMs, cancelTimer })
      return { code: `${code.slice(0, 4)}-${code.slice(4)}`, expiresAtMs }
    },
    redeem(code) {
      const typed = readTyped(code)
      const open = typed === undefined ? undefined : close(hashOf(typed))
      if (open === undefined || clock.nowMs() >= open.expiresAtMs) return undefined
      return open.invitation
    }
  }
}

function randomCode(randomBytes: RandomBytes): string {
  return Array.from(randomBytes(CODE_LENGTH), byte => ALPHABET[byte & 31]).join('')
}

function readTyped(code: string): string | undefined {
  if (code.length > MAX_TYPED_LENGTH) return undefined
  const typed = code
    .replace(/[\s\p{Dash_Punctuation}]/gu, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
  return TYPED_CODE.test(typed) ? typed : undefined
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('base64')
}
