import * as Y from 'yjs'

/** Anything that an update's structs may be. */
type Struct = Y.Item | Y.GC | Y.Skip

/** What an item says of its place, as it stands in an update: Yjs's own declarations know it only once it is placed. */
interface Place {
  readonly origin: Y.ID | null
  readonly rightOrigin: Y.ID | null
  readonly parent: Y.ID | string | null
  readonly parentSub: string | null
}

/**
 * How many items Yjs may pass by to find the places of an update's items; counting stops beyond `most`. Items that claim the same place are ordered one by one
 * against each other, so that a few kilobytes could keep a process busy for minutes.
 */
export function conflictSteps(structs: readonly Struct[], doc: Y.Doc, most: number): number {
  const [only] = structs
  // Most updates are one keystroke, which has no siblings.
  if (structs.length === 1) return only instanceof Y.Item ? itemsBetween(only as unknown as Place, doc, most) : 0
  const siblings = new Map<string, number>()
  const walked = new Map<string, number>()
  let steps = 0
  for (const struct of structs) {
    if (steps > most) break
    if (!(struct instanceof Y.Item)) continue
    const place = struct as unknown as Place
    const parent = typeof place.parent === 'string' ? place.parent : name(place.parent)
    const between = `${name(place.origin)} ${name(place.rightOrigin)} ${parent} ${place.parentSub ?? ''}`
    const before = siblings.get(between) ?? 0
    siblings.set(between, before + 1)
    let inDocument = walked.get(between)
    if (inDocument === undefined) walked.set(between, (inDocument = itemsBetween(place, doc, most - steps)))
    steps += before + inDocument
  }
  return steps
}

const name = (id: Y.ID | null): string => (id === null ? '' : `${id.client}:${id.clock}`)

/** The document's items from the place's left neighbour to its right one, counted up to `most` and one. */
function itemsBetween(place: Place, doc: Y.Doc, most: number): number {
  let item = firstBetween(place, doc)
  let count = 0
  while (item !== null && count <= most && !holds(item, place.rightOrigin)) {
    item = item.right
    count += 1
  }
  return count
}

function firstBetween({ origin, rightOrigin, parent, parentSub }: Place, doc: Y.Doc): Y.Item | null {
  if (origin !== null) {
    const left = find(doc, origin)
    // Neighbours that were typed one after the other lie in one item.
    return left === undefined || holds(left, rightOrigin) ? null : left.right
  }
  const right = rightOrigin && find(doc, rightOrigin)
  const type = typeof parent === 'string' ? doc.share.get(parent) : parent === null ? right?.parent : typeOf(find(doc, parent))
  if (!(type instanceof Y.AbstractType)) return null
  if (parentSub === null) return type._start
  let first = type._map.get(parentSub) ?? null
  while (first?.left != null) first = first.left
  return first
}

const typeOf = (item: Y.Item | undefined): unknown => (item?.content instanceof Y.ContentType ? item.content.type : undefined)

/** The item that an id stands for; undefined for one that the document does not have or has collected. */
function find(doc: Y.Doc, id: Y.ID): Y.Item | undefined {
  if (id.clock >= Y.getState(doc.store, id.client)) return undefined
  const found: unknown = Y.getItem(doc.store, id)
  return found instanceof Y.Item ? found : undefined
}

const holds = (item: Y.Item, id: Y.ID | null): boolean =>
  id !== null && item.id.client === id.client && item.id.clock <= id.clock && id.clock < item.id.clock + item.length
