import type { LogHead, RecordKey, Store, StoredRun } from '../core/store.ts'
import { named } from './damage.ts'
import { standStill, type Database, type Reading } from './environment.ts'
import { LOG_LIMITS, Logs } from './logs.ts'
import { getRecord, rangeRecords } from './records.ts'

/** A store as it stood at one moment, read beside whoever writes to it. */
export class StoreSnapshot implements Pick<Store, 'head' | 'read' | 'get' | 'range'> {
  readonly #db: Reading & { done(): void }
  readonly #logs: Logs

  /**
   * The state of the moment.
   * @throws StoreDamage when the journal is not what was written
   */
  constructor(db: Database) {
    this.#db = standStill(db)
    try {
      this.#logs = named('the journal', () => new Logs(this.#db, LOG_LIMITS))
    } catch (error) {
      this.#db.done()
      throw error
    }
  }

  async head(account: string): Promise<LogHead | undefined> {
    return named(`the log of ${account}`, () => this.#logs.head(account))
  }

  async read(account: string, after: number, maxBytes: number): Promise<StoredRun[]> {
    return named(`the log of ${account}`, () => this.#logs.read(account, after, maxBytes))
  }

  get(key: RecordKey): Uint8Array | undefined {
    return getRecord(this.#db, key)
  }

  range(prefix: RecordKey, after: RecordKey | undefined, limit: number): [key: RecordKey, value: Uint8Array][] {
    return rangeRecords(this.#db, prefix, after, limit)
  }

  /** Lets go of that state. */
  done(): void {
    this.#db.done()
  }
}
