import * as Y from 'yjs'
import {
  ANNOTATION_DOCUMENT,
  countValues,
  encodeValue,
  isMap,
  maxValuesIn,
  objectFrom,
  toPlain
} from '../../../protocol/index.ts'
import type { Moment } from '../change.ts'
import { addVersion } from '../history.ts'
import type { AnnotationHistoryRecord, BurstRecord } from '../records.ts'
import { isAnnotationId } from './annotations.ts'
import { decodeUpdate } from './updates/sparing-decoder.ts'

const { root, removedField } = ANNOTATION_DOCUMENT
/** All that a device does within so long after the first edit of a burst is one version. */
const BURST_US = 600e6
/** Another device's edit begins the next burst after so long: two who type at once make one version each, and then one a minute. */
const JOINT_BURST_US = 60e6
/** Annotations of one burst; an import has more. */
const MAX_TOUCHED = 10_000
/** A larger version is not kept. */
const MAX_VERSION_BYTES = 262_144
/** Items of the document that are looked at for the versions of one update. */
const MAX_STEPS = 262_144
/** Items that are looked at in the time that `updateCost` counts as one. */
const STEPS_PER_COST = 10
/** Values that are copied and written out in that time. */
const VALUES_PER_COST = 4
/** Bytes of an update that are decoded in that time. */
const DECODED_PER_COST = 32
/** The deepest nesting that a plain form can hold. */
const MAX_NESTED = 16
/** Stands among an annotation's devices when it was found too large. */
const TOO_LARGE = '\u0000too large'

/** The stored history of an annotation. */
export type StoredHistory = (id: string) => AnnotationHistoryRecord | undefined

type Change = Pick<Y.Transaction, 'changed' | 'beforeState' | 'deleteSet'>

/**
 * Finds what is to be restored later: how an annotation stood before the first edit of each device in a burst of edits, and before it was removed or
 * replaced; and what came under an id that another device had taken, and was deleted by Yjs at once, because a key holds one value. The same updates in the same order give the same versions, whenever snapshots were taken and histories stored in between: time is the log's own, and what
 * is found once more does nothing.
 */
export class Versions {
  readonly #entries: Y.Map<unknown>
  readonly #stored: StoredHistory
  readonly #spend: (cost: number) => void
  #startedUs = -Infinity
  #lastDevice = ''
  /** The devices that changed each annotation in this burst. */
  #touched = new Map<string, string[]>()
  /** The histories that were added to, and not taken yet. */
  #changed = new Map<string, AnnotationHistoryRecord>()
  #foundBytes = 0
  #at: Moment = { cursor: 0, timeUs: 0, device: '' }
  #update: Uint8Array | undefined

  /**
   * @param burst what was under way when `doc` stood as it does
   * @param spend is told what looking back costs, as `updateCost` counts it
   */
  constructor(doc: Y.Doc, burst: BurstRecord | undefined, stored: StoredHistory, spend: (cost: number) => void) {
    this.#spend = spend
    this.#entries = doc.getMap(root)
    this.#stored = stored
    if (burst !== undefined) {
      this.#startedUs = burst.startedUs
      this.#lastDevice = burst.lastDevice
      this.#touched = new Map(burst.touched.map(([id, ...devices]) => [id, devices]))
    }
    doc.on('afterTransaction', transaction => this.#find(transaction))
  }

  /** MUST come before each update is applied, and before each edit of the hub's own, which needs no `update`. */
  expect(at: Moment, update?: Uint8Array): void {
    this.#at = at
    this.#update = update
  }

  /** Bytes of the versions that were found since histories were last taken. */
  get foundBytes(): number {
    return this.#foundBytes
  }

  historyOf(id: string): AnnotationHistoryRecord | undefined {
    return this.#changed.get(id) ?? this.#stored(id)
  }

  /** Hands over the histories that were added to since the last time, by annotation, to be stored. */
  takeHistories(): Map<string, AnnotationHistoryRecord> {
    const changed = this.#changed
    this.#changed = new Map()
    this.#foundBytes = 0
    return changed
  }

  /** The burst that is under way, to go on from later. */
  get burst(): BurstRecord {
    return {
      startedUs: this.#startedUs,
      lastDevice: this.#lastDevice,
      touched: Array.from(this.#touched, ([id, devices]) => [id, ...devices] as const)
    }
  }

  #find(change: Change): void {
    let before: Reading | undefined
    let lost: Reading | undefined
    for (const [type, names] of change.changed) {
      if ((type as unknown) === this.#entries) {
        for (const id of names) {
          if (id === null) continue
          // Another one, or a rival: whoever edits what stands there now keeps it as a version first.
          this.#touched.delete(id)
          if (this.#stands(id, change)) this.#keepLost(id, (lost ??= this.#lostOf(change)))
          else this.#touch(id, true, (before ??= beforeOf(change)))
        }
        continue
      }
      const id = this.#idOf(type)
      if (id === null) continue
      const devices = this.#isBurstOver ? undefined : this.#touched.get(id)
      const isMark = names.has(removedField)
      // Most updates are one more keystroke in the same note.
      if (!isMark && devices?.includes(this.#at.device) === true) this.#lastDevice = this.#at.device
      else this.#touch(id, isMark, (before ??= beforeOf(change)))
    }
  }

  get #isBurstOver(): boolean {
    const { timeUs, device } = this.#at
    const sinceUs = timeUs - this.#startedUs
    return sinceUs >= (device === this.#lastDevice ? BURST_US : JOINT_BURST_US) || this.#touched.size > MAX_TOUCHED
  }

  /** @param isMark it may have been removed: how it stood then is kept in any case */
  #touch(id: string, isMark: boolean, before: Reading): void {
    const { timeUs, device } = this.#at
    if (this.#isBurstOver) {
      this.#touched.clear()
      this.#startedUs = timeUs
    }
    this.#lastDevice = device
    let devices = this.#touched.get(id)
    if (devices === undefined) this.#touched.set(id, (devices = []))
    const isFirst = !devices.includes(device)
    if (isFirst) devices.push(device)
    if (!(isFirst || isMark) || devices.includes(TOO_LARGE) || !isAnnotationId(id)) return
    const found = before.annotation(this.#entries, id)
    this.#spend(before.takeCost())
    if (found === undefined) return
    const { wasRemoved, fields } = found
    if (fields === undefined) devices.push(TOO_LARGE)
    else this.#keep(id, fields, isMark && !wasRemoved)
  }

  /** True where the entry, or the gap that one has left, is what it was: all that the change brought for its key is gone already. */
  #stands(id: string, { beforeState, deleteSet }: Change): boolean {
    const newest = this.#entries._map.get(id)
    return newest !== undefined && isKnownTo(beforeState, newest) && !Y.isDeleted(deleteSet, newest.id)
  }

  #keepLost(id: string, lost: Reading): void {
    if (!isAnnotationId(id)) return
    const fields = lost.annotation(this.#entries, id)?.fields
    this.#spend(lost.takeCost())
    if (fields !== undefined) this.#keep(id, fields, true)
  }

  /** Reads what a change brought and Yjs deleted at once, as its author had it. */
  #lostOf({ beforeState }: Change): Reading {
    const update = this.#update ?? EMPTY_UPDATE
    this.#spend(update.length / DECODED_PER_COST)
    const deletedByAuthor = Y.mergeDeleteSets([decodeUpdate(update).ds])
    return new Reading(item => item.deleted && !isKnownTo(beforeState, item), deletedByAuthor)
  }

  #keep(id: string, fields: Uint8Array, isTurn: boolean): void {
    let history = this.#changed.get(id)
    if (history === undefined) {
      const { versions, added, addedBytes } = this.#stored(id) ?? { versions: [], added: 0, addedBytes: 0 }
      this.#changed.set(id, (history = { versions: [...versions], added, addedBytes }))
    }
    const last = history.versions.at(-1)
    // An update may change a note and the fields beside it.
    if (last?.cursor === this.#at.cursor) {
      if (isTurn) last.isTurn = true
      return
    }
    addVersion(history, { ...this.#at, fields, ...(isTurn && { isTurn }) })
    this.#foundBytes += fields.length
  }

  /** The annotation that a type is a part of. */
  #idOf(type: Pick<Y.AbstractType<unknown>, '_item'>): string | null {
    for (let item = type._item; item !== null;) {
      const parent = item.parent as Y.AbstractType<unknown>
      if (parent === (this.#entries as unknown)) return item.parentSub
      item = parent._item
    }
    return null
  }
}

const EMPTY_UPDATE = Y.encodeStateAsUpdate(new Y.Doc())

const isKnownTo = (state: Map<number, number>, { id }: Y.Item): boolean => id.clock < (state.get(id.client) ?? 0)

/** Reads the document as it stood before a change, whose deletions are not collected yet. */
const beforeOf = ({ beforeState, deleteSet }: Change): Reading =>
  new Reading(item => isKnownTo(beforeState, item) && (!item.deleted || Y.isDeleted(deleteSet, item.id)))

/** Reads the document as if these items, save for what of them was deleted, and no others stood in it. */
class Reading {
  readonly #stood: (item: Y.Item) => boolean
  readonly #deleted: Change['deleteSet'] | undefined
  #stepsLeft = MAX_STEPS
  #cost = 0
  #charactersLeft = 0

  constructor(stood: (item: Y.Item) => boolean, deleted?: Change['deleteSet']) {
    this.#stood = stood
    this.#deleted = deleted
  }

  /** An annotation without its mark of removal; `fields` is undefined where it was too large, all of it where there was none. */
  annotation(entries: Y.Map<unknown>, id: string): { wasRemoved: boolean; fields: Uint8Array | undefined } | undefined {
    const stepsBefore = this.#stepsLeft
    const entry = this.#held(entries._map.get(id))
    this.#charactersLeft = MAX_VERSION_BYTES
    const plain = entry && toPlain(this.#value(entry, 1), 1)
    this.#cost += (stepsBefore - this.#stepsLeft) / STEPS_PER_COST
    if (this.#stepsLeft < 0 || this.#charactersLeft < 0) return { wasRemoved: false, fields: undefined }
    if (!isMap(plain)) return undefined
    const { [removedField]: mark, ...fields } = plain
    const bytes = encodeValue(fields)
    const values = countValues(fields)
    this.#cost += values / VALUES_PER_COST
    const isTooLarge = bytes.length > MAX_VERSION_BYTES || values > maxValuesIn(bytes.length)
    return { wasRemoved: mark !== undefined, fields: isTooLarge ? undefined : bytes }
  }

  /** The cost of all that was read since this was last called. */
  takeCost(): number {
    const cost = this.#cost
    this.#cost = 0
    return cost
  }

  /** The value that a key of a map held. */
  #held(newest: Y.Item | undefined): unknown {
    for (let item = newest ?? null; item !== null && this.#stepsLeft >= 0; item = item.left) {
      this.#stepsLeft -= 1
      if (this.#stood(item) && this.#isLeft(item, item.length - 1)) return item.content.getContent()[item.length - 1]
    }
    return undefined
  }

  #value(value: unknown, depth: number): unknown {
    if (!(value instanceof Y.AbstractType) || depth > MAX_NESTED) return value
    if (value instanceof Y.Text && !(value instanceof Y.XmlText)) {
      let text = ''
      for (const item of this.#items(value))
        if (item.content instanceof Y.ContentString && (this.#charactersLeft -= item.length) >= 0)
          text += this.#textOf(item, item.content.str)
      return text
    }
    if (value instanceof Y.Array) {
      const items: unknown[] = []
      for (const item of this.#items(value))
        for (const held of this.#leftOf(item, item.content.getContent())) items.push(this.#value(held, depth + 1))
      return items
    }
    if (!(value instanceof Y.Map)) return undefined
    const fields = Array.from(value._map, ([name, item]) => [name, this.#value(this.#held(item), depth + 1)] as const)
    return objectFrom(fields.filter(([, held]) => held !== undefined))
  }

  #isLeft({ id: { client, clock } }: Y.Item, index: number): boolean {
    return this.#deleted === undefined || !Y.isDeleted(this.#deleted, Y.createID(client, clock + index))
  }

  #textOf(item: Y.Item, text: string): string {
    return this.#deleted === undefined ? text : this.#leftOf(item, text.split('')).join('')
  }

  #leftOf<T>(item: Y.Item, contents: readonly T[]): readonly T[] {
    return this.#deleted === undefined ? contents : contents.filter((_, index) => this.#isLeft(item, index))
  }

  *#items(list: Pick<Y.AbstractType<unknown>, '_start'>): Generator<Y.Item> {
    for (let item = list._start; item !== null && this.#stepsLeft >= 0; item = item.right) {
      this.#stepsLeft -= 1
      if (this.#stood(item)) yield item
    }
  }
}
