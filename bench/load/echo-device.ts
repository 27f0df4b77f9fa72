import type { Device, Messages, OnSettled } from './device.ts'
import { WireSocket, type WireAddress } from './wire-socket.ts'

/** A device of a server that sends every message back: what comes is an answer. */
export class EchoDevice implements Device {
  pushed = 0
  settled = 0
  readonly #messages: Messages
  #socket!: WireSocket

  private constructor(messages: Messages) {
    this.#messages = messages
  }

  static async open(address: WireAddress, messages: Messages, onSettled: OnSettled): Promise<EchoDevice> {
    const device = new EchoDevice(messages)
    device.#socket = await WireSocket.open(address, () => {
      device.settled += 1
      onSettled(device, 1)
    })
    return device
  }

  push(count: number): void {
    this.#socket.write(this.#messages(this.pushed + 1, count))
    this.pushed += count
  }

  mark(): number {
    return 0
  }

  deliveriesAt(mark: number): number {
    return mark
  }

  close(): void {
    this.#socket.close()
  }
}
