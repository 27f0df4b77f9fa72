import type { Context } from 'hono'
import { HubError } from '../../protocol/index.ts'
import type { BlobStore } from '../core/blobs.ts'
import type { Bearer } from '../core/policy.ts'
import type { Logger } from '../core/ports.ts'
import { digestField } from '../files/content-digest.ts'
import { contentStream } from '../files/content-stream.ts'
import { planContent } from '../files/ranges.ts'
import { endWithToken, type HttpEnv } from '../transports/http.ts'

/** What a content on its way may hold in memory when whoever asked for it does not read on: what was read of it, and what the socket was given. */
const MAX_HELD_BYTES = 524_288
/** All of those of an account together: 32 large contents, or many covers. */
const MAX_ACCOUNT_HELD_BYTES = 32 * MAX_HELD_BYTES
const RETRY_AFTER_MS = 2_000

/** By account; those that hold nothing are not here. */
const heldBytes = new Map<string, number>()

/** Bytes that an account holds, as an answer tells of them. */
export interface Content {
  /** Who gets it, for as long as the token is good. */
  readonly bearer: Bearer
  readonly sha256: string
  readonly sizeBytes: number
  readonly mediaType: string
  /** What `content-disposition` says; left out, nothing does. */
  readonly disposition?: string
}

export interface ContentParts {
  readonly blobs: BlobStore
  readonly logger: Logger
  /** How an API says no. */
  readonly refuse: (error: HubError) => Response
}

/**
 * Answers with a content or a part of it, byte by byte as it came: `etag` is its SHA-256, and ranges and conditions are read. The headers that the context has go with it.
 * Who is cut off meanwhile gets nothing more: the connection ends.
 * @throws HubError `overloaded` when the account has too much on its way; why the token lets nobody in any more
 */
export async function answerContent(
  context: Pick<Context<HttpEnv>, 'req' | 'res' | 'env' | 'header' | 'body'>,
  { bearer, sha256, sizeBytes, mediaType, disposition }: Content,
  { blobs, logger, refuse }: ContentParts
): Promise<Response> {
  const etag = `"${sha256}"`
  const { status, start, end, contentRange } = planContent(
    {
      method: context.req.method,
      range: context.req.header('range'),
      ifRange: context.req.header('if-range'),
      ifMatch: context.req.header('if-match'),
      ifNoneMatch: context.req.header('if-none-match')
    },
    sizeBytes,
    etag
  )
  const isRead = status < 300 && context.req.method !== 'HEAD'
  const { outgoing } = context.env
  if (isRead) {
    endWithToken(bearer, outgoing)
    hold(bearer.account.id, Math.min(end - start, MAX_HELD_BYTES), outgoing)
  }
  context.header('accept-ranges', 'bytes')
  context.header('etag', etag)
  if (contentRange !== undefined) context.header('content-range', contentRange)
  if (status === 304) return context.body(null, 304)
  if (status === 412) return withHeaders(context.res, refuse(new HubError('precondition-failed')))
  if (status === 416) return withHeaders(context.res, refuse(new HubError('range-not-satisfiable')))
  context.header('content-type', mediaType)
  if (disposition !== undefined) context.header('content-disposition', disposition)
  context.header('content-length', String(end - start))
  context.header('repr-digest', digestField(sha256))
  if (!isRead) return context.body(null, status)
  const source = await blobs.read(sha256, start, end)
  if (source === undefined) throw new Error(`the content ${sha256} is not on disk`)
  const body = contentStream(source, (error: unknown) => {
    logger.error({ err: error, sha256 }, 'a content cannot be read')
    outgoing.destroy()
  })
  return context.body(body, status)
}

/** Counts what an answer may hold until it is over, or its connection. @throws HubError `overloaded` */
function hold(account: string, bytes: number, outgoing: HttpEnv['Bindings']['outgoing']): void {
  if (outgoing.closed || outgoing.destroyed) return
  const held = heldBytes.get(account) ?? 0
  if (held + bytes > MAX_ACCOUNT_HELD_BYTES)
    throw new HubError('overloaded', 'too many contents are on their way', { retryAfterMs: RETRY_AFTER_MS })
  heldBytes.set(account, held + bytes)
  outgoing.once('close', () => {
    const left = heldBytes.get(account)! - bytes
    if (left > 0) heldBytes.set(account, left)
    else heldBytes.delete(account)
  })
}

/** To be saved and not shown, under its own name. @see RFC 6266 */
export function attachment(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const exact = encodeURIComponent(name).replace(/['()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`
}

function withHeaders(from: Response, to: Response): Response {
  for (const [name, value] of from.headers) if (!to.headers.has(name)) to.headers.set(name, value)
  return to
}
