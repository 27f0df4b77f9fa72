import type { Account } from '../../core/account.ts'
import { bookBy } from '../../core/identifiers.ts'
import { OPERATOR } from '../../core/origin.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import type { Views } from '../../core/views.ts'
import { isOfDocument, joinPlaces, PAGE_RECORDS } from './documents.ts'

/**
 * Documents go from a removed book to another one that has them, too: of two copies of a book, somebody took away the one that got it last.
 *
 * The account's library is gone through for it, with turns of others in between: once for all that is removed meanwhile.
 */
export class Copies {
  readonly #clock: Clock
  readonly #onError: (account: Account, error: unknown) => void
  /** Accounts whose library is gone through or about to be, and whether it is to be once more. */
  readonly #again = new WeakMap<Account, boolean>()

  constructor(clock: Clock, onError: (account: Account, error: unknown) => void) {
    this.#clock = clock
    this.#onError = onError
  }

  /** A book changed. Looks for another one for its documents, once that is durable, where they are a removed book's now. */
  bookChanged(account: Account, book: string): void {
    const names = Object.keys(account.views.get('books', book)?.identifiers ?? {}).filter(isOfDocument)
    if (!names.some(name => removedBookBy(account.views, name) !== undefined)) return
    const isUnderWay = this.#again.has(account)
    this.#again.set(account, isUnderWay)
    if (isUnderWay) return
    account.whenDurable(() => {
      this.#goThrough(account).catch((error: unknown) => this.#onError(account, error))
    })
  }

  async #goThrough(account: Account): Promise<void> {
    try {
      do {
        this.#again.set(account, false)
        for (const page of account.views.pages('books', [], PAGE_RECORDS)) {
          for (const [book, { identifiers }] of page)
            for (const name of Object.keys(identifiers).filter(isOfDocument)) await give(account, name, book)
          await nextTurn(this.#clock)
        }
      } while (this.#again.get(account) === true)
    } finally {
      this.#again.delete(account)
    }
  }
}

/** The book that an identifier names, if that was removed. */
function removedBookBy(views: Views, identifier: string): string | undefined {
  const book = bookBy(views, identifier)
  return book !== undefined && views.get('books', book)?.removed === true ? book : undefined
}

/** Gives a book that is there the document that it has, where that is a removed book's, and what readers have set there. */
async function give(account: Account, identifier: string, book: string): Promise<void> {
  const from = removedBookBy(account.views, identifier)
  if (from === undefined) return
  const { removed, identifiers } = account.views.get('books', book)!
  const source = removed ? undefined : identifiers[identifier]
  if (source === undefined) return
  await Promise.all([
    account.perform(OPERATOR, 'book.put', book, { identifiers: { [identifier]: source } }),
    joinPlaces(account, from, book)
  ])
}
