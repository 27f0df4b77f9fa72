import { connect, type Socket } from 'node:net'
import { SUBPROTOCOL } from '../../protocol/index.ts'
import type { TestContext } from './suite.ts'

export interface RawFrame {
  readonly opcode?: number
  readonly isFinal?: boolean
  readonly isMasked?: boolean
  /** The three reserved bits. */
  readonly reserved?: number
  /** What the head says, whatever the payload is. */
  readonly length?: bigint
  readonly payload?: Uint8Array
}

/** A WebSocket frame of a client (RFC 6455, section 5.2), also one that no client may send. The mask is zero, so the payload stands as it is. */
export function rawFrame({ opcode = 2, isFinal = true, isMasked = true, reserved = 0, length, payload }: RawFrame): Buffer {
  const body = payload ?? Buffer.alloc(0)
  const size = length ?? BigInt(body.length)
  const masked = isMasked ? 0x80 : 0
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode
  const head = size < 126n ? Buffer.alloc(2) : Buffer.alloc(10)
  head[0] = first
  if (size < 126n) head[1] = masked | Number(size)
  else {
    head[1] = masked | 127
    head.writeBigUInt64BE(size, 2)
  }
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0), body])
}

/** A bare TCP socket to a hub, for bytes that no library would send. It is destroyed when the test ends. */
export class RawSocket {
  readonly socket: Socket
  received = Buffer.alloc(0)
  isClosed = false
  #wakers: (() => void)[] = []

  constructor({ defer }: TestContext, url: string) {
    this.socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
    defer(() => this.socket.destroy())
    this.socket.on('error', () => undefined)
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk])
      this.#wake()
    })
    this.socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  /** Upgraded, and past the hub's answer. */
  static async upgraded(context: TestContext, url: string, headers: Readonly<Record<string, string>> = {}): Promise<RawSocket> {
    const raw = new RawSocket(context, url)
    raw.upgrade(headers)
    await raw.until(text => text.includes('\r\n\r\n'))
    raw.received = raw.received.subarray(raw.received.indexOf('\r\n\r\n') + 4)
    return raw
  }

  upgrade(headers: Readonly<Record<string, string>> = {}): void {
    const lines = {
      Host: 'hub',
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Protocol': SUBPROTOCOL,
      ...headers
    }
    const text = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
    this.write(`GET /live HTTP/1.1\r\n${text.join('')}\r\n`)
  }

  write(bytes: Uint8Array | string): void {
    this.socket.write(bytes)
  }

  /** Resolves once what was received fits, or the socket is closed. */
  async until(fits: (text: string) => boolean): Promise<string> {
    for (;;) {
      const text = this.received.toString('latin1')
      if (fits(text) || this.isClosed) return text
      await new Promise<void>(resolve => this.#wakers.push(resolve))
    }
  }

  /** Waits for the end. @returns the code of the hub's WebSocket close frame; undefined when it cut the socket without one */
  async closeCode(): Promise<number | undefined> {
    await this.until(() => false)
    const bytes = this.received
    for (let at = 0; at + 2 <= bytes.length;) {
      const short = bytes[at + 1]! & 0x7f
      const [size, head] =
        short < 126 ? [short, 2] : short === 126 ? [bytes.readUInt16BE(at + 2), 4] : [Number(bytes.readBigUInt64BE(at + 2)), 10]
      if ((bytes[at]! & 0x0f) === 8) return bytes.readUInt16BE(at + head)
      at += head + size
    }
    return undefined
  }

  #wake(): void {
    for (const waker of this.#wakers.splice(0)) waker()
  }
}
