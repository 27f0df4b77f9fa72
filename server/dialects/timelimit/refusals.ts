import { STATUS_CODES } from 'node:http'
import { ERRORS, HubError } from '../../../protocol/index.ts'
import type { Logger } from '../../core/ports.ts'
import { retryAfter } from '../../transports/http.ts'

/** A request that is not done: its clients look at the status and at nothing else. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  readonly retryAfterMs: number | undefined

  /** @param retryAfterMs when it may be tried again */
  constructor(status: number, retryAfterMs?: number) {
    super(STATUS_CODES[status])
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** What came of a request that failed, as a page: of what went wrong within the hub nothing leaves but that its log says more. */
export function refusalPage(error: unknown, logger: Logger): Response {
  if (error instanceof Refused) return page(error.status, error.message, error.retryAfterMs)
  const told = error instanceof HubError ? error : new HubError('internal')
  if (told !== error) logger.error({ err: error }, 'a request of a TimeLimit client failed')
  const status = ERRORS[told.code].http
  return page(status, STATUS_CODES[status] ?? 'Error', told.retryAfterMs)
}

/** The page that a path without a service of this method has. */
export const missingPage = (method: string, path: string): Response => page(404, `Cannot ${method} ${path}`)

/** The page of an Express server in production. @param text nothing of it is markup */
function page(status: number, text: string, retryAfterMs?: number): Response {
  const headers = {
    ...retryAfter(retryAfterMs),
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff'
  }
  const escaped = text.replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`)
  const html = `<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n<pre>${escaped}</pre>\n</body>\n</html>\n`
  return new Response(html, { status, headers })
}
