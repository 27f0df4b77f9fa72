import { createHash, timingSafeEqual } from 'node:crypto'
import type { SignInLimits } from '../../auth/sign-in-limits.ts'
import type { Clock, RandomBytes } from '../../core/ports.ts'
import { Refused } from './refusals.ts'
import { randomWord, spokenWords, typedWords } from './words.ts'

/** How long a code can be typed, and how long what was gained by it is good. */
const CODE_MS = 3_600_000
const AUTH_MS = 3_600_000
const MAX_WRONG = 3
/** Of each kind at once, over all addresses; one more takes the oldest's place. */
const MAX_OPEN = 10_000
const MAX_MAIL_LENGTH = 100

/** A code that somebody is to type. */
export interface OpenMailCode {
  readonly mail: string
  readonly code: string
  readonly expiresAtMs: number
}

interface Proven {
  readonly mail: string
  readonly expiresAtMs: number
  /** Somebody does what it is good for. */
  isInUse: boolean
}

interface Waiting extends OpenMailCode {
  wrong: number
}

export interface MailCodeParts {
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  /** Counts every code that is asked for. */
  readonly limits: SignInLimits
  /** Has a code reach whoever reads this address. */
  readonly send: (code: OpenMailCode, locale: string) => void
}

/** Proves that somebody reads the mail of an address. Kept in memory: a restart ends what is under way, and the app begins anew. */
export class MailCodes {
  readonly #parts: MailCodeParts
  /** By the token's hash. */
  readonly #waiting = new Map<string, Waiting>()
  readonly #proven = new Map<string, Proven>()

  constructor(parts: MailCodeParts) {
    this.#parts = parts
  }

  /**
   * Sends a code to an address.
   * @param address of who asks
   * @returns the token that the code completes
   * @throws HubError `rate-limited`
   */
  async begin(mail: string, locale: string, address: string): Promise<string> {
    const { clock, randomBytes, limits, send } = this.#parts
    // Whatever comes of a code, it was one more mail to somebody.
    await limits.attempt({ address, account: mail }, () => undefined)
    const token = randomWord(randomBytes, 32)
    const code = { mail, code: spokenWords(randomBytes, 3), expiresAtMs: clock.nowMs() + CODE_MS }
    keep(this.#waiting, token, { ...code, wrong: 0 })
    send(code, locale)
    return token
  }

  /**
   * Completes a token with the code.
   * @returns a token that stands for the address, for an hour
   * @throws Refused 403 when the code is wrong; 410 when it was wrong too often, and when there is no such token
   */
  finish(token: string, typed: string): string {
    const { clock, randomBytes } = this.#parts
    const hash = hashOf(token)
    const waiting = this.#waiting.get(hash)
    if (waiting === undefined || waiting.expiresAtMs <= clock.nowMs()) throw new Refused(410)
    if (!isSame(typedWords(typed), waiting.code)) {
      if (++waiting.wrong < MAX_WRONG) throw new Refused(403)
      this.#waiting.delete(hash)
      throw new Refused(410)
    }
    this.#waiting.delete(hash)
    const proof = randomWord(randomBytes, 32)
    keep(this.#proven, proof, { mail: waiting.mail, expiresAtMs: clock.nowMs() + AUTH_MS, isInUse: false })
    return proof
  }

  /** The address that a token stands for. @throws Refused 401 */
  mailOf(proof: string): string {
    return this.#provenBy(proof).mail
  }

  /**
   * Does what a token is good for, once: whoever comes with it meanwhile or later has none. Where that fails, the token is as good as before.
   * @throws Refused 401; whatever `work` throws
   */
  async use<T>(proof: string, work: (mail: string) => Promise<T>): Promise<T> {
    const proven = this.#provenBy(proof)
    if (proven.isInUse) throw new Refused(401)
    proven.isInUse = true
    try {
      const done = await work(proven.mail)
      this.#proven.delete(hashOf(proof))
      return done
    } finally {
      proven.isInUse = false
    }
  }

  #provenBy(proof: string): Proven {
    const proven = this.#proven.get(hashOf(proof))
    if (proven === undefined || proven.expiresAtMs <= this.#parts.clock.nowMs()) throw new Refused(401)
    return proven
  }

  /** The codes that can be typed now, the newest last. */
  open(): OpenMailCode[] {
    const nowMs = this.#parts.clock.nowMs()
    return [...this.#waiting.values()]
      .filter(({ expiresAtMs }) => expiresAtMs > nowMs)
      .map(({ mail, code, expiresAtMs }) => ({ mail, code, expiresAtMs }))
  }
}

/** The one spelling of an address; undefined when it is none. */
export function foldMail(text: string): string | undefined {
  const mail = text.trim().toLowerCase()
  return mail.length <= MAX_MAIL_LENGTH && /^[^\s@<>(),:;"\\[\]\u0000-\u001f]+@[a-z0-9.-]+$/u.test(mail) ? mail : undefined
}

function keep<T>(map: Map<string, T>, token: string, value: T): void {
  if (map.size >= MAX_OPEN) map.delete(map.keys().next().value!)
  map.set(hashOf(token), value)
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64')

const isSame = (left: string, right: string): boolean =>
  timingSafeEqual(createHash('sha256').update(left).digest(), createHash('sha256').update(right).digest())
