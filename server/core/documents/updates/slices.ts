import { createDecoder, readVarUint } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeUint8Array, writeVarUint } from 'lib0/encoding'
import { CONTENT, SparingDecoder } from './sparing-decoder.ts'

type Reader = SparingDecoder

/** A whole first byte: a gap. */
const SKIP = 10
/** Bits of the byte that each struct begins with. */
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_PARENT_KEY = 0x20
/** The types of Yjs that have a name: elements and hooks of XML. */
const NAMED_TYPES: ReadonlySet<number> = new Set([3, 5])

/**
 * A Yjs update in slices of so many structs, made one by one: each an update with structs as they stand there, and the last one with what is deleted. So a long one can be decoded slice by slice,
 * where Yjs does it in one go.
 *
 * @param update in format version 1 (Yjs, `src/utils/updates.js`)
 * @throws Error when it cannot be read
 */
export function* updateSlices(update: Uint8Array, maxStructs: number): Generator<Uint8Array, void, void> {
  const rest = createDecoder(update)
  const reader = new SparingDecoder(rest)
  for (let clients = readVarUint(rest); clients > 0; clients--) {
    let structs = readVarUint(rest)
    const client = reader.readClient()
    for (let clock = readVarUint(rest); structs > 0;) {
      const count = Math.min(structs, maxStructs)
      const [startClock, start] = [clock, rest.pos]
      for (let index = 0; index < count; index++) clock += readStruct(reader)
      structs -= count
      yield joined([1, count, client, startClock], update.subarray(start, rest.pos), [0])
    }
  }
  yield joined([0], update.subarray(rest.pos), [])
}

function joined(head: readonly number[], body: Uint8Array, end: readonly number[]): Uint8Array {
  const encoder = createEncoder()
  for (const number of head) writeVarUint(encoder, number)
  writeUint8Array(encoder, body)
  for (const number of end) writeVarUint(encoder, number)
  return toUint8Array(encoder)
}

/** Reads past a struct. @returns how many clocks it spans */
function readStruct(reader: Reader): number {
  const info = reader.readInfo()
  if (info === SKIP || (info & CONTENT) === 0) return reader.readLen()
  if ((info & HAS_ORIGIN) !== 0) reader.readLeftID()
  if ((info & HAS_RIGHT_ORIGIN) !== 0) reader.readRightID()
  if ((info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) === 0) {
    if (reader.readParentInfo()) reader.readString()
    else reader.readLeftID()
    if ((info & HAS_PARENT_KEY) !== 0) reader.readString()
  }
  return readContent(reader, info & CONTENT)
}

/** Reads past a content, by the number of its kind. @returns how many clocks it spans */
function readContent(reader: Reader, kind: number): number {
  switch (kind) {
    case 1:
      return reader.readLen()
    case 2:
      return repeated(reader, () => reader.readString())
    case 3:
      reader.readBuf()
      return 1
    case 4:
      return reader.readString().length
    case 5:
      reader.readJSON()
      return 1
    case 6:
      reader.readKey()
      reader.readJSON()
      return 1
    case 7:
      if (NAMED_TYPES.has(reader.readTypeRef())) reader.readKey()
      return 1
    case 8:
      return repeated(reader, () => reader.readAny())
    case 9:
      reader.readString()
      reader.readAny()
      return 1
    default:
      throw new RangeError(`Yjs has no content of kind ${kind}`)
  }
}

function repeated(reader: Reader, read: () => unknown): number {
  const count = reader.readLen()
  for (let index = 0; index < count; index++) read()
  return count
}
