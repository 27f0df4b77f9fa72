import { connect, type Socket } from 'node:net'

/** Fixed, because the load side trusts itself; not zero, because servers skip the unmasking of zero masks that no real client sends. */
const MASK = Uint8Array.of(0x5a, 0xc3, 0x17, 0xe8)

/** Sockets are read one after the other, so all of them can read into one buffer. */
const READ_BUFFER = Buffer.allocUnsafeSlow(262_144)

/** Takes one whole message: `buffer` from `start` to `end`, which is overwritten afterwards. */
export type OnMessage = (buffer: Buffer, start: number, end: number) => void

export interface WireAddress {
  readonly port: number
  readonly path: string
  readonly subprotocol?: string
}

/** The bytes before the payload of a masked binary message (RFC 6455, section 5.2). */
export const headerBytes = (payloadBytes: number): number => (payloadBytes < 126 ? 6 : payloadBytes < 65_536 ? 8 : 14)

/** A masked binary message, ready for `write`. */
export function maskedMessage(payload: Uint8Array): Buffer {
  const start = headerBytes(payload.length)
  const message = Buffer.allocUnsafe(start + payload.length)
  message[0] = 0x82
  if (start === 6) message[1] = 0x80 | payload.length
  else if (start === 8) {
    message[1] = 0xfe
    message.writeUInt16BE(payload.length, 2)
  } else {
    message[1] = 0xff
    message.writeBigUInt64BE(BigInt(payload.length), 2)
  }
  message.set(MASK, start - 4)
  for (let index = 0; index < payload.length; index++) message[start + index] = payload[index]! ^ MASK[index & 3]!
  return message
}

/** Overwrites 32 bits of the payload of a masked message that starts at `start`. */
export function patchUint32(messages: Buffer, start: number, offset: number, value: number): void {
  messages[start + offset] = (value >>> 24) ^ MASK[offset & 3]!
  messages[start + offset + 1] = ((value >>> 16) & 255) ^ MASK[(offset + 1) & 3]!
  messages[start + offset + 2] = ((value >>> 8) & 255) ^ MASK[(offset + 2) & 3]!
  messages[start + offset + 3] = (value & 255) ^ MASK[(offset + 3) & 3]!
}

/** A websocket client that does as little as a load client may: no masking at run time, no copies of whole messages, no events. */
export class WireSocket {
  readonly #socket: Socket
  readonly #onMessage: OnMessage
  /** The beginning of a message whose rest has not come yet. */
  #rest: Buffer | undefined
  #isOpen = false
  #isClosing = false
  #opened: { resolve: () => void; reject: (error: Error) => void } | undefined

  private constructor({ port, path, subprotocol }: WireAddress, onMessage: OnMessage) {
    this.#onMessage = onMessage
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: READ_BUFFER, callback: bytesRead => this.#read(READ_BUFFER.subarray(0, bytesRead)) }
    })
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        'Sec-WebSocket-Key: bGVjdGVybi1iZW5jaC1rZQ==\r\n' +
        (subprotocol === undefined ? '\r\n' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`)
    )
    this.#socket.on('error', error => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error(`the server closed ${path}`)))
  }

  static async open(address: WireAddress, onMessage: OnMessage): Promise<WireSocket> {
    const socket = new WireSocket(address, onMessage)
    await new Promise<void>((resolve, reject) => (socket.#opened = { resolve, reject }))
    return socket
  }

  /** Sends messages made by `maskedMessage`, one or several behind each other. */
  write(messages: Uint8Array): void {
    this.#socket.write(messages)
  }

  close(): void {
    this.#isClosing = true
    this.#socket.destroy()
  }

  /** A lost connection makes every count after it wrong, so it ends the whole run. */
  #fail(error: Error): void {
    if (this.#isClosing) return
    this.#isClosing = true
    if (this.#isOpen) throw error
    this.#opened?.reject(error)
  }

  #read(chunk: Buffer): boolean {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    const end = this.#isOpen ? this.#takeMessages(bytes, 0) : this.#takeHandshake(bytes)
    this.#rest = end === bytes.length ? undefined : Buffer.from(bytes.subarray(end))
    return true
  }

  #takeHandshake(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) return 0
    const status = bytes.toString('latin1', 0, bytes.indexOf('\r\n'))
    if (!status.startsWith('HTTP/1.1 101')) {
      this.#fail(new Error(`the server refused the websocket: ${status}`))
      return bytes.length
    }
    this.#isOpen = true
    this.#opened?.resolve()
    return this.#takeMessages(bytes, end + 4)
  }

  /** Returns the offset of the first message that is not whole. */
  #takeMessages(bytes: Buffer, from: number): number {
    let at = from
    while (at + 2 <= bytes.length) {
      const opcode = bytes[at]! & 0x0f
      let length = bytes[at + 1]!
      let start = at + 2
      if (length === 126) {
        if (at + 4 > bytes.length) break
        length = bytes.readUInt16BE(at + 2)
        start = at + 4
      } else if (length === 127) {
        if (at + 10 > bytes.length) break
        length = Number(bytes.readBigUInt64BE(at + 2))
        start = at + 10
      }
      if (start + length > bytes.length) break
      if (bytes[at] === 0x82) this.#onMessage(bytes, start, start + length)
      else if (opcode === 9) this.write(pong(bytes.subarray(start, start + length)))
      else if (opcode === 8) this.#fail(new Error(`the server closed: ${length < 2 ? 'no code' : bytes.readUInt16BE(start)}`))
      else throw new Error(`a websocket frame with the first byte ${bytes[at]} is not expected`)
      at = start + length
    }
    return at
  }
}

function pong(payload: Uint8Array): Buffer {
  const message = maskedMessage(payload)
  message[0] = 0x8a
  return message
}
