import { foldRecord, type Mirror, type TableName } from './mirror.ts'
import type { Outbox } from './outbox.ts'
import type { Pending } from './pending.ts'
import { CHANGES, type ChangeBody, type ChangeKind } from '../protocol/index.ts'
import type { Folded } from './fold.ts'

/** A table that can be read like a Map: what the hub holds, with this client's unanswered actions on top. */
export interface Table<V> extends Iterable<[key: string, value: V]> {
  readonly size: number
  get(key: string): V | undefined
  has(key: string): boolean
  keys(): string[]
  values(): V[]
}

/** Folds on reading, so that an action which the hub refuses leaves no trace when it is forgotten. */
export class Overlay<V> implements Table<V> {
  readonly #table: TableName
  readonly #mirror: Mirror
  readonly #outbox: Outbox

  constructor(table: TableName, mirror: Mirror, outbox: Outbox) {
    this.#table = table
    this.#mirror = mirror
    this.#outbox = outbox
  }

  get size(): number {
    return this.keys().length
  }

  get(key: string): V | undefined {
    let value: unknown = this.#mirror.tables[this.#table].get(key)
    for (const pending of this.#outbox.about(this.#table, key))
      // What an earlier version holds only the hub knows.
      if (Object.hasOwn(CHANGES, pending.kind)) value = foldRecord(this.#table, value, this.#expected(pending))
    return value as V | undefined
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  keys(): string[] {
    const keys = new Set([...this.#mirror.tables[this.#table].keys(), ...this.#outbox.keysOf(this.#table)])
    return [...keys].filter(key => this.has(key))
  }

  values(): V[] {
    return this.keys().map(key => this.get(key)!)
  }

  *[Symbol.iterator](): Iterator<[string, V]> {
    for (const key of this.keys()) yield [key, this.get(key)!]
  }

  /** The change that the action becomes if the hub accepts it. */
  #expected({ atMs, kind, key, body }: Pending): Folded {
    const { device } = this.#mirror.state
    const { client } = this.#outbox
    return {
      cursor: Infinity,
      timeMs: atMs,
      device,
      client,
      atMs,
      kind: kind as ChangeKind,
      key,
      body: body as ChangeBody<ChangeKind>
    }
  }
}
