import { realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Logger } from '../core/ports.ts'
import type { Batch, LogHead, RecordKey, Store, StoredRun } from '../core/store.ts'
import { openEnvironment, type Database } from './environment.ts'
import { flushFolder, makeFolder } from './files.ts'
import { checkHead } from './file-head.ts'
import { LOG_LIMITS, Logs, type LogLimits, type Put, type Step } from './logs.ts'
import { named } from './damage.ts'
import { Flushes, type FlushTimes } from './flushes.ts'
import { IdleWork } from './idle-work.ts'
import { claim, type Claim } from './owner.ts'
import { getRecord, keysOfRecords, rangeRecords, sealRecord } from './records.ts'

/** When runs move from the journal into segments. */
export interface StoreLimits extends LogLimits {
  /** After this long without a commit the journal is emptied. */
  readonly idleMs: number
}

export interface LmdbOptions {
  /** The database file; beside it stand `<path>-lock` and `<path>-owner`. Missing folders are made. */
  readonly path: string
  /** Address space to reserve at first, where it is to be less than usual. */
  readonly mapSizeBytes?: number
  readonly logger: Logger
  /**
   * After this long without an answer a flush counts as failed.
   *
   * @default 60_000
   */
  readonly flushTimeoutMs?: number
  /** Takes the store from an owner on another host, which cannot be seen from here. Only when that one is gone for good. */
  readonly takeOver?: boolean
  /** Called once the store is this process's own, before LMDB opens it. */
  readonly inspect?: () => Promise<void>
  /** For tests. */
  readonly limits?: Partial<StoreLimits>
}

/** What a store takes on disk. */
export interface StoreFigures {
  readonly storeBytes: number
  /** The rest is free pages, which are used before the file grows. */
  readonly usedBytes: number
  /** Of these, changes that are in no segment yet. */
  readonly journalBytes: number
  readonly flushes: FlushTimes
}

interface TreeStats {
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

const META_PAGES = 2
const treePages = ({ treeBranchPageCount, treeLeafPageCount, overflowPages }: TreeStats): number =>
  treeBranchPageCount + treeLeafPageCount + overflowPages

const LIMITS: StoreLimits = { ...LOG_LIMITS, idleMs: 60_000 }

/** How often a process looks whether the store is still its own. */
const LOOK_MS = 1_000

const EXIT_LOST = 65
const EXIT_TEMPFAIL = 75
const MOVE_PAUSE_MS = 50

/** The store in one LMDB file. README.md has the record layout, and the facts about LMDB that bind. */
export class LmdbStore implements Store {
  readonly #db: Database
  readonly #path: string
  readonly #claim: Claim
  readonly #logger: Logger
  readonly #logs: Logs
  readonly #idleWork: IdleWork
  readonly #flushes: Flushes
  #looking: NodeJS.Timeout | undefined
  #state: 'open' | 'failed' | 'closed' = 'open'
  #lastCommit: Promise<void> = Promise.resolve()
  #lastCopy: Promise<void> = Promise.resolve()

  private constructor(db: Database, path: string, claimed: Claim, { logger, flushTimeoutMs = 60_000, limits }: LmdbOptions) {
    const { idleMs, ...logLimits } = { ...LIMITS, ...limits }
    this.#db = db
    this.#logs = new Logs(db, logLimits)
    this.#idleWork = new IdleWork(idleMs, MOVE_PAUSE_MS, () => this.#move())
    if (!this.#logs.isAtRest) this.#idleWork.busy()
    this.#path = path
    this.#claim = claimed
    this.#logger = logger
    this.#flushes = new Flushes(flushTimeoutMs, () => {
      this.#state = 'failed'
      kill(new Error(`the disk did not answer a flush within ${flushTimeoutMs} ms`), logger)
    })
    this.#lookLater()
  }

  /**
   * Claims the file for this process, and opens or makes it.
   *
   * @throws Error when another process uses it, naming that one
   * @throws StoreDamage when the file is cut short or is no store, or the journal cannot be read
   */
  static async open(options: LmdbOptions): Promise<LmdbStore> {
    const { path, mapSizeBytes, logger, takeOver = false, inspect } = options
    await makeFolder(dirname(path))
    const real = join(realpathSync(dirname(path)), basename(path))
    const claimed = claim(real, takeOver, logger)
    try {
      await inspect?.()
      // That took a while, and a process in another container cannot tell that this one is alive.
      if (!(await claimed.isHeld())) throw new Error(`another process has claimed ${real} meanwhile`)
      await checkHead(real, true)
      const db = named(path, () => openEnvironment(real, mapSizeBytes))
      try {
        await flushFolder(dirname(real))
        return named(path, () => new LmdbStore(db, real, claimed, options))
      } catch (error) {
        await db.close()
        throw error
      }
    } catch (error) {
      claimed.release()
      throw error
    }
  }

  async head(account: string): Promise<LogHead | undefined> {
    this.#mustBeOpen()
    return named(`the log of ${account}`, () => this.#logs.head(account))
  }

  async read(account: string, after: number, maxBytes: number): Promise<StoredRun[]> {
    this.#mustBeOpen()
    return named(`the log of ${account}`, () => this.#logs.read(account, after, maxBytes))
  }

  get(key: RecordKey): Uint8Array | undefined {
    this.#mustBeOpen()
    return getRecord(this.#db, key)
  }

  range(prefix: RecordKey, after: RecordKey | undefined, limit: number): [key: RecordKey, value: Uint8Array][] {
    this.#mustBeOpen()
    return rangeRecords(this.#db, prefix, after, limit)
  }

  keys(prefix: RecordKey, limit: number): RecordKey[] {
    this.#mustBeOpen()
    return keysOfRecords(this.#db, prefix, limit)
  }

  async commit({ appends, writes }: Batch): Promise<void> {
    this.#mustBeOpen()
    if (appends.length === 0 && writes.length === 0) return
    const step = named('the logs', () => this.#logs.plan(appends))
    const records = writes.map(sealRecord)
    this.#idleWork.busy()
    return this.#begin(step, records)
  }

  async trim(account: string, floor: number): Promise<number> {
    this.#mustBeOpen()
    // An earlier trimming is to be seen: else this one would remove the same segments again.
    await this.#lastCommit
    this.#mustBeOpen()
    const trimming = named(`the log of ${account}`, () => this.#logs.planTrim(account, floor))
    if (trimming === undefined) return this.#logs.floor(account)
    await this.#begin(this.#logs.plan([]), trimming.puts)
    return trimming.floor
  }

  /** What the file holds, and how long its flushes take. */
  get figures(): StoreFigures {
    this.#mustBeOpen()
    // Not in lmdb's types.
    const stats = this.#db.getStats() as Record<'pageSize' | 'lastPageNumber' | keyof TreeStats, number> & { free: TreeStats }
    const pages = treePages(stats) + treePages(stats.free)
    return {
      storeBytes: (stats.lastPageNumber + 1) * stats.pageSize,
      usedBytes: (pages + META_PAGES) * stats.pageSize,
      journalBytes: this.#logs.journalBytes,
      flushes: this.#flushes.times
    }
  }

  /**
   * Makes a copy of the file, in which is what was committed so far, while commits go on; one copy after the other. There MUST be no such file.
   * @param begins is called before each copy, and may refuse it by throwing
   */
  copyTo(path: string, begins = async (): Promise<void> => {}): Promise<void> {
    const copying = this.#lastCopy.then(async () => {
      this.#mustBeOpen()
      await begins()
      try {
        await this.#db.backup(path, false)
      } catch (error) {
        await rm(path, { force: true })
        throw error
      }
    })
    this.#lastCopy = copying.catch(() => undefined)
    return copying
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#mustBeOpen()
    this.#state = 'closed'
    this.#idleWork.stop()
    await this.#lastCommit
    // LMDB closes the file under the thread that copies it.
    await this.#lastCopy
    this.#flushes.stop()
    clearTimeout(this.#looking)
    await this.#db.close()
    this.#claim.release()
  }

  /** Behind the last look: of a disk that hangs, each would keep a thread that others need. */
  #lookLater(): void {
    this.#looking = setTimeout(() => void this.#look(), LOOK_MS).unref()
  }

  /** What is written behind the back of a new owner, or into a file that no path leads to, is lost though it is acked. */
  async #look(): Promise<void> {
    const isHeld = await this.#claim.isHeld()
    if (this.#state !== 'open') return
    if (isHeld) return this.#lookLater()
    this.#state = 'failed'
    this.#logger.error(
      { path: this.#path },
      'the store was moved or removed, or another process has claimed it: this one ends; start the hub on the folder that holds the store'
    )
    process.exit(EXIT_LOST)
  }

  #mustBeOpen(): void {
    if (this.#state !== 'open') throw new Error(`the store ${this.#path} is ${this.#state}`)
  }

  /** Moves a slice of the journal into segments; false when there is nothing left to move. */
  async #move(): Promise<boolean> {
    if (this.#state !== 'open') return false
    const step = this.#logs.plan([], true)
    if (step.puts.length > 0) await this.#begin(step, [])
    return !this.#logs.isAtRest
  }

  #begin(step: Step, records: readonly Put[]): Promise<void> {
    this.#lastCommit = this.#write(step, records)
    return this.#lastCommit
  }

  /** What lmdb-js was given it keeps, whatever throws later: so nothing may, and if it does, this process must not go on. */
  async #write(step: Step, records: readonly Put[]): Promise<void> {
    const earlier = this.#lastCommit
    const beganMs = this.#flushes.began()
    try {
      let flushed: Promise<boolean> | undefined
      // Puts of one turn of the event loop are one transaction; all of them get its promise.
      for (const puts of [step.puts, records])
        for (const [key, record] of puts) flushed = record === undefined ? this.#db.remove(key) : this.#db.put(key, record)
      this.#logs.begin(step)
      await flushed
    } catch (error) {
      return this.#fail(error as Error & { commitError?: Promise<never> })
    }
    // Of a turn with very many puts, lmdb-js settles the first commit last.
    await earlier
    this.#flushes.ended(beganMs)
    this.#logs.settle(step)
  }

  async #fail(error: Error & { commitError?: Promise<never> }): Promise<never> {
    const isFirst = this.#state !== 'failed'
    this.#state = 'failed'
    // The reason comes as a second rejection, at most a turn later.
    const reason = error.commitError?.catch((reason: Error) => reason)
    if (isFirst) exit((await Promise.race([reason, setImmediate()])) ?? error, this.#logger)
    return new Promise(() => {})
  }
}

/** LMDB's pages in memory are no longer those on disk: nobody may go on with them. */
function exit(error: Error, logger: Logger): void {
  logger.error({ err: error }, 'the store could not be written; the process ends')
  process.exit(EXIT_TEMPFAIL)
}

/** An orderly exit would wait for the thread that flushes. */
function kill(error: Error, logger: Logger): void {
  logger.error({ err: error }, 'the disk does not answer; the process is killed')
  process.kill(process.pid, 'SIGKILL')
}
