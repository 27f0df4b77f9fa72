import { decodeValue, encodeValue } from '../../../protocol/index.ts'
import { recordPages, type RecordKey, type Store } from '../../core/store.ts'

const TABLE = ['', 'household-mails'] as const
const PAGE = 1_000

/** Which account an address belongs to: the family of the parent who has it, or the one that it is kept for. Kept beside the logs, because it is about all of them. */
export class MailOwners {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** The id of the account; undefined when there is none. */
  find(mail: string): string | undefined {
    const bytes = this.#store.get(keyOf(mail))
    return bytes === undefined ? undefined : (decodeValue(bytes) as { account: string }).account
  }

  /** The addresses of each account, by its id. */
  all(): Map<string, string[]> {
    const mails = new Map<string, string[]>()
    for (const page of recordPages(this.#store, TABLE, PAGE))
      for (const [key, bytes] of page) {
        const { account } = decodeValue(bytes) as { account: string }
        mails.set(account, [...(mails.get(account) ?? []), key.at(-1)!])
      }
    return mails
  }

  /** Resolves once it is durable. */
  put(mail: string, account: string): Promise<void> {
    return this.#store.commit({ appends: [], writes: [{ key: keyOf(mail), value: encodeValue({ account }) }] })
  }
}

const keyOf = (mail: string): RecordKey => [...TABLE, mail]
