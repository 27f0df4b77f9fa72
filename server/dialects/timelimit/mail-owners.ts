import { decodeValue, encodeValue } from '../../../protocol/index.ts'
import type { RecordKey, Store } from '../../core/store.ts'

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

  /** Resolves once it is durable. */
  put(mail: string, account: string): Promise<void> {
    return this.#store.commit({ appends: [], writes: [{ key: keyOf(mail), value: encodeValue({ account }) }] })
  }
}

const keyOf = (mail: string): RecordKey => ['', 'household-mails', mail]
