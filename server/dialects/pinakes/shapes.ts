import { z, type Hook, type OpenAPIHono } from '@hono/zod-openapi'
import { HubError } from '../../../protocol/index.ts'
import type { BearerEnv } from '../bearers.ts'

/** The application that each group of operations mounts its routes in. Paths are relative to `/api/v1/sync`. */
export type PinakesApp = OpenAPIHono<BearerEnv>

/** How a refusal looks. @see RFC 9457 */
export const problemShape = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string().openapi({ description: "A code of the hub's one table of errors." }),
    detail: z.string(),
    field: z.string().optional().openapi({ description: 'The field that is not valid.' })
  })
  .openapi('Problem')

const REFUSALS = {
  400: 'Bad request: `field` names what is not valid',
  401: 'Unauthorized: no token, or one that is not valid',
  403: 'Forbidden: the token does not allow this, or its device is disabled or was deleted',
  404: 'Not found: there is no such thing, or it is not yours',
  412: 'Precondition failed: the content is another one than `if-match` says',
  416: 'Range not satisfiable: `content-range` says how long the content is',
  429: 'Too many tries',
  500: 'Internal server error',
  503: 'Overloaded, or restarting: come back after `retry-after`',
  507: "Insufficient storage: the account's share is used up, or the disk is nearly full"
} as const

type Refusal = keyof typeof REFUSALS

/** The refusals of an operation, for its `responses`. */
export const refusals = (...statuses: readonly Refusal[]) =>
  Object.fromEntries(
    statuses.map(status => [
      status,
      { description: REFUSALS[status], content: { 'application/problem+json': { schema: problemShape } } }
    ])
  )

/** A JSON answer, for an operation's `responses`. */
export const answer = <S extends z.ZodType>(description: string, schema: S) => ({
  description,
  content: { 'application/json': { schema } }
})

/** A JSON body that must be there, for an operation's `request`. */
export const jsonBody = <S extends z.ZodType>(schema: S) => ({
  required: true as const,
  content: { 'application/json': { schema } }
})

/** Refuses what is not of its shape: `bad-request` that names the first field at fault. */
export const refuseFaults: Hook<unknown, BearerEnv, string, unknown> = result => {
  if (result.success) return
  const [issue] = result.error.issues
  const path = [...(issue?.path ?? []), ...(issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [])]
  const field = path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('')
  throw new HubError('bad-request', `${field === '' ? 'the body' : field}: ${issue?.message ?? 'not valid'}`, { field })
}

/** What a device is called. */
export const nameShape = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'no control characters')

/** A time, as the hub writes it: ISO 8601 in UTC, to the millisecond. */
export const timeShape = z.string().openapi({ format: 'date-time', example: '2026-03-22T20:58:28.000Z' })

/** Microseconds since 1970 as `timeShape` has it. */
export const timeOfUs = (us: number): string => new Date(Math.floor(us / 1_000)).toISOString()

export const cursorShape = z.string().openapi({ description: "A place in the account's log: opaque, for the hub that gave it." })

/** A place in the account's log: the log's epoch and the number of the last change that was seen. */
export const cursorText = (epoch: string, cursor: number): string => `${epoch}:${cursor}`

/** @throws HubError `bad-request` unless it is one that `cursorText` could have made */
export function parseCursor(text: string): { epoch: string; cursor: number } {
  const [, epoch, digits] = /^([\w-]{1,64}):(0|[1-9]\d{0,15})$/.exec(text) ?? []
  const cursor = Number(digits)
  if (epoch === undefined || !Number.isSafeInteger(cursor))
    throw new HubError('bad-request', 'cursor: not one that the hub gave', { field: 'cursor' })
  return { epoch, cursor }
}
