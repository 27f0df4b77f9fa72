import { HubError, valueEnd } from '../../protocol/index.ts'

/** What a client of socket.io says, as far as this hub listens to it. */
export type Packet = { readonly kind: 'connect' | 'disconnect' } | { readonly kind: 'frame'; readonly bytes: Uint8Array }

/** One message of the Engine.IO below. */
export type Message = string | Uint8Array

/** How packets are written for one client. */
export interface PacketWriter {
  connected(id: string): Message[]
  frame(bytes: Uint8Array): Message[]
  /** The event that tells why, and the end. */
  closed(code: number, text: string): Message[]
}

const CONNECT = 0
const DISCONNECT = 1
const EVENT = 2

/** As the default parser writes it, and nearly everyone else. */
const FRAME_HEADER = '51-["frame",{"_placeholder":true,"num":0}]'
/** Any header of a frame is shorter, however it is spaced. */
const MAX_HEADER_LENGTH = 256

const bad = (why: string): HubError => new HubError('bad-frame', why)

/**
 * Reads the packets of one client, and finds out from the first which parser the client has: the default one begins with text, msgpack with bytes.
 *
 * Only what this carrier needs is understood: the default namespace, and the one event `frame` with the bytes of a frame. Nothing is built from what
 * stands beside it.
 *
 * @see https://socket.io/docs/v4/socket-io-protocol/
 */
export class PacketReader {
  #writer: PacketWriter | undefined
  #isFrameNext = false

  /** Undefined before the first packet. */
  get writer(): PacketWriter | undefined {
    return this.#writer
  }

  /**
   * @returns undefined when the packet goes on with the next message
   * @throws HubError `bad-frame`
   */
  read(message: Message): Packet | undefined {
    if (this.#writer === undefined) {
      this.#writer = typeof message === 'string' ? JSON_WRITER : MSGPACK_WRITER
      const packet = this.#any(message)
      if (packet?.kind !== 'connect') throw bad('the first packet connects')
      return packet
    }
    const packet = this.#any(message)
    if (packet?.kind === 'connect') throw bad('connected already')
    return packet
  }

  #any(message: Message): Packet | undefined {
    if (this.#writer === MSGPACK_WRITER) {
      if (typeof message === 'string') throw bad('frames are binary')
      return readMsgpack(message)
    }
    if (this.#isFrameNext !== (typeof message !== 'string')) throw bad('a packet and its attachment do not fit')
    this.#isFrameNext = false
    if (typeof message !== 'string') return { kind: 'frame', bytes: message }
    if (message === '0' || message.startsWith('0{')) return { kind: 'connect' }
    if (message === '1') return { kind: 'disconnect' }
    if (message.startsWith('0/')) throw bad('there is no such namespace')
    if (message !== FRAME_HEADER && !isFrameHeader(message)) throw bad('the one event is `frame`, with the bytes of one frame')
    this.#isFrameNext = true
    return undefined
  }
}

/** JSON may be spaced and ordered in other ways. */
function isFrameHeader(text: string): boolean {
  if (!text.startsWith('51-[') || text.length > MAX_HEADER_LENGTH) return false
  try {
    const [event, place, ...more] = JSON.parse(text.slice(3)) as [unknown, { _placeholder?: unknown; num?: unknown } | null]
    return event === 'frame' && place?._placeholder === true && place.num === 0 && more.length === 0
  } catch {
    return false
  }
}

const JSON_WRITER: PacketWriter = {
  connected: id => [`0${JSON.stringify({ sid: id })}`],
  frame: bytes => [FRAME_HEADER, bytes],
  closed: (code, text) => [`2${JSON.stringify(['close', code, text])}`, '1']
}

const utf8 = new TextEncoder()
const ascii = (text: string): readonly number[] => [...utf8.encode(text)]
/** Text of up to 31 bytes. */
const shortText = (text: string): readonly number[] => [0xa0 | text.length, ...ascii(text)]
/** Of three fields; `data`, the last, follows. */
const head = (type: number): readonly number[] => [
  0x83,
  ...shortText('type'),
  type,
  ...shortText('nsp'),
  ...shortText('/'),
  ...shortText('data')
]
const FRAME_ARGUMENTS = Uint8Array.from([0x92, ...shortText('frame')])
const FRAME_HEAD = Uint8Array.from([...head(EVENT), ...FRAME_ARGUMENTS])
const BIN_32 = 0xc6

const anyText = (text: string): readonly number[] => {
  const bytes = utf8.encode(text)
  return [0xda, bytes.length >> 8, bytes.length & 0xff, ...bytes]
}

let lastFrame: Uint8Array | undefined
let lastPacket: Uint8Array = FRAME_HEAD

/** As `socket.io-msgpack-parser` has it. */
const MSGPACK_WRITER: PacketWriter = {
  connected: id => [Uint8Array.from([...head(CONNECT), 0x81, ...shortText('sid'), ...anyText(id)])],
  frame(bytes) {
    // The same one goes to many, one after the other.
    if (bytes !== lastFrame) {
      const at = FRAME_HEAD.length
      lastPacket = Buffer.allocUnsafe(at + 5 + bytes.length)
      lastPacket.set(FRAME_HEAD)
      new DataView(lastPacket.buffer, lastPacket.byteOffset).setUint8(at, BIN_32)
      new DataView(lastPacket.buffer, lastPacket.byteOffset).setUint32(at + 1, bytes.length)
      lastPacket.set(bytes, at + 5)
      lastFrame = bytes
    }
    return [lastPacket]
  },
  closed: (code, text) => [
    Uint8Array.from([...head(EVENT), 0x93, ...shortText('close'), 0xcd, code >> 8, code & 0xff, ...anyText(text)]),
    Uint8Array.from([0x82, ...shortText('type'), DISCONNECT, ...shortText('nsp'), ...shortText('/')])
  ]
}

/** The parser's own extension, with which it writes `undefined` (one byte) and, in Node, arrays of bytes. */
const PARSER_EXTENSION = 0

function readMsgpack(bytes: Uint8Array): Packet {
  const first = bytes[0] ?? 0
  if (first < 0x80 || first > 0x8f) throw bad('a packet is a short map')
  let at = 1
  let type = -1
  let namespace = ''
  let data: Uint8Array = new Uint8Array()
  for (let left = first & 0x0f; left > 0; left--) {
    const end = valueEnd(bytes, at)
    const key = shortTextAt(bytes, at)
    const next = fieldEnd(bytes, end)
    if (key === 'type') type = bytes[end]!
    else if (key === 'nsp') namespace = shortTextAt(bytes, end)
    else if (key === 'data') data = bytes.subarray(end, next)
    else if (key === 'id' && bytes[end] !== 0xd4 && bytes[end] !== 0xc0) throw bad('nothing is acknowledged but by frames')
    at = next
  }
  if (at !== bytes.length) throw bad('bytes after the packet')
  if (namespace !== '/') throw bad('there is no such namespace')
  if (type === CONNECT) return { kind: 'connect' }
  if (type === DISCONNECT) return { kind: 'disconnect' }
  if (type !== EVENT || !startsWith(data, FRAME_ARGUMENTS)) throw bad('the one event is `frame`, with the bytes of one frame')
  return { kind: 'frame', bytes: binaryAt(data, FRAME_ARGUMENTS.length) }
}

/** Empty for what is no text of up to 31 bytes. */
function shortTextAt(bytes: Uint8Array, at: number): string {
  const length = bytes[at]! - 0xa0
  return length >= 0 && length < 32 ? String.fromCharCode(...bytes.subarray(at + 1, at + 1 + length)) : ''
}

const startsWith = (bytes: Uint8Array, start: Uint8Array): boolean => start.every((byte, index) => bytes[index] === byte)

/** Where a field of a packet ends. Whatever extensions stand deeper in it than a frame would are refused. */
function fieldEnd(bytes: Uint8Array, at: number): number {
  if (bytes[at] === 0xd4) {
    if (bytes[at + 1] !== PARSER_EXTENSION || at + 3 > bytes.length) throw bad('an extension that no parser writes')
    return at + 3
  }
  if (!startsWith(bytes.subarray(at), FRAME_ARGUMENTS)) return valueEnd(bytes, at)
  const place = binaryPlace(bytes, at + FRAME_ARGUMENTS.length)
  return place.start + place.length
}

function binaryAt(bytes: Uint8Array, at: number): Uint8Array {
  const { start, length } = binaryPlace(bytes, at)
  return bytes.subarray(start, start + length)
}

/** Bytes are written as such, or, from arrays of bytes in Node, as the parser's own extension. */
function binaryPlace(bytes: Uint8Array, at: number): { start: number; length: number } {
  const form = bytes[at] ?? 0
  const isExtension = form >= 0xc7 && form <= 0xc9
  if (!isExtension && (form < 0xc4 || form > 0xc6)) throw bad('frames are binary')
  const width = 1 << ((form - 0xc4) % 3)
  let length = 0
  for (let index = 1; index <= width; index++) length = length * 256 + (bytes[at + index] ?? 0)
  const start = at + 1 + width + (isExtension ? 1 : 0)
  if (isExtension && bytes[start - 1] !== PARSER_EXTENSION) throw bad('an extension that no parser writes')
  if (start + length > bytes.length) throw bad('length over the bytes that are there')
  return { start, length }
}
