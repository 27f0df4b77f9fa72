import type { IncomingMessage } from 'node:http'
import { HubError } from '../../protocol/index.ts'
import { takeBody } from '../transports/http.ts'

/** What every request may bring at any time, and what may be unpacked at once. */
export const SMALL_BYTES = 65_536
/** What all requests together may hold beyond that, before anybody has asked who they are. */
const SHARED_BYTES = 33_554_432

export interface BodyOptions {
  /** What this request may bring, where that is another number; of what the sender packed, too. */
  readonly maxBytes?: number
  /** Makes what is meant of what came, at once or piece by piece; what it throws is thrown. */
  readonly unpack?: (packed: Buffer) => Buffer | AsyncIterable<Uint8Array>
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
    { maxBytes = this.#maxBytes, unpack }: BodyOptions = {}
  ): Promise<T> {
    const tooLarge = (): HubError => new HubError('too-large', `the body is over ${maxBytes} bytes`)
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
    let shared = 0
    /** Gathers pieces as far as that may be, in one buffer: a piece of one byte takes hundreds as an object of its own. */
    const gathering = (): { take: (chunk: Uint8Array) => void; whole: () => Buffer } => {
      let held = Buffer.alloc(0)
      let bytes = 0
      return {
        take: chunk => {
          const end = bytes + chunk.length
          if (end > maxBytes) throw tooLarge()
          const more = Math.max(0, end - SMALL_BYTES) - Math.max(0, bytes - SMALL_BYTES)
          if (this.#sharedBytes + more > SHARED_BYTES)
            throw new HubError('overloaded', 'too many large requests at once', { retryAfterMs: 1_000 })
          this.#sharedBytes += more
          shared += more
          if (end > held.length) {
            const larger = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(end, 2 * held.length)))
            held.copy(larger, 0, 0, bytes)
            held = larger
          }
          held.set(chunk, bytes)
          bytes = end
        },
        whole: () => held.subarray(0, bytes)
      }
    }
    try {
      const packed = gathering()
      await takeBody(request, packed.take)
      if (unpack === undefined) return await use(packed.whole())
      const plain = gathering()
      const unpacked = unpack(packed.whole())
      if (Buffer.isBuffer(unpacked)) plain.take(unpacked)
      else for await (const chunk of unpacked) plain.take(chunk)
      return await use(plain.whole())
    } finally {
      this.#sharedBytes -= shared
    }
  }
}
