import { StorageFailedError, type ClientStorage, type StorageChange } from './storage.ts'

/** A client's storage, of whose failures each is a `StorageFailedError`. */
export class WatchedStorage implements ClientStorage {
  readonly #storage: ClientStorage
  #onGone: (error: StorageFailedError) => void = () => {}

  constructor(storage: ClientStorage) {
    this.#storage = storage
  }

  /** Calls `listener` whenever something fails because all that was stored is gone. There is one listener. */
  onGone(listener: (error: StorageFailedError) => void): void {
    this.#onGone = listener
  }

  load(prefix: string): Promise<[string, Uint8Array][]> {
    return this.#watched(() => this.#storage.load(prefix))
  }

  write(changes: readonly StorageChange[]): Promise<void> {
    return this.#watched(() => this.#storage.write(changes))
  }

  close(): Promise<void> {
    return this.#watched(() => this.#storage.close())
  }

  async #watched<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (error) {
      const failure = error instanceof StorageFailedError ? error : new StorageFailedError(error)
      if (failure.isGone) this.#onGone(failure)
      throw failure
    }
  }
}
