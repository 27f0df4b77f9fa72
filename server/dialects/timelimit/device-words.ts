import type { Clock, RandomBytes } from '../../core/ports.ts'
import { randomWord, spokenWords, typedWords } from './words.ts'

const GOOD_MS = 3 * 3_600_000
const MAX_OPEN = 10_000

/** What a device may join, and the id that it will have. */
export interface Joining {
  readonly account: string
  readonly device: string
}

/** Five words that let one device join a family, once. Kept in memory: a restart ends them, and a parent asks for others. */
export class DeviceWords {
  readonly #clock: Clock
  readonly #randomBytes: RandomBytes
  readonly #open = new Map<string, Joining & { readonly expiresAtMs: number }>()
  /** The words of each account: those that it asked for last. */
  readonly #ofAccount = new Map<string, string>()

  constructor(clock: Clock, randomBytes: RandomBytes) {
    this.#clock = clock
    this.#randomBytes = randomBytes
  }

  /** Words for a new device; those that the family had before are good no longer. */
  open(account: string): { words: string; device: string; expiresAtMs: number } {
    this.#close(this.#ofAccount.get(account))
    if (this.#open.size >= MAX_OPEN) this.#close(this.#open.keys().next().value)
    const words = spokenWords(this.#randomBytes, 5)
    const joining = { account, device: randomWord(this.#randomBytes, 6), expiresAtMs: this.#clock.nowMs() + GOOD_MS }
    this.#open.set(words, joining)
    this.#ofAccount.set(account, words)
    return { words, ...joining }
  }

  /** What somebody's words let in, which they do once; undefined when they are wrong, used or too old. */
  redeem(typed: string): Joining | undefined {
    const words = typedWords(typed)
    const joining = this.#open.get(words)
    this.#close(words)
    return joining !== undefined && this.#clock.nowMs() < joining.expiresAtMs ? joining : undefined
  }

  #close(words: string | undefined): void {
    const joining = this.#open.get(words ?? '')
    if (joining === undefined) return
    this.#open.delete(words!)
    this.#ofAccount.delete(joining.account)
  }
}
