import type { LogHead, ReadableStore, RecordKey, StoredRun } from '../core/store.ts'
import { named } from './damage.ts'
import type { Reading } from './environment.ts'
import { LOG_LIMITS, Logs } from './logs.ts'
import { getRecord, keysOfRecords, rangeRecords } from './records.ts'

/** A store that nobody writes to. */
export class StandingStore implements ReadableStore {
  readonly #db: Reading
  readonly #logs: Logs

  /** @throws StoreDamage when the journal is not what was written */
  constructor(db: Reading) {
    this.#db = db
    this.#logs = named('the journal', () => new Logs(db, LOG_LIMITS))
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

  keys(prefix: RecordKey, limit: number): RecordKey[] {
    return keysOfRecords(this.#db, prefix, limit)
  }
}
