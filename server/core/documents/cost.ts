import * as Y from 'yjs'
import { placeOf, type Places, type Struct } from './places.ts'

type Spans = ReturnType<typeof Y.decodeUpdate>['ds']['clients']

/** Items that Yjs walks along in the time of passing one by and ordering it: some 1.2 µs. */
const WALKED_PER_COST = 64
/** Items that it goes through in that time for what a span deletes. */
const SPANNED_PER_COST = 8
/** Items that it moves on in that time, in the list of all that a client made, to make room where one is cut in two. */
const MOVED_PER_COST = 1_024

/**
 * What it costs to take an update in, in items that Yjs passes by, and one for each struct. A few bytes could keep a process busy for minutes: items that claim the
 * same place are ordered one by one against each other, a span of deletions is gone through item by item, and where an item is cut in two, all that its
 * client made later moves on.
 *
 * @param structs each behind those that it builds on
 * @param maxCost counting stops beyond
 */
export function updateCost(structs: readonly Struct[], deleted: Spans, places: Places, doc: Y.Doc, maxCost: number): number {
  const cost = new Cost(places, doc, maxCost)
  cost.addPlaces(structs)
  cost.addSpans(deleted, structs.length)
  return cost.sum
}

/** What a transaction's deletions cost, in the same measure: a type goes with all that it holds, which is seen only afterwards. */
export function deletionCost({ clients }: Y.Transaction['deleteSet']): number {
  let clocks = 0
  for (const spans of clients.values()) for (const { len } of spans) clocks += len
  return Math.floor(clocks / SPANNED_PER_COST)
}

/** What it costs to give one of an update's structs its place in the document, in the same measure. */
export function placeCost(struct: Struct, places: Places): number {
  return struct instanceof Y.Item ? itemsPassed(struct, places, Infinity) : 0
}

/** The document's items between the neighbours that an item claims. */
function itemsPassed(item: Y.Item, places: Places, maxCost: number): number {
  const right = places.rightOf(item)
  const { origin } = placeOf(item)
  if (origin === null) return passedFromStart(item, right, places, maxCost)
  // Nothing in the document goes on from what the update brings: Yjs stops at once.
  const left = places.isNew(origin) ? undefined : places.find(origin)
  // Neighbours that were typed one after the other lie in one item.
  return left === undefined || left === right ? 0 : countTo(right, left.right, maxCost)
}

function passedFromStart(item: Y.Item, right: Y.Item | null, places: Places, maxCost: number): number {
  const { type, key } = places.homeOf(item)
  if (type === undefined) return 0
  if (key === null) return countTo(right, type._start, maxCost)
  let first = type._map.get(key) ?? null
  let walked = 0
  for (; first?.left != null && walked < maxCost * WALKED_PER_COST; walked++) first = first.left
  return Math.floor(walked / WALKED_PER_COST) + countTo(right, first, maxCost)
}

function countTo(end: Y.Item | null, start: Y.Item | null, maxCost: number): number {
  let count = 0
  for (let item = start; item !== null && item !== end && count <= maxCost; item = item.right) count += 1
  return count
}

class Cost {
  sum = 0
  readonly #places: Places
  readonly #doc: Y.Doc
  readonly #maxCost: number

  constructor(places: Places, doc: Y.Doc, maxCost: number) {
    this.#places = places
    this.#doc = doc
    this.#maxCost = maxCost
  }

  addPlaces(structs: readonly Struct[]): void {
    this.sum += structs.length
    // Most updates are one keystroke, which has no siblings.
    const families = structs.length === 1 ? undefined : new Families(this.#places)
    for (const struct of structs) {
      if (this.sum > this.#maxCost) return
      if (!(struct instanceof Y.Item)) continue
      this.#addPlace(struct)
      families?.add(struct)
    }
    if (families !== undefined) this.sum += families.cost()
  }

  /** @param brought how many structs the update brings: it may delete what it brings */
  addSpans(deleted: Spans, brought: number): void {
    for (const [client, spans] of deleted) {
      const state = Y.getState(this.#doc.store, client)
      for (const { clock, len } of spans) {
        if (this.sum > this.#maxCost) return
        const [first, last] = [this.#addCut(client, clock, true), this.#addCut(client, clock + len)]
        const clocksBrought = Math.max(0, clock + len - Math.max(clock, state))
        this.sum += Math.floor((last - first + Math.min(clocksBrought, brought)) / SPANNED_PER_COST)
      }
    }
  }

  #addPlace(item: Y.Item): void {
    const { origin, rightOrigin } = placeOf(item)
    if (origin !== null) this.#addCut(origin.client, origin.clock + 1)
    if (rightOrigin !== null) this.#addCut(rightOrigin.client, rightOrigin.clock)
    this.sum += itemsPassed(item, this.#places, this.#maxCost - this.sum)
  }

  /**
   * Adds what it takes that an item begins at a clock.
   * @param isJoined what begins there may be joined with what stands before it, which takes as much
   * @returns where in the list of the client's items that is
   */
  #addCut(client: number, clock: number, isJoined = false): number {
    const made = this.#doc.store.clients.get(client)
    if (made === undefined || clock >= Y.getState(this.#doc.store, client)) return made?.length ?? 0
    const index = Y.findIndexSS(made, clock)
    const { id, deleted } = made[index]!
    // What was deleted before is neither cut nor joined.
    if (!deleted && (isJoined || id.clock < clock)) this.sum += Math.floor((made.length - index) / MOVED_PER_COST)
    return index
  }
}

/** Those of an update's items that claim to stand right behind the same one, or to be the first of the same type. */
interface Family {
  /** Its members; once summed up, those of the families behind them too. */
  size: number
  /** Members that do not claim to stand right before the one that came last, as what one author writes does: they are ordered against all of the others. */
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
  /** Each behind its parent. */
  readonly #all: Family[] = []

  constructor(places: Places) {
    this.#places = places
  }

  add(item: Y.Item): void {
    const family = this.#of(item)
    if (family.newest !== null && !Y.compareIDs(family.newest, placeOf(item).rightOrigin)) family.strays += 1
    family.newest = item.id
    family.size += 1
  }

  cost(): number {
    let cost = 0
    for (const { parent, size, strays } of this.#all.reverse()) {
      if (parent !== undefined) parent.size += size
      cost += strays * size
    }
    return cost
  }

  #of(item: Y.Item): Family {
    const { origin } = placeOf(item)
    if (origin === null) {
      const { identity, key } = this.#places.homeOf(item)
      let keys = this.#firsts.get(identity)
      if (keys === undefined) this.#firsts.set(identity, (keys = new Map()))
      return this.#familyAt(keys, key, undefined)
    }
    const left = this.#places.isNew(origin) ? this.#places.find(origin) : undefined
    return this.#familyAt(this.#behind, `${origin.client}:${origin.clock}`, left)
  }

  #familyAt<K>(families: Map<K, Family>, key: K, left: Y.Item | undefined): Family {
    let family = families.get(key)
    if (family !== undefined) return family
    family = { size: 0, strays: 0, newest: null, parent: left === undefined ? undefined : this.#of(left) }
    families.set(key, family)
    this.#all.push(family)
    return family
  }
}
