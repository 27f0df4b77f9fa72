import type { Batch, LogHead, RecordKey, Store, StoredRun } from '../../server/core/store.ts'
import { MemoryStore } from '../../server/storage/memory.ts'

/** A memory store whose commits and reads wait while a test holds them, and which remembers every batch. */
export class HeldStore implements Store {
  readonly inner: MemoryStore
  /** What was committed, in order. */
  readonly batches: Batch[]
  reads = 0
  #isHoldingCommits = false
  #isHoldingReads = false
  readonly #commits: (() => void)[] = []
  readonly #reads: (() => void)[] = []
  #wakers: (() => void)[] = []
  /** While set, every read fails with it. */
  readError: Error | undefined
  #isDead = false

  constructor(inner = new MemoryStore(), batches: Batch[] = []) {
    this.inner = inner
    this.batches = batches
  }

  /** Commits that wait. */
  get heldCommits(): number {
    return this.#commits.length
  }

  get heldReads(): number {
    return this.#reads.length
  }

  holdCommits(): void {
    this.#isHoldingCommits = true
  }

  /** Lets the commits that wait go, in order, and no longer holds any. */
  releaseCommits(): void {
    this.#isHoldingCommits = false
    for (const release of this.#commits.splice(0)) release()
  }

  /** Lets the oldest commit go; later ones are still held. */
  releaseCommit(): void {
    this.#commits.shift()?.()
  }

  holdReads(): void {
    this.#isHoldingReads = true
  }

  releaseReads(): void {
    this.#isHoldingReads = false
    for (const release of this.#reads.splice(0)) release()
  }

  /** The process that uses it is gone: nothing more is written, and whoever waits for that waits for ever. */
  die(): void {
    this.#isDead = true
  }

  /** Resolves once this holds of the store. */
  async until(isSo: (store: HeldStore) => boolean): Promise<void> {
    while (!isSo(this)) await new Promise<void>(resolve => this.#wakers.push(resolve))
  }

  head(account: string): Promise<LogHead | undefined> {
    return this.inner.head(account)
  }

  async read(account: string, after: number, maxBytes: number): Promise<StoredRun[]> {
    this.reads += 1
    // What a slow disk gives is as old as the question.
    const runs = await this.inner.read(account, after, maxBytes)
    if (this.#isHoldingReads) await this.#wait(this.#reads)
    if (this.readError !== undefined) throw this.readError
    return runs
  }

  get(key: RecordKey): Uint8Array | undefined {
    return this.inner.get(key)
  }

  range(prefix: RecordKey, after: RecordKey | undefined, limit: number): [key: RecordKey, value: Uint8Array][] {
    return this.inner.range(prefix, after, limit)
  }

  keys(prefix: RecordKey, limit: number): RecordKey[] {
    return this.inner.keys(prefix, limit)
  }

  async commit(batch: Batch): Promise<void> {
    if (this.#isDead) return new Promise(() => undefined)
    this.batches.push(batch)
    if (this.#isHoldingCommits) await this.#wait(this.#commits)
    await this.inner.commit(batch)
    this.#wake()
  }

  trim(account: string, floor: number): Promise<number> {
    return this.#isDead ? new Promise(() => undefined) : this.inner.trim(account, floor)
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  #wait(waiting: (() => void)[]): Promise<void> {
    return new Promise(resolve => {
      waiting.push(resolve)
      this.#wake()
    })
  }

  #wake(): void {
    for (const waker of this.#wakers.splice(0)) waker()
  }
}

/** The store as it was after these batches: what a crash leaves behind. */
export async function storeAfter(batches: readonly Batch[]): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const batch of batches) await store.commit(batch)
  return store
}

/** A store that holds the logs of these batches and no record: all must be folded anew. */
export const logsOf = (batches: readonly Batch[]): Promise<MemoryStore> =>
  storeAfter(batches.filter(({ appends }) => appends.length > 0).map(({ appends }) => ({ appends, writes: [] })))
