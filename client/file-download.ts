import { HubError } from '../protocol/index.ts'
import { endingWith } from './ending.ts'
import type { Hash } from './hash.ts'
import { asBroken, NoConnectionError, type ContentParts } from './hub-http.ts'
import { Patience } from './patience.ts'

export interface DownloadOptions {
  /** The content that is wanted, which need not be at the path any more; else what is there now. */
  readonly sha256?: string | undefined
  /** How many bytes are there from before, and a hash that was fed them. Takes `sha256`, so that they are of the same content. */
  readonly from?: { readonly bytes: number; readonly hash: Hash } | undefined
  readonly onProgress?: ((receivedBytes: number, sizeBytes: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** A content that is on its way. */
export interface Download {
  readonly sha256: string
  /** Of the whole, whatever was there from before. */
  readonly sizeBytes: number
  /**
   * The bytes, as fast as they are taken. A connection that breaks is made again, and they go on where they were. To be read once; reading it to the end, without a throw,
   * means that the whole is what the hub says it is.
   */
  readonly chunks: AsyncIterable<Uint8Array>
}

/** What came is not what the hub has under this name. */
export class ContentDamagedError extends Error {
  override readonly name = 'ContentDamagedError'

  constructor(path: string) {
    super(`${path} was damaged on its way; download it again from its beginning`)
  }
}

/** Nothing for so long is a connection that broke without a word. */
const STALLED_MS = 60_000

/**
 * Asks for a content; resolves when its first bytes are on their way.
 * @throws HubError `not-found`, or what else the hub refuses it for; NoConnectionError when there is none for minutes
 */
export async function downloadFile(parts: ContentParts, path: string, options: DownloadOptions): Promise<Download> {
  const { from, signal, onProgress } = options
  if (from !== undefined && options.sha256 === undefined)
    throw new TypeError('what is there from before is of which content? name its sha256')
  const patience = new Patience(parts.clock, signal)
  const hash = from?.hash ?? parts.newHash()
  const place = `/api/v1/sync/download/${path.split('/').map(encodeURIComponent).join('/')}${options.sha256 === undefined ? '' : `?sha256=${options.sha256}`}`
  let at = from?.bytes ?? 0
  let wanted = options.sha256

  const ask = async (): Promise<Response> => {
    for (;;) {
      try {
        // From the last byte that is there: behind all of a content there is no range.
        const headers = at === 0 ? {} : { range: `bytes=${at - 1}-`, ...(wanted !== undefined && { 'if-range': `"${wanted}"` }) }
        const { response, sha256 } = await parts.askForContent(place, { headers, signal })
        if (wanted !== undefined && sha256 !== wanted) throw new HubError('base-changed', `${path} has another content by now`)
        wanted = sha256
        return response
      } catch (error) {
        await patience.after(error)
      }
    }
  }

  let response = await ask()
  const sha256 = wanted!
  const sizeBytes = wholeSizeOf(response)

  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (at === sizeBytes) response.body?.cancel().catch(() => undefined)
    while (at < sizeBytes) {
      // Whoever ignores the range begins at the beginning.
      let unwanted = response.status === 206 ? 1 : at
      const reader = response.body!.getReader()
      try {
        for (;;) {
          const { done, value } = await within(reader.read().catch(asBroken), STALLED_MS, signal)
          if (done) break
          const fresh = value.subarray(Math.min(unwanted, value.length))
          unwanted -= value.length - fresh.length
          if (fresh.length === 0) continue
          patience.reset()
          hash.update(fresh)
          at += fresh.length
          yield fresh
          onProgress?.(at, sizeBytes)
        }
        if (at < sizeBytes) throw new NoConnectionError('the content broke off')
      } catch (error) {
        await patience.after(error)
      } finally {
        reader.cancel().catch(() => undefined)
      }
      if (at < sizeBytes) response = await ask()
    }
    if (at !== sizeBytes || hash.digest() !== sha256) throw new ContentDamagedError(path)
  }
  return { sha256, sizeBytes, chunks: chunks() }
}

function wholeSizeOf({ headers }: Response): number {
  const whole = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] ?? headers.get('content-length')
  if (whole === null || !/^\d+$/.test(whole)) throw new HubError('bad-request', 'the answer does not say how long the content is')
  return Number(whole)
}

/** @throws NoConnectionError when it takes longer; what the signal was aborted for */
async function within<T>(work: Promise<T>, limitMs: number, signal: AbortSignal | undefined): Promise<T> {
  const ending = endingWith(signal)
  const ended = new Promise<never>((_, reject) => {
    const fail = (): void => reject(ending.signal.reason as Error)
    if (ending.signal.aborted) fail()
    ending.signal.addEventListener('abort', fail)
  })
  const timer = setTimeout(() => ending.end(new NoConnectionError('nothing came for a minute')), limitMs)
  try {
    return await Promise.race([work, ended])
  } finally {
    clearTimeout(timer)
    ending.release()
  }
}
