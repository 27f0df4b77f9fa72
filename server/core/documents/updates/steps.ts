import * as Y from 'yjs'
import {
  deletionParts,
  orderedParts,
  structBytes,
  structCount,
  writeUpdate,
  writingUpdate,
  type Spans,
  type Struct
} from '../../../../protocol/index.ts'
import { updateSlices } from './slices.ts'
import { decodeUpdate } from './sparing-decoder.ts'

/** What a step may hold; or one edit, if that alone costs more. */
export interface StepBounds {
  readonly structs: number
  readonly cost: number
  /** What one of the update's structs costs, once those before it were applied. */
  readonly costOf: (struct: Struct, structs: readonly Struct[]) => number
}

/** Structs that Yjs reads or writes within a millisecond or two, while that code is not optimised yet. */
const STEP_STRUCTS = 1_000

/**
 * Cuts a Yjs update as `splitUpdate` does, into parts of bounded work, however large it is, made one by one: each when it is asked for; undefined while the update is read. What
 * cannot be put in order is the last part.
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
  let taken = 0
  for (const part of orderedParts(structs, { structs: maxStructs, cost, costOf: struct => costOf(struct, structs) })) {
    taken += structCount(part)
    yield writeUpdate(part, new Map())
  }
  // Applied to what it builds on, what was taken already does nothing.
  if (taken < structs.length) yield update
  else for (const part of deletionParts(deleted, maxStructs)) yield writeUpdate([], part)
}

/** Cuts a Yjs update in the same way into parts of about so many bytes; or one edit, which may be longer in a whole document than one that comes alone. */
export const updateParts = (update: Uint8Array, maxBytes: number): Generator<Uint8Array | undefined, void, void> =>
  updateSteps(update, { structs: STEP_STRUCTS, cost: maxBytes, costOf: structBytes })

/** An update's edits, each behind those that it builds on; fewer where some build on each other in a circle. */
export function inOrder(structs: readonly Struct[]): readonly Struct[] {
  // What one client made is in order.
  if (structs.every(({ id }) => id.client === structs[0]!.id.client)) return structs
  return [...orderedParts(structs, { structs: 1 })].flat().flatMap(part => part.structs)
}

/** A whole document as an update, written in steps. It MUST NOT be changed between them, and lack nothing that its edits build on. */
export function* writeSteps(doc: Y.Doc): Generator<void, Uint8Array, void> {
  const structs = inYjsOrder(doc.store.clients).map(([client, structs]) => ({ client, structs }))
  const deleted = new Map(inYjsOrder(Y.createDeleteSetFromStructStore(doc.store).clients))
  return yield* writingUpdate(structs, deleted, STEP_STRUCTS)
}

const inYjsOrder = <T>(clients: ReadonlyMap<number, T>): [client: number, value: T][] =>
  [...clients].sort(([left], [right]) => right - left)
