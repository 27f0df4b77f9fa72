import { ERRORS, HubError } from '../../../protocol/index.ts'
import type { Logger } from '../../core/ports.ts'
import { retryAfter } from '../../transports/http.ts'
import { escapeXml } from '../dot-net.ts'
import type { ModelState } from './formats/model-state.ts'
import { encodeName } from './formats/xml-names.ts'

/** An answer that is no `ApiResult`: a status, in the words that such a service has for it. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly status: number
  readonly headers: Record<string, string>
  readonly modelState: ModelState | undefined

  constructor(status: number, message: string, headers: Record<string, string> = {}, modelState?: ModelState) {
    super(message)
    this.status = status
    this.headers = headers
    this.modelState = modelState
  }
}

export const notFound = (url: string): HttpRefusal =>
  new HttpRefusal(404, `No HTTP resource was found that matches the request URI '${url}'.`)

/** @param allowed the methods that the path has */
export const notAllowed = (method: string, allowed: string): HttpRefusal =>
  new HttpRefusal(405, `The requested resource does not support http method '${method}'.`, { allow: allowed })

/** @param mediaType empty when the request has none */
export const unsupported = (mediaType: string): HttpRefusal =>
  new HttpRefusal(
    415,
    mediaType === ''
      ? "The request contains an entity body but no Content-Type header. The inferred media type 'application/octet-stream' is not supported for this resource."
      : `The request entity's media type '${mediaType}' is not supported for this resource.`
  )

export const invalid = (modelState: ModelState): HttpRefusal => new HttpRefusal(400, 'The request is invalid.', {}, modelState)

/** What came of a request as its sender is told it. Of what only the hub is concerned with nothing leaves but that its log says more. */
export function refusalOf(error: unknown, logger: Logger): HttpRefusal {
  if (error instanceof HttpRefusal) return error
  const { code, message, retryAfterMs } = error instanceof HubError ? error : new HubError('internal')
  if (code === 'internal') logger.error({ err: error }, 'a request of the epub API failed')
  const { http: status } = ERRORS[code]
  const headers = retryAfter(retryAfterMs)
  if (status === 401)
    return new HttpRefusal(401, 'Authorization has been denied for this request.', { ...headers, 'www-authenticate': 'Bearer' })
  return new HttpRefusal(status, code === 'internal' ? 'An error has occurred.' : message, headers)
}

/** A refusal's body. @see System.Web.Http.HttpError */
export function refusalText({ message, modelState }: HttpRefusal, format: 'json' | 'xml'): string {
  const errors = modelState?.entries() ?? []
  if (format === 'json')
    return JSON.stringify({ Message: message, ...(errors.length > 0 && { ModelState: Object.fromEntries(errors) }) })
  const members = errors.map(([path, texts]) => `<${encodeName(path)}>${escapeXml(texts.join(' '))}</${encodeName(path)}>`)
  return `<Error><Message>${escapeXml(message)}</Message>${members.length > 0 ? `<ModelState>${members.join('')}</ModelState>` : ''}</Error>`
}
