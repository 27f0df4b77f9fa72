import { BareRefusal } from './faults.ts'

/** What a request may bring: some 30,000 ids of exceptions. */
export const MAX_BODY_BYTES = 1_048_576
/** What every request may bring at any time. */
const SMALL_BYTES = 65_536
/** What all requests together may hold beyond that, before anybody has asked who they are. */
const SHARED_BYTES = 33_554_432

/** Reads requests' bodies into memory, within bounds for each and for all. */
export class BodyReader {
  #sharedBytes = 0

  /** @throws BareRefusal 413 for a body over the cap; 503 when there are too many large ones; 400 when it breaks off */
  async read(request: Request): Promise<Uint8Array> {
    if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw new BareRefusal(413)
    if (request.body === null) return new Uint8Array()
    const reader = (request.body as ReadableStream<Uint8Array>).getReader()
    const chunks: Uint8Array[] = []
    let bytes = 0
    let shared = 0
    try {
      for (;;) {
        const { done, value } = await reader.read().catch(() => {
          throw new BareRefusal(400)
        })
        if (done) return Buffer.concat(chunks, bytes)
        bytes += value.length
        if (bytes > MAX_BODY_BYTES) throw new BareRefusal(413)
        const more = Math.max(0, bytes - SMALL_BYTES) - shared
        if (this.#sharedBytes + more > SHARED_BYTES) throw new BareRefusal(503)
        this.#sharedBytes += more
        shared += more
        chunks.push(value)
      }
    } catch (error) {
      await reader.cancel().catch(() => undefined)
      throw error
    } finally {
      this.#sharedBytes -= shared
    }
  }
}
