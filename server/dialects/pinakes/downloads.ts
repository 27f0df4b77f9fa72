import { z } from '@hono/zod-openapi'
import { foldPath, HubError, isFilePath, nameOf, SHA256 } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import { fileAt } from '../../core/files/contents.ts'
import { digestField } from '../../files/content-digest.ts'
import { contentStream } from '../../files/content-stream.ts'
import { planContent } from '../../files/ranges.ts'
import { problem } from '../../transports/http.ts'
import { permitted } from './auth.ts'
import type { PinakesParts } from './index.ts'
import { refusals, type PinakesApp } from './shapes.ts'

const ROUTE = '/download/'

/** `/download/{path}`: a file's content or a part of it, byte by byte as it was uploaded. */
export function mountDownloads(app: PinakesApp, { blobs, logger }: PinakesParts): void {
  document(app)
  app.get(`${ROUTE}*`, permitted('files'), async context => {
    const { account } = context.get('bearer')
    const path = pathOf(context.req.path)
    const { sha256, sizeBytes } = contentOf(account, path, context.req.query('sha256'))
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
    context.header('accept-ranges', 'bytes')
    context.header('etag', etag)
    context.header('cache-control', 'private, no-cache')
    if (contentRange !== undefined) context.header('content-range', contentRange)
    if (status === 304) return context.body(null, 304)
    if (status === 412) return withHeaders(context.res, problem(new HubError('precondition-failed')))
    if (status === 416) return withHeaders(context.res, problem(new HubError('range-not-satisfiable')))
    context.header('content-type', 'application/octet-stream')
    context.header('content-disposition', attachment(nameOf(path)))
    context.header('content-length', String(end - start))
    context.header('repr-digest', digestField(sha256))
    if (context.req.method === 'HEAD') return context.body(null, status)
    const source = await blobs.read(sha256, start, end)
    if (source === undefined) throw new Error(`the content ${sha256} is not on disk`)
    const { outgoing } = context.env
    const body = contentStream(source, (error: unknown) => {
      logger.error({ err: error, sha256 }, 'a content cannot be read')
      outgoing.destroy()
    })
    return context.body(body, status)
  })
}

/** The path as it was before it became part of a URL. @throws HubError `not-found` when it can be no file's */
function pathOf(url: string): string {
  try {
    const path = foldPath(decodeURIComponent(url.slice(url.indexOf(ROUTE) + ROUTE.length)))
    if (isFilePath(path)) return path
  } catch (error) {
    if (!(error instanceof URIError)) throw error
  }
  throw new HubError('not-found')
}

/** What is at a path, or another content that the account holds. @throws HubError `not-found` */
function contentOf({ views }: Account, path: string, asked: string | undefined): { sha256: string; sizeBytes: number } {
  if (asked === undefined) {
    const file = fileAt(views, path)
    if (file === undefined) throw new HubError('not-found')
    return file.content
  }
  const held = SHA256.test(asked) ? views.get('contents', asked) : undefined
  if (held === undefined) throw new HubError('not-found')
  return { sha256: asked, sizeBytes: held.sizeBytes }
}

/** To be saved and not shown, under its own name. @see RFC 6266 */
function attachment(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const exact = encodeURIComponent(name).replace(/['()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`
}

function withHeaders(from: Response, to: Response): Response {
  for (const [name, value] of from.headers) if (!to.headers.has(name)) to.headers.set(name, value)
  return to
}

/** The route is one for all that is behind it, which an OpenAPI document has no word for. */
function document(app: PinakesApp): void {
  const bytes = { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } }
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/download/{path}',
    operationId: 'downloadFile',
    tags: ['download'],
    summary: 'Download a file, or a part of it',
    description:
      'The path may hold slashes. `etag` is the SHA-256 in quotes: with `if-none-match` nothing comes twice, and with `range` and `if-range` a download goes on where it broke off. Of several ranges all of the content comes. `HEAD` gets the same without the bytes.',
    request: {
      params: z.object({ path: z.string().openapi({ example: 'novels/Emma.epub' }) }),
      query: z.object({
        sha256: z
          .string()
          .optional()
          .openapi({ description: 'Another content that the account holds, such as a side of a conflict' })
      })
    },
    responses: {
      200: { description: 'File content', content: bytes },
      206: { description: 'Partial content', content: bytes },
      304: { description: 'The content is the one that the client has' },
      ...refusals(401, 403, 404, 412, 416)
    }
  })
}
