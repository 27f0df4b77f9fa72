import { decodeValue, encodeValue, type Plain } from '../protocol/index.ts'
import { foldBook, foldDevice, foldPosition, foldSetting, type Book, type Device, type Folded, type Position } from './fold.ts'
import type { ClientStorage, StorageChange } from './storage.ts'

/** What the state of an account is made of. */
export interface Tables {
  readonly book: Map<string, Book>
  /** book → device → place */
  readonly position: Map<string, ReadonlyMap<string, Position>>
  readonly setting: Map<string, Plain>
  readonly device: Map<string, Device>
}

export type TableName = keyof Tables

/** Who is mirrored, and how far. */
export interface MirrorState {
  readonly account: string
  readonly device: string
  /** Empty while nothing was read. */
  readonly epoch: string
  readonly cursor: number
}

export const emptyTables = (): Tables => ({ book: new Map(), position: new Map(), setting: new Map(), device: new Map() })

export const MIRROR_PREFIX = 'mirror\n'
const STATE_KEY = 'mirror\nstate'
const recordKey = (table: TableName, key: string): string => `mirror\n${table}\n${key}`

/** The account as the hub has told it, folded from its changes: what everyone sees, without this client's unanswered actions. */
export class Mirror {
  readonly tables: Tables = emptyTables()
  #state: MirrorState = { account: '', device: '', epoch: '', cursor: 0 }
  /** As it was handed out to be written, or read. */
  #writtenState = this.#state
  #changed = new Set<string>()

  static async load(storage: ClientStorage): Promise<Mirror> {
    const mirror = new Mirror()
    for (const [name, bytes] of await storage.load(MIRROR_PREFIX)) {
      const value = decodeValue(bytes)
      if (name === STATE_KEY) {
        const [account, device, epoch, cursor] = value as [string, string, string, number]
        mirror.#state = mirror.#writtenState = { account, device, epoch, cursor }
      } else {
        const [, table, key] = name.split('\n') as [string, TableName, string]
        const kept = table === 'position' ? new Map(Object.entries(value as object)) : value
        ;(mirror.tables[table] as Map<string, unknown>).set(key, kept)
      }
    }
    return mirror
  }

  get state(): MirrorState {
    return this.#state
  }

  /** Lets one change take effect. @returns the table that it touched */
  fold(change: Folded): TableName | undefined {
    this.#state = { ...this.#state, cursor: change.cursor }
    const table = foldInto(this.tables, change)
    if (table !== undefined) this.#changed.add(recordKey(table, change.key))
    return table
  }

  /** A change that this version cannot read still counts. */
  skip(cursor: number): void {
    this.#state = { ...this.#state, cursor }
  }

  identify(account: string, device: string, epoch: string): void {
    this.#state = { ...this.#state, account, device, epoch }
  }

  /** Holds these tables, as they stand at `cursor` of `epoch`, in the place of what it held. */
  replace(tables: Tables, epoch: string, cursor: number): void {
    for (const name of Object.keys(this.tables) as TableName[]) {
      const [held, next] = [this.tables[name] as Map<string, unknown>, tables[name] as Map<string, unknown>]
      for (const key of [...held.keys(), ...next.keys()]) this.#changed.add(recordKey(name, key))
      held.clear()
      for (const [key, record] of next) held.set(key, record)
    }
    this.#state = { ...this.#state, epoch, cursor }
  }

  /** What changed since the last call, with the cursor that goes with it: MUST be written as one. */
  takeWrites(): StorageChange[] {
    const writes = [...this.#changed].map((name): StorageChange => {
      const [, table, key] = name.split('\n') as [string, TableName, string]
      const record = this.tables[table].get(key)
      return [
        name,
        record === undefined ? undefined : encodeValue(record instanceof Map ? Object.fromEntries(record) : (record as Plain))
      ]
    })
    this.#changed.clear()
    if (this.#state === this.#writtenState) return writes
    this.#writtenState = this.#state
    const { account, device, epoch, cursor } = this.#state
    return [...writes, [STATE_KEY, encodeValue([account, device, epoch, cursor])]]
  }
}

const FOLDS = { book: foldBook, position: foldPosition, setting: foldSetting, device: foldDevice }

/** What actions and changes are about, as their names begin: `book` of `book.put`. */
export const familyOf = (kind: string): string => kind.slice(0, kind.indexOf('.'))

/** Lets one change take effect on the table that it is of. @returns that table; undefined for what is not mirrored, such as files */
export function foldInto(tables: Tables, change: Folded): TableName | undefined {
  const table = familyOf(change.kind) as TableName
  if (!Object.hasOwn(tables, table)) return undefined
  const records = tables[table] as Map<string, unknown>
  const next = foldRecord(table, records.get(change.key), change)
  if (next === undefined) records.delete(change.key)
  else records.set(change.key, next)
  return table
}

/** The fold of one record: the same for what the hub says and for what this client has only asked for. */
export function foldRecord(table: TableName, known: unknown, change: Folded): unknown {
  const fold = FOLDS[table] as (known: unknown, change: Folded) => unknown
  return fold(known, change)
}
