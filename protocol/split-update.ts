import * as Y from 'yjs'
import { HubError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { countValues } from './values.ts'

/** What an update brings and deletes. */
export type DecodedUpdate = Pick<ReturnType<typeof Y.decodeUpdate>, 'structs' | 'ds'>
/** Anything that an update brings. */
export type Struct = DecodedUpdate['structs'][number]
/** What an update deletes, by Yjs client. */
export type Spans = DecodedUpdate['ds']['clients']

/** What one Yjs client brings, in the order of its clocks. */
export interface ClientStructs {
  readonly client: number
  readonly structs: readonly Struct[]
}

/** The same, and how far it has been taken. */
interface Queue extends ClientStructs {
  readonly structs: Struct[]
  taken: number
}

/** What one part may hold. */
export interface PartBounds {
  readonly structs: number
  readonly clients: number
  /** Infinity where it does not matter; then no edit is measured. Otherwise each MUST be within the limits of an update. */
  readonly bytes: number
  /** What the edits of a part cost together; one edit alone may cost more. */
  readonly cost: number
  readonly costOf: (struct: Struct) => number
}

/** Room for the counts and ids around the structs. */
const HEAD_BYTES = LIMITS.maxUpdateClients * 20
const NO_BOUNDS: PartBounds = { structs: Infinity, clients: Infinity, bytes: Infinity, cost: Infinity, costOf: () => 0 }
const WIRE_BOUNDS: PartBounds = {
  structs: LIMITS.maxUpdateStructs,
  clients: LIMITS.maxUpdateClients,
  bytes: LIMITS.maxUpdateBytes - HEAD_BYTES,
  cost: LIMITS.maxUpdateValues,
  costOf: valuesIn
}

/**
 * Cuts a Yjs update that is over the limits into several that are within them. Applied in order they are the whole, and each builds only on those
 * before it. What is deleted comes last.
 *
 * @param decoded what the update holds; only who trusts it may leave that to Yjs
 * @throws HubError `too-large` when a single edit is over the limits
 */
export function splitUpdate(update: Uint8Array, decoded: DecodedUpdate = Y.decodeUpdate(update)): Uint8Array[] {
  const { structs, ds } = decoded
  const spans = [...ds.clients.values()].reduce((sum, { length }) => sum + length, 0)
  const clients = new Set(structs.map(({ id }) => id.client)).size
  const isWithin =
    update.length <= LIMITS.maxUpdateBytes &&
    clients <= LIMITS.maxUpdateClients &&
    structs.length <= LIMITS.maxUpdateStructs &&
    spans <= LIMITS.maxUpdateStructs &&
    structs.reduce((sum, struct) => sum + valuesIn(struct), 0) <= LIMITS.maxUpdateValues
  if (isWithin) return [update]
  const parts = [...orderedParts(structs, WIRE_BOUNDS)]
  // What builds on edits that are neither here nor at the hub cannot be put in order: it is for the hub to say so.
  if (structCount(parts.flat()) < structs.length) return [update]
  return [
    ...parts.map(part => writeUpdate(part, new Map())),
    ...deletionParts(ds.clients, LIMITS.maxUpdateStructs).map(part => writeUpdate([], part))
  ]
}

/**
 * Takes from each client what is possible, again and again, so that everything comes after what it builds on. Ends early when nothing more is.
 * @param bounds of each part; there are none but those that are named
 */
export function* orderedParts(structs: readonly Struct[], bounds: Partial<PartBounds>): Generator<ClientStructs[], void, void> {
  const allBounds = { ...NO_BOUNDS, ...bounds }
  const queues = queuesOf(structs)
  const isTaken = ({ client, clock }: Y.ID): boolean => {
    const queue = queues.get(client)
    const next = queue?.structs[queue.taken]
    return next === undefined || clock < next.id.clock
  }
  for (let left = structs.length; left > 0;) {
    const part = takePart(queues, isTaken, allBounds)
    if (part.length === 0) return
    yield part
    left -= structCount(part)
  }
}

/** How many structs a part holds. */
export const structCount = (part: readonly ClientStructs[]): number => part.reduce((sum, { structs }) => sum + structs.length, 0)

/** An update's structs by the Yjs client that made them. */
export const structsByClient = (structs: readonly Struct[]): readonly ClientStructs[] => [...queuesOf(structs).values()]

function queuesOf(structs: readonly Struct[]): Map<number, Queue> {
  const queues = new Map<number, Queue>()
  for (const struct of structs) {
    const { client } = struct.id
    const queue = queues.get(client) ?? { client, structs: [], taken: 0 }
    queues.set(client, queue)
    queue.structs.push(struct)
  }
  return queues
}

function takePart(queues: Map<number, Queue>, isTaken: (id: Y.ID) => boolean, bounds: PartBounds): Queue[] {
  const part = new Map<number, Queue>()
  let { structs: structsLeft, bytes: bytesLeft, cost: costLeft } = bounds
  for (let hasMoved = true; hasMoved && structsLeft > 0;) {
    hasMoved = false
    for (const queue of queues.values()) {
      if (!part.has(queue.client) && part.size === bounds.clients) continue
      for (; structsLeft > 0 && queue.taken < queue.structs.length; queue.taken += 1) {
        const struct = queue.structs[queue.taken]!
        if (struct instanceof Y.Skip) return []
        if (!dependenciesOf(struct).every(isTaken)) break
        const bytes = bytesLeft === Infinity ? 0 : boundedStructBytes(struct)
        const cost = bounds.costOf(struct)
        if (bytes > bytesLeft || (cost > costLeft && part.size > 0)) return [...part.values()]
        bytesLeft -= bytes
        costLeft -= cost
        structsLeft -= 1
        hasMoved = true
        const taken = part.get(queue.client) ?? { client: queue.client, structs: [], taken: 0 }
        part.set(queue.client, taken)
        taken.structs.push(struct)
      }
      if (queue.taken === queue.structs.length) queues.delete(queue.client)
    }
  }
  return [...part.values()]
}

/** The edits that one names: those beside it, and the one that holds the type that it stands in. */
export function dependenciesOf(struct: Struct): Y.ID[] {
  if (!(struct instanceof Y.Item)) return []
  const { origin, rightOrigin, parent } = struct as { origin: Y.ID | null; rightOrigin: Y.ID | null; parent: unknown }
  return [origin, rightOrigin, parent].filter(id => id instanceof Y.ID)
}

/** How many values an edit brings. */
function valuesIn(struct: Struct): number {
  if (!(struct instanceof Y.Item)) return 0
  const { content } = struct
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return countValues(content.arr) - 1
  if (content instanceof Y.ContentEmbed) return countValues(content.embed)
  return content instanceof Y.ContentFormat ? countValues(content.value) : 0
}

/** The bytes that a struct takes in an update. */
export function structBytes(struct: Struct): number {
  const encoder = new Y.UpdateEncoderV1()
  struct.write(encoder, 0)
  return encoder.toUint8Array().length
}

/** @throws HubError `too-large` for what no update can hold */
function boundedStructBytes(struct: Struct): number {
  const bytes = structBytes(struct)
  const isTooMuch = struct.length > LIMITS.maxUpdateSpan || valuesIn(struct) > LIMITS.maxUpdateValues
  if (bytes > LIMITS.maxUpdateBytes - HEAD_BYTES || isTooMuch)
    throw new HubError('too-large', 'one edit of the document is over what an update may hold', { field: 'body' })
  return bytes
}

/** What an update deletes, in parts of so many spans. */
export function deletionParts(clients: Spans, maxSpans: number): Spans[] {
  const parts: Spans[] = []
  let left = 0
  for (const [client, spans] of clients) {
    for (let start = 0; start < spans.length;) {
      if (left === 0) left = parts.push(new Map()) && maxSpans
      const taken = spans.slice(start, start + left)
      parts.at(-1)!.set(client, taken)
      start += taken.length
      left -= taken.length
    }
  }
  return parts
}

/** An update in format version 1. */
export function writeUpdate(clients: readonly ClientStructs[], deleted: Spans): Uint8Array {
  return writingUpdate(clients, deleted, Infinity).next().value as Uint8Array
}

/** The same, with so many structs in a step. */
export function* writingUpdate(
  clients: readonly ClientStructs[],
  deleted: Spans,
  stepStructs: number
): Generator<void, Uint8Array, void> {
  const encoder = new Y.UpdateEncoderV1()
  encoder.writeLen(clients.length)
  let left = stepStructs
  for (const { client, structs } of clients) {
    encoder.writeLen(structs.length)
    encoder.writeClient(client)
    encoder.writeLen(structs[0]!.id.clock)
    for (const struct of structs) {
      struct.write(encoder, 0)
      if (--left > 0) continue
      left = stepStructs
      yield
    }
  }
  encoder.writeLen(deleted.size)
  for (const [client, spans] of deleted) {
    encoder.writeClient(client)
    encoder.writeLen(spans.length)
    for (const { clock, len } of spans) {
      encoder.writeDsClock(clock)
      encoder.writeDsLen(len)
    }
  }
  return encoder.toUint8Array()
}
