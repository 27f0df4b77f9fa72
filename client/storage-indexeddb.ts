import { alone, StorageFailedError, StorageTakenError, type ClientStorage, type StorageChange } from './storage.ts'

/** The parts of IndexedDB and of Web Locks that are used. Described here because Node compiles this file too, and tests bring another IndexedDB. */
interface Request<T> {
  readonly result: T
  readonly error: Error | null
  readonly transaction: Transaction | null
  addEventListener(type: 'success' | 'error' | 'upgradeneeded', listener: () => void): void
}
interface Database {
  createObjectStore(name: string): unknown
  transaction(store: string, mode: 'readonly' | 'readwrite', options?: { durability: 'strict' }): Transaction
  addEventListener(type: 'versionchange', listener: () => void): void
  close(): void
}
interface Transaction {
  readonly db: Database
  readonly error: Error | null
  abort(): void
  addEventListener(type: 'complete' | 'abort', listener: () => void): void
  objectStore(name: string): ObjectStore
}
interface ObjectStore {
  put(value: Uint8Array, key: string): unknown
  delete(key: string): unknown
  getAll(range?: unknown): Request<Uint8Array[]>
  getAllKeys(range?: unknown): Request<string[]>
}
export interface IndexedDbPlatform {
  readonly indexedDB: { open(name: string, version: number): Request<Database> }
  readonly IDBKeyRange: {
    bound(least: string, most: string, leastOpen: boolean, mostOpen: boolean): unknown
    lowerBound(least: string): unknown
  }
  readonly navigator?: { readonly locks?: LockManager }
}
interface LockManager {
  request(name: string, options: { ifAvailable: boolean }, task: (lock: unknown) => Promise<void>): Promise<void>
}

export interface IndexedDbOptions {
  /** Waits until the other page is gone, instead of failing. @default false */
  readonly wait?: boolean
  /** @default the page's own */
  readonly platform?: IndexedDbPlatform
}

const STORE = 'entries'

/**
 * Keeps a client's state in the browser, in an IndexedDB database of its own. A connection to it that the browser ends, as it does to pages in the
 * background, is made again. A database that was deleted is not: half a copy would pass for a whole one.
 */
export class IndexedDbStorage implements ClientStorage {
  readonly #name: string
  readonly #platform: IndexedDbPlatform
  readonly #unlock: () => void
  #database: Promise<Database>
  #written: Promise<unknown> = Promise.resolve()
  #isClosed = false

  private constructor(name: string, database: Database, platform: IndexedDbPlatform, unlock: () => void) {
    this.#name = name
    this.#database = Promise.resolve(database)
    this.#platform = platform
    this.#unlock = unlock
  }

  /**
   * Opens the database `name` of this origin, and makes it at first. One page at a time has it, where the browser has Web Locks.
   *
   * @throws StorageTakenError, and what IndexedDB throws
   */
  static async open(name: string, options: IndexedDbOptions = {}): Promise<IndexedDbStorage> {
    const { wait = false, platform = globalThis as unknown as IndexedDbPlatform } = options
    const unlock = await lock(name, wait, platform.navigator?.locks)
    try {
      const database = await connected(platform, name, request => request.result.createObjectStore(STORE))
      return new IndexedDbStorage(name, database, platform, unlock)
    } catch (error) {
      unlock()
      throw error
    }
  }

  load(prefix: string): Promise<[string, Uint8Array][]> {
    return this.#run('readonly', async transaction => {
      const store = transaction.objectStore(STORE)
      const range = this.#range(prefix)
      const [keys, values] = await Promise.all([resultOf(store.getAllKeys(range)), resultOf(store.getAll(range))])
      return keys.map((key, index) => [key, values[index]!])
    })
  }

  /** One after the other, as the browser does them: what is written again comes before what was to follow it. */
  write(changes: readonly StorageChange[]): Promise<void> {
    const written = this.#written.then(() => this.#run('readwrite', transaction => put(transaction, changes)))
    this.#written = written.catch(() => undefined)
    return written
  }

  /** What was written before comes first, and transactions that run are finished by the browser. */
  async close(): Promise<void> {
    await this.#written
    this.#isClosed = true
    const database = await this.#database.catch(() => undefined)
    database?.close()
    this.#unlock()
  }

  /** What went with its connection is done again on the next: of a transaction that was cut off nothing is there. */
  async #run<T>(mode: 'readonly' | 'readwrite', work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const transaction = await this.#begin(mode)
    try {
      return await work(transaction)
    } catch (error) {
      if (this.#isClosed || !isEnded(transaction.db)) throw error
      return work(await this.#begin(mode))
    }
  }

  /** Transactions begin in the order of the calls, also across a connection that is made again: whoever comes later waits for the same one. */
  async #begin(mode: 'readonly' | 'readwrite'): Promise<Transaction> {
    const connection = this.#database
    const database = await connection
    try {
      return begun(database, mode)
    } catch (error) {
      if ((error as Error).name !== 'InvalidStateError' || this.#isClosed) throw error
      if (this.#database === connection) this.#reconnect()
      return begun(await this.#database, mode)
    }
  }

  /** Where it fails, the next call tries again; unless there is no database any more, which stays so. */
  #reconnect(): void {
    const lost = this.#database
    let isDeleted = false
    const refuse = (request: Request<Database>): void => {
      isDeleted = true
      request.transaction!.abort()
    }
    this.#database = connected(this.#platform, this.#name, refuse).catch((error: unknown) => {
      if (isDeleted) throw new StorageFailedError('its database was deleted', { isGone: true })
      this.#database = lost
      throw error
    })
  }

  /** Keys sort by UTF-16 code units, so that the prefix with its last unit raised ends the range. */
  #range(prefix: string): unknown {
    const { IDBKeyRange } = this.#platform
    const stem = prefix.replace(/\uffff+$/, '')
    if (stem === '') return prefix === '' ? undefined : IDBKeyRange.lowerBound(prefix)
    const end = stem.slice(0, -1) + String.fromCharCode(stem.charCodeAt(stem.length - 1) + 1)
    return IDBKeyRange.bound(prefix, end, false, true)
  }
}

const begun = (database: Database, mode: 'readonly' | 'readwrite'): Transaction =>
  database.transaction(STORE, mode, mode === 'readwrite' ? { durability: 'strict' } : undefined)

/** Whether a connection takes no transactions any more. */
function isEnded(database: Database): boolean {
  try {
    begun(database, 'readonly')
    return false
  } catch (error) {
    return (error as Error).name === 'InvalidStateError'
  }
}

const put = (transaction: Transaction, changes: readonly StorageChange[]): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.addEventListener('complete', resolve)
    transaction.addEventListener('abort', () => reject(transaction.error ?? new Error('the browser did not store the changes')))
    const store = transaction.objectStore(STORE)
    for (const [key, bytes] of changes) {
      if (bytes === undefined) store.delete(key)
      else store.put(alone(bytes), key)
    }
  })

/** Opens the database, and stands in nobody's way who deletes it. @param make called where there is none yet */
async function connected(
  platform: IndexedDbPlatform,
  name: string,
  make: (request: Request<Database>) => void
): Promise<Database> {
  const request = platform.indexedDB.open(name, 1)
  request.addEventListener('upgradeneeded', () => make(request))
  const database = await resultOf(request)
  database.addEventListener('versionchange', () => database.close())
  return database
}

function resultOf<T>(request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB failed')))
  })
}

/** @returns gives the lock back */
function lock(name: string, wait: boolean, locks: LockManager | undefined): Promise<() => void> {
  if (locks === undefined) return Promise.resolve(() => {})
  return new Promise((resolve, reject) => {
    const held = (taken: unknown): Promise<void> => {
      if (taken === null) {
        reject(new StorageTakenError(name))
        return Promise.resolve()
      }
      return new Promise(release => resolve(release))
    }
    locks.request(`lectern:${name}`, { ifAvailable: !wait }, held).catch(reject)
  })
}
