import { hash as argon2Hash, verify as argon2Verify } from '@node-rs/argon2'
import { HubError } from '../../protocol/index.ts'

/** argon2id with OWASP's least cost; each running hash holds `memoryCost` KiB. */
const COST = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** The hash that stands in for an account that does not exist: the same cost, and an all-zero digest that no known password has. */
const NOBODY = `$argon2id$v=19$m=19456,t=2,p=1$bGVjdGVybi1ub2JvZHktMA$${'A'.repeat(43)}`

const MAX_BYTES = 256

/** Several times what a hash takes, so that a queue that was full has emptied. */
const RETRY_AFTER_MS = 1_000

export interface PasswordOptions {
  /**
   * Hashes that run at once. More uses more cores and 19 MiB each, and takes threads away from the file system.
   * @default 1
   */
  readonly concurrency?: number
  /**
   * Hashes that may wait for their turn; the next one is refused.
   * @default 16
   */
  readonly maxQueued?: number
}

export interface Passwords {
  /**
   * The text to keep for a password: salted argon2id, in PHC form.
   *
   * @throws HubError `bad-request` unless the password is 1..256 bytes of UTF-8, `overloaded` when too many are waiting
   */
  hash(password: string): Promise<string>
  /**
   * True when the password is the one that was hashed. Undefined, for an account that does not exist, is never true and costs as much.
   *
   * @throws HubError `bad-request` unless the password is 1..256 bytes of UTF-8, `overloaded` when too many are waiting
   */
  verify(hash: string | undefined, password: string): Promise<boolean>
}

/** Makes and checks password hashes, a few at a time, so that a wave of sign-ins cannot starve the rest of the hub. */
export function createPasswords({ concurrency = 1, maxQueued = 16 }: PasswordOptions = {}): Passwords {
  const waiting: (() => void)[] = []
  let running = 0

  async function inTurn<T>(task: () => Promise<T>): Promise<T> {
    if (running < concurrency) running += 1
    else if (waiting.length < maxQueued) await new Promise<void>(resolve => waiting.push(resolve))
    else throw new HubError('overloaded', 'too many sign-ins at once', { retryAfterMs: RETRY_AFTER_MS })
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      // The place is handed on, never freed in between, so that no newcomer can slip past the queue.
      if (next === undefined) running -= 1
      else next()
    }
  }

  return {
    async hash(password) {
      const text = normalised(password)
      return inTurn(() => argon2Hash(text, COST))
    },
    async verify(hash, password) {
      const text = normalised(password)
      const same = await inTurn(() => argon2Verify(hash ?? NOBODY, text))
      return same && hash !== undefined
    }
  }
}

/** The same bytes for the same password, whichever way a keyboard composes its accents. */
function normalised(password: string): string {
  const refuse = (): never => {
    throw new HubError('bad-request', `a password is 1 to ${MAX_BYTES} bytes of UTF-8`, { field: 'password' })
  }
  // NFC shortens text by less than four times, so this bounds the work and refuses nothing that could fit.
  if (password.length > MAX_BYTES * 4 || /\p{Surrogate}/u.test(password)) refuse()
  const text = password.normalize('NFC')
  const sizeBytes = Buffer.byteLength(text)
  return sizeBytes >= 1 && sizeBytes <= MAX_BYTES ? text : refuse()
}
