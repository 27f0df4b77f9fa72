import { z } from '@hono/zod-openapi'
import { foldPath, HubError, isFilePath, nameOf, SHA256 } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import { fileAt } from '../../core/files/contents.ts'
import { problem } from '../../transports/http.ts'
import { answerContent, attachment } from '../contents.ts'
import { permitted } from '../bearers.ts'
import type { PinakesParts } from './index.ts'
import { refusals, type PinakesApp } from './shapes.ts'

const ROUTE = '/download/'

/** `/download/{path}`: a file's content or a part of it, byte by byte as it was uploaded. */
export function mountDownloads(app: PinakesApp, { blobs, logger }: PinakesParts): void {
  document(app)
  app.get(`${ROUTE}*`, permitted('files'), async context => {
    const bearer = context.get('bearer')
    const path = pathOf(context.req.path)
    const { sha256, sizeBytes } = contentOf(bearer.account, path, context.req.query('sha256'))
    context.header('cache-control', 'private, no-cache')
    const disposition = attachment(nameOf(path))
    const content = { bearer, sha256, sizeBytes, mediaType: 'application/octet-stream', disposition }
    return answerContent(context, content, { blobs, logger, refuse: problem })
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
      ...refusals(401, 403, 404, 412, 416, 503)
    }
  })
}
