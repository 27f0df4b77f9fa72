import { createRoute, z } from '@hono/zod-openapi'
import { HubError } from '../../../protocol/index.ts'
import { mustBeLetIn } from '../../core/policy.ts'
import { parseContentDigest } from '../../files/content-digest.ts'
import { chunkCount, type UploadOutcome } from '../../files/upload-record.ts'
import { UPLOAD_LIMITS } from '../../files/upload-request.ts'
import type { UploadStatus } from '../../files/upload-status.ts'
import { bodyOf, endWithToken } from '../../transports/http.ts'
import { mayTakeLong } from '../../transports/body-time.ts'
import { permitted } from '../bearers.ts'
import { mtimeShape, pathShape, sha256Shape, sizeShape } from './file-shapes.ts'
import type { PinakesParts } from './index.ts'
import { answer, cursorShape, cursorText, jsonBody, refusals, timeOfUs, timeShape, type PinakesApp } from './shapes.ts'

const facts = {
  path: pathShape,
  size_bytes: sizeShape.max(UPLOAD_LIMITS.maxFileBytes),
  sha256: sha256Shape,
  base_sha256: sha256Shape.optional().openapi({
    description:
      'SHA-256 of the content that the client saw at the path; without it the client saw none. If another is there by now, the two are a conflict'
  }),
  mtime_ms: mtimeShape.optional()
} as const

const chunkBytesShape = z.number().int().min(UPLOAD_LIMITS.minChunkBytes).max(UPLOAD_LIMITS.maxChunkBytes)

const resultShape = z
  .object({
    cursor: cursorShape.openapi({ description: 'The change that put the file at its path' }),
    conflict_id: z.string().optional().openapi({ description: 'The path keeps another content; this one is kept beside it' })
  })
  .openapi('UploadResult')

const statusShape = z
  .object({
    id: z.string(),
    ...facts,
    chunk_bytes: chunkBytesShape.openapi({ description: 'Every chunk has so many bytes, but for the last' }),
    chunk_count: z.number().int(),
    state: z.enum(['receiving', 'verified', 'done']),
    received_bytes: z.number().int(),
    missing_chunks: z.array(z.number().int()).openapi({ description: 'Their indexes, from 0 on' }),
    expires_at: timeShape.openapi({ description: 'The upload ends when no chunk comes until then' }),
    result: resultShape.optional()
  })
  .openapi('Upload')

const idParam = z.object({ id: z.string().openapi({ description: "The upload's id." }) })

/** `/upload`: files in chunks, in any order, over broken lines and restarts. */
export function mountUploads(app: PinakesApp, { uploads }: PinakesParts): void {
  const tags = ['upload']
  const middleware = permitted('file.put')

  app.openapi(
    createRoute({
      method: 'post',
      path: '/upload',
      operationId: 'openUpload',
      tags,
      summary: 'Begin an upload',
      description:
        'What it announces counts against the share of the account at once. A path that no file can be at, because of a file or a folder that is in its way, is 400.',
      middleware,
      request: { body: jsonBody(z.strictObject({ ...facts, chunk_bytes: chunkBytesShape.optional() })) },
      responses: { 200: answer('The upload', statusShape), ...refusals(400, 401, 403, 503, 507) }
    }),
    async context => {
      const { account, device } = context.get('bearer')
      const {
        path,
        size_bytes: sizeBytes,
        sha256,
        base_sha256: base,
        mtime_ms: mtimeMs,
        chunk_bytes: chunkBytes
      } = context.req.valid('json')
      const asked = {
        path,
        sizeBytes,
        sha256,
        ...(base !== undefined && { base }),
        ...(mtimeMs !== undefined && { mtimeMs }),
        ...(chunkBytes !== undefined && { chunkBytes })
      }
      const status = await uploads.begin({ account: account.id, device }, asked).catch(asTabled).catch(inOurWords)
      return context.json(described(status, account.epoch), 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/upload/{id}',
      operationId: 'readUpload',
      tags,
      summary: 'How far an upload is, and what it lacks',
      description: 'A finished upload is known for an hour more.',
      middleware,
      request: { params: idParam },
      responses: { 200: answer('The upload', statusShape), ...refusals(401, 403, 404) }
    }),
    context => {
      const { account } = context.get('bearer')
      return context.json(described(uploads.status(account.id, context.req.valid('param').id), account.epoch), 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'put',
      path: '/upload/{id}/chunks/{index}',
      operationId: 'sendChunk',
      tags,
      summary: 'Send one chunk',
      description:
        'Chunks come in any order, several at once, and again: what is there already stays. One that breaks off counts nothing, and neither does one whose device is cut off before all of it is there. With `content-digest` (RFC 9530, `sha-256`) damage is found at once.',
      middleware,
      request: {
        params: idParam.extend({ index: z.string().openapi({ type: 'integer', description: 'From 0 on.' }) }),
        body: { required: true, content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } } }
      },
      responses: {
        200: answer(
          'The chunk is on disk',
          z.object({ received_bytes: z.number().int(), missing_count: z.number().int() }).openapi('UploadProgress')
        ),
        ...refusals(400, 401, 403, 404, 503, 507)
      }
    }),
    async context => {
      const { id, index } = context.req.valid('param')
      const { incoming, outgoing } = context.env
      const bearer = context.get('bearer')
      const digest = context.req.header('content-digest')
      const length = context.req.header('content-length')
      mayTakeLong(incoming)
      // Who is cut off is told at once, and not with the next piece, which may never come.
      const cutOff = new Promise<never>((_, reject) => endWithToken(bearer, outgoing, reject))
      const received = uploads.receive(bearer.account.id, id, indexOf(index), {
        bytes: bodyOf(incoming),
        ...(length !== undefined && { sizeBytes: Number(length) }),
        sha256: parseContentDigest(digest),
        mustBeLetIn: () => mustBeLetIn(bearer)
      })
      const { receivedBytes, missingCount } = await Promise.race([cutOff, received])
      return context.json({ received_bytes: receivedBytes, missing_count: missingCount }, 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/upload/{id}/complete',
      operationId: 'completeUpload',
      tags,
      summary: 'Check the whole, and put the file at its path',
      description:
        'Whoever asks again hears the same. When the bytes are not those that were announced, none of the chunks counts any more, and all are to be sent again.',
      middleware,
      request: { params: idParam },
      responses: { 200: answer('The file is there', statusShape), ...refusals(400, 401, 403, 404, 503, 507) }
    }),
    async context => {
      const { account } = context.get('bearer')
      const { id } = context.req.valid('param')
      await uploads.complete(account.id, id).catch(asTabled)
      return context.json(described(uploads.status(account.id, id), account.epoch), 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/upload/{id}',
      operationId: 'cancelUpload',
      tags,
      summary: 'Cancel an upload',
      middleware,
      request: { params: idParam },
      responses: { 204: { description: 'The upload is gone' }, ...refusals(401, 403, 404) }
    }),
    async context => {
      await uploads.cancel(context.get('bearer').account.id, context.req.valid('param').id)
      return context.body(null, 204)
    }
  )
}

/** Fields as they are called here. @throws HubError */
function inOurWords(error: unknown): never {
  if (!(error instanceof HubError)) throw error
  const { code, message, field, retryAfterMs } = error
  const name = field.replace(/^upload\./, '').replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
  throw new HubError(code, message, { field: name, ...(retryAfterMs !== undefined && { retryAfterMs }) })
}

const indexOf = (text: string): number => (/^\d{1,6}$/.test(text) ? Number(text) : -1)

/** A file that cannot be put at its path is a failed beginning or completion, which is documented with 400. @throws HubError */
function asTabled(error: unknown): never {
  if (error instanceof HubError && ['already-exists', 'bad-action', 'content-missing'].includes(error.code))
    throw new HubError('bad-request', error.message, { field: 'path' })
  throw error
}

function described(status: UploadStatus, epoch: string): z.infer<typeof statusShape> {
  const { id, path, sizeBytes, sha256, base, mtimeMs, chunkBytes, state, receivedBytes, missing, expiresAtMs, outcome } = status
  return {
    id,
    path,
    size_bytes: sizeBytes,
    sha256,
    ...(base !== undefined && { base_sha256: base }),
    ...(mtimeMs !== undefined && { mtime_ms: mtimeMs }),
    chunk_bytes: chunkBytes,
    chunk_count: chunkCount(status),
    state,
    received_bytes: receivedBytes,
    missing_chunks: [...missing],
    expires_at: timeOfUs(expiresAtMs * 1_000),
    ...(outcome !== undefined && { result: resultOf(outcome, epoch) })
  }
}

const resultOf = ({ cursor, conflict }: UploadOutcome, epoch: string): z.infer<typeof resultShape> => ({
  cursor: cursorText(epoch, cursor),
  ...(conflict !== undefined && { conflict_id: conflict })
})
