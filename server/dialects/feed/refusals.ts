import type { z } from '@hono/zod-openapi'
import { ERRORS, HubError } from '../../../protocol/index.ts'
import type { Logger } from '../../core/ports.ts'
import { retryAfter } from '../../transports/http.ts'

/** A query or a body that is not of its form. */
export class Invalid extends Error {
  override readonly name = 'Invalid'
  readonly issues: readonly z.core.$ZodIssue[]

  constructor(issues: readonly z.core.$ZodIssue[]) {
    super('Validation failed')
    this.issues = issues
  }
}

/** Reads what came by its shape. @throws Invalid */
export function parsed<T>(shape: z.ZodType<T>, given: unknown): T {
  const result = shape.safeParse(given)
  if (!result.success) throw new Invalid(result.error.issues)
  return result.data
}

/** Reasons that the API has one word for: whom it does not let in is told no more. */
const STRANGERS: ReadonlySet<string> = new Set(['unauthenticated', 'device-revoked', 'device-disabled'])

/** What came of a request that failed. Of what went wrong within the hub nothing is told. */
export function refusalOf(error: unknown, logger: Logger): Response {
  if (error instanceof Invalid) return answer(400, { error: error.message, issues: error.issues })
  const told = error instanceof HubError ? error : new HubError('internal')
  if (told !== error) logger.error({ err: error }, 'a request of the library feed failed')
  if (STRANGERS.has(told.code)) return answer(401, { error: 'Authentication required' })
  const status = ERRORS[told.code].http
  if (status === 500) return answer(500, { error: 'Internal server error' })
  return answer(status, { error: told.message }, retryAfter(told.retryAfterMs))
}

const answer = (status: number, body: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
