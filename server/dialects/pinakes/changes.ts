import { createRoute, z } from '@hono/zod-openapi'
import { HubError, type WireChange } from '../../../protocol/index.ts'
import { Feed } from '../../core/feed.ts'
import { jsonOf } from '../../routes/feed-json.ts'
import { FeedPage, type PageWords } from '../../routes/feed-page.ts'
import { bearerTokenOf } from '../../transports/http.ts'
import { permitted } from '../bearers.ts'
import type { PinakesParts } from './index.ts'
import { answer, cursorShape, cursorText, jsonBody, parseCursor, refusals, type PinakesApp } from './shapes.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1_000

const changeShape = z
  .object({
    cursor: cursorShape,
    time_us: z
      .number()
      .int()
      .openapi({ description: "The hub's clock in microseconds since 1970, rising from change to change." }),
    device_id: z.string(),
    client: z.string(),
    number: z.number().int(),
    at_ms: z.number().int().openapi({ description: "The device's clock, in milliseconds since 1970." }),
    kind: z.string(),
    key: z.string(),
    body: z.unknown().openapi({ description: 'As the protocol has it for this kind; bytes are `{"base64": "…"}`.' })
  })
  .openapi('Change')

const pageShape = z
  .object({
    head: cursorShape.openapi({ description: "The log's newest change." }),
    resync: z
      .enum(['cursor-unknown', 'far-behind'])
      .optional()
      .openapi({ description: 'The log does not go on from that cursor: forget what was read, and begin with what is here.' }),
    snapshot: z
      .array(changeShape)
      .optional()
      .openapi({ description: 'The changes that make the account as it is, in place of those that are no longer told.' }),
    changes: z.array(changeShape),
    error: z
      .object({ code: z.string(), message: z.string() })
      .optional()
      .openapi({ description: 'The page ended early: throw it away, and ask again.' }),
    cursor: cursorShape.openapi({ description: 'For the next call, and for `ack` once all of this is kept.' }),
    has_more: z.boolean()
  })
  .openapi('Changes')

const WORDS: PageWords = {
  begin: (epoch, head) => `"head":"${cursorText(epoch, head)}"`,
  change: changeJson,
  end: (epoch, cursor, hasMore) => `"cursor":"${cursorText(epoch, cursor)}","has_more":${hasMore}`
}

/** `/changes` and `/ack`: the account's log, by the same reader and the same rule of beginning anew as a session's. */
export function mountChanges(app: PinakesApp, { hub, clock }: PinakesParts): void {
  const changes = createRoute({
    method: 'get',
    path: '/changes',
    operationId: 'readChanges',
    tags: ['changes'],
    summary: 'Read the changes since a cursor',
    description: 'Without `cursor`, from the beginning.',
    middleware: permitted('follow'),
    request: {
      query: z.object({
        cursor: z.string().max(128).optional().openapi({ description: '`cursor` of the last answer' }),
        limit: z
          .string()
          .optional()
          .openapi({ type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT, description: 'Changes at most' })
      })
    },
    responses: { 200: answer('Changes since the cursor', pageShape), ...refusals(400, 401, 403) }
  })
  app.openapi(changes, context => {
    const { cursor: text, limit: count } = context.req.valid('query')
    const { epoch, cursor } = text === undefined ? { epoch: '', cursor: 0 } : parseCursor(text)
    const limit = limitOf(count)
    const token = bearerTokenOf(context.env.incoming)
    return new Promise<Response>(resolve => {
      if (context.req.method === 'HEAD') return resolve(context.body(null))
      const page = new FeedPage(resolve, { cursor, limit, words: WORDS })
      hub.admit(host => (page.feed = new Feed(page, host, { token, epoch, cursor, acks: true })))
    }) as never
  })

  const ack = createRoute({
    method: 'post',
    path: '/ack',
    operationId: 'acknowledge',
    tags: ['changes'],
    summary: 'Say how far this device has got',
    description: 'The log is kept from there on for it. It never goes back.',
    middleware: permitted('follow'),
    request: { body: jsonBody(z.strictObject({ cursor: z.string().max(128) })) },
    responses: {
      200: answer('Acknowledged', z.object({ cursor: cursorShape }).openapi('Acknowledged')),
      ...refusals(400, 401, 403)
    }
  })
  app.openapi(ack, async context => {
    const { account, device } = context.get('bearer')
    const { epoch, cursor } = parseCursor(context.req.valid('json').cursor)
    if (epoch !== account.epoch || cursor > account.durableHead)
      throw new HubError('bad-request', 'cursor: of another epoch or beyond the log; read the changes anew', { field: 'cursor' })
    const got = account.readers.raiseCursor(device, '', cursor, clock.nowMs())
    // With no room on the disk it is remembered until there is, or the hub stops.
    if (!hub.isReadOnly) {
      account.readers.putRecord()
      account.storeRecords()
      await account.settled()
    }
    return context.json({ cursor: cursorText(epoch, got) }, 200)
  })
}

function changeJson([cursor, time_us, device_id, client, number, at_ms, kind, key, body]: WireChange, epoch: string): string {
  return JSON.stringify({
    cursor: cursorText(epoch, cursor),
    time_us,
    device_id,
    client,
    number,
    at_ms,
    kind,
    key,
    body: jsonOf(body)
  })
}

/** @throws HubError `bad-request` */
function limitOf(text: string | undefined): number {
  const limit = text === undefined ? DEFAULT_LIMIT : /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > MAX_LIMIT)
    throw new HubError('bad-request', `limit: a whole number from 1 to ${MAX_LIMIT}`, { field: 'limit' })
  return limit
}
