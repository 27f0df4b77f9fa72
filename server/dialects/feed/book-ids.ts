import { createHash } from 'node:crypto'
import { HubError } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import { activitySince } from '../../core/activity.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import type { BookRecord } from '../../core/records.ts'

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
/** What ids are made in. @see RFC 9562, 5.5 */
const NAMESPACE = Buffer.from('6f1c7a52d9b84e0fa3c55b1e2d7c9a40', 'hex')
const PAGE = 500

/** The id that a book has on this wire: its own where that is a UUID, else the UUID, of version 5, that is made of it. */
export const bookUuid = (book: string): string => (UUID.test(book) ? book : uuidOf(`book:${book}`))

/** The id of a file of a book. */
export const fileUuid = (sha256: string): string => uuidOf(`file:${sha256}`)

function uuidOf(name: string): string {
  const bytes = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

interface Known {
  readonly byUuid: Map<string, string>
  /** What changed later is not in it yet. */
  untilUs: number
}

/**
 * Finds the books that ids on this wire stand for. The ids say it by themselves: what is remembered is computed, follows what changed, and goes with the account when that
 * leaves the memory.
 */
export class BookIds {
  readonly #clock: Clock
  readonly #known = new WeakMap<Account, Known>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * A book that is listed, and its own id.
   * @throws HubError `not-found`
   */
  async find(account: Account, uuid: string): Promise<{ book: string; record: BookRecord }> {
    const asked = uuid.toLowerCase()
    if (UUID.test(asked)) {
      const book = account.views.get('books', asked) === undefined ? await this.#lookUp(account, asked) : asked
      const record = book === undefined ? undefined : account.views.get('books', book)
      if (record !== undefined && !record.removed) return { book: book!, record }
    }
    throw new HubError('not-found', 'Book not found')
  }

  async #lookUp(account: Account, uuid: string): Promise<string | undefined> {
    let known = this.#known.get(account)
    if (known === undefined) this.#known.set(account, (known = { byUuid: new Map(), untilUs: 0 }))
    for (;;) {
      const found = known.byUuid.get(uuid)
      if (found !== undefined) return found
      const page = activitySince(account.views, known.untilUs, PAGE)
      for (const { book } of page) if (!UUID.test(book)) known.byUuid.set(uuidOf(`book:${book}`), book)
      known.untilUs = page.at(-1)?.timeUs ?? known.untilUs
      if (page.length < PAGE) return known.byUuid.get(uuid)
      await nextTurn(this.#clock)
    }
  }
}
