/** One change of a storage: bytes to keep under the key, or undefined to remove it. */
export type StorageChange = readonly [key: string, bytes: Uint8Array | undefined]

/**
 * Where a client keeps its outbox and its mirror of the account: ordered keys with bytes.
 *
 * One open storage serves one client. Implementations MUST apply the changes of one `write` all or none, in their order, and `write` calls in the
 * order in which they were made.
 */
export interface ClientStorage {
  /** Every key that begins with `prefix`, by rising UTF-16 code units. Shows every write that has resolved. */
  load(prefix: string): Promise<[key: string, bytes: Uint8Array][]>
  /** Resolves when the changes are durable. The bytes MUST NOT change afterwards. */
  write(changes: readonly StorageChange[]): Promise<void>
  /** Resolves when everything written is durable and the storage may be opened again. */
  close(): Promise<void>
}

/** Another page or process has the storage open. Two clients with one outbox would take each other's answers. */
export class StorageTakenError extends Error {
  override readonly name = 'StorageTakenError'

  constructor(name: string) {
    super(`the storage ${name} is in use by another page or process`)
  }
}

/** The storage did not do what it was asked to: a full disk, a database that the browser took away. `cause` is what it threw. */
export class StorageFailedError extends Error {
  override readonly name = 'StorageFailedError'
  /** It is no error of a hub. */
  declare readonly code?: undefined
  /** True when what was stored is gone for good. The client is closed for it: storage that is opened anew begins with nothing, and with an outbox of its own. */
  readonly isGone: boolean

  constructor(cause: unknown, { isGone = false } = {}) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(isGone ? `the storage is gone: ${why}; close the client and open another` : `the storage failed: ${why}`, { cause })
    this.isGone = isGone
  }
}

/** Keeps everything until the process ends or the page is closed: for tests, and for clients that may forget. */
export class MemoryStorage implements ClientStorage {
  readonly #entries = new Map<string, Uint8Array>()

  load(prefix: string): Promise<[string, Uint8Array][]> {
    const found = [...this.#entries].filter(([key]) => key.startsWith(prefix))
    return Promise.resolve(found.sort(([left], [right]) => (left < right ? -1 : 1)))
  }

  write(changes: readonly StorageChange[]): Promise<void> {
    for (const [key, bytes] of changes) {
      if (bytes === undefined) this.#entries.delete(key)
      else this.#entries.set(key, alone(bytes))
    }
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** The bytes in a buffer of their own: whoever keeps a view keeps all that is around it, such as the packer's whole buffer. */
export const alone = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
