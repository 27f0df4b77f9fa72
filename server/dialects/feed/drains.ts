import type { Account } from '../../core/account.ts'
import { activitySince } from '../../core/activity.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import { OneByOne } from '../one-by-one.ts'

/** Books that all lists may name together, and lists of one account. The oldest leave first. */
const MAX_BOOKS = 500_000
const MAX_LISTS = 8
/** A list that nobody asks for so long is let go. */
const IDLE_MS = 900_000
const PAGE = 500

/** What a client reads page by page, from the first to the last. */
export interface Drain {
  /** Each book once, the one that changed longest ago first; as they were when the list was made. */
  readonly books: readonly string[]
  /** In whole milliseconds: what a client that has read all of it asks to know the changes since. */
  readonly serverTimeMs: number
}

interface Kept extends Drain {
  readonly account: string
  usedAtMs: number
}

/**
 * The lists that clients page through. A page is a part of one list, so that no book is passed by or told twice because something changed in between; and what
 * changed in between is later than the list's time.
 */
export class Drains {
  readonly #clock: Clock
  /** By use, the oldest first. */
  readonly #lists = new Map<string, Kept>()
  /** A list that is being made is held by its request: one for each account, however many ask. */
  readonly #making = new OneByOne()
  #books = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * The list that a page is of: a new one for the first page, else the one that this device's first page was of.
   *
   * Where that one is gone (the hub was started again, or it had too many), the list is made anew, and its time promises nothing: it is the one that the client brought, so that
   * it is told once more what it may have missed.
   *
   * @param sinceUs undefined for the whole library
   */
  async drain(account: Account, device: string, { page, limit }: { page: number; limit: number }, sinceUs: number | undefined) {
    const key = [account.id, device, sinceUs ?? '', limit].join('\n')
    const nowMs = this.#clock.nowMs()
    for (const [name, { usedAtMs }] of this.#lists) if (nowMs - usedAtMs > IDLE_MS) this.#drop(name)
    const known = page > 1 ? this.#lists.get(key) : undefined
    const made = known ?? (await this.#making.run(account.id, () => this.#list(account, sinceUs)))
    const drain = known === undefined && page > 1 ? { ...made, serverTimeMs: Math.floor((sinceUs ?? 0) / 1_000) } : made
    const isRead = page * limit >= drain.books.length
    // Who asks for the last page may ask for it again.
    this.#keep(key, { ...drain, account: account.id, usedAtMs: nowMs }, isRead && page === 1)
    return drain
  }

  async #list(account: Account, sinceUs = 0): Promise<Drain> {
    const serverTimeMs = account.sealTime()
    const books = new Set<string>()
    for (let afterUs = sinceUs; ;) {
      const found = activitySince(account.views, afterUs, PAGE)
      // One that changes while this goes on comes again at the end.
      for (const { book, isListed } of found) if (isListed) books.add(book)
      if (found.length < PAGE) return { books: [...books], serverTimeMs }
      afterUs = found.at(-1)!.timeUs
      await nextTurn(this.#clock)
    }
  }

  #keep(key: string, kept: Kept, isDone: boolean): void {
    this.#drop(key)
    if (isDone) return
    this.#lists.set(key, kept)
    this.#books += kept.books.length
    const own = [...this.#lists].filter(([, { account }]) => account === kept.account)
    for (const [name] of own.slice(0, Math.max(0, own.length - MAX_LISTS))) this.#drop(name)
    for (const name of this.#lists.keys()) if (this.#books > MAX_BOOKS && name !== key) this.#drop(name)
  }

  #drop(key: string): void {
    this.#books -= this.#lists.get(key)?.books.length ?? 0
    this.#lists.delete(key)
  }
}
