/** Where an account's log ends. */
export interface LogEnd {
  /** The log's life; another one means that cursors do not compare. */
  readonly epoch: string
  /** The newest cursor; 0 when the log is empty. */
  readonly head: number
}

/** Where an account's log stands. */
export interface LogHead extends LogEnd {
  /** The oldest cursor that can still be read; 1 unless the log was trimmed. */
  readonly floor: number
}

/** Consecutive changes, as they go on the wire, and what only the hub keeps about them. */
export interface StoredRun {
  /** The cursor of the first change. */
  readonly first: number
  readonly count: number
  /** The changes' msgpack arrays, one behind the other. */
  readonly run: Uint8Array
  /** A msgpack array with one value for each change; never sent. */
  readonly notes: Uint8Array
  /** The `changes` frame that is this run, where the store has it without a copy. Shares the run's memory. */
  readonly frame?: Uint8Array
}

/** New changes of one account. */
export interface Append {
  readonly account: string
  /** Creates the log when there is none; else it MUST be the log's own. */
  readonly epoch: string
  /** The head that the writer saw. */
  readonly after: number
  /** Not empty; the first starts at `after + 1`, each next one where the last ended. */
  readonly runs: readonly StoredRun[]
}

/** The key of a record beside the logs: texts that compare one by one. A key sorts before the longer keys that it begins. */
export type RecordKey = readonly string[]

export interface RecordWrite {
  readonly key: RecordKey
  /** Undefined removes the record. */
  readonly value: Uint8Array | undefined
}

/** Everything that one commit is to keep. */
export interface Batch {
  readonly appends: readonly Append[]
  readonly writes: readonly RecordWrite[]
}

/** An append came from someone who had not seen the newest change. Nothing of its batch was written. */
export class StoreConflict extends Error {
  override readonly name = 'StoreConflict'
  readonly account: string
  readonly head: LogEnd | undefined

  constructor(account: string, head: LogEnd | undefined) {
    super(`the log of ${account} is not where the writer saw it`)
    this.account = account
    this.head = head
  }
}

/** What was to be read lies below the floor: it was trimmed. */
export class StoreTrimmed extends Error {
  override readonly name = 'StoreTrimmed'
  readonly floor: number

  constructor(account: string, floor: number) {
    super(`the log of ${account} begins at ${floor}`)
    this.floor = floor
  }
}

/** Bytes in the store are not what was written. Named, never served. */
export class StoreDamage extends Error {
  override readonly name = 'StoreDamage'
}

/** The records whose key begins with `prefix`, in key order and pages of `size`, of which each is read when it is asked for. */
export function* recordPages(
  store: ReadableStore,
  prefix: RecordKey,
  size: number
): Generator<ReturnType<ReadableStore['range']>, undefined> {
  for (let after: RecordKey | undefined; ;) {
    const page = store.range(prefix, after, size)
    yield page
    if (page.length < size) return
    after = page.at(-1)![0]
  }
}

/** A store to read from: only what is durable is seen. Every record carries a checksum, and a read of a damaged one throws `StoreDamage`. */
export interface ReadableStore {
  /** Where the log of `account` stands; undefined when there is none. */
  head(account: string): Promise<LogHead | undefined>
  /**
   * Reads on from a cursor: the stored runs, in order and without a gap, of which the first holds the change `after + 1` (and may begin before it).
   * At least one run when there is a change to read; no further run once `maxBytes` are reached.
   *
   * @throws StoreTrimmed when the change `after + 1` is below the floor
   */
  read(account: string, after: number, maxBytes: number): Promise<StoredRun[]>
  /** The record's value; undefined when there is none. Callers MUST NOT change the bytes. */
  get(key: RecordKey): Uint8Array | undefined
  /** Records whose key begins with `prefix` and, where given, sorts after `after`; in key order, at most `limit`. */
  range(prefix: RecordKey, after: RecordKey | undefined, limit: number): [key: RecordKey, value: Uint8Array][]
  /** The keys of records that begin with `prefix`, in order, at most `limit`. No value is read for them. */
  keys(prefix: RecordKey, limit: number): RecordKey[]
}

/** The change logs of all accounts, and the records that are folded from them, under one transaction. */
export interface Store extends ReadableStore {
  /**
   * Keeps all of a batch or nothing. Resolves when it is flushed to disk.
   *
   * Batches take effect in the order of the calls. When the disk fails, the promise never settles: the engine ends the process,
   * because what a failed flush left behind cannot be known.
   *
   * @throws StoreConflict before anything is written
   */
  commit(batch: Batch): Promise<void>
  /**
   * Lets go of changes below `floor`, which whoever calls MUST have kept elsewhere: of whole runs, as the store has them, never of the newest, and
   * of so few at once that no commit waits for long. So it is called again until the floor stays.
   *
   * @returns the floor that the log has now, once that is flushed to disk. It is not above the one asked for, and does not go back
   */
  trim(account: string, floor: number): Promise<number>
  /** Waits for what was committed, then lets go of the files. */
  close(): Promise<void>
}
