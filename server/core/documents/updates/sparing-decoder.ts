import { readAny, readVarString, readVarUint, type Decoder } from 'lib0/decoding'
import * as Y from 'yjs'
import { countValues, objectFrom, roomOf } from '../../../../protocol/index.ts'

/** Signs of lib0's `any` for what holds other values. */
const OBJECT = 118
const ARRAY = 117
const PROTOTYPE = '__proto__'
/** The bits of a struct's first byte that say what kind of content it holds. */
export const CONTENT = 0x1f
/** The kind of content that is JSON. */
const JSON_CONTENT = 2
/** About what they take in memory: an item of a document, what holds other values, and any value or key beside its text. */
const ITEM_BYTES = 160
const HOLDER_BYTES = 64
const VALUE_BYTES = 16
/** Most is taken by empty maps: `HOLDER_BYTES` for three letters of JSON, the comma among them. */
const BYTES_PER_JSON_LETTER = 24

/** Reads Yjs updates of format version 1 as Yjs does, but keeps no room up to keys that are small numbers; and counts. */
export class SparingDecoder extends Y.UpdateDecoderV1 {
  static #last: SparingDecoder | undefined
  /** False passes values by: nothing of them is built. */
  protected readonly isBuilding: boolean = true
  /** Values that were read, as `countValues` counts them, save for those in JSON. */
  values = 0
  /** About the memory that what was read will take, beside its text. */
  heldBytes = 0
  /** Whether a value had a member that is called like the prototype, which is passed by. */
  namesPrototype = false
  #isJson = false

  constructor(decoder: Decoder) {
    super(decoder)
    SparingDecoder.#last = this
  }

  /** The one that was made last, which Yjs does by itself. */
  static takeLast(): SparingDecoder {
    const last = SparingDecoder.#last!
    SparingDecoder.#last = undefined
    return last
  }

  /** Comes with each struct. */
  override readInfo(): number {
    this.heldBytes += ITEM_BYTES
    const info = super.readInfo()
    this.#isJson = (info & CONTENT) === JSON_CONTENT
    return info
  }

  /** What was written as JSON once comes as text. */
  override readString(): string {
    const text = super.readString()
    if (this.#isJson) this.heldBytes += text.length * BYTES_PER_JSON_LETTER
    return text
  }

  override readJSON(): unknown {
    const value: unknown = super.readJSON()
    this.heldBytes += countValues(value) * HOLDER_BYTES
    return value
  }

  override readAny(): unknown {
    return this.#value(0)
  }

  /**
   * Comes with each list and map, before anything in it is read.
   * @param _values how many there are in it, keys included, by its own word
   * @param _depth how many lists and maps it lies in, itself included
   */
  protected enter(_values: number, _depth: number): void {}

  #value(depth: number): unknown {
    this.values += 1
    this.heldBytes += VALUE_BYTES
    const decoder = this.restDecoder
    const sign = decoder.arr[decoder.pos]
    if (sign !== OBJECT && sign !== ARRAY) return readAny(decoder)
    decoder.pos += 1
    this.heldBytes += HOLDER_BYTES
    const length = readVarUint(decoder)
    return sign === ARRAY ? this.#list(length, depth + 1) : this.#record(length, depth + 1)
  }

  #list(length: number, depth: number): unknown[] {
    this.enter(length, depth)
    const items: unknown[] = []
    for (let left = length; left > 0; left--) {
      const value = this.#value(depth)
      if (this.isBuilding) items.push(value)
    }
    return items
  }

  #record(length: number, depth: number): Record<string, unknown> {
    this.enter(2 * length, depth)
    const entries: [string, unknown][] = []
    let room = 0
    for (let left = length; left > 0; left--) {
      const name = readVarString(this.restDecoder)
      room = Math.max(room, roomOf(name))
      const value = this.#value(depth)
      // What lib0 makes of it is no member either, and some of it lib0 cannot write again.
      if (name === PROTOTYPE) this.namesPrototype = true
      else if (this.isBuilding) entries.push([name, value])
    }
    this.values += length + room
    this.heldBytes += length * VALUE_BYTES
    return objectFrom(entries)
  }
}

/** `Y.decodeUpdate` with a `SparingDecoder`. @throws Error */
export const decodeUpdate = (update: Uint8Array): ReturnType<typeof Y.decodeUpdate> => Y.decodeUpdateV2(update, SparingDecoder)

/** What an update takes in memory once it was applied, as `applyUpdate` says it. @throws Error */
export function heldBytesOf(update: Uint8Array): number {
  decodeUpdate(update)
  return SparingDecoder.takeLast().heldBytes
}

/** `Y.diffUpdate` with a `SparingDecoder`. @throws Error */
export const diffUpdate = (update: Uint8Array, stateVector: Uint8Array): Uint8Array =>
  Y.diffUpdateV2(update, stateVector, SparingDecoder, Y.UpdateEncoderV1)

/**
 * `Y.applyUpdate` with a `SparingDecoder`.
 * @returns how much more the document takes in memory, at most and about, beside the update's text
 */
export function applyUpdate(doc: Y.Doc, update: Uint8Array): number {
  Y.applyUpdateV2(doc, update, undefined, SparingDecoder)
  return SparingDecoder.takeLast().heldBytes
}
