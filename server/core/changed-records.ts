import type { Table, Tables } from './records.ts'

/** A node of the tree that the parts of keys make: a record that changed, or a step on the way to some. */
interface Node {
  /** Undefined where no record is: keys only lead through here. */
  key: ChangedRecord['key'] | undefined
  /** Undefined also of a record that was removed. */
  value: Tables[Table] | undefined
  within: Map<string, Node> | undefined
}

/** A changed record, its key beginning with its table; without a value when it was removed. */
export interface ChangedRecord {
  readonly key: readonly [table: Table, ...parts: string[]]
  readonly value: Tables[Table] | undefined
}

const newNode = (): Node => ({ key: undefined, value: undefined, within: undefined })

/** Changed records, found part by part of their keys: a name for each would have to be built with every look at one. */
export class ChangedRecords {
  readonly #root = newNode()
  #size = 0

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  /** The changed record of this key; undefined when that record did not change. */
  get(table: Table, key: readonly string[]): ChangedRecord | undefined {
    const node = this.#nodeOf(table, key)
    return node?.key === undefined ? undefined : (node as ChangedRecord)
  }

  /** @param value undefined for a record that was removed */
  set(table: Table, key: readonly string[], value: Tables[Table] | undefined): void {
    let node = enter(this.#root, table)
    for (const part of key) node = enter(node, part)
    if (node.key === undefined) {
      node.key = [table, ...key]
      this.#size += 1
    }
    node.value = value
  }

  /** The changed records of a table whose keys begin with `prefix` and go on. */
  *under(table: Table, prefix: readonly string[]): Generator<ChangedRecord> {
    const node = this.#nodeOf(table, prefix)
    if (node !== undefined) yield* within(node)
  }

  /** All of them. */
  all(): Generator<ChangedRecord> {
    return within(this.#root)
  }

  #nodeOf(table: Table, key: readonly string[]): Node | undefined {
    let node = this.#root.within?.get(table)
    for (let index = 0; node !== undefined && index < key.length; index++) node = node.within?.get(key[index]!)
    return node
  }
}

function enter(node: Node, part: string): Node {
  const nodes = (node.within ??= new Map<string, Node>())
  let next = nodes.get(part)
  if (next === undefined) nodes.set(part, (next = newNode()))
  return next
}

function* within({ within: nodes }: Node): Generator<ChangedRecord> {
  if (nodes === undefined) return
  for (const node of nodes.values()) {
    if (node.key !== undefined) yield node as ChangedRecord
    yield* within(node)
  }
}
