const HIGH_WATER_BYTES = 65_536

export interface FeedBodyEvents {
  /** What was written has left. */
  onDrain(): void
  /** Nobody reads any more. */
  onGone(): void
}

/** The body of a response that is written bit by bit, and says how much of it has not left. */
export class FeedBody {
  readonly stream: ReadableStream<Uint8Array>
  #controller!: ReadableStreamDefaultController<Uint8Array>
  #isClosed = false

  constructor(events: FeedBodyEvents) {
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: controller => void (this.#controller = controller),
        pull: () => events.onDrain(),
        cancel: () => {
          this.#isClosed = true
          events.onGone()
        }
      },
      { highWaterMark: HIGH_WATER_BYTES, size: ({ byteLength }) => byteLength }
    )
  }

  get bufferedBytes(): number {
    return Math.max(0, HIGH_WATER_BYTES - (this.#controller.desiredSize ?? 0))
  }

  write(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#controller.enqueue(bytes)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#controller.close()
  }
}
