import * as Y from 'yjs'
import type { Struct } from '../../../protocol/index.ts'

/** What an item says of its place, as it stands in an update: Yjs's own declarations know it only once it is placed. */
interface Place {
  readonly origin: Y.ID | null
  readonly rightOrigin: Y.ID | null
  /** The name of a root type, or the item that holds the type; null where a neighbour tells it. */
  readonly parent: Y.ID | string | null
  readonly parentSub: string | null
}

type Type = Y.AbstractType<unknown>

/** Where an item will stand. */
interface Home {
  /** Undefined for a type that the document does not have yet. */
  readonly type: Type | undefined
  /** Equal for all items of the same type: the type itself or, where it is still to come, its name or the item that holds it. */
  readonly identity: unknown
  /** The key that it has there, if that is a map. */
  readonly key: string | null
  /** How many types the type itself is in. */
  readonly depth: number
}

const NOWHERE: Home = { type: undefined, identity: undefined, key: null, depth: 0 }

export const placeOf = (item: Y.Item): Place => item as unknown as Place

/** Where the items of an update will stand in a document, as far as can be told before they are applied. What builds on something that neither has costs nothing: Yjs keeps it waiting. */
export class Places {
  readonly #doc: Y.Doc
  readonly #structs: readonly Struct[]
  #byClient: Map<number, Struct[]> | undefined
  // Made when needed: most updates are one keystroke.
  #homes: Map<Y.Item, Home> | undefined
  #rights: Map<Y.Item, Y.ID | null> | undefined

  constructor(structs: readonly Struct[], doc: Y.Doc) {
    this.#structs = structs
    this.#doc = doc
  }

  homeOf(item: Y.Item): Home {
    let home = this.#homes?.get(item)
    if (home === undefined) (this.#homes ??= new Map()).set(item, (home = this.#homeOf(item)))
    return home
  }

  /** The document's first edit that stands to the right of an item, whatever the update brings in between; null where that is the end. */
  rightOf(item: Y.Item): Y.ID | null {
    const { rightOrigin } = placeOf(item)
    if (rightOrigin === null || !this.isNew(rightOrigin)) return rightOrigin
    let right = this.#rights?.get(item)
    if (right !== undefined) return right
    const neighbour = this.find(rightOrigin)
    right = neighbour === undefined ? null : this.rightOf(neighbour)
    this.#rights ??= new Map()
    this.#rights.set(item, right)
    return right
  }

  /** True for what the update brings. */
  isNew({ client, clock }: Y.ID): boolean {
    return clock >= Y.getState(this.#doc.store, client)
  }

  /** The item that holds an id, in the document or the update; undefined for one that was collected, or that neither has. */
  find(id: Y.ID): Y.Item | undefined {
    const found: unknown = this.isNew(id) ? this.#brought(id) : Y.getItem(this.#doc.store, id)
    return found instanceof Y.Item ? found : undefined
  }

  #brought({ client, clock }: Y.ID): Struct | undefined {
    if (this.#byClient === undefined) {
      this.#byClient = new Map()
      for (const struct of this.#structs) {
        const structs = this.#byClient.get(struct.id.client)
        if (structs === undefined) this.#byClient.set(struct.id.client, [struct])
        else structs.push(struct)
      }
    }
    const structs = (this.#byClient.get(client) ?? []) as (Y.Item | Y.GC)[]
    const [first, last] = [structs[0], structs.at(-1)]
    if (first === undefined || last === undefined || clock < first.id.clock || clock >= last.id.clock + last.length)
      return undefined
    return structs[Y.findIndexSS(structs, clock)]
  }

  #homeOf(item: Y.Item): Home {
    const { origin, rightOrigin, parent, parentSub } = placeOf(item)
    if (typeof parent === 'string') {
      const type = this.#doc.share.get(parent) as Type | undefined
      return { type, identity: type ?? parent, key: parentSub, depth: 0 }
    }
    if (parent === null) {
      const id = origin ?? rightOrigin
      const neighbour = id === null ? undefined : this.find(id)
      if (neighbour === undefined) return NOWHERE
      if (this.isNew(id!)) return this.homeOf(neighbour)
      return this.#known(neighbour.parent, neighbour.parentSub)
    }
    const holder = this.find(parent)
    if (!(holder?.content instanceof Y.ContentType)) return NOWHERE
    if (!this.isNew(parent)) return this.#known(holder.content.type, parentSub)
    return { type: undefined, identity: holder, key: parentSub, depth: this.homeOf(holder).depth + 1 }
  }

  #known(type: unknown, key: string | null): Home {
    if (!(type instanceof Y.AbstractType)) return NOWHERE
    let depth = 0
    for (let { _item } = type as Type; _item !== null; _item = (_item.parent as Type)._item) depth += 1
    return { type: type as Type, identity: type, key, depth }
  }
}
