import { ERRORS, HubError } from '../../../protocol/index.ts'
import type { Logger } from '../../core/ports.ts'
import { retryAfter } from '../../transports/http.ts'

/** The errors of the API. */
const REFUSALS = {
  unknown: [502, 2000, 'Unknown server error.'],
  unauthorized: [401, 2001, 'Unauthorized'],
  'user-exists': [402, 2002, 'Username is already registered.'],
  'bad-fields': [403, 2003, 'Invalid request'],
  'no-document': [403, 2004, "Field 'document' not provided."],
  'registration-off': [402, 2005, 'User registration is disabled.'],
  'bad-json': [400, 103, 'Could not parse JSON in body.'],
  'not-a-map': [400, 104, 'Body should be a JSON hash.']
} as const satisfies Record<string, readonly [status: number, code: number, message: string]>

/** Why a request was not done, as the API says it. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly why: keyof typeof REFUSALS

  constructor(why: keyof typeof REFUSALS) {
    super(REFUSALS[why][2])
    this.why = why
  }
}

/** Nothing that is sent again would be taken: a reader that is told anything else keeps it for four weeks, and tries. */
const FOR_GOOD: ReadonlySet<string> = new Set(['unauthenticated', 'device-revoked', 'device-disabled', 'forbidden'])
const OF_FIELDS: ReadonlySet<string> = new Set(['bad-request', 'bad-action'])

/** An error as the API answers it. What its own errors do not know keeps the hub's status and words, under the code of unknown ones. */
export function refusalAnswer(error: unknown, logger: Logger): Response {
  if (error instanceof Refusal) return answered(REFUSALS[error.why])
  const told = error instanceof HubError ? error : new HubError('internal')
  if (told !== error) logger.error({ err: error }, 'a kosync request failed')
  if (FOR_GOOD.has(told.code)) return answered(REFUSALS.unauthorized)
  if (OF_FIELDS.has(told.code)) return answered(REFUSALS['bad-fields'])
  if (told.code === 'internal') return answered(REFUSALS.unknown)
  return answered([ERRORS[told.code].http, REFUSALS.unknown[1], told.message], told.retryAfterMs)
}

function answered([status, code, message]: readonly [number, number, string], retryAfterMs?: number): Response {
  return Response.json({ code, message }, { status, headers: retryAfter(retryAfterMs) })
}
