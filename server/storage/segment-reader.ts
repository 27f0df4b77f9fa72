import { frameInPlace } from '../../protocol/index.ts'
import { StoreDamage, StoreTrimmed, type StoredRun } from '../core/store.ts'
import type { Reading } from './environment.ts'
import { runKey, runPrefix } from './keys.ts'
import { keySum, openRun, RUN_HEAD_BYTES } from './layout.ts'
import { SegmentCache } from './segment-cache.ts'
import { floorOf } from './trim.ts'

const CACHE_BYTES = 33_554_432
/** Shorter ones are as soon read again. */
const CACHED_FROM_BYTES = 16_384

/** Reads segments from the file: checked, in order, without a gap. */
export class SegmentReader {
  readonly #db: Reading
  readonly #cache = new SegmentCache(CACHE_BYTES)

  constructor(db: Reading) {
    this.#db = db
  }

  /**
   * Adds what segments hold of the changes behind `after` and before `before`, of which there MUST be one.
   *
   * @returns true when there is room for more
   * @throws StoreDamage, StoreTrimmed
   */
  read(account: string, after: number, before: number, maxBytes: number, into: StoredRun[]): boolean {
    // Asked first: the cache may hold some of what was trimmed, and not what follows it.
    const floor = floorOf(this.#db, account)
    if (after + 1 < floor) throw new StoreTrimmed(account, floor)
    const prefix = runPrefix(account)
    const sum = keySum(prefix)
    let bytes = 0
    let run = this.#find(account, prefix, sum, after + 1) ?? this.#holding(account, prefix, sum, after + 1)
    for (;;) {
      const next = run.first + run.count
      if (next <= after + 1) throw new StoreDamage(`the log of ${account} lacks ${after + 1}`)
      into.push(run)
      bytes += run.run.length
      if (bytes >= maxBytes) return false
      if (next >= before) return true
      run = this.#find(account, prefix, sum, next) ?? lacking(account, next)
    }
  }

  /** The segment that begins with the change `first`. */
  #find(account: string, prefix: Buffer, sum: number, first: number): StoredRun | undefined {
    const cached = this.#cache.get(account, first)
    if (cached !== undefined) return cached
    const record = this.#db.getBinary(runKey(prefix, first))
    if (record === undefined) return undefined
    const run = open(record, sum, account, first)
    if (run.first !== first) throw new StoreDamage(`the log of ${account} at ${first} is not what was written`)
    if (record.length >= CACHED_FROM_BYTES) this.#cache.add(account, run)
    return run
  }

  /** The segment that holds the change `cursor`, and begins before it. */
  #holding(account: string, prefix: Buffer, sum: number, cursor: number): StoredRun {
    const [holding] = this.#db.getRange({ start: runKey(prefix, cursor), end: prefix, reverse: true, limit: 1 })
    return holding === undefined ? lacking(account, cursor) : open(holding.value, sum, account, cursor)
  }
}

/** The record becomes the run's frame: it is the reader's own copy, and its head is needed no more. */
function open(record: Buffer, sum: number, account: string, cursor: number): StoredRun {
  const run = openRun(record, sum, `the log of ${account} at ${cursor}`)
  return { ...run, frame: frameInPlace(record, RUN_HEAD_BYTES, RUN_HEAD_BYTES + run.run.length, run.count) }
}

function lacking(account: string, cursor: number): never {
  throw new StoreDamage(`the log of ${account} lacks ${cursor}`)
}
