import { FRAMES } from './frames.ts'

const HEADER_BYTES = 7
const NO_BYTES = new Uint8Array(0)
const MAX_LIKELY_LENGTH = 65_536
/** Runs are short and many: they share memory, as a buffer of its own for each would cost more than what is written to it. */
const SLAB_BYTES = 65_536
let slab = NO_BYTES
let slabUsed = 0

/** Memory that nobody else is given. */
function allocate(bytes: number): Uint8Array {
  if (bytes > SLAB_BYTES / 4) return new Uint8Array(bytes)
  if (slabUsed + bytes > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    slabUsed = 0
  }
  slabUsed += bytes
  return slab.subarray(slabUsed - bytes, slabUsed)
}

const encoder = new TextEncoder()

/** A name as a msgpack string, to be written as it is. */
export function encodeName(name: string): Uint8Array {
  return encodeShortAscii(name) ?? encodeText(name)
}

/** Most names, at a fraction of the encoder's cost. */
function encodeShortAscii(name: string): Uint8Array | undefined {
  const { length } = name
  if (length > 31) return undefined
  const bytes = new Uint8Array(length + 1)
  bytes[0] = 0xa0 | length
  for (let index = 0; index < length; index++) {
    const unit = name.charCodeAt(index)
    if (unit > 0x7f) return undefined
    bytes[index + 1] = unit
  }
  return bytes
}

function encodeText(name: string): Uint8Array {
  const text = encoder.encode(name)
  const head =
    text.length < 32
      ? [0xa0 | text.length]
      : text.length < 256
        ? [0xd9, text.length]
        : [0xda, text.length >> 8, text.length & 255]
  const bytes = new Uint8Array(head.length + text.length)
  bytes.set(head)
  bytes.set(text, head.length)
  return bytes
}

/** What the hub writes of one change. Names come encoded, because they repeat. */
export interface ChangeParts {
  readonly cursor: number
  readonly timeUs: number
  readonly device: Uint8Array
  readonly client: Uint8Array
  readonly number: number
  readonly atMs: number
  readonly kind: Uint8Array
  readonly key: Uint8Array
  /** One msgpack value. */
  readonly body: Uint8Array
}

/**
 * Gathers changes into a run: the bytes that are stored, and the frame that is sent, written once.
 * A run is the changes' msgpack arrays one behind the other; with the `changes` header in front it is a frame.
 */
export class RunWriter {
  #bytes: Uint8Array = NO_BYTES
  /** The next run is likely about as long as the last. */
  #likelyLength = 512
  #length = HEADER_BYTES
  #count = 0

  get count(): number {
    return this.#count
  }

  get byteLength(): number {
    return this.#length - HEADER_BYTES
  }

  add(change: ChangeParts): void {
    const { device, client, kind, key, body } = change
    this.#reserve(64 + device.length + client.length + kind.length + key.length + body.length)
    this.#bytes[this.#length++] = 0x99
    this.#uint(change.cursor)
    this.#uint(change.timeUs)
    this.#copy(device)
    this.#copy(client)
    this.#uint(change.number)
    this.#uint(change.atMs)
    this.#copy(kind)
    this.#copy(key)
    this.#copy(body)
    this.#count += 1
  }

  /** The run and its frame, sharing memory that is never written again; the writer is empty afterwards. There MUST be a change in it. */
  take(): { run: Uint8Array; frame: Uint8Array; count: number } {
    const { count } = this
    const frame = this.#bytes.subarray(0, this.#length)
    writeHeader(frame, count)
    this.#likelyLength = Math.min(MAX_LIKELY_LENGTH, this.#length)
    this.#bytes = NO_BYTES
    this.#length = HEADER_BYTES
    this.#count = 0
    return { run: frame.subarray(HEADER_BYTES), frame, count }
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const grown = allocate(Math.max(this.#bytes.length * 2, this.#likelyLength, this.#length + bytes))
    grown.set(this.#bytes)
    this.#bytes = grown
  }

  #copy(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #uint(value: number): void {
    if (value < 0x80) {
      this.#bytes[this.#length++] = value
    } else if (value <= 0xffffffff) {
      this.#bytes[this.#length++] = 0xce
      this.#uint32(value)
    } else {
      this.#bytes[this.#length++] = 0xcf
      this.#uint32(Math.floor(value / 0x100000000))
      this.#uint32(value >>> 0)
    }
  }

  #uint32(value: number): void {
    writeUint32(this.#bytes, this.#length, value)
    this.#length += 4
  }
}

/** Stored runs, copied behind one header: a `changes` frame. Nothing is decoded. */
export function changesFrame(runs: readonly Uint8Array[], count: number): Uint8Array {
  let length = HEADER_BYTES
  for (const run of runs) length += run.length
  const frame = new Uint8Array(length)
  writeHeader(frame, count)
  let at = HEADER_BYTES
  for (const run of runs) {
    frame.set(run, at)
    at += run.length
  }
  return frame
}

/**
 * Makes a `changes` frame of a run where it stands, by writing over what is in front of it: no byte of the run is copied.
 *
 * @param memory the caller's own, with at least 7 bytes before the run that nobody needs
 */
export function frameInPlace(memory: Uint8Array, runAt: number, runEnd: number, count: number): Uint8Array {
  const frame = memory.subarray(runAt - HEADER_BYTES, runEnd)
  writeHeader(frame, count)
  return frame
}

/** Encoded entries behind one header: a `snapshot` frame. */
export function snapshotFrame(entries: readonly Uint8Array[], isLast: boolean): Uint8Array {
  const changes = changesFrame(entries, entries.length)
  const frame = new Uint8Array(changes.length + 1)
  frame.set(changes)
  frame[0] = 0x93
  frame[1] = FRAMES.snapshot.type
  frame[frame.length - 1] = isLast ? 0xc3 : 0xc2
  return frame
}

/** `[17, [ … ]]` with a 32-bit count, so that the header has one length. */
function writeHeader(frame: Uint8Array, count: number): void {
  frame[0] = 0x92
  frame[1] = FRAMES.changes.type
  frame[2] = 0xdd
  writeUint32(frame, 3, count)
}

/** Most significant byte first. */
function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
}
