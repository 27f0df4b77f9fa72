import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import { checked, HubError, type Shape } from '../../../protocol/index.ts'
import { hasAtMostValues } from '../../transports/json-bounds.ts'
import { BodyReader } from '../bodies.ts'
import { Refused } from './refusals.ts'

/** What a request may bring, once it is unpacked. */
export const MAX_BODY_BYTES = 102_400
/** The same of one that pushes actions. */
export const MAX_PUSH_BYTES = 5_242_880
/** Values in a body: actions come as texts, and whoever pulls has a few for each category. */
const MAX_VALUES = 16_384

/** Reads the JSON of requests, plain or packed, within bounds for each and for all. */
export class JsonBodies {
  readonly #bodies = new BodyReader(MAX_BODY_BYTES)

  /**
   * Gives `use` the body of a request, as the schema has it: a member that the schema does not name is refused at whatever depth. While that goes on the body counts as held.
   * @param maxBytes of what the sender packed, too
   * @throws Refused 400 when it is no JSON of this form; 415 when it is packed in an unknown way
   * @throws HubError `too-large`; `overloaded` while there are too many large ones
   */
  async read<T, R>(
    request: IncomingMessage,
    form: Shape<T>,
    use: (body: T) => Promise<R>,
    maxBytes = MAX_BODY_BYTES
  ): Promise<R> {
    // Of another type nothing is read: it is as if there were no body.
    if (!isJson(request.headers['content-type'])) throw new Refused(400)
    const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase()
    let isRead = false
    return this.#bodies
      .read(
        request,
        bytes => {
          isRead = true
          return use(parsed(form, bytes.toString()))
        },
        { maxBytes, unpack: plain => unpacked(plain, encoding) }
      )
      .catch((error: unknown) => {
        // What was sent cannot be unpacked.
        throw isRead || error instanceof Refused || error instanceof HubError ? error : new Refused(400)
      })
  }
}

/** @throws Refused 400 */
function parsed<T>(form: Shape<T>, text: string): T {
  if (!hasAtMostValues(text, MAX_VALUES)) throw new Refused(400)
  try {
    return checked('bad-request', form, JSON.parse(text), 'body')
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof HubError) throw new Refused(400)
    throw error
  }
}

const isJson = (contentType = ''): boolean => contentType.split(';', 1)[0]!.trim().toLowerCase() === 'application/json'

/** @throws Refused 415 */
function unpacked(plain: AsyncIterable<Uint8Array>, encoding: string): AsyncIterable<Uint8Array> {
  if (encoding === 'identity') return plain
  const unpacker = encoding === 'gzip' ? createGunzip() : encoding === 'deflate' ? createInflate() : undefined
  if (unpacker === undefined) throw new Refused(415)
  const packed = Readable.from(plain)
  packed.once('error', error => unpacker.destroy(error))
  return packed.pipe(unpacker)
}
