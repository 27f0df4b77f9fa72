import * as Y from 'yjs'
import { placeOf, type Places, type Struct } from './places.ts'

type Spans = ReturnType<typeof Y.decodeUpdate>['ds']['clients']

/** What other work takes as long as passing by one item and ordering it, which is some 1.2 µs: walking along so many items, */
const WALKED = 64
/** going through so many for what a span deletes, */
const SPANNED = 8
/** and moving so many on to make room in the list of all that a client made. */
const MOVED = 1_024

/**
 * What it costs to take an update in, in items that Yjs passes by. A few bytes could keep a process busy for minutes: items that claim the same place are ordered
 * one by one against each other, a span of deletions is gone through item by item, and where an item is cut in two, all that its client made later moves on.
 *
 * @param most counting stops beyond
 */
export function updateCost(structs: readonly Struct[], deleted: Spans, places: Places, doc: Y.Doc, most: number): number {
  const cost = new Cost(places, doc, most)
  cost.addPlaces(structs)
  cost.addSpans(deleted)
  return cost.sum
}

/** What it costs to give one of an update's structs its place in the document, in the same measure. */
export function placeCost(struct: Struct, places: Places): number {
  return struct instanceof Y.Item ? passed(struct, places, Infinity) : 0
}

/** The document's items between the neighbours that an item claims. */
function passed(item: Y.Item, places: Places, most: number): number {
  const right = places.rightOf(item)
  const { origin } = placeOf(item)
  if (origin === null) return passedFromStart(item, right, places, most)
  // Nothing in the document goes on from what the update brings: Yjs stops at once.
  const left = places.isNew(origin) ? undefined : places.find(origin)
  // Neighbours that were typed one after the other lie in one item.
  return left === undefined || left === right ? 0 : countTo(right, left.right, most)
}

function passedFromStart(item: Y.Item, right: Y.Item | null, places: Places, most: number): number {
  const { type, key } = places.homeOf(item)
  if (type === undefined) return 0
  if (key === null) return countTo(right, type._start, most)
  let first = type._map.get(key) ?? null
  let walked = 0
  for (; first?.left != null && walked < most * WALKED; walked++) first = first.left
  return Math.floor(walked / WALKED) + countTo(right, first, most)
}

function countTo(end: Y.Item | null, start: Y.Item | null, most: number): number {
  let count = 0
  for (let item = start; item !== null && item !== end && count <= most; item = item.right) count += 1
  return count
}

class Cost {
  sum = 0
  readonly #places: Places
  readonly #doc: Y.Doc
  readonly #most: number

  constructor(places: Places, doc: Y.Doc, most: number) {
    this.#places = places
    this.#doc = doc
    this.#most = most
  }

  addPlaces(structs: readonly Struct[]): void {
    // Most updates are one keystroke, which has no siblings.
    const families = structs.length === 1 ? undefined : new Families(this.#places)
    for (const struct of structs) {
      if (this.sum > this.#most) return
      if (!(struct instanceof Y.Item) || !this.#places.isNew(struct.lastId)) continue
      this.#addPlace(struct)
      families?.add(struct)
    }
    if (families !== undefined) this.sum += families.cost()
  }

  addSpans(deleted: Spans): void {
    for (const [client, spans] of deleted)
      for (const { clock, len } of spans) {
        if (this.sum > this.#most) return
        const [first, last] = [this.#addCut(client, clock), this.#addCut(client, clock + len)]
        this.sum += Math.floor((last - first) / SPANNED)
      }
  }

  #addPlace(item: Y.Item): void {
    const { origin, rightOrigin } = placeOf(item)
    if (origin !== null) this.#addCut(origin.client, origin.clock + 1)
    if (rightOrigin !== null) this.#addCut(rightOrigin.client, rightOrigin.clock)
    this.sum += passed(item, this.#places, this.#most - this.sum)
  }

  /**
   * Adds what it takes that an item begins at a clock.
   * @returns where in the list of the client's items that is
   */
  #addCut(client: number, clock: number): number {
    const made = this.#doc.store.clients.get(client)
    if (made === undefined || clock >= Y.getState(this.#doc.store, client)) return made?.length ?? 0
    const index = Y.findIndexSS(made, clock)
    this.sum += Math.floor((made.length - index) / MOVED)
    return index
  }
}

/** Those of an update's items that claim to stand right behind the same one, or to be the first of the same list. */
interface Family {
  /** Its members, and the families behind them. */
  size: number
  /** Members that do not claim to stand right before the member that came last, as what one author writes does: they are ordered against all who are behind. */
  strays: number
  newest: Y.ID | null
  /** The one that has the item as a member which all this is behind. */
  readonly parent: Family | undefined
}

/** How the items of an update stand to each other. */
class Families {
  readonly #places: Places
  readonly #behind = new Map<string, Family>()
  readonly #firsts = new Map<unknown, Map<string | null, Family>>()

  constructor(places: Places) {
    this.#places = places
  }

  add(item: Y.Item): void {
    const family = this.#of(item)
    if (family.newest !== null && !Y.compareIDs(family.newest, placeOf(item).rightOrigin)) family.strays += 1
    family.newest = item.id
    for (let each: Family | undefined = family; each !== undefined; each = each.parent) each.size += 1
  }

  cost(): number {
    let cost = 0
    for (const { strays, size } of this.#behind.values()) cost += strays * size
    for (const keys of this.#firsts.values()) for (const { strays, size } of keys.values()) cost += strays * size
    return cost
  }

  #of(item: Y.Item): Family {
    const { origin } = placeOf(item)
    if (origin === null) {
      const { list, key } = this.#places.homeOf(item)
      let keys = this.#firsts.get(list)
      if (keys === undefined) this.#firsts.set(list, (keys = new Map()))
      return existing(keys, key, () => undefined)
    }
    return existing(this.#behind, `${origin.client}:${origin.clock}`, () => {
      const left = this.#places.isNew(origin) ? this.#places.find(origin) : undefined
      return left === undefined ? undefined : this.#of(left)
    })
  }
}

function existing<K>(families: Map<K, Family>, key: K, parent: () => Family | undefined): Family {
  let family = families.get(key)
  if (family === undefined) families.set(key, (family = { size: 0, strays: 0, newest: null, parent: parent() }))
  return family
}
