import type { Table, Tables } from './records.ts'

/** A record that changed, or a place on the way to some. */
interface Place {
  /** Undefined where no record is: keys only lead through here. */
  key: ChangedRecord['key'] | undefined
  /** Undefined also of a record that was removed. */
  value: Tables[Table] | undefined
  within: Map<string, Place> | undefined
}

/** A changed record, its key beginning with its table; without a value when it was removed. */
export interface ChangedRecord {
  readonly key: readonly [table: Table, ...parts: string[]]
  readonly value: Tables[Table] | undefined
}

const newPlace = (): Place => ({ key: undefined, value: undefined, within: undefined })

/** Changed records, found part by part of their keys: a name for each would have to be built with every look at one. */
export class ChangedRecords {
  readonly #root = newPlace()
  #size = 0

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  /** The changed record of this key; undefined when that record did not change. */
  get(table: Table, key: readonly string[]): ChangedRecord | undefined {
    const place = this.#placeOf(table, key)
    return place?.key === undefined ? undefined : (place as ChangedRecord)
  }

  /** @param value undefined for a record that was removed */
  set(table: Table, key: readonly string[], value: Tables[Table] | undefined): void {
    let place = enter(this.#root, table)
    for (const part of key) place = enter(place, part)
    if (place.key === undefined) {
      place.key = [table, ...key]
      this.#size += 1
    }
    place.value = value
  }

  /** Those of a table whose keys begin with `prefix` and go on. */
  *under(table: Table, prefix: readonly string[]): Generator<ChangedRecord> {
    const place = this.#placeOf(table, prefix)
    if (place !== undefined) yield* within(place)
  }

  /** All of them. */
  all(): Generator<ChangedRecord> {
    return within(this.#root)
  }

  #placeOf(table: Table, key: readonly string[]): Place | undefined {
    let place = this.#root.within?.get(table)
    for (let index = 0; place !== undefined && index < key.length; index++) place = place.within?.get(key[index]!)
    return place
  }
}

function enter(place: Place, part: string): Place {
  const places = (place.within ??= new Map<string, Place>())
  let next = places.get(part)
  if (next === undefined) places.set(part, (next = newPlace()))
  return next
}

function* within({ within: places }: Place): Generator<ChangedRecord> {
  if (places === undefined) return
  for (const place of places.values()) {
    if (place.key !== undefined) yield place as ChangedRecord
    yield* within(place)
  }
}
