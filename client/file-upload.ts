import { HubError } from '../protocol/index.ts'
import type { Hash } from './hash.ts'
import { cursorNumber, type ContentParts, type HubRequest } from './hub-http.ts'
import { Patience } from './patience.ts'

/** Bytes that can be read at any place, more than once: a file. A `Blob` is one, too. */
export interface ByteSource {
  readonly sizeBytes: number
  /** The bytes from `start` up to `end`. @throws when there are fewer by now */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>
}

export interface UploadOptions {
  /** SHA-256 of the content that was seen at the path. Without it nothing is meant to be there. */
  readonly base?: string | undefined
  /** When the file was changed, in milliseconds since 1970. */
  readonly mtimeMs?: number | undefined
  /** SHA-256 of the whole, where it is known; else the source is read once more. */
  readonly sha256?: string | undefined
  /** The id of an earlier upload of the same content to the same path that broke off. One that is gone is begun anew. */
  readonly resume?: string | undefined
  /** Told the upload's id before anything is sent: whoever keeps it can `resume` in another life. */
  readonly onBegun?: (id: string) => unknown
  readonly onProgress?: (sentBytes: number, sizeBytes: number) => void
  readonly signal?: AbortSignal | undefined
}

/** What came of an upload. */
export interface Uploaded {
  readonly sha256: string
  /** The change that put the file at its path, or kept it beside another as a conflict. */
  readonly cursor: number
  /** The path keeps another content: the id of the conflict. */
  readonly conflict?: string
}

interface Status {
  readonly id: string
  readonly sha256: string
  readonly chunk_bytes: number
  readonly received_bytes: number
  readonly missing_chunks: readonly number[]
  readonly result?: { readonly cursor: string; readonly conflict_id?: string }
}

/** Small enough that little is sent again, and that one is in memory at a time. */
const CHUNK_BYTES = 4_194_304
const MOST_CHUNKS = 8_000
const MOST_BEGINNINGS = 3
const CHUNK_TIMEOUT_MS = 600_000
const COMPLETE_TIMEOUT_MS = 290_000
const ROUTE = '/api/v1/sync/upload'

/**
 * Sends a content chunk by chunk, and goes on where it was after whatever broke it off.
 * @throws HubError what the hub refused it for; NoConnectionError when there is none for minutes; what the source throws
 */
export async function uploadFile(
  parts: ContentParts,
  path: string,
  source: ByteSource,
  options: UploadOptions
): Promise<Uploaded> {
  const { onProgress, signal } = options
  const sha256 = options.sha256 ?? (await hashOf(source, parts.newHash(), signal))
  const patience = new Patience(parts.clock, signal)
  const ask = (place: string, request: HubRequest): Promise<Status> => parts.ask(`${ROUTE}${place}`, { ...request, signal })
  const begin = async (): Promise<Status> => {
    const status = await ask('', { method: 'POST', json: announcement(path, sha256, source.sizeBytes, options) })
    await options.onBegun?.(status.id)
    return status
  }

  let id = options.resume
  for (let beginnings = 0; ;) {
    try {
      const status = id === undefined ? await begin() : await ask(`/${id}`, {})
      if (status.sha256 !== sha256) throw new HubError('not-found', 'the upload is of another content')
      id = status.id
      let sentBytes = status.received_bytes
      onProgress?.(sentBytes, source.sizeBytes)
      for (const index of status.missing_chunks) {
        const start = index * status.chunk_bytes
        const bytes = await source.read(start, Math.min(start + status.chunk_bytes, source.sizeBytes))
        await ask(`/${id}/chunks/${index}`, {
          method: 'PUT',
          bytes,
          headers: { 'content-type': 'application/octet-stream', 'content-digest': digestField(bytes, parts.newHash()) },
          timeoutMs: CHUNK_TIMEOUT_MS
        })
        patience.reset()
        sentBytes += bytes.length
        onProgress?.(sentBytes, source.sizeBytes)
      }
      const { result } = await ask(`/${id}/complete`, { method: 'POST', timeoutMs: COMPLETE_TIMEOUT_MS })
      const { cursor, conflict_id: conflict } = result!
      return { sha256, cursor: cursorNumber(cursor), ...(conflict !== undefined && { conflict }) }
    } catch (error) {
      // It expired, was cancelled, or the hub was put back to a backup that does not know it.
      const isGone = error instanceof HubError && error.code === 'not-found' && id !== undefined
      if (!isGone) await patience.after(error)
      else if (++beginnings >= MOST_BEGINNINGS) throw error
      else id = undefined
    }
  }
}

const announcement = (path: string, sha256: string, sizeBytes: number, { base, mtimeMs }: UploadOptions): object => ({
  path,
  sha256,
  size_bytes: sizeBytes,
  chunk_bytes: Math.max(CHUNK_BYTES, Math.ceil(sizeBytes / MOST_CHUNKS)),
  ...(base !== undefined && { base_sha256: base }),
  ...(mtimeMs !== undefined && { mtime_ms: Math.max(0, Math.floor(mtimeMs)) })
})

/** A `Blob` or a `File` as a source. */
export const sourceOf = (given: ByteSource | Blob): ByteSource =>
  given instanceof Blob
    ? {
        sizeBytes: given.size,
        read: async (start, end) => new Uint8Array(await given.slice(start, end).arrayBuffer())
      }
    : given

async function hashOf(source: ByteSource, hash: Hash, signal: AbortSignal | undefined): Promise<string> {
  for (let start = 0; start < source.sizeBytes; start += CHUNK_BYTES) {
    signal?.throwIfAborted()
    hash.update(await source.read(start, Math.min(start + CHUNK_BYTES, source.sizeBytes)))
  }
  return hash.digest()
}

/** @see RFC 9530 */
function digestField(bytes: Uint8Array, hash: Hash): string {
  hash.update(bytes)
  const pairs = hash.digest().match(/../g)!
  return `sha-256=:${btoa(String.fromCharCode(...pairs.map(pair => Number.parseInt(pair, 16))))}:`
}
