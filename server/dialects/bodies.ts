import type { IncomingMessage } from 'node:http'
import { HubError } from '../../protocol/index.ts'
import { bodyOf } from '../transports/http.ts'

/** What every request may bring at any time. */
const SMALL_BYTES = 65_536
/** What all requests together may hold beyond that, before anybody has asked who they are. */
const SHARED_BYTES = 33_554_432

export interface BodyOptions {
  /** What this request may bring, where that is another number; of what the sender packed, too. */
  readonly maxBytes?: number
  /** Makes what is meant of what comes; what it throws is thrown. */
  readonly unpack?: (plain: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>
}

/** Reads requests' bodies into memory, within bounds for each and for all. */
export class BodyReader {
  readonly #maxBytes: number
  #sharedBytes = 0

  /** @param maxBytes what one request may bring */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Reads a body, and gives it to `use`; while that goes on, the body counts as held. Nothing else may have read from it.
   * @throws HubError `too-large` for a body over the cap; `overloaded` when there are too many large ones; `bad-request` when it breaks off
   */
  async read<T>(
    request: IncomingMessage,
    use: (body: Buffer) => T | Promise<T>,
    { maxBytes = this.#maxBytes, unpack = plain => plain }: BodyOptions = {}
  ): Promise<T> {
    const tooLarge = (): HubError => new HubError('too-large', `the body is over ${maxBytes} bytes`)
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
    const chunks: Uint8Array[] = []
    let bytes = 0
    let shared = 0
    try {
      for await (const chunk of unpack(bodyOf(request))) {
        bytes += chunk.length
        if (bytes > maxBytes) throw tooLarge()
        const more = Math.max(0, bytes - SMALL_BYTES) - shared
        if (this.#sharedBytes + more > SHARED_BYTES)
          throw new HubError('overloaded', 'too many large requests at once', { retryAfterMs: 1_000 })
        this.#sharedBytes += more
        shared += more
        chunks.push(chunk)
      }
      return await use(Buffer.concat(chunks, bytes))
    } finally {
      this.#sharedBytes -= shared
    }
  }
}
