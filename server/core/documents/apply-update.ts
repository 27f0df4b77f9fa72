import { readAny, readVarString, readVarUint, type Decoder } from 'lib0/decoding'
import * as Y from 'yjs'
import { recordOf } from '../../../protocol/index.ts'

/** Signs of lib0's `any` for what holds other values. */
const OBJECT = 118
const ARRAY = 117

/** Reads updates as Yjs does, but keeps no room up to keys that are small numbers; and counts. */
class SparingDecoder extends Y.UpdateDecoderV1 {
  static last: SparingDecoder | undefined
  objects = 0

  constructor(decoder: Decoder) {
    super(decoder)
    SparingDecoder.last = this
  }

  /** Comes with each struct. */
  override readInfo(): number {
    this.objects += 1
    return super.readInfo()
  }

  override readAny(): unknown {
    this.objects += 1
    const decoder = this.restDecoder
    const sign = decoder.arr[decoder.pos]
    if (sign !== OBJECT && sign !== ARRAY) return readAny(decoder)
    decoder.pos += 1
    const length = readVarUint(decoder)
    if (sign === ARRAY) {
      const items: unknown[] = []
      for (let left = length; left > 0; left--) items.push(this.readAny())
      return items
    }
    const entries: [string, unknown][] = []
    for (let left = length; left > 0; left--) entries.push([readVarString(decoder), this.readAny()])
    return recordOf(entries)
  }
}

/**
 * Applies a Yjs v1 update that was looked at before.
 * @returns how many objects there are more in memory, at most
 */
export function applyUpdate(doc: Y.Doc, update: Uint8Array): number {
  Y.applyUpdateV2(doc, update, undefined, SparingDecoder)
  return SparingDecoder.last!.objects
}

/** How many objects an update becomes in memory, at most. */
export function countObjects(update: Uint8Array): number {
  Y.decodeUpdateV2(update, SparingDecoder)
  return SparingDecoder.last!.objects
}
