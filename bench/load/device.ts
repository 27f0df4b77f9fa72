/** Messages `first` to `first + count - 1` of a device, masked and ready to write. Numbers start at 1. */
export type Messages = (first: number, count: number) => Uint8Array

/** Of a device that only listens. */
export const silent: Messages = () => new Uint8Array(0)

/** Hears of pushes that are no longer in flight. */
export type OnSettled = (device: Device, count: number) => void

/** One device under load: it pushes what it is told to, and counts what comes. */
export interface Device {
  readonly pushed: number
  /** Pushes that are no longer in flight: acked, or, where the server acks nothing, arrived at all others. */
  readonly settled: number
  push(count: number): void
  /** How far receiving has got; cheap. */
  mark(): number
  /** How many pushes of other devices had arrived at a mark; may cost, so not to be asked while anything is timed. */
  deliveriesAt(mark: number): number
  close(): void
}

/** The devices of one account, in the order of their ids. */
export type AccountDevices = readonly Device[]
