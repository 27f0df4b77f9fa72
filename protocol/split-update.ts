import * as Y from 'yjs'
import { HubError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { decodeUpdate, diffUpdate } from './sparing-decoder.ts'
import { updateSlices } from './update-slices.ts'
import { CarefulDecoder, dependenciesOf, mustHoldWholeNumbers, type Spans, type Struct } from './untrusted-update.ts'
import { countValues } from './values.ts'

type Decoded = ReturnType<typeof Y.decodeUpdate>

/** What one Yjs client brings, and how far it has been taken. */
interface Queue {
  readonly client: number
  readonly structs: Struct[]
  taken: number
}

type Structs = Pick<Queue, 'client' | 'structs'>

/** What one part may hold. */
interface Bounds {
  readonly structs: number
  readonly clients: number
  /** Infinity where it does not matter; then no edit is measured. */
  readonly bytes: number
  /** What the edits of a part cost together; one edit alone may cost more. */
  readonly cost: number
  readonly costOf: (struct: Struct) => number
}

/** What a step may hold; or one edit, if that alone costs more. */
export interface StepBounds {
  readonly structs: number
  readonly cost: number
  /** What one of the update's structs costs, once those before it were applied. */
  readonly costOf: (struct: Struct, structs: readonly Struct[]) => number
}

/** Room for the counts and ids around the structs. */
const HEAD_BYTES = LIMITS.maxUpdateClients * 20
/** Yjs clients with edits that a document lacks: putting those in order may take the square of how many they are. */
const MAX_FRESH_CLIENTS = 1_000
const NO_BOUNDS: Bounds = { structs: Infinity, clients: Infinity, bytes: Infinity, cost: Infinity, costOf: () => 0 }
const WIRE_BOUNDS: Bounds = {
  ...NO_BOUNDS,
  structs: LIMITS.maxUpdateStructs,
  clients: LIMITS.maxUpdateClients,
  bytes: LIMITS.maxUpdateBytes - HEAD_BYTES,
  cost: LIMITS.maxUpdateValues,
  costOf: valuesIn
}
/** Structs that Yjs reads or writes within a millisecond or two, while that code is not optimised yet. */
const STEP_STRUCTS = 1_000

/**
 * Cuts a Yjs update that is over the limits into several that are within them. Applied in order they are the whole, and each builds only on those
 * before it. What is deleted comes last.
 *
 * @throws HubError `too-large` when a single edit is over the limits
 */
export function splitUpdate(update: Uint8Array): Uint8Array[] {
  return split(update, decodeUpdate(update))
}

/**
 * The same with parts of bounded work, however large the update is, made one by one: each when it is asked for; undefined while it is read. What cannot be put in order is
 * the last part.
 */
export function* updateSteps(
  update: Uint8Array,
  { structs: maxStructs, cost, costOf }: StepBounds
): Generator<Uint8Array | undefined, void, void> {
  const structs: Struct[] = []
  let deleted: Spans = new Map()
  for (const slice of updateSlices(update, STEP_STRUCTS)) {
    const read = decodeUpdate(slice)
    structs.push(...read.structs)
    deleted = read.ds.clients
    yield undefined
  }
  const bounds: Bounds = { ...NO_BOUNDS, structs: maxStructs, cost, costOf: struct => costOf(struct, structs) }
  let taken = 0
  for (const part of partsOf(structs, bounds)) {
    taken += countOf(part)
    yield encode(part, new Map())
  }
  // Applied to what it builds on, what was taken already does nothing.
  if (taken < structs.length) yield update
  else for (const part of spanParts(deleted, maxStructs)) yield encode([], part)
}

/** An update's edits, each behind those that it builds on; fewer where some build on each other in a circle. */
export function inOrder(structs: readonly Struct[]): readonly Struct[] {
  // What one client made is in order.
  if (structs.every(({ id }) => id.client === structs[0]!.id.client)) return structs
  return [...partsOf(structs, { ...NO_BOUNDS, structs: 1 })].flat().flatMap(queue => queue.structs)
}

/** A whole document as an update, written in steps. It MUST NOT be changed between them, and lack nothing that its edits build on. */
export function* writeSteps(doc: Y.Doc): Generator<void, Uint8Array, void> {
  const structs = inYjsOrder(doc.store.clients).map(([client, structs]) => ({ client, structs }))
  const deleted = new Map(inYjsOrder(Y.createDeleteSetFromStructStore(doc.store).clients))
  return yield* encoding(structs, deleted, STEP_STRUCTS)
}

const inYjsOrder = <T>(clients: ReadonlyMap<number, T>): [client: number, value: T][] =>
  [...clients].sort(([left], [right]) => right - left)

/**
 * What an update brings that a document lacks, within the limits: a device that comes back sends all that was ever deleted, and other things that are known.
 *
 * @throws HubError `too-large` as `splitUpdate` does, and for new edits of very many Yjs clients; `bad-update` for ids that share a hash, and numbers that are none
 * @throws Error when the update cannot be read
 */
export function missingUpdates(update: Uint8Array, doc: Y.Doc): Uint8Array[] {
  mustHoldWholeNumbers(Y.decodeUpdateV2(update, CarefulDecoder))
  const fresh = diffUpdate(update, Y.encodeStateVector(doc))
  const { structs, ds } = decodeUpdate(fresh)
  if (queuesOf(structs).length > MAX_FRESH_CLIENTS)
    throw new HubError('too-large', `the update has new edits of over ${MAX_FRESH_CLIENTS} Yjs clients`, { field: 'body' })
  const deleted = Y.createDeleteSetFromStructStore(doc.store).clients
  const clients: Spans = new Map()
  for (const [client, spans] of ds.clients) {
    const left = spans.filter(({ clock, len }) => !isCovered(clock, clock + len, deleted.get(client) ?? []))
    if (left.length > 0) clients.set(client, left)
  }
  if (structs.length === 0 && clients.size === 0) return []
  return split(encode(queuesOf(structs), clients), { structs, ds: { clients } })
}

/** True when one of the spans, which are in order and apart from each other, holds all clocks from `start` to `end`. */
function isCovered(start: number, end: number, spans: Spans extends Map<number, infer List> ? List : never): boolean {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (spans[middle]!.clock <= start) low = middle + 1
    else high = middle
  }
  const holding = spans[low - 1]
  return holding !== undefined && end <= holding.clock + holding.len
}

function split(update: Uint8Array, { structs, ds }: Pick<Decoded, 'structs' | 'ds'>): Uint8Array[] {
  const spans = [...ds.clients.values()].reduce((sum, { length }) => sum + length, 0)
  const clients = new Set(structs.map(({ id }) => id.client)).size
  const isWithin =
    update.length <= LIMITS.maxUpdateBytes &&
    clients <= LIMITS.maxUpdateClients &&
    structs.length <= LIMITS.maxUpdateStructs &&
    spans <= LIMITS.maxUpdateStructs &&
    structs.reduce((sum, struct) => sum + valuesIn(struct), 0) <= LIMITS.maxUpdateValues
  if (isWithin) return [update]
  const parts = [...partsOf(structs, WIRE_BOUNDS)]
  const taken = countOf(parts.flat())
  // What builds on edits that are neither here nor at the hub cannot be put in order: it is for the hub to say so.
  if (taken < structs.length) return [update]
  return [
    ...parts.map(part => encode(part, new Map())),
    ...spanParts(ds.clients, LIMITS.maxUpdateStructs).map(part => encode([], part))
  ]
}

/** Takes from each client what is possible, again and again, so that everything comes after what it builds on. Ends early when nothing more is. */
function* partsOf(structs: readonly Struct[], bounds: Bounds): Generator<Queue[], void, void> {
  const queues = new Map(queuesOf(structs).map(queue => [queue.client, queue]))
  const isTaken = ({ client, clock }: Y.ID): boolean => {
    const queue = queues.get(client)
    const next = queue?.structs[queue.taken]
    return next === undefined || clock < next.id.clock
  }
  for (let left = structs.length; left > 0;) {
    const part = takePart(queues, isTaken, bounds)
    if (part.length === 0) return
    yield part
    left -= countOf(part)
  }
}

const countOf = (part: readonly Structs[]): number => part.reduce((sum, { structs }) => sum + structs.length, 0)

function queuesOf(structs: readonly Struct[]): Queue[] {
  const queues = new Map<number, Queue>()
  for (const struct of structs) {
    const { client } = struct.id
    const queue = queues.get(client) ?? { client, structs: [], taken: 0 }
    queues.set(client, queue)
    queue.structs.push(struct)
  }
  return [...queues.values()]
}

function takePart(queues: Map<number, Queue>, isTaken: (id: Y.ID) => boolean, bounds: Bounds): Queue[] {
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
        const bytes = bytesLeft === Infinity ? 0 : sizeOf(struct)
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

/** How many values an edit brings. */
function valuesIn(struct: Struct): number {
  if (!(struct instanceof Y.Item)) return 0
  const { content } = struct
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return countValues(content.arr) - 1
  if (content instanceof Y.ContentEmbed) return countValues(content.embed)
  return content instanceof Y.ContentFormat ? countValues(content.value) : 0
}

/** @throws HubError `too-large` for what no update can hold */
function sizeOf(struct: Struct): number {
  const encoder = new Y.UpdateEncoderV1()
  struct.write(encoder, 0)
  const { length } = encoder.toUint8Array()
  const isTooMuch = struct.length > LIMITS.maxUpdateSpan || valuesIn(struct) > LIMITS.maxUpdateValues
  if (length > LIMITS.maxUpdateBytes - HEAD_BYTES || isTooMuch)
    throw new HubError('too-large', 'one edit of the document is over what an update may hold', { field: 'body' })
  return length
}

function spanParts(clients: Spans, maxSpans: number): Spans[] {
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

function encode(clients: readonly Structs[], deleted: Spans): Uint8Array {
  return encoding(clients, deleted, Infinity).next().value as Uint8Array
}

/** The Yjs update format, version 1, with so many structs in a step. */
function* encoding(clients: readonly Structs[], deleted: Spans, stepStructs: number): Generator<void, Uint8Array, void> {
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
