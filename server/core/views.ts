import { decodeValue, encodeValue, type Plain } from '../../protocol/index.ts'
import { noteActivity, SOURCES, type Source } from './activity.ts'
import { ChangedRecords } from './changed-records.ts'
import { storedPositions } from './position-history.ts'
import type { Table, Tables } from './records.ts'
import type { ReadableStore, RecordWrite } from './store.ts'

/** Parts of a key hold no control characters, so that this parts them. */
export const SEPARATOR = '\u0000'

/**
 * The records of one account: those of the store, under those that changed since they were last stored.
 *
 * The log is what is durable; records follow it. So a record that changes with every page turn is stored once in a while, and after a
 * crash is folded again from the log's tail.
 */
export class Views {
  readonly #store: ReadableStore
  readonly #account: string
  #changed = new ChangedRecords()
  /** The records that were given to a commit which has not resolved: the store does not show them yet. */
  #storing = new ChangedRecords()
  /** Tables of which the store was found to hold nothing: most accounts use few, and who joins reads all. */
  readonly #empty = new Set<Table>()

  constructor(store: ReadableStore, account: string) {
    this.#store = store
    this.#account = account
  }

  /** How many records await storing. */
  get changedCount(): number {
    return this.#changed.size
  }

  get<T extends Table>(table: T, ...key: string[]): Tables[T] | undefined {
    const record = this.#changed.get(table, key) ?? this.#storing.get(table, key)
    if (record !== undefined) return record.value as Tables[T] | undefined
    const bytes = this.#store.get([this.#account, table, ...key])
    return bytes === undefined ? undefined : (decodeValue(bytes) as unknown as Tables[T])
  }

  /** A record to change in place: it is among the changed ones from now on. `fresh` makes one when there is none. */
  edit<T extends Table>(table: T, key: readonly string[], fresh: () => Tables[T]): Tables[T] {
    const changed = this.#changed.get(table, key)
    if (changed?.value !== undefined) return changed.value as Tables[T]
    const value = this.get(table, ...key) ?? fresh()
    this.#changed.set(table, key, value)
    return value
  }

  put<T extends Table>(table: T, key: readonly string[], value: Tables[T]): void {
    this.#changed.set(table, key, value)
  }

  remove(table: Table, ...key: string[]): void {
    this.#changed.set(table, key, undefined)
  }

  /**
   * Records of a table whose key begins with `prefix` and sorts after `after`; in key order, at most `limit`. Keys come without the prefix, their parts
   * joined by `SEPARATOR`, as in `after`.
   */
  range<T extends Table>(table: T, prefix: readonly string[], after: string, limit: number): [key: string, value: Tables[T]][] {
    const over = this.#unstored(table, prefix, after)
    let removed = 0
    for (const value of over.values()) if (value === undefined) removed += 1
    const start = [this.#account, table, ...prefix]
    const behind = after === '' ? undefined : [...start, ...after.split(SEPARATOR)]
    const found: [key: string, value: Tables[T]][] = []
    const stored = this.#empty.has(table) ? [] : this.#store.range(start, behind, limit + removed)
    if (stored.length === 0 && prefix.length === 0 && after === '' && limit > 0) this.#empty.add(table)
    for (const [parts, bytes] of stored) {
      const key = parts.slice(start.length).join(SEPARATOR)
      if (!over.has(key)) found.push([key, decodeValue(bytes) as unknown as Tables[T]])
    }
    if (over.size === 0) return found
    for (const [key, value] of over) if (value !== undefined) found.push([key, value])
    return found.sort(([left], [right]) => compareText(left, right)).slice(0, limit)
  }

  /** How many records of a table have a key that begins with `prefix`, counted up to `most`. None of them is read. */
  count(table: Table, prefix: readonly string[], most: number): number {
    const start = [this.#account, table, ...prefix]
    const over = this.#unstored(table, prefix, '')
    const stored = this.#store.keys(start, most + over.size)
    const keys = new Set(stored.map(parts => parts.slice(start.length).join(SEPARATOR)))
    for (const [key, value] of over)
      if (value === undefined) keys.delete(key)
      else keys.add(key)
    return Math.min(keys.size, most)
  }

  /** The records of such a range, in pages of `size`. Each is read when it is asked for, so what changed since the one before shows behind it. */
  *pages<T extends Table>(
    table: T,
    prefix: readonly string[],
    size: number
  ): Generator<[key: string, value: Tables[T]][], undefined> {
    for (let after = ''; ;) {
      const page = this.range(table, prefix, after, size)
      yield page
      if (page.length < size) return
      after = page.at(-1)![0]
    }
  }

  /** The records of such a range that the store does not show yet. */
  #unstored<T extends Table>(table: T, prefix: readonly string[], after: string): Map<string, Tables[T] | undefined> {
    const unstored = new Map<string, Tables[T] | undefined>()
    for (const records of [this.#storing, this.#changed])
      for (const { key: parts, value } of records.under(table, prefix)) {
        const key = parts.slice(1 + prefix.length).join(SEPARATOR)
        if (after === '' || compareText(key, after) > 0) unstored.set(key, value as Tables[T] | undefined)
      }
    return unstored
  }

  /** Brings the index of what changed when up to the changed records. It is made here and not by the fold of each change, because most are of the same few books. */
  noteActivity(): void {
    for (const table of SOURCES)
      for (const { key, value } of this.#changed.under(table, []))
        if (value !== undefined) noteActivity(this, table, key[1]!, value as Tables[Source])
  }

  /** The changed records, for the next commit. */
  takeWrites(): RecordWrite[] {
    this.noteActivity()
    this.#storing = this.#changed
    this.#changed = new ChangedRecords()
    return Array.from(this.#storing.all(), ({ key, value }) => ({
      key: [this.#account, ...key],
      value: value && encodeRecord(key[0], value)
    }))
  }

  /** The commit of what `takeWrites` gave has resolved. */
  stored(): void {
    if (this.#storing.size === 0) return
    for (const { key } of this.#storing.all()) this.#empty.delete(key[0])
    this.#storing = new ChangedRecords()
  }
}

/** A record as the store has it. */
function encodeRecord(table: Table, record: Tables[Table]): Uint8Array {
  const stored = table === 'positionHistories' ? storedPositions(record as Tables['positionHistories']) : record
  return encodeValue(stored as unknown as Plain)
}

/** Orders texts by code point, which is the order of their UTF-8 bytes and so the store's. */
function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const difference = rank(left.charCodeAt(index)) - rank(right.charCodeAt(index))
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** Moves surrogates behind the rest of the basic plane, where the code points that they stand for belong. */
const rank = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)
