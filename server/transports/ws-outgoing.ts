import type { Duplex } from 'node:stream'

/** The first byte of a whole binary message (RFC 6455, section 5.2). */
const BINARY = 0x82
const LENGTH_16 = 126
const LENGTH_64 = 127
/** Up to here a copy costs less than a second piece in the same write. */
const MAX_COPIED_BYTES = 16_384

/** Writes what connections were given in one turn of the event loop: each has one write, as the system call costs more than the bytes. */
export class TurnWriter {
  #waiting: Outgoing[] = []
  #lastMessage: Uint8Array | undefined
  #lastFrame: Buffer = Buffer.alloc(0)
  readonly #write = (): void => {
    const waiting = this.#waiting
    this.#waiting = []
    for (const outgoing of waiting) outgoing.write()
  }

  /** A short message as a frame. The same one goes to many, one after the other: it is framed once. */
  framed(message: Uint8Array): Buffer {
    if (message !== this.#lastMessage) {
      this.#lastFrame = joined([message])
      this.#lastMessage = message
    }
    return this.#lastFrame
  }

  /** Has `outgoing.write` called before the event loop goes on. */
  schedule(outgoing: Outgoing): void {
    if (this.#waiting.push(outgoing) === 1) process.nextTick(this.#write)
  }
}

/** The messages of one connection that leave at the end of this turn, as unmasked frames of the WebSocket protocol. */
export class Outgoing {
  readonly #socket: Duplex
  readonly #writer: TurnWriter
  #messages: Uint8Array[] = []
  #bytes = 0

  constructor(socket: Duplex, writer: TurnWriter) {
    this.#socket = socket
    this.#writer = writer
  }

  /** What waits for the end of the turn. */
  get bytes(): number {
    return this.#bytes
  }

  /** @param message MUST NOT change afterwards */
  add(message: Uint8Array): void {
    if (this.#messages.push(message) === 1) this.#writer.schedule(this)
    this.#bytes += message.length
  }

  write(): void {
    const messages = this.#messages
    if (messages.length === 0) return
    this.#messages = []
    const size = this.#bytes
    this.#bytes = 0
    if (this.#socket.destroyed) return
    if (size <= MAX_COPIED_BYTES) this.#socket.write(messages.length === 1 ? this.#writer.framed(messages[0]!) : joined(messages))
    else {
      this.#socket.cork()
      for (const message of messages) {
        this.#socket.write(head(message.length))
        this.#socket.write(message)
      }
      this.#socket.uncork()
    }
  }
}

/** Short messages, framed one behind the other. */
function joined(messages: readonly Uint8Array[]): Buffer {
  let size = 0
  for (const { length } of messages) size += headBytes(length) + length
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (const message of messages) {
    at = writeHead(bytes, at, message.length)
    bytes.set(message, at)
    at += message.length
  }
  return bytes
}

function head(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes(length))
  writeHead(bytes, 0, length)
  return bytes
}

const headBytes = (length: number): number => (length < LENGTH_16 ? 2 : length < 65_536 ? 4 : 10)

/** @returns where the message begins */
function writeHead(target: Buffer, at: number, length: number): number {
  target[at] = BINARY
  if (length < LENGTH_16) {
    target[at + 1] = length
    return at + 2
  }
  if (length < 65_536) {
    target[at + 1] = LENGTH_16
    return target.writeUInt16BE(length, at + 2)
  }
  target[at + 1] = LENGTH_64
  return target.writeBigUInt64BE(BigInt(length), at + 2)
}
