import { StorageTakenError, type ClientStorage, type StorageChange } from './storage.ts'

/** The parts of IndexedDB and of Web Locks that are used. Described here because Node compiles this file too, and tests bring another IndexedDB. */
interface Request<T> {
  readonly result: T
  readonly error: Error | null
  addEventListener(type: 'success' | 'error' | 'upgradeneeded', listener: () => void): void
}
interface Database {
  createObjectStore(name: string): unknown
  transaction(store: string, mode: 'readonly' | 'readwrite', options?: { durability: 'strict' }): Transaction
  close(): void
}
interface Transaction {
  readonly error: Error | null
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

/** Keeps a client's state in the browser, in an IndexedDB database of its own. */
export class IndexedDbStorage implements ClientStorage {
  readonly #database: Database
  readonly #platform: IndexedDbPlatform
  readonly #unlock: () => void

  private constructor(database: Database, platform: IndexedDbPlatform, unlock: () => void) {
    this.#database = database
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
      const request = platform.indexedDB.open(name, 1)
      request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE))
      return new IndexedDbStorage(await resultOf(request), platform, unlock)
    } catch (error) {
      unlock()
      throw error
    }
  }

  async load(prefix: string): Promise<[string, Uint8Array][]> {
    const store = this.#database.transaction(STORE, 'readonly').objectStore(STORE)
    const range = this.#range(prefix)
    const [keys, values] = await Promise.all([resultOf(store.getAllKeys(range)), resultOf(store.getAll(range))])
    return keys.map((key, index) => [key, values[index]!])
  }

  write(changes: readonly StorageChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(STORE, 'readwrite', { durability: 'strict' })
      transaction.addEventListener('complete', () => resolve())
      transaction.addEventListener('abort', () => reject(transaction.error ?? new Error('the browser did not store the changes')))
      const store = transaction.objectStore(STORE)
      for (const [key, bytes] of changes) {
        if (bytes === undefined) store.delete(key)
        else store.put(bytes, key)
      }
    })
  }

  /** Transactions that run are finished by the browser first. */
  close(): Promise<void> {
    this.#database.close()
    this.#unlock()
    return Promise.resolve()
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
