import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import { checked, HubError, type Shape } from '../../../protocol/index.ts'
import { bodyOf } from '../../transports/http.ts'
import { Refused } from './refusals.ts'

/** What a request may bring, once it is unpacked. */
export const MAX_BODY_BYTES = 102_400
/** The same of one that pushes actions. */
export const MAX_PUSH_BYTES = 5_242_880
/** What all requests together may hold beyond the small ones, before anybody has asked who they are. */
const SHARED_BYTES = 67_108_864

/** Reads the JSON of requests, plain or packed, within bounds for each and for all. */
export class JsonBodies {
  #sharedBytes = 0

  /**
   * The body of a request, as the schema has it: a member that the schema does not name is refused at whatever depth.
   * @param maxBytes of what the sender packed, too
   * @throws Refused 400 when it is no JSON of this form; 413; 415 when it is packed in an unknown way; 503 while there are too many large ones
   */
  async read<T>(request: IncomingMessage, form: Shape<T>, maxBytes = MAX_BODY_BYTES): Promise<T> {
    // Of another type nothing is read: it is as if there were no body.
    if (!isJson(request.headers['content-type'])) throw new Refused(400)
    const text = await this.#text(request, maxBytes)
    try {
      return checked('bad-request', form, JSON.parse(text), 'body')
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof HubError) throw new Refused(400)
      throw error
    }
  }

  async #text(request: IncomingMessage, maxBytes: number): Promise<string> {
    const chunks: Uint8Array[] = []
    let bytes = 0
    let shared = 0
    try {
      for await (const chunk of unpacked(request, maxBytes)) {
        bytes += chunk.length
        if (bytes > maxBytes) throw new Refused(413)
        const more = Math.max(0, bytes - MAX_BODY_BYTES) - shared
        if (this.#sharedBytes + more > SHARED_BYTES) throw new Refused(503)
        this.#sharedBytes += more
        shared += more
        chunks.push(chunk)
      }
      return Buffer.concat(chunks, bytes).toString()
    } catch (error) {
      // The sender broke off, or what it sent cannot be unpacked.
      throw error instanceof Refused ? error : new Refused(400)
    } finally {
      this.#sharedBytes -= shared
    }
  }
}

const isJson = (contentType = ''): boolean => contentType.split(';', 1)[0]!.trim().toLowerCase() === 'application/json'

function unpacked(request: IncomingMessage, maxBytes: number): AsyncIterable<Uint8Array> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase()
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new Refused(413)
  const plain = bodyOf(request)
  if (encoding === 'identity') return plain
  const unpacker = encoding === 'gzip' ? createGunzip() : encoding === 'deflate' ? createInflate() : undefined
  if (unpacker === undefined) throw new Refused(415)
  const packed = Readable.from(plain)
  packed.once('error', error => unpacker.destroy(error))
  return packed.pipe(unpacker)
}
