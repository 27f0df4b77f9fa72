import type { IncomingMessage } from 'node:http'
import { map, str, type Plain, type Shape } from '../../../protocol/index.ts'
import type { HttpApp } from '../../transports/http.ts'
import type { Logger } from '../../core/ports.ts'
import { answerInPieces, encodeUtf8 } from '../pieces.ts'
import { JsonBodies } from './bodies.ts'
import { missingPage, Refused, refusalPage } from './refusals.ts'
import { Json } from './telling.ts'

/** What the paths of this API begin with. Bodies are bounded here. */
export const TIMELIMIT_PATHS = ['/sync/', '/auth/', '/parent/', '/child/'] as const

type Result = Plain | Json

/** One call of the API. @param address the sender's */
export type Service = (bodies: JsonBodies, request: IncomingMessage, address: string) => Promise<Result>

/**
 * A call that takes a body of this form.
 * @param run gives the answer @throws Refused, HubError
 */
export const service =
  <T>(form: Shape<T>, run: (body: T, address: string) => Promise<Result>, maxBytes?: number): Service =>
  (bodies, request, address) =>
    bodies.read(request, form, body => run(body, address), maxBytes)

/** A text of which the API says no more: longer than any that a client sends. */
export const text = str(1_024)

/** The body of a call that needs nothing but to know who asks. */
export const withToken = map({ deviceAuthToken: text })

/** Mounts calls by path: POST, JSON in and out, and pages for whatever is refused. */
export function mountServices(app: HttpApp, services: Readonly<Record<string, Service>>, logger: Logger): void {
  const bodies = new JsonBodies()
  for (const prefix of TIMELIMIT_PATHS)
    app.all(`${prefix}*`, async context => {
      const { method, path } = context.req
      try {
        const found = method === 'POST' && Object.hasOwn(services, path) ? services[path] : undefined
        if (found === undefined) throw new Refused(404)
        const result = await found(bodies, context.env.incoming, context.get('address'))
        if (!(result instanceof Json)) return json(result)
        if (typeof result.text === 'string') return new Response(result.text, { headers: JSON_TYPE })
        return await answerInPieces(result.text, {
          headers: JSON_TYPE,
          encode: encodeUtf8,
          cut(error) {
            logger.error({ err: error }, 'an answer to a TimeLimit client broke off')
            context.env.outgoing.destroy()
          }
        })
      } catch (error) {
        return error instanceof Refused && error.status === 404 ? missingPage(method, path) : refusalPage(error, logger)
      }
    })
}

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }

/** An answer as this API gives it. */
export const json = (value: Plain): Response => new Response(JSON.stringify(value), { headers: JSON_TYPE })
