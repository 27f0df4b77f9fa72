import type { Device, Messages, OnSettled } from './device.ts'
import { WireSocket, type WireAddress } from './wire-socket.ts'

/**
 * A device of a server that forwards each message to the others and answers nothing.
 *
 * Nothing says that a push is through, so the load side, which holds all devices, sees to it: the others' receipts are the sender's credit,
 * and as many receipts as there are others settle one push.
 */
export class RelayDevice implements Device {
  pushed = 0
  settled = 0
  #received = 0
  #receipts = 0
  readonly #others: number
  readonly #messages: Messages
  readonly #onSettled: OnSettled
  #socket!: WireSocket

  private constructor(others: number, messages: Messages, onSettled: OnSettled) {
    this.#others = others
    this.#messages = messages
    this.#onSettled = onSettled
  }

  /** @param account the devices of the account, this one included once it is there; found by the last byte of a message */
  static async open(
    address: WireAddress,
    account: RelayDevice[],
    devices: number,
    messages: Messages,
    onSettled: OnSettled
  ): Promise<RelayDevice> {
    const device = new RelayDevice(devices - 1, messages, onSettled)
    account.push(device)
    device.#socket = await WireSocket.open(address, (buffer, _start, end) => {
      device.#received += 1
      account[buffer[end - 1]!]!.#receipt()
    })
    return device
  }

  push(count: number): void {
    this.#socket.write(this.#messages(this.pushed + 1, count))
    this.pushed += count
  }

  mark(): number {
    return this.#received
  }

  deliveriesAt(mark: number): number {
    return mark
  }

  close(): void {
    this.#socket.close()
  }

  #receipt(): void {
    if (++this.#receipts < this.#others) return
    this.#receipts = 0
    this.settled += 1
    this.#onSettled(this, 1)
  }
}
