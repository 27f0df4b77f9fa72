import { createRoute, z } from '@hono/zod-openapi'
import { ERRORS, foldPath, HubError, type Plain } from '../../../protocol/index.ts'
import { fileAt } from '../../core/files/contents.ts'
import { readPage } from '../../core/read.ts'
import type { ConflictRecord, FileContent } from '../../core/records.ts'
import { problem } from '../../transports/http.ts'
import { permitted } from '../bearers.ts'
import { contentJson, contentShape, pathShape, sha256Shape } from './file-shapes.ts'
import { answer, cursorShape, cursorText, jsonBody, refusals, timeOfUs, timeShape, type PinakesApp } from './shapes.ts'

const sideShape = contentShape.nullable()

const conflictShape = z
  .object({
    id: z.string(),
    path: pathShape,
    server: sideShape.openapi({ description: 'What the path has now; null when nothing is there.' }),
    client: sideShape.openapi({ description: 'What the other device had there; null when it had removed the file.' }),
    device_id: z.string().openapi({ description: 'Whose side `client` is.' }),
    created_at: timeShape
  })
  .openapi('Conflict')

const resolutionShape = z
  .strictObject({
    keep: z.enum(['server', 'client', 'both', 'content']).openapi({
      description: "With `both` the client's side gets a path of its own; with `content` the path gets the content of `sha256`."
    }),
    sha256: sha256Shape.optional(),
    path: pathShape
      .optional()
      .openapi({ description: "With `both`: the client's side's own path. Left out, the hub makes one." }),
    base_sha256: sha256Shape
      .nullable()
      .optional()
      .openapi({ description: 'Only if this is what the path has now; null for nothing.' })
  })
  .refine(({ keep, sha256 }) => (keep === 'content') === (sha256 !== undefined), {
    path: ['sha256'],
    message: 'goes with keep "content", and only with it'
  })
  .openapi('Resolution')

/** Fields of the action, as they are called here. */
const FIELDS: Readonly<Record<string, string>> = {
  key: 'id',
  'body.base': 'base_sha256',
  'body.keep': 'sha256',
  'body.path': 'path'
}

/** `/conflicts`: files that two devices changed, each without knowing of the other. */
export function mountConflicts(app: PinakesApp): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/conflicts',
      operationId: 'listConflicts',
      tags: ['conflicts'],
      summary: 'List the conflicts that nobody has resolved',
      middleware: permitted('conflicts'),
      request: {
        query: z.object({
          after: z
            .string()
            .regex(/^\d{0,16}$/, 'not one that an answer gave')
            .default('')
            .openapi({ description: 'Of the last answer.' })
        })
      },
      responses: {
        200: answer(
          'The conflicts, by id',
          z.object({
            conflicts: z.array(conflictShape),
            after: z.string().nullable().openapi({ description: 'Where the next page begins; null on the last.' })
          })
        ),
        ...refusals(400, 401, 403)
      }
    }),
    async context => {
      const { account } = context.get('bearer')
      const { value, next } = readPage(account, 'conflicts', '', context.req.valid('query').after)
      await account.settled()
      const conflicts = (value as [string, OpenConflict][]).map(([id, { path, server, client, device, createdAtUs }]) => ({
        id,
        path,
        server: server && contentJson(server),
        client: client && contentJson(client),
        device_id: device,
        created_at: timeOfUs(createdAtUs)
      }))
      return context.json({ conflicts, after: next === '' ? null : next }, 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/conflicts/{id}/resolve',
      operationId: 'resolveConflict',
      tags: ['conflicts'],
      summary: 'Resolve a conflict',
      description: 'One change of the log like any other: every device sees it. No content goes.',
      middleware: permitted('conflict.resolve'),
      request: { params: z.object({ id: z.string().max(32) }), body: jsonBody(resolutionShape) },
      responses: {
        200: answer(
          'What came of it',
          z.object({
            id: z.string(),
            path: pathShape,
            cursor: cursorShape,
            file: contentShape.nullable().openapi({ description: 'What the path has now.' }),
            beside: pathShape.nullable().openapi({ description: "Where the client's side went, with `both`." })
          })
        ),
        ...refusals(400, 401, 403, 404)
      }
    }),
    async context => {
      const { account } = context.get('bearer')
      const { id } = context.req.valid('param')
      const { keep, sha256, path, base_sha256: base } = context.req.valid('json')
      const body: Plain = {
        keep: keep === 'content' ? sha256! : keep,
        ...(path !== undefined && { path: foldPath(path) }),
        ...(base !== undefined && { base })
      }
      try {
        const cursor = await account.perform(context.get('origin'), 'conflict.resolve', id, body)
        const { path: at, beside = null } = account.views.get('conflicts', id)!
        const file = fileAt(account.views, at)
        return context.json(
          {
            id,
            path: at,
            cursor: cursorText(account.epoch, cursor),
            file: file === undefined ? null : contentJson(file.content),
            beside
          },
          200
        )
      } catch (error) {
        if (!(error instanceof HubError)) throw error
        const refusal = new HubError(error.code, error.message, { field: FIELDS[error.field] ?? error.field })
        // The API has one status for what is wrong with a resolution.
        if ([409, 422].includes(ERRORS[refusal.code].http)) return problem(refusal, 400) as never
        throw refusal
      }
    }
  )
}

type OpenConflict = Pick<ConflictRecord, 'path' | 'client' | 'device' | 'createdAtUs'> & { readonly server: FileContent | null }
