import { randomUUID } from 'node:crypto'
import { decodeFrame, encodeFrame, FRAMES, PROTOCOL_VERSION, SUBPROTOCOL, type Frame } from '../../protocol/index.ts'
import type { Device, Messages, OnSettled } from './device.ts'
import { maskedMessage, WireSocket } from './wire-socket.ts'

export interface HubAddress {
  readonly port: number
  readonly path: string
  readonly token: string
}

/** The first frame of a device that has nothing yet, and wants to hear of its own changes too. */
export const hello = (token: string): Uint8Array =>
  encodeFrame('hello', {
    version: PROTOCOL_VERSION,
    token,
    client: randomUUID(),
    epoch: '',
    cursor: 0,
    agent: 'bench',
    wantsChanges: true
  })

/**
 * A device of Lectern. It reads the log from its beginning to the head, and then counts: changes by the header of their frame, answers by the
 * length of their list. A refusal, or any frame that load should not cause, ends the run.
 */
export class HubDevice implements Device {
  pushed = 0
  settled = 0
  /** Changes since the head of the sign-in, its own ones included. */
  received = 0
  /** Bytes of the messages that brought changes. */
  receivedBytes = 0
  /** Messages that brought changes. */
  receivedMessages = 0
  readonly #messages: Messages
  readonly #onSettled: OnSettled
  #socket!: WireSocket
  #atHead: (() => void) | undefined

  private constructor(messages: Messages, onSettled: OnSettled) {
    this.#messages = messages
    this.#onSettled = onSettled
  }

  /** Signs in. Resolves with the device when it has read the log up to where the head was. */
  static async open({ port, path, token }: HubAddress, messages: Messages, onSettled: OnSettled): Promise<HubDevice> {
    const device = new HubDevice(messages, onSettled)
    device.#socket = await WireSocket.open({ port, path, subprotocol: SUBPROTOCOL }, (buffer, start, end) =>
      device.#receive(buffer, start, end)
    )
    const atHead = new Promise<void>(resolve => (device.#atHead = resolve))
    device.#socket.write(maskedMessage(hello(token)))
    await atHead
    return device
  }

  push(count: number): void {
    this.#socket.write(this.#messages(this.pushed + 1, count))
    this.pushed += count
  }

  /** The hub sends a device its own changes too, about when it acks them; they are no deliveries. */
  mark(): number {
    return this.received - this.settled
  }

  deliveriesAt(mark: number): number {
    return mark
  }

  close(): void {
    this.#socket.close()
  }

  #receive(buffer: Buffer, start: number, end: number): void {
    const type = buffer[start + 1]!
    const changes = changesIn(buffer, start)
    if (changes > 0) {
      this.received += changes
      this.receivedBytes += end - start
      this.receivedMessages += 1
      if (this.#atHead !== undefined && this.received >= 0) this.#isAtHead()
    } else if (type === FRAMES.acked.type && buffer[end - 1] === 0x90) {
      const count = listLength(buffer, start + 2)
      this.settled += count
      this.#onSettled(this, count)
    } else this.#other(decodeFrame(buffer.subarray(start, end), 'hub'))
  }

  /** Counting begins below zero by what the log holds, so that it stands at zero where the timed part begins. */
  #other(frame: Frame): void {
    if (frame.kind !== 'welcome') throw new Error(`the hub sent ${JSON.stringify(frame)}`)
    this.received = -frame.head
    if (frame.head === 0) this.#isAtHead()
  }

  #isAtHead(): void {
    this.#atHead?.()
    this.#atHead = undefined
  }
}

/** How many changes the frame from `start` on brings, by its header; 0 when it is another one. */
export const changesIn = (buffer: Buffer, start: number): number =>
  buffer[start + 1] === FRAMES.changes.type && buffer[start + 2] === 0xdd ? buffer.readUInt32BE(start + 3) : 0

function listLength(buffer: Buffer, at: number): number {
  const head = buffer[at]!
  if ((head & 0xf0) === 0x90) return head & 0x0f
  return head === 0xdc ? buffer.readUInt16BE(at + 1) : buffer.readUInt32BE(at + 1)
}
