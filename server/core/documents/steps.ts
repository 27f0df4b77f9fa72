import * as Y from 'yjs'
import type { Struct } from '../../../protocol/index.ts'
import { placeCost } from './cost.ts'
import { Places } from './places.ts'
import { nextTurn, type Clock } from '../ports.ts'
import { QuietDoc } from './quiet-doc.ts'
import { applyUpdate } from './updates/sparing-decoder.ts'
import { updateSteps, writeSteps } from './updates/steps.ts'

/** Work that is done in steps of some milliseconds at most. Whoever asks for the next one lets others work before, or not. */
export type Steps<T> = Generator<void, T, void>

/** Structs that Yjs takes in within a fraction of a millisecond; within a few, while that code is not optimised yet. */
const STEP_STRUCTS = 100
/** Items that Yjs passes by in some two milliseconds, to order what claims the same place. */
export const STEP_COST = 2_000
/** Bytes that Yjs decodes in such a time, whatever they hold. */
const STEP_BYTES = 65_536
/** An update that is no longer is taken in at once, whatever it holds. */
const SMALL_BYTES = 1_024

/** A whole document as one Yjs v1 update. */
export interface Whole {
  readonly update: Uint8Array
  /** It is taken in at once. It MUST be read in the way in which it was checked, for what Yjs makes of it may depend on that. */
  readonly isShort?: true
}

/** @param cost what `reloadCost` found of the document as it was written out, counting up to `STEP_COST` */
export const wholeOf = (update: Uint8Array, cost: number): Whole =>
  cost <= STEP_COST && update.length <= STEP_BYTES ? { update, isShort: true } : { update }

/** Brings a whole document into an empty one. Between the steps it is there in part. @returns as `applyUpdate` does */
export function* takeIn(doc: Y.Doc, { update, isShort }: Whole): Steps<number> {
  if (isShort === true || update.length <= SMALL_BYTES) return applyUpdate(doc, update)
  let places: Places | undefined
  let heldBytes = 0
  const costOf = (struct: Struct, structs: readonly Struct[]): number => placeCost(struct, (places ??= new Places(structs, doc)))
  for (const part of updateSteps(update, { structs: STEP_STRUCTS, cost: STEP_COST, costOf })) {
    if (part !== undefined) heldBytes += applyUpdate(doc, part)
    yield
  }
  return heldBytes
}

/** A document as one Yjs v1 update: written in steps, until somebody needs it at once or is about to change the document. */
export class Writing {
  readonly #steps: Steps<Uint8Array>
  #update: Uint8Array | undefined
  #hasFailed = false

  constructor(doc: Y.Doc) {
    this.#steps = writeSteps(doc)
  }

  /** 0 until all is written. */
  get writtenBytes(): number {
    return this.#update?.length ?? 0
  }

  /**
   * Whoever takes a step takes it for all who wait for the end.
   * @throws Error when it fails or has failed
   */
  *inSteps(): Steps<Uint8Array> {
    while (this.#update === undefined) {
      if (this.#hasFailed) throw new Error('the document could not be written out')
      this.#hasFailed = true
      const { done, value } = this.#steps.next()
      this.#hasFailed = false
      if (done === true) this.#update = value
      else yield
    }
    return this.#update
  }
}

/** True when an empty document takes all of it in. */
export function* isWhole(whole: Whole): Steps<boolean> {
  return (yield* reload(whole)) !== undefined
}

/**
 * Whether a new document made of `whole` stands at `state`. The bytes of the two may differ: what was deleted bit by bit lies in pieces in memory,
 * and is read again as one.
 * @returns what that document takes in memory, as `applyUpdate` does; undefined when it stands elsewhere
 */
export function* reloadAt(whole: Whole, state: Y.Snapshot): Steps<number | undefined> {
  const found = yield* reload(whole)
  return found !== undefined && Y.equalSnapshots(found.state, state) ? found.heldBytes : undefined
}

function* reload(whole: Whole): Steps<{ state: Y.Snapshot; heldBytes: number } | undefined> {
  const doc = new QuietDoc()
  try {
    const heldBytes = yield* takeIn(doc, whole)
    const { pendingStructs, pendingDs } = doc.store
    return pendingStructs === null && pendingDs === null ? { state: Y.snapshot(doc), heldBytes } : undefined
  } catch {
    return undefined
  } finally {
    doc.destroy()
  }
}

/** All steps at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** One step in each turn of the event loop, the first one at once. */
export async function inTurns<T>(steps: Steps<T>, clock: Clock): Promise<T> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await nextTurn(clock)
  }
}

/** Work that can wait: one piece after the other, over all accounts, and a step in each turn. */
export class Background {
  readonly #clock: Clock
  #last: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves with undefined when it was stopped before the work was done. */
  run<T>(steps: Steps<T>): Promise<T | undefined> {
    const running = this.#last.then(() => this.#inTurns(steps))
    this.#last = running.catch(() => undefined)
    return running
  }

  /** Takes no further step. */
  stop(): void {
    this.#isStopped = true
  }

  async #inTurns<T>(steps: Steps<T>): Promise<T | undefined> {
    for (;;) {
      await nextTurn(this.#clock)
      if (this.#isStopped) return undefined
      const { done, value } = steps.next()
      if (done === true) return value
    }
  }
}
