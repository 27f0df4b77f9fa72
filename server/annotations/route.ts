import { checked, HubError, key } from '../../protocol/index.ts'
import type { Hub } from '../core/hub.ts'
import { permits } from '../core/policy.ts'
import type { Logger } from '../core/ports.ts'
import { readPage } from '../core/read.ts'
import { contentStream } from '../files/content-stream.ts'
import { bearerTokenOf, endWithToken, type HttpApp } from '../transports/http.ts'
import { FORMATS, isFormatName, type FormatName } from './formats.ts'
import { bookOfView, isOrdered, writeAnnotations, type AnnotationPage } from './write-file.ts'

/** Answers under way that hold a whole book's annotations, over all accounts. */
const MAX_ORDERED = 8
const RETRY_AFTER_MS = 2_000

const bookShape = key(128)
const encoder = new TextEncoder()

type Row = AnnotationPage['value'][number]

/**
 * `GET /api/v1/books/{id}/annotations?format=`: the annotations of a book that are not removed, in the form that `format` or the `accept` header asks for:
 * `w3c` (the default), `readium` or `markdown`. They are read page by page while they are sent: one that is changed meanwhile is as it is when its page comes.
 */
export function mountAnnotations(app: HttpApp, { hub, logger }: { hub: Hub; logger: Logger }): void {
  let ordered = 0
  app.get('/api/v1/books/:book/annotations', async context => {
    const bearer = await hub.authenticate(bearerTokenOf(context.env.incoming))
    const { account, actor } = bearer
    if (!permits(actor, 'annotations')) throw new HubError('forbidden')
    const id = checked('bad-request', bookShape, context.req.param('book'), 'book')
    const formatName = formatOf(context.req.query('format'), context.req.header('accept'))
    const { outgoing } = context.env
    endWithToken(bearer, outgoing)
    const pageOf = async (after: string): Promise<AnnotationPage> => {
      const { value, next } = await account.documents.withDocument(id, () =>
        readPage(account, 'annotations', id, after, { maxEntryBytes: Infinity })
      )
      await account.settled()
      return { value: value as unknown as readonly Row[], next }
    }
    const first = await pageOf('')
    if (account.views.get('books', id) === undefined && !account.documents.isKnown(id)) throw new HubError('not-found')
    const record = account.views.get('books', id)
    const book =
      record === undefined ? bookOfView(id, {}) : bookOfView(id, { ...record.fields, identifiers: { ...record.identifiers } })
    context.header('content-type', FORMATS[formatName].mediaType)
    context.header('cache-control', 'private, no-cache')
    context.header('vary', 'accept', { append: true })
    if (context.req.method === 'HEAD') return context.body(null)
    const isHeld = isOrdered(formatName)
    if (isHeld && ordered >= MAX_ORDERED)
      throw new HubError('overloaded', 'too many answers of this kind are under way', { retryAfterMs: RETRY_AFTER_MS })
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      const written = writeAnnotations(formatName, book, async after => (after === '' ? first : pageOf(after)))
      for await (const piece of written) yield encoder.encode(piece)
    }
    if (isHeld && !outgoing.closed && !outgoing.destroyed) {
      ordered += 1
      outgoing.once('close', () => (ordered -= 1))
    }
    return context.body(
      contentStream(pieces(), (error: unknown) => {
        if (!(error instanceof HubError)) logger.error({ err: error }, 'annotations cannot be written')
        outgoing.destroy()
      })
    )
  })
}

/** @throws HubError `bad-request` */
function formatOf(asked: string | undefined, accept = ''): FormatName {
  if (asked !== undefined) {
    if (isFormatName(asked)) return asked
    throw new HubError('bad-request', `format is ${Object.keys(FORMATS).join(', ')}, or left out`, { field: 'format' })
  }
  const wanted = accept
    .split(',')
    .slice(0, 32)
    .map(range => {
      const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
      const quality = parameters.find(parameter => parameter.startsWith('q='))?.slice(2) ?? '1'
      return { type, quality: Number(quality) || 0 }
    })
    .sort((left, right) => right.quality - left.quality)
  for (const { type, quality } of wanted) {
    const found = (Object.keys(FORMATS) as FormatName[]).find(name => FORMATS[name].mediaType.split(';')[0] === type)
    if (quality > 0 && found !== undefined) return found
    if (quality > 0 && (type === '*/*' || type === 'application/json')) return 'w3c'
  }
  return 'w3c'
}
