import type { Context } from 'hono'
import { HubError } from '../../../protocol/index.ts'
import type { BlobStore } from '../../core/blobs.ts'
import type { Bearer } from '../../core/policy.ts'
import type { Logger } from '../../core/ports.ts'
import type { BookRecord } from '../../core/records.ts'
import { imageType } from '../../files/epub.ts'
import { answerContent, attachment, type Content } from '../contents.ts'
import type { BearerEnv } from '../bearers.ts'
import { fileUuid } from './book-ids.ts'
import { refusalOf } from './refusals.ts'

export interface BookContentsParts {
  readonly blobs: BlobStore
  readonly logger: Logger
}

const IMAGE_HEAD_BYTES = 12

/** A book's cover. @throws HubError `not-found` */
export async function answerCover(
  context: Context<BearerEnv>,
  { fields: { cover } }: BookRecord,
  parts: BookContentsParts
): Promise<Response> {
  const content = heldContent(context.get('bearer'), cover)
  if (content === undefined) throw new HubError('not-found', 'Cover not found')
  const mediaType = await imageTypeOf(content, parts.blobs)
  if (mediaType === undefined) throw new HubError('not-found', 'Cover not found')
  context.header('cache-control', 'private, max-age=86400')
  return answer(context, { ...content, mediaType }, parts)
}

/** The book's file. @throws HubError `not-found` */
export async function answerFile(
  context: Context<BearerEnv>,
  { fields: { file } }: BookRecord,
  asked: string,
  parts: BookContentsParts
): Promise<Response> {
  const isOwn = file !== undefined && file !== null && fileUuid(file.sha256) === asked.toLowerCase()
  const content = isOwn ? heldContent(context.get('bearer'), file.sha256) : undefined
  if (!isOwn || content === undefined) throw new HubError('not-found', 'File not found')
  context.header('cache-control', 'private, no-cache')
  // What a book says of its own kind goes into a header only where it is one.
  const mediaType = /^[\w.+-]+\/[\w.+-]+$/.test(file.mediaType) ? file.mediaType : 'application/octet-stream'
  return answer(context, { ...content, mediaType, disposition: attachment(file.name) }, parts)
}

const answer = (context: Context<BearerEnv>, content: Content, { blobs, logger }: BookContentsParts): Promise<Response> =>
  answerContent(context, content, { blobs, logger, refuse: error => refusalOf(error, logger) })

/** What the account holds: a book may name anything. */
function heldContent(bearer: Bearer, sha256: string | null | undefined): Omit<Content, 'mediaType'> | undefined {
  const held = sha256 ? bearer.account.views.get('contents', sha256) : undefined
  return held && { bearer, sha256: sha256!, sizeBytes: held.sizeBytes }
}

/** By its bytes: what would run in a page is no image. */
async function imageTypeOf({ sha256 }: Pick<Content, 'sha256'>, blobs: BlobStore): Promise<string | undefined> {
  const head: Uint8Array[] = []
  for await (const part of (await blobs.read(sha256, 0, IMAGE_HEAD_BYTES)) ?? []) head.push(part)
  return imageType(Buffer.concat(head))
}
