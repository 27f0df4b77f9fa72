import { createDecoder, readVarUint } from 'lib0/decoding'
import * as Y from 'yjs'
import { countValues, dependenciesOf, HubError, LIMITS, type Spans, type Struct } from '../../../protocol/index.ts'
import { updateCost } from './cost.ts'
import { placeOf, Places } from './places.ts'
import { diffUpdate, SparingDecoder } from './updates/sparing-decoder.ts'
import { inOrder } from './updates/steps.ts'
import { CarefulDecoder, ClientIds, mustHoldWholeNumbers } from './updates/untrusted.ts'

export interface Inspected {
  /** For each Yjs client in the update, the clock that it ends at. */
  readonly ends: ReadonlyMap<number, number>
  /** As `updateCost` counts it, and one for each value; MUST NOT be applied over `maxUpdateCost`. */
  readonly cost: number
  /** The part of the update that the document does not have yet: all of it, as a rule. */
  readonly fresh: Uint8Array
}

/** What the gate must know of the document that an update is for. */
export interface GateDocument {
  readonly doc: Y.Doc
  /** The device that each Yjs client id belongs to. */
  readonly owners: ReadonlyMap<number, string>
  /** It came out of a backup: whichever device comes first gives back what it lacks, whoever made that, and its author goes on. */
  readonly isRestored?: boolean
}

const refuse = (why: string): HubError => new HubError('bad-update', `the Yjs update ${why}`)

/**
 * Looks through an untrusted Yjs v1 update before anything is applied. Yjs trusts its input: an update may claim another device's edits, leave gaps
 * that pile up, or throw half-way through. So everything that applying could trip over is refused here, without touching the document.
 *
 * @param device whose Yjs clients the new edits must be
 * @throws HubError `bad-update`, `update-gap`, `foreign-client`
 */
export function inspectUpdate(update: Uint8Array, document: GateDocument, device: string): Inspected {
  const { doc, owners, isRestored = false } = document
  const { structs, ds, values: valuesRead } = decode(update)
  if (structs.length > LIMITS.maxUpdateStructs) throw refuse(`has over ${LIMITS.maxUpdateStructs} structs`)
  let spansLeft: number = LIMITS.maxUpdateStructs
  for (const spans of ds.clients.values())
    if ((spansLeft -= spans.length) < 0) throw refuse(`deletes over ${LIMITS.maxUpdateStructs} spans`)
  const ends = new Map<number, number>()
  let repeats = false
  for (const struct of structs) {
    const { client, clock } = struct.id
    const end = ends.get(client)
    const known = Y.getState(doc.store, client)
    if (struct instanceof Y.Skip || clock > (end ?? known)) throw new HubError('update-gap')
    if (end !== undefined && clock !== end) throw refuse('repeats a clock')
    if (!(struct.length > 0 && struct.length <= LIMITS.maxUpdateSpan)) throw refuse(`spans over ${LIMITS.maxUpdateSpan} at once`)
    if (clock < known) repeats = true
    ends.set(client, clock + struct.length)
    if (ends.size > LIMITS.maxUpdateClients) throw refuse(`names over ${LIMITS.maxUpdateClients} clients`)
  }
  // Of a client that is named twice Yjs takes the second part only.
  if (readVarUint(createDecoder(update)) !== ends.size) throw refuse('names a client twice, or one without edits')
  for (const [client, end] of ends) {
    const owner = owners.get(client)
    const isForeign = owner !== undefined && owner !== device && !isRestored
    if (isForeign && end > Y.getState(doc.store, client)) throw new HubError('foreign-client')
  }
  // Yjs takes known edits on trust: one that claims to go on from a known one in another place would be judged there, and stand elsewhere.
  if (repeats) return inspectUpdate(withoutKnown(update, doc), document, device)
  for (const struct of structs) {
    if (!(struct instanceof Y.Item)) continue
    for (const id of dependenciesOf(struct)) {
      if (id.client === struct.id.client && id.clock >= struct.id.clock) throw refuse('builds on what comes after')
      if (!isKnown(id.client, id.clock, ends, doc)) throw new HubError('update-gap')
    }
  }
  const ordered = inOrder(structs)
  if (ordered.length < structs.length) throw refuse('holds edits that build on each other in a circle')
  for (const [client, spans] of ds.clients)
    for (const { clock, len } of spans) {
      if (!(len > 0)) throw refuse('deletes nothing')
      if (!isKnown(client, clock + len - 1, ends, doc)) throw new HubError('update-gap')
    }
  const places = new Places(structs, doc)
  mustHaveFewRoots(structs, doc)
  const values = valuesRead + mustBeShallow(ordered, places)
  if (values > LIMITS.maxUpdateValues) throw refuse(`holds over ${LIMITS.maxUpdateValues} values`)
  mustHoldOneValueAKey(ordered, ds.clients, places)
  const cost = updateCost(ordered, ds.clients, places, doc, LIMITS.maxUpdateCost) + mustStaySpread(owners, ends) + values
  return { ends, fresh: update, cost }
}

/**
 * Looks at the document's clients with the new ones among them.
 * @returns what that cost, as `updateCost` counts it
 */
function mustStaySpread(owners: ReadonlyMap<number, string>, ends: ReadonlyMap<number, number>): number {
  const strangers = [...ends.keys()].filter(client => !owners.has(client))
  if (strangers.length === 0) return 0
  const clients = new ClientIds()
  for (const client of owners.keys()) clients.add(client)
  for (const client of strangers) clients.add(client)
  return owners.size >> 1
}

/**
 * A key holds one value at a time, and only what was overwritten lies in one item with others, in documents that keep it. Yjs places what comes between two
 * values that live in another order when it reads them again.
 */
function mustHoldOneValueAKey(structs: readonly Struct[], deleted: Spans, places: Places): void {
  for (const struct of structs) {
    if (struct.length === 1 || !(struct instanceof Y.Item) || struct.content instanceof Y.ContentDeleted) continue
    if (places.homeOf(struct).key === null) continue
    const { client, clock } = struct.id
    const isGone = deleted.get(client)?.some(span => span.clock <= clock && clock + struct.length <= span.clock + span.len)
    if (isGone !== true) throw refuse('holds several values under one key')
  }
}

/**
 * What is nested without end stops those who go through it half-way: Yjs when it deletes, and whoever writes it out.
 * @returns how many values the update holds that were written as JSON; all others were counted as they were read
 */
function mustBeShallow(structs: readonly Struct[], places: Places): number {
  let values = 0
  for (const struct of structs) {
    if (!(struct instanceof Y.Item)) continue
    const { content } = struct
    if (content instanceof Y.ContentDoc) throw refuse('holds a subdocument')
    // Asked of each in order: what one builds on is known then, and nothing recurses deep.
    const isNeeded = structs.length > 1 || content instanceof Y.ContentType
    const depth = isNeeded ? places.homeOf(struct).depth : 0
    if (content instanceof Y.ContentType && depth >= LIMITS.maxDocumentDepth)
      throw refuse(`nests types over ${LIMITS.maxDocumentDepth} deep; keep them flat`)
    for (const value of jsonOf(content)) values += countValues(value, LIMITS.maxDocumentDepth)
  }
  if (values === Infinity) throw refuse(`nests values over ${LIMITS.maxDocumentDepth} deep; keep them flat`)
  return values
}

/** The values of a content that were JSON. */
function jsonOf(content: Y.Item['content']): readonly unknown[] {
  if (content instanceof Y.ContentJSON) return content.arr
  if (content instanceof Y.ContentEmbed) return [content.embed]
  return content instanceof Y.ContentFormat ? [content.value] : NONE
}

const NONE: readonly unknown[] = []

/** Where an item stands first in a type at the root, Yjs looks for the type's name among all when it writes the item. */
function mustHaveFewRoots(structs: readonly Struct[], { share }: Y.Doc): void {
  let names: Set<string> | undefined
  for (const struct of structs) {
    const parent = struct instanceof Y.Item ? placeOf(struct).parent : null
    if (typeof parent === 'string' && !share.has(parent)) (names ??= new Set()).add(parent)
  }
  if (names !== undefined && share.size + names.size > LIMITS.maxDocumentRoots)
    throw new HubError('document-too-large', `the document of this book has over ${LIMITS.maxDocumentRoots} types at its root`)
}

function withoutKnown(update: Uint8Array, doc: Y.Doc): Uint8Array {
  try {
    return diffUpdate(update, Y.encodeStateVector(doc))
  } catch {
    throw refuse('cannot be told from what the document has')
  }
}

/** True for an edit that the update brings or the document has. */
function isKnown(client: number, clock: number, ends: ReadonlyMap<number, number>, doc: Y.Doc): boolean {
  return clock < (ends.get(client) ?? 0) || clock < Y.getState(doc.store, client)
}

class GateDecoder extends CarefulDecoder {
  protected override readonly maxValues = LIMITS.maxUpdateValues
}

/** An update of format version 2 begins like an empty one of version 1: it is known by what follows. */
function decode(update: Uint8Array): ReturnType<typeof Y.decodeUpdate> & Pick<SparingDecoder, 'values'> {
  let decoded: ReturnType<typeof Y.decodeUpdate>
  try {
    decoded = Y.decodeUpdateV2(update, GateDecoder)
  } catch (error) {
    if (error instanceof HubError) throw error
    throw refuse('cannot be decoded as version 1')
  }
  const { restDecoder, values, namesPrototype } = SparingDecoder.takeLast()
  if (namesPrototype) throw refuse('holds a value with a member __proto__')
  if (restDecoder.pos !== update.length) throw refuse('goes on behind its end; only version 1 is taken')
  mustHoldWholeNumbers(decoded)
  return { structs: decoded.structs, ds: decoded.ds, values }
}
