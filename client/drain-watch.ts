/** Below what whoever sends stops at. */
const HIGH_WATER_BYTES = 65_536
const CHECK_MS = 50

/** Tells when what was sent has left, which no carrier of a browser has an event for. */
export class DrainWatch {
  readonly #bufferedBytes: () => number
  readonly #onDrain: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(bufferedBytes: () => number, onDrain: () => void) {
    this.#bufferedBytes = bufferedBytes
    this.#onDrain = onDrain
  }

  /** Something was sent. */
  sent(): void {
    if (this.#timer !== undefined || this.#bufferedBytes() <= HIGH_WATER_BYTES) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#bufferedBytes() > HIGH_WATER_BYTES) this.sent()
      else this.#onDrain()
    }, CHECK_MS)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
