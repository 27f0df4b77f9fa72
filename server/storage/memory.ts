import { firstIndex } from '../core/first-index.ts'
import { StoreTrimmed, type Batch, type LogEnd, type LogHead, type RecordKey, type Store, type StoredRun } from '../core/store.ts'
import { headAfter } from './heads.ts'
import { recordKey } from './keys.ts'

/** Runs that one trimming takes at most. */
const TRIMMED_RUNS = 64

interface Log {
  head: LogEnd
  floor: number
  readonly runs: StoredRun[]
}

interface Entry {
  readonly sortKey: string
  readonly key: RecordKey
  readonly value: Uint8Array
}

/** A text whose units are the bytes of the stored key, so that it compares as they do. */
const sortKeyOf = (key: RecordKey): string => recordKey(key).toString('latin1')

/**
 * The store in memory: what the other engines are compared with, and what tests of the core run on.
 * As in them, nothing of a commit is to be read before it has resolved.
 */
export class MemoryStore implements Store {
  readonly #flush: () => Promise<void>
  readonly #logs = new Map<string, Log>()
  /** By sort key. */
  readonly #records: Entry[] = []
  /** Where logs will stand once the commits under way have resolved. */
  readonly #expected = new Map<string, LogEnd>()
  #lastCommit: Promise<void> = Promise.resolve()
  #isClosed = false

  /** @param flush stands for the disk: a commit becomes visible and resolves behind it. At once by default */
  constructor(flush: () => Promise<void> = async () => {}) {
    this.#flush = flush
  }

  async head(account: string): Promise<LogHead | undefined> {
    this.#mustBeOpen()
    const log = this.#logs.get(account)
    return log && { ...log.head, floor: log.floor }
  }

  async read(account: string, after: number, maxBytes: number): Promise<StoredRun[]> {
    this.#mustBeOpen()
    const { runs: all = [], floor = 1 } = this.#logs.get(account) ?? {}
    if (after + 1 < floor) throw new StoreTrimmed(account, floor)
    const found: StoredRun[] = []
    let sizeBytes = 0
    for (let index = firstIndex(all.length, at => all[at]!.first + all[at]!.count <= after + 1); index < all.length; index++) {
      const run = all[index]!
      found.push({ ...run, run: copyOf(run.run), notes: copyOf(run.notes) })
      sizeBytes += run.run.length
      if (sizeBytes >= maxBytes) break
    }
    return found
  }

  get(key: RecordKey): Uint8Array | undefined {
    this.#mustBeOpen()
    const sortKey = sortKeyOf(key)
    const entry = this.#records[this.#find(sortKey)]
    return entry?.sortKey === sortKey ? copyOf(entry.value) : undefined
  }

  range(prefix: RecordKey, after: RecordKey | undefined, limit: number): [key: RecordKey, value: Uint8Array][] {
    this.#mustBeOpen()
    const begin = sortKeyOf(prefix)
    const behind = after === undefined ? '' : sortKeyOf(after)
    const found: [RecordKey, Uint8Array][] = []
    for (let index = this.#find(behind > begin ? behind : begin); index < this.#records.length && found.length < limit; index++) {
      const { sortKey, key, value } = this.#records[index]!
      if (!sortKey.startsWith(begin)) break
      if (sortKey !== behind) found.push([key, copyOf(value)])
    }
    return found
  }

  keys(prefix: RecordKey, limit: number): RecordKey[] {
    return this.range(prefix, undefined, limit).map(([key]) => key)
  }

  async commit({ appends, writes }: Batch): Promise<void> {
    this.#mustBeOpen()
    const planned = new Map<string, LogEnd>()
    for (const append of appends)
      planned.set(append.account, headAfter(append, planned.get(append.account) ?? this.#expected.get(append.account)))
    const runs = appends.flatMap(({ account, runs }) =>
      runs.map(run => ({ account, run: { ...run, run: copyOf(run.run), notes: copyOf(run.notes) } }))
    )
    const entries = writes.map(({ key, value }) => ({ sortKey: sortKeyOf(key), key: [...key], value: value && copyOf(value) }))
    for (const [account, head] of planned) this.#expected.set(account, head)
    const earlier = this.#lastCommit
    const commit = this.#flush().then(async () => {
      await earlier
      for (const [account, head] of planned) this.#logOf(account, head).head = head
      for (const { account, run } of runs) this.#logs.get(account)!.runs.push(run)
      for (const { sortKey, key, value } of entries) this.#write(sortKey, key, value)
    })
    this.#lastCommit = commit
    return commit
  }

  async trim(account: string, floor: number): Promise<number> {
    this.#mustBeOpen()
    const earlier = this.#lastCommit
    const trimming = this.#flush().then(async () => {
      await earlier
      const log = this.#logs.get(account)
      let count = 0
      const goes = (next: StoredRun | undefined): boolean => next !== undefined && next.first <= floor
      while (count < TRIMMED_RUNS && goes(log?.runs[count + 1])) count++
      if (log === undefined || count === 0) return log?.floor ?? 1
      log.runs.splice(0, count)
      log.floor = log.runs[0]!.first
      return log.floor
    })
    this.#lastCommit = trimming.then(() => undefined)
    return trimming
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#lastCommit
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new Error('the store is closed')
  }

  #logOf(account: string, head: LogEnd): Log {
    let log = this.#logs.get(account)
    if (log === undefined) this.#logs.set(account, (log = { head, floor: 1, runs: [] }))
    return log
  }

  #find(sortKey: string): number {
    return firstIndex(this.#records.length, index => this.#records[index]!.sortKey < sortKey)
  }

  #write(sortKey: string, key: RecordKey, value: Uint8Array | undefined): void {
    const index = this.#find(sortKey)
    const isThere = this.#records[index]?.sortKey === sortKey
    if (value !== undefined) this.#records.splice(index, isThere ? 1 : 0, { sortKey, key, value })
    else if (isThere) this.#records.splice(index, 1)
  }
}

/** `slice` of a Node buffer would be a view, and keep all that it was cut from. */
const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)
