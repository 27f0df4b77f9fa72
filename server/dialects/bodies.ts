import { HubError } from '../../protocol/index.ts'

/** What every request may bring at any time. */
const SMALL_BYTES = 65_536
/** What all requests together may hold beyond that, before anybody has asked who they are. */
const SHARED_BYTES = 33_554_432

/** Reads requests' bodies into memory, within bounds for each and for all. */
export class BodyReader {
  readonly #maxBytes: number
  #sharedBytes = 0

  /** @param maxBytes what one request may bring */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Reads a body, and gives it to `use`; while that goes on, the body counts as held.
   * @throws HubError `too-large` for a body over the cap; `overloaded` when there are too many large ones; `bad-request` when it breaks off
   */
  async read<T>(request: Request, use: (body: Uint8Array) => T | Promise<T>): Promise<T> {
    const tooLarge = (): HubError => new HubError('too-large', `the body is over ${this.#maxBytes} bytes`)
    if (Number(request.headers.get('content-length') ?? 0) > this.#maxBytes) throw tooLarge()
    if (request.body === null) return use(new Uint8Array())
    const reader = (request.body as ReadableStream<Uint8Array>).getReader()
    const chunks: Uint8Array[] = []
    let bytes = 0
    let shared = 0
    try {
      for (;;) {
        const { done, value } = await reader.read().catch(() => {
          throw new HubError('bad-request', 'the body broke off')
        })
        if (done) break
        bytes += value.length
        if (bytes > this.#maxBytes) throw tooLarge()
        const more = Math.max(0, bytes - SMALL_BYTES) - shared
        if (this.#sharedBytes + more > SHARED_BYTES)
          throw new HubError('overloaded', 'too many large requests at once', { retryAfterMs: 1_000 })
        this.#sharedBytes += more
        shared += more
        chunks.push(value)
      }
      return await use(Buffer.concat(chunks, bytes))
    } catch (error) {
      await reader.cancel().catch(() => undefined)
      throw error
    } finally {
      this.#sharedBytes -= shared
    }
  }
}
