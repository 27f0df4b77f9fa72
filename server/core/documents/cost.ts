import * as Y from 'yjs'
import type { Spans, Struct } from '../../../protocol/index.ts'
import { placeOf, type Places } from './places.ts'

/** Items that Yjs walks along in the time of passing one by and ordering it: some 1.2 µs. */
const WALKED_PER_COST = 64
/** Items of a deleted span that it goes through in that time. */
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

/**
 * At most what it costs to take a whole document in again, in any order and in the same measure. Each item of a list, or of a key that was set more than once, may
 * pass by all others of it, and values are copied where they are cut. Finding that is cheaper than `placeCost` of each.
 *
 * @param maxCost counting stops beyond
 */
export function reloadCost(doc: Y.Doc, maxCost: number): number {
  const siblings = new Map<unknown, number>()
  let cost = 0
  for (const made of doc.store.clients.values()) {
    cost += made.length
    for (const item of made) {
      if (cost > maxCost) return cost
      if (!(item instanceof Y.Item)) continue
      if (holdsValues(item)) cost += item.length - 1
      if (isAloneUnderKey(item)) continue
      const others = siblings.get(item.parent) ?? 0
      siblings.set(item.parent, others + 1)
      cost += 2 * others
    }
  }
  return cost
}

/** Values are copied when they are parted, text is not. */
const holdsValues = ({ content }: Y.Item): boolean => !(content instanceof Y.ContentString || content instanceof Y.ContentDeleted)

const isAloneUnderKey = ({ parentSub, left, right }: Y.Item): boolean => parentSub !== null && left === null && right === null

/** What it costs to give one of an update's structs its place in the document, in the same measure. */
export function placeCost(struct: Struct, places: Places): number {
  return struct instanceof Y.Item ? new Passing(places, Infinity).costOf(struct) : 0
}

/** Counts the items that stand between the neighbours which an item claims. */
class Passing {
  readonly #places: Places
  readonly #maxCost: number
  /** How many items the update brings behind each of the document's items. */
  readonly #brought: ReadonlyMap<Y.Item, number> | undefined

  constructor(places: Places, maxCost: number, brought?: ReadonlyMap<Y.Item, number>) {
    this.#places = places
    this.#maxCost = maxCost
    this.#brought = brought
  }

  costOf(item: Y.Item): number {
    const { origin } = placeOf(item)
    const rightId = this.#places.rightOf(item)
    const right = (rightId && this.#places.find(rightId)) ?? null
    if (origin === null) return this.#fromStart(item, right)
    // Nothing in the document goes on from what the update brings: Yjs stops at once.
    const left = this.#places.isNew(origin) ? undefined : this.#places.find(origin)
    if (left === undefined) return 0
    // What was typed in one go lies in one item, which is cut. Neighbours that are claimed the wrong way round are never met.
    if (left === right) return rightId!.clock > origin.clock ? 0 : this.#to(null, left.right)
    const isCut = origin.clock + 1 < left.id.clock + left.length
    return (isCut ? 1 + (this.#brought?.get(left) ?? 0) : 0) + this.#to(right, left.right)
  }

  #fromStart(item: Y.Item, right: Y.Item | null): number {
    const { type, key } = this.#places.homeOf(item)
    if (type === undefined) return 0
    if (key === null) return this.#to(right, type._start)
    let first = type._map.get(key) ?? null
    let walked = 0
    for (; first?.left != null && walked < this.#maxCost * WALKED_PER_COST; walked++) first = first.left
    return Math.floor(walked / WALKED_PER_COST) + this.#to(right, first)
  }

  #to(end: Y.Item | null, start: Y.Item | null): number {
    let cost = 0
    for (let item = start; item !== null && item !== end && cost <= this.#maxCost; item = item.right)
      cost += 1 + (this.#brought?.get(item) ?? 0)
    return cost
  }
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
    let brought: ReadonlyMap<Y.Item, number> | undefined
    // Most updates are one keystroke, which has no siblings.
    if (structs.length > 1) {
      const families = new Families(this.#places)
      for (const struct of structs) if (struct instanceof Y.Item) families.add(struct)
      this.sum += families.cost()
      brought = families.behind
    }
    const passing = new Passing(this.#places, this.#maxCost, brought)
    for (const struct of structs) {
      if (this.sum > this.#maxCost) return
      if (!(struct instanceof Y.Item)) continue
      const { origin, rightOrigin } = placeOf(struct)
      if (origin !== null) this.#addCut(origin.client, origin.clock + 1)
      if (rightOrigin !== null) this.#addCut(rightOrigin.client, rightOrigin.clock)
      this.sum += passing.costOf(struct)
    }
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

  /**
   * Adds what it takes that an item begins at a clock.
   * @param isJoined what begins there may be joined with what stands before it, which takes as much
   * @returns where in the list of the client's items that is
   */
  #addCut(client: number, clock: number, isJoined = false): number {
    const made = this.#doc.store.clients.get(client)
    if (made === undefined || clock >= Y.getState(this.#doc.store, client)) return made?.length ?? 0
    const index = Y.findIndexSS(made, clock)
    const item = made[index]!
    const isCut = item.id.clock < clock
    // What was deleted before is neither cut nor joined.
    if (!item.deleted && (isCut || isJoined)) this.sum += Math.floor((made.length - index) / MOVED_PER_COST)
    if (isCut && item instanceof Y.Item && holdsValues(item)) this.sum += Math.floor(item.length / WALKED_PER_COST)
    return index
  }
}

/** The items of an update that claim to stand right behind the same item, or to be the first of the same type. */
interface Family {
  /** Its members; once summed up, those of the families behind them too. */
  size: number
  /** Members from the first one on whose right neighbour is not the member before it. What one author types has none; each of these is ordered against all others. */
  strays: number
  newest: Y.ID | null
  /** The item that all this is behind, and the family that has it as a member where the update brings it. */
  readonly left: Y.Item | undefined
  readonly parent: Family | undefined
}

/** How the items of an update stand to each other. */
class Families {
  readonly #places: Places
  readonly #byLeft = new Map<string, Family>()
  readonly #firsts = new Map<unknown, Map<string | null, Family>>()
  /** Each behind its parent. */
  readonly #all: Family[] = []
  /** How many items the update brings behind each of the document's items; known after `cost`. */
  readonly behind = new Map<Y.Item, number>()

  constructor(places: Places) {
    this.#places = places
  }

  add(item: Y.Item): void {
    const family = this.#of(item)
    const isStray = family.newest !== null && !Y.compareIDs(family.newest, placeOf(item).rightOrigin)
    if (isStray || family.strays > 0) family.strays += 1
    family.newest = item.id
    family.size += 1
  }

  /** MUST be asked once, after all were added. */
  cost(): number {
    let cost = 0
    for (const { parent, left, size, strays } of this.#all.reverse()) {
      if (parent !== undefined) parent.size += size
      else if (left !== undefined) this.behind.set(left, size + (this.behind.get(left) ?? 0))
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
      return this.#familyAt(keys, key, null)
    }
    return this.#familyAt(this.#byLeft, `${origin.client}:${origin.clock}`, origin)
  }

  #familyAt<K>(families: Map<K, Family>, key: K, origin: Y.ID | null): Family {
    let family = families.get(key)
    if (family !== undefined) return family
    const left = origin === null ? undefined : this.#places.find(origin)
    const parent = left !== undefined && this.#places.isNew(left.id) ? this.#of(left) : undefined
    family = { size: 0, strays: 0, newest: null, left, parent }
    families.set(key, family)
    this.#all.push(family)
    return family
  }
}
