import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Logger } from '../core/ports.ts'
import { StoreDamage, type Batch, type LogHead, type RecordKey, type Store, type StoredRun } from '../core/store.ts'
import { openEnvironment, type Database } from './environment.ts'
import { flushFolder, makeFolder } from './files.ts'
import { FLOOR, Heads } from './heads.ts'
import { behind, epochKey, next, recordKey, recordParts, runKey, runPrefix } from './keys.ts'
import { mendLength } from './length.ts'
import { keySum, openRun, openValue, sealRun, sealValue } from './layout.ts'
import { claim, inUse, release, type Owner } from './owner.ts'

type Write = readonly [key: Buffer, record: Buffer | undefined]

export interface LmdbOptions {
  /** The database file; beside it stands `<path>-lock`. Missing folders are made. */
  readonly path: string
  /**
   * Address space to reserve at first. Past it the file grows on, at the cost of a new mapping. Takes no memory and no disk.
   *
   * @default 68_719_476_736 (64 GiB)
   */
  readonly mapSizeBytes?: number
  readonly logger: Logger
  /**
   * Called once, when a commit failed. MUST end the process: LMDB's pages in memory are then no longer those on disk.
   *
   * @default logs and exits with 75 (EX_TEMPFAIL)
   */
  readonly onFatal?: (error: Error) => void
  /** Takes the store from an owner on another host, which cannot be seen from here. Only when that one is gone for good. */
  readonly takeOver?: boolean
}

const EXIT_TEMPFAIL = 75
const REMEMBERED_HEADS = 10_000
/** MDB_PAGE_NOTFOUND, _CORRUPTED, _VERSION_MISMATCH, _INVALID, and _BAD_TXN, which the other reads of the same turn then get (lmdb.h). */
const DAMAGE_CODES = new Set<unknown>([-30797, -30796, -30794, -30793, -30782])

/** Files that this process has open. LMDB would share its environment between two stores, and their transactions would mix. */
const opened = new Set<string>()

/** The store in one LMDB file. README.md has the record layout, and the facts about LMDB that bind. */
export class LmdbStore implements Store {
  readonly #db: Database
  readonly #path: string
  readonly #owner: Owner
  readonly #onFatal: (error: Error) => void
  readonly #heads = new Heads(account => named(`the log of ${account}`, () => this.#loadHead(account)), REMEMBERED_HEADS)
  #state: 'open' | 'failed' | 'closed' = 'open'
  #lastCommit: Promise<void> = Promise.resolve()

  private constructor(db: Database, path: string, owner: Owner, onFatal: (error: Error) => void) {
    this.#db = db
    this.#path = path
    this.#owner = owner
    this.#onFatal = onFatal
  }

  /**
   * Opens the file, or makes it, and claims it for this process.
   *
   * @throws Error when another process uses it, naming that one
   * @throws StoreDamage when the file is cut short or is no store, or the claim of the last owner cannot be read
   */
  static async open({ path, mapSizeBytes = 2 ** 36, logger, onFatal, takeOver = false }: LmdbOptions): Promise<LmdbStore> {
    await makeFolder(dirname(path))
    const real = join(realpathSync(dirname(path)), basename(path))
    if (opened.has(real)) throw inUse(process.pid, path)
    opened.add(real)
    try {
      await mendLength(real)
      const db = named(path, () => openEnvironment(real, mapSizeBytes))
      try {
        await flushFolder(dirname(real))
        const owner = named(path, () => claim(db, path, takeOver, logger))
        return new LmdbStore(db, real, owner, onFatal ?? (error => exit(error, logger)))
      } catch (error) {
        await db.close()
        throw error
      }
    } catch (error) {
      opened.delete(real)
      throw error
    }
  }

  async head(account: string): Promise<LogHead | undefined> {
    this.#mustBeOpen()
    return this.#heads.durable(account)
  }

  async read(account: string, after: number, maxBytes: number): Promise<StoredRun[]> {
    this.#mustBeOpen()
    return named(`the log of ${account}`, () => this.#read(account, after, maxBytes))
  }

  #read(account: string, after: number, maxBytes: number): StoredRun[] {
    const prefix = runPrefix(account)
    const sum = keySum(prefix)
    const end = behind(prefix)
    const runs: StoredRun[] = []
    const [holding] = this.#db.getRange({ start: runKey(prefix, after + 1), end: prefix, reverse: true, limit: 1 })
    let expected = holding === undefined ? after + 1 : openRun(holding.value, sum, `the log of ${account} at ${after + 1}`).first
    let sizeBytes = 0
    for (const { value } of this.#db.getRange({ start: runKey(prefix, expected), end })) {
      const run = openRun(value, sum, `the log of ${account} at ${expected}`)
      if (run.first !== expected) throw new StoreDamage(`the log of ${account} lacks ${expected}`)
      expected = run.first + run.count
      if (expected <= after + 1) continue
      runs.push(run)
      sizeBytes += run.run.length
      if (sizeBytes >= maxBytes) break
    }
    return runs
  }

  get(key: RecordKey): Uint8Array | undefined {
    this.#mustBeOpen()
    const stored = recordKey(key)
    const name = `the record ${key.join('/')}`
    const record = named(name, () => this.#db.getBinary(stored))
    return record && openValue(record, keySum(stored), name)
  }

  range(prefix: RecordKey, after: RecordKey | undefined, limit: number): [key: RecordKey, value: Uint8Array][] {
    this.#mustBeOpen()
    const first = recordKey(prefix)
    const start = after === undefined ? first : next(recordKey(after))
    const bounds = { start: Buffer.compare(start, first) < 0 ? first : start, end: behind(first), limit }
    return named(`the records under ${prefix.join('/')}`, () => {
      const found: [RecordKey, Uint8Array][] = []
      for (const { key, value } of this.#db.getRange(bounds)) {
        const parts = recordParts(key)
        found.push([parts, openValue(value, keySum(key), `the record ${parts.join('/')}`)])
      }
      return found
    })
  }

  async commit(batch: Batch): Promise<void> {
    this.#mustBeOpen()
    const planned = this.#heads.plan(batch.appends)
    const writes = this.#encode(batch)
    if (writes.length === 0) return
    this.#heads.begin(planned)
    this.#lastCommit = this.#write(writes, planned)
    return this.#lastCommit
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#mustBeOpen()
    this.#state = 'closed'
    await this.#lastCommit
    release(this.#db, this.#owner)
    await this.#db.close()
    opened.delete(this.#path)
  }

  #mustBeOpen(): void {
    if (this.#state !== 'open') throw new Error(`the store ${this.#path} is ${this.#state}`)
  }

  /** Everything that could throw about a batch, before its first put. */
  #encode({ appends, writes }: Batch): Write[] {
    const encoded: Write[] = []
    for (const { account, epoch, after, runs } of appends) {
      if (after === 0) {
        const key = epochKey(account)
        encoded.push([key, sealValue(Buffer.from(epoch), keySum(key))])
      }
      const prefix = runPrefix(account)
      const sum = keySum(prefix)
      for (const run of runs) encoded.push([runKey(prefix, run.first), sealRun(run, sum)])
    }
    for (const { key, value } of writes) {
      const stored = recordKey(key)
      encoded.push([stored, value && sealValue(value, keySum(stored))])
    }
    return encoded
  }

  /** What lmdb-js was given it keeps, whatever throws later: so nothing may, and if it does, this process must not go on. */
  async #write(writes: readonly Write[], planned: ReadonlyMap<string, LogHead>): Promise<void> {
    try {
      let flushed: Promise<boolean> | undefined
      // Puts of one turn of the event loop are one transaction; all of them get its promise.
      for (const [key, record] of writes) flushed = record === undefined ? this.#db.remove(key) : this.#db.put(key, record)
      await flushed
    } catch (error) {
      return this.#fail(error as Error & { commitError?: Promise<never> })
    }
    this.#heads.settle(planned)
  }

  async #fail(error: Error & { commitError?: Promise<never> }): Promise<never> {
    const isFirst = this.#state !== 'failed'
    this.#state = 'failed'
    // The reason comes as a second rejection, at most a turn later.
    const reason = error.commitError?.catch((reason: Error) => reason)
    if (isFirst) this.#onFatal((await Promise.race([reason, setImmediate()])) ?? error)
    return new Promise(() => {})
  }

  #loadHead(account: string): LogHead | undefined {
    const key = epochKey(account)
    const record = this.#db.getBinary(key)
    const prefix = runPrefix(account)
    const [newest] = this.#db.getRange({ start: behind(prefix), end: prefix, reverse: true, limit: 1 })
    if (record === undefined && newest === undefined) return undefined
    if (record === undefined || newest === undefined) throw new StoreDamage(`the log of ${account} is incomplete`)
    const { first, count } = openRun(newest.value, keySum(prefix), `the end of the log of ${account}`)
    if (!this.#db.doesExist(runKey(prefix, first))) throw new StoreDamage(`the log of ${account} lacks ${first}`)
    const epoch = Buffer.from(openValue(record, keySum(key), `the epoch of ${account}`)).toString()
    return { epoch, head: first + count - 1, floor: FLOOR }
  }
}

/** @throws StoreDamage in place of the errors with which LMDB refuses a damaged page */
function named<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!DAMAGE_CODES.has((error as { code?: unknown }).code)) throw error
    throw new StoreDamage(`${name} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

function exit(error: Error, logger: Logger): void {
  logger.error({ err: error }, 'the store could not be written; the process ends')
  process.exit(EXIT_TEMPFAIL)
}
