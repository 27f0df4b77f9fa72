import { createRoute, z } from '@hono/zod-openapi'
import { bodyLimit } from 'hono/body-limit'
import { foldPath, HubError } from '../../../protocol/index.ts'
import { report, type LocalChange, type Reported } from '../../core/files/report.ts'
import { permitted } from '../bearers.ts'
import { contentShape, pathShape, sha256Shape } from './file-shapes.ts'
import type { PinakesParts } from './index.ts'
import { answer, cursorShape, cursorText, jsonBody, refusals, type PinakesApp } from './shapes.ts'

const MAX_ENTRIES = 1_000
const MAX_BODY_BYTES = 2 * 2 ** 20

const tooLarge = (): never => {
  throw new HubError('too-large', `the body is over ${MAX_BODY_BYTES} bytes`)
}

const baseShape = sha256Shape.openapi({ description: 'The content that the device knew there from the hub.' })

const entryShape = z
  .discriminatedUnion('change', [
    z.strictObject({ change: z.literal('created'), path: pathShape, ...contentShape.shape, base_sha256: baseShape.optional() }),
    z.strictObject({ change: z.literal('modified'), path: pathShape, ...contentShape.shape, base_sha256: baseShape.optional() }),
    z.strictObject({ change: z.literal('deleted'), path: pathShape, base_sha256: baseShape }),
    z.strictObject({
      change: z.literal('moved'),
      path: pathShape.openapi({ description: 'The new path.' }),
      from: pathShape,
      ...contentShape.shape,
      base_sha256: baseShape
        .optional()
        .openapi({ description: 'What the device knew at `from`; the same content when left out.' })
    })
  ])
  .openapi('LocalChange')

const resultShape = z
  .object({
    path: pathShape,
    result: z.enum(['accepted', 'already_known', 'upload_required', 'conflict', 'refused']).openapi({
      description:
        '`upload_required`: nothing was done, because the hub lacks the bytes; upload them to this path. `conflict`: both sides are kept, see `conflict_id`. `refused`: see `code`.'
    }),
    cursor: cursorShape.optional(),
    conflict_id: z.string().optional(),
    code: z.string().optional(),
    detail: z.string().optional()
  })
  .openapi('ReportResult')

/** `/report`: what a device did to files of its own. What it does not name stays as it is. */
export function mountReport(app: PinakesApp, { clock }: PinakesParts): void {
  app.openapi(
    createRoute({
      method: 'post',
      path: '/report',
      operationId: 'reportFiles',
      tags: ['files'],
      summary: 'Report what changed on a device',
      description:
        'Each entry is taken or not by itself, in their order. What is not named is not touched: absent is never deleted.',
      middleware: [permitted('file.put'), bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge })] as const,
      request: { body: jsonBody(z.strictObject({ entries: z.array(entryShape).min(1).max(MAX_ENTRIES) })) },
      responses: {
        200: answer('What became of each entry, in their order', z.object({ results: z.array(resultShape) })),
        ...refusals(400, 401, 403)
      }
    }),
    async context => {
      const { account } = context.get('bearer')
      const { entries } = context.req.valid('json')
      const reported = await report(account, context.get('origin'), entries.map(changeOf), clock)
      const results = reported.map((result, index) => ({
        path: foldPath(entries[index]!.path),
        ...resultJson(result, account.epoch)
      }))
      return context.json({ results }, 200)
    }
  )
}

function changeOf(entry: z.infer<typeof entryShape>): LocalChange {
  const path = foldPath(entry.path)
  if (entry.change === 'deleted') return { change: 'deleted', path, base: entry.base_sha256 }
  const { sha256, size_bytes: sizeBytes, mtime_ms: mtimeMs, base_sha256: base } = entry
  const content = { sha256, sizeBytes, ...(mtimeMs !== undefined && { mtimeMs }) }
  if (entry.change === 'moved') return { change: 'moved', path, from: foldPath(entry.from), content, base: base ?? sha256 }
  return { change: 'put', path, content, ...(base !== undefined && { base }) }
}

/** What came of a report, as the API has it. */
function resultJson(reported: Reported, epoch: string): Omit<z.infer<typeof resultShape>, 'path'> {
  if (reported.result === 'accepted') return { result: 'accepted', cursor: cursorText(epoch, reported.cursor) }
  if (reported.result === 'conflict') return { result: 'conflict', conflict_id: reported.conflict }
  if (reported.result === 'refused') return { result: 'refused', code: reported.code, detail: reported.message }
  return { result: reported.result === 'already-known' ? 'already_known' : 'upload_required' }
}
