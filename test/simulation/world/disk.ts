import type { Batch, LogHead, RecordKey, Store, StoredRun } from '../../../server/core/store.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import type { Random } from '../../util/random.ts'
import { Life, type Loop } from './loop.ts'

export interface DiskSpeed {
  /** The longest that a flush takes. */
  readonly flushMs: number
  /** The longest that a read takes. */
  readonly readMs: number
  /** What one byte counts as. @see Weather */
  readonly weight: number
}

/** What a store is asked to keep, or to let go of. */
export type Write = Batch | { readonly trimmed: string; readonly floor: number }

/**
 * The hub's disk. It keeps commits whole and in their order, as LMDB does: a crash leaves all that was flushed, and of what was on its way as many of
 * the first commits as chance has it.
 */
export class Disk {
  /** What is on it, in order. */
  readonly writes: Write[] = []
  readonly #loop: Loop
  readonly #random: Random
  readonly #onFlushed: (write: Write) => void
  speed: DiskSpeed
  #underWay: Write[] = []
  #onNextWrite: (() => void) | undefined

  constructor(loop: Loop, random: Random, speed: DiskSpeed, onFlushed: (write: Write) => void) {
    this.#loop = loop
    this.#random = random
    this.speed = speed
    this.#onFlushed = onFlushed
  }

  /** What a process that starts now finds. */
  async open(life: Life): Promise<Store> {
    const flushes: (() => void)[] = []
    const memory = new MemoryStore(() => new Promise(resolve => flushes.push(resolve)))
    const replayed = this.writes.map(write =>
      'trimmed' in write ? memory.trim(write.trimmed, write.floor) : memory.commit(write)
    )
    for (const flush of flushes.splice(0)) flush()
    await Promise.all<unknown>(replayed)
    return new OpenStore(memory, this, life, flushes)
  }

  /** The process that had it open is gone. */
  crash(): void {
    const kept = this.#random.below(this.#underWay.length + 1)
    for (const write of this.#underWay.splice(0).slice(0, kept)) this.#keep(write)
  }

  /** Calls `task` some time in the next write, before that is flushed as a rule. */
  inNextWrite(task: () => void): void {
    this.#onNextWrite = () => this.#loop.after(this.#random.next() * this.speed.flushMs * 0.2, new Life(), task)
  }

  /** True while a commit is not flushed. */
  get isBusy(): boolean {
    return this.#underWay.length > 0
  }

  /** @param done called when this, and all before it, is flushed */
  write(write: Write, life: Life, done: () => void): void {
    this.#underWay.push(write)
    this.#onNextWrite?.()
    this.#onNextWrite = undefined
    this.#loop.after(this.#random.next() ** 3 * this.speed.flushMs, life, () => {
      // A flush takes all that came before it along.
      while (this.#underWay.includes(write)) this.#keep(this.#underWay.shift()!)
      done()
    })
  }

  readDelay(life: Life): Promise<void> {
    return new Promise(resolve => this.#loop.after(this.#random.next() ** 3 * this.speed.readMs, life, resolve))
  }

  #keep(write: Write): void {
    this.writes.push(write)
    this.#onFlushed(write)
  }
}

/** The disk, as one process has it open. */
class OpenStore implements Store {
  readonly #memory: MemoryStore
  readonly #disk: Disk
  readonly #life: Life
  readonly #flushes: (() => void)[]

  constructor(memory: MemoryStore, disk: Disk, life: Life, flushes: (() => void)[]) {
    this.#memory = memory
    this.#disk = disk
    this.#life = life
    this.#flushes = flushes
  }

  async head(account: string): Promise<LogHead | undefined> {
    const head = await this.#memory.head(account)
    await this.#disk.readDelay(this.#life)
    return head
  }

  /** What a slow disk gives is as old as the question. */
  async read(account: string, after: number, maxBytes: number): Promise<StoredRun[]> {
    const runs = await this.#memory.read(account, after, Math.ceil(maxBytes / this.#disk.speed.weight))
    await this.#disk.readDelay(this.#life)
    return runs
  }

  get(key: RecordKey): Uint8Array | undefined {
    return this.#memory.get(key)
  }

  range(prefix: RecordKey, after: RecordKey | undefined, limit: number): [key: RecordKey, value: Uint8Array][] {
    return this.#memory.range(prefix, after, limit)
  }

  keys(prefix: RecordKey, limit: number): RecordKey[] {
    return this.#memory.keys(prefix, limit)
  }

  async commit(batch: Batch): Promise<void> {
    if (this.#life.isOver) return new Promise(() => {})
    const committed = this.#memory.commit(batch)
    const flush = this.#flushes.pop()
    // Without one the batch was refused, and nothing of it is written.
    if (flush !== undefined) this.#disk.write(copyOf(batch), this.#life, flush)
    await committed
  }

  async trim(account: string, floor: number): Promise<number> {
    if (this.#life.isOver) return new Promise(() => {})
    const trimming = this.#memory.trim(account, floor)
    this.#disk.write({ trimmed: account, floor }, this.#life, this.#flushes.pop()!)
    return trimming
  }

  close(): Promise<void> {
    return this.#memory.close()
  }
}

/** Bytes as they were at the call: who gave them may reuse them. */
const copyOf = ({ appends, writes }: Batch): Batch => ({
  appends: appends.map(append => ({
    ...append,
    runs: append.runs.map(run => ({ ...run, run: run.run.slice(), notes: run.notes.slice() }))
  })),
  writes: writes.map(({ key, value }) => ({ key: [...key], value: value?.slice() }))
})
