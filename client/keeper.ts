import type { Clock } from './clock.ts'
import { StorageFailedError, type ClientStorage, type StorageChange } from './storage.ts'

/** What is to be stored now: taken out of the mirror and the documents in one go. */
export interface Batch {
  readonly changes: readonly StorageChange[]
  /** The changes are durable, and with them all that was taken before. */
  readonly onKept: () => void
}

export interface KeeperOptions {
  readonly storage: ClientStorage
  readonly clock: Clock
  /** What the keys begin with that `wipe` removes. */
  readonly prefixes: readonly string[]
  /** What to write when these entries, and those that never came into storage, are removed. */
  readonly wiped: (entries: readonly StorageChange[]) => Promise<readonly StorageChange[]>
  readonly take: () => Batch
  readonly onError: (error: Error) => void
}

const GATHER_MS = 200
const RETRY_MS = 5_000

/**
 * Stores what the hub has told: many changes in one write, and always the cursor with all that it stands for, so that a crash
 * can only take back both.
 */
export class Keeper {
  readonly #options: KeeperOptions
  #cancelTimer: (() => void) | undefined
  #writing: Promise<void> = Promise.resolve()
  /** What storage did not take. */
  #failed: readonly StorageChange[] = []
  #isWipeDue = false
  /** What was to be stored when it was wiped. */
  #dropped: StorageChange[] = []
  #isStopped = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Stores within a moment. */
  schedule(delayMs = GATHER_MS): void {
    if (!this.#isStopped) this.#cancelTimer ??= this.#options.clock.after(delayMs, () => void this.flush())
  }

  /**
   * The next write removes all that was stored of the account before.
   * @param unstored what was to be stored, and was not taken yet
   */
  wipe(unstored: readonly StorageChange[] = []): void {
    this.#isWipeDue = true
    this.#dropped = [...this.#dropped, ...this.#failed, ...unstored]
    this.#failed = []
    this.schedule()
  }

  /** What storage was given and has not taken yet. */
  get untaken(): readonly StorageChange[] {
    return this.#failed
  }

  /** Resolves when everything so far was given to storage; failures go to `onError`. */
  flush(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Stores a last time. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.flush()
  }

  async #write(): Promise<void> {
    const { storage, take, onError } = this.#options
    try {
      const wiped = this.#isWipeDue ? await this.#wiping() : []
      // Here and not before the reading: nothing was written since, so that this does for a wipe that became due meanwhile too.
      this.#isWipeDue = false
      const batch = take()
      // No arguments of a call: there may be more of them than one takes.
      const changes = [...wiped, ...this.#failed, ...batch.changes]
      this.#failed = changes
      if (changes.length > 0) await storage.write(changes)
      if (this.#failed === changes) this.#failed = []
      batch.onKept()
    } catch (error) {
      // To storage that is gone nothing can be written any more, and the client is closed for it.
      if (!(error instanceof StorageFailedError && error.isGone)) this.schedule(RETRY_MS)
      onError(error as Error)
    }
  }

  async #wiping(): Promise<StorageChange[]> {
    const { storage, prefixes, wiped } = this.#options
    for (;;) {
      const entries = (await Promise.all(prefixes.map(prefix => storage.load(prefix)))).flat()
      const { length } = this.#dropped
      const kept = await wiped([...entries, ...this.#dropped])
      // Another wipe may have dropped more meanwhile.
      if (length !== this.#dropped.length) continue
      this.#dropped = []
      return [...entries.map(([key]): StorageChange => [key, undefined]), ...kept]
    }
  }
}
