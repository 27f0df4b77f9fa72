import type { IncomingMessage } from 'node:http'
import { createGunzip, createInflate, gunzipSync, inflateSync, type Gunzip, type Inflate } from 'node:zlib'
import { checked, HubError, type Shape } from '../../../protocol/index.ts'
import { hasAtMostValues } from '../../transports/json-bounds.ts'
import { BodyReader, SMALL_BYTES } from '../bodies.ts'
import { Refused } from './refusals.ts'

/** What a request may bring, once it is unpacked. */
export const MAX_BODY_BYTES = 102_400
/** The same of one that pushes actions. */
export const MAX_PUSH_BYTES = 5_242_880
/** Packed bytes that are unpacked at once, where they make few. */
const SMALL_PACKED_BYTES = 16_384
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
    const packing = PACKINGS.get(encoding)
    if (packing === undefined && encoding !== 'identity') throw new Refused(415)
    let isRead = false
    return this.#bodies
      .read(
        request,
        bytes => {
          isRead = true
          return use(parsed(form, bytes.toString()))
        },
        { maxBytes, ...(packing !== undefined && { unpack: packed => unpacked(packed, packing) }) }
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

/** How what is packed is unpacked: at once, and piece by piece. */
interface Packing {
  readonly unpack: typeof gunzipSync
  readonly createUnpacker: () => Gunzip | Inflate
}

const PACKINGS = new Map<string, Packing>([
  ['gzip', { unpack: gunzipSync, createUnpacker: createGunzip }],
  ['deflate', { unpack: inflateSync, createUnpacker: createInflate }]
])

function unpacked(packed: Buffer, { unpack, createUnpacker }: Packing): Buffer | AsyncIterable<Uint8Array> {
  // Few bytes, as nearly all are, take less time than it takes to have another thread unpack them.
  if (packed.length <= SMALL_PACKED_BYTES)
    try {
      return unpack(packed, { maxOutputLength: SMALL_BYTES })
    } catch (error) {
      // Much may be made of little, and is then made elsewhere.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error
    }
  return createUnpacker().end(packed)
}
