import { decodeValue, encodeValue } from '../../protocol/index.ts'
import type { RecordKey, Store } from '../core/store.ts'
import type { VerifiedPasswords } from './verified-passwords.ts'

/**
 * Secrets of accounts that are good for one way in alone, and are not the accounts' passwords. Kept beside the logs and hashed as passwords are, because no device
 * of an account may read them.
 */
export class SyncKeys {
  readonly #store: Store
  readonly #passwords: VerifiedPasswords
  readonly #purpose: string

  /** @param purpose the way in: what is set for one is no key for another */
  constructor(store: Store, passwords: VerifiedPasswords, purpose: string) {
    this.#store = store
    this.#passwords = passwords
    this.#purpose = purpose
  }

  /**
   * Gives an account its key; the one that it had is good for nothing from then on. Resolves once that is durable.
   * @param account its id
   * @throws HubError `bad-request` unless the key is 1..256 bytes of UTF-8
   */
  async set(account: string, key: string): Promise<void> {
    await this.#keep(account, encodeValue(await this.#passwords.hash(key)))
  }

  /** Takes an account's key away. Resolves once that is durable. */
  async remove(account: string): Promise<void> {
    await this.#keep(account, undefined)
  }

  /** True when the key was right a short while ago, and is not to be counted as a try: no hash is computed. */
  recalls(account: string, key: string): boolean {
    const hash = this.#hashOf(account)
    return hash !== undefined && this.#passwords.recalls(hash, key)
  }

  /**
   * True when it is the account's key. For no account, and for one without a key, it is false and takes as long.
   * @throws HubError `bad-request` unless the key is 1..256 bytes of UTF-8, `overloaded` when too many wait to be checked
   */
  verify(account: string | undefined, key: string): Promise<boolean> {
    return this.#passwords.verify(account === undefined ? undefined : this.#hashOf(account), key)
  }

  #hashOf(account: string): string | undefined {
    const bytes = this.#store.get(this.#keyOf(account))
    return bytes && (decodeValue(bytes) as string)
  }

  #keyOf(account: string): RecordKey {
    // Records of no account stand under the empty name.
    return ['', 'sync-keys', this.#purpose, account]
  }

  async #keep(account: string, value: Uint8Array | undefined): Promise<void> {
    await this.#store.commit({ appends: [], writes: [{ key: this.#keyOf(account), value }] })
  }
}
