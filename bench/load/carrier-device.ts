import type { Device, OnSettled } from './device.ts'

/** A connection by some client package, as that package comes. */
export interface Wire {
  /** Sends pushes `first` to `first + count - 1`, each as a message of its own. Numbers start at 1. */
  push(first: number, count: number): void
  close(): void
}

/** Connects, and resolves once what is pushed from then on arrives. `onArrived` hears how many more pushes have come. */
export type OpenWire = (onArrived: (count: number) => void) => Promise<Wire>

/**
 * A device of an account in which only the first one pushes, over any carrier.
 *
 * Not every carrier answers a push, so none of its answers count: a push is settled when as many receipts as there are others have come in.
 */
export class CarrierDevice implements Device {
  pushed = 0
  settled = 0
  #received = 0
  #receipts = 0
  readonly #account: CarrierDevice[]
  readonly #others: number
  readonly #onSettled: OnSettled
  #wire!: Wire

  private constructor(account: CarrierDevice[], others: number, onSettled: OnSettled) {
    this.#account = account
    this.#others = others
    this.#onSettled = onSettled
  }

  /** @param account the devices of the account so far, to which this one is added; the first one pushes */
  static async open(account: CarrierDevice[], devices: number, openWire: OpenWire, onSettled: OnSettled): Promise<CarrierDevice> {
    const device = new CarrierDevice(account, devices - 1, onSettled)
    account.push(device)
    device.#wire = await openWire(count => device.#arrived(count))
    return device
  }

  push(count: number): void {
    const first = this.pushed + 1
    this.pushed += count
    this.#wire.push(first, count)
  }

  mark(): number {
    return this.#received
  }

  deliveriesAt(mark: number): number {
    return mark
  }

  close(): void {
    this.#wire.close()
  }

  /** What comes back to the sender is no delivery. */
  #arrived(count: number): void {
    const pusher = this.#account[0]!
    if (this === pusher) return
    this.#received += count
    pusher.#receipt(count)
  }

  #receipt(count: number): void {
    this.#receipts += count
    const settled = Math.floor(this.#receipts / this.#others)
    if (settled === 0) return
    this.#receipts -= settled * this.#others
    this.settled += settled
    this.#onSettled(this, settled)
  }
}
