import { parseUpdateMeta } from 'yjs'
import type { DeviceUpdates } from './annotation-updates.ts'
import { silent, type Device, type Messages, type OnSettled } from './device.ts'
import { hocuspocusHello, hocuspocusUpdates, varBytes } from './update-pushes.ts'
import { WireSocket } from './wire-socket.ts'

const SYNC = 0
const AUTH = 2
const SYNC_STATUS = 8

/**
 * A device of a Hocuspocus document. A push is settled by its SyncStatus, which is sent when the update is applied in memory.
 *
 * The server merges updates that come close together, so a message may bring several, and messages are kept to be counted afterwards.
 */
export class HocuspocusDevice implements Device {
  pushed = 0
  settled = 0
  readonly #messages: Messages
  readonly #onSettled: OnSettled
  readonly #others = new Map<number, { readonly ends: readonly number[]; received: number }>()
  readonly #prefixBytes: number
  #received: Uint8Array[] = []
  /** How many of the received messages are counted in `#others`. */
  #counted = 0
  #deliveries = 0
  #socket!: WireSocket
  #synced: (() => void) | undefined

  private constructor(prefixBytes: number, messages: Messages, others: readonly DeviceUpdates[], onSettled: OnSettled) {
    this.#prefixBytes = prefixBytes
    this.#messages = messages
    this.#onSettled = onSettled
    for (const { yjsClient, ends } of others) this.#others.set(yjsClient, { ends, received: 0 })
  }

  /** @param others what the account's other devices may push, to tell their updates in merged ones */
  static async open(
    port: number,
    document: string,
    own: DeviceUpdates | undefined,
    others: readonly DeviceUpdates[],
    onSettled: OnSettled
  ): Promise<HocuspocusDevice> {
    const name = varBytes(Buffer.from(document))
    const messages = own === undefined ? silent : hocuspocusUpdates(own, document)
    const device = new HocuspocusDevice(name.length, messages, others, onSettled)
    device.#socket = await WireSocket.open({ port, path: '/' }, (buffer, start, end) => device.#receive(buffer, start, end))
    const synced = new Promise<void>(resolve => (device.#synced = resolve))
    device.#socket.write(hocuspocusHello(document))
    await synced
    return device
  }

  push(count: number): void {
    this.#socket.write(this.#messages(this.pushed + 1, count))
    this.pushed += count
  }

  mark(): number {
    return this.#received.length
  }

  /** Marks must be asked for in the order of time. */
  deliveriesAt(mark: number): number {
    for (; this.#counted < mark; this.#counted++) this.#count(this.#received[this.#counted]!)
    return this.#deliveries
  }

  close(): void {
    this.#socket.close()
  }

  #receive(buffer: Buffer, start: number, end: number): void {
    const at = start + this.#prefixBytes
    const type = buffer[at]
    const step = buffer[at + 1]
    if (type === SYNC && step === 2) this.#received.push(Buffer.from(buffer.subarray(at + 2, end)))
    else if (type === SYNC_STATUS && step === 1) {
      this.settled += 1
      this.#onSettled(this, 1)
    } else if (type === SYNC && step === 1) this.#synced?.()
    else if (type === SYNC_STATUS || (type === AUTH && step === 1)) throw new Error('the server refused an update or the sign-in')
  }

  #count(update: Uint8Array): void {
    let at = 0
    while (update[at]! > 127) at += 1
    for (const [client, clock] of parseUpdateMeta(update.subarray(at + 1)).to) {
      const other = this.#others.get(client)
      if (other === undefined) continue
      const before = other.received
      while ((other.ends[other.received] ?? Infinity) <= clock) other.received += 1
      this.#deliveries += other.received - before
    }
  }
}
