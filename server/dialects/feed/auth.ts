import type { IncomingHttpHeaders } from 'node:http'
import type { MiddlewareHandler } from 'hono'
import { HubError } from '../../../protocol/index.ts'
import type { Hub } from '../../core/hub.ts'
import { Origin } from '../../core/origin.ts'
import { permits, type Bearer, type Verb } from '../../core/policy.ts'
import type { HttpEnv } from '../../transports/http.ts'

/** What a route of the dialect can read of its request: who asks. */
export interface FeedEnv extends HttpEnv {
  Variables: HttpEnv['Variables'] & { bearer: Bearer; origin: Origin }
}

/** Lets through who has a token, be it a device's own or an access token, and sets `bearer` and `origin`. */
export const authenticated = (hub: Hub): MiddlewareHandler<FeedEnv> => {
  return async (context, next) => {
    const bearer = await bearerOf(hub, tokensOf(context.env.incoming.headers))
    context.set('bearer', bearer)
    context.set('origin', new Origin(bearer.device, '', bearer.readOnly ? 'reader' : 'writer'))
    await next()
  }
}

/** Lets through who may do `verb`, before anything of the request is looked at. @throws HubError `forbidden` */
export const permitted = (verb: Verb): MiddlewareHandler<FeedEnv> => {
  return async (context, next) => {
    if (!permits(context.get('origin').actor, verb)) throw new HubError('forbidden', 'this device may only read')
    await next()
  }
}

/**
 * What of a request may be its token: `x-api-key`, else `authorization`, as a bearer's or as the password or the user name of a basic one, whose other half does not count.
 */
export function tokensOf(headers: IncomingHttpHeaders): string[] {
  const key = headers['x-api-key']
  if (typeof key === 'string' && key !== '') return [key]
  const [, scheme = '', value = ''] = /^(bearer|basic) +(\S+)$/i.exec(headers.authorization ?? '') ?? []
  if (scheme.toLowerCase() !== 'basic') return value === '' ? [] : [value]
  const text = Buffer.from(value, 'base64').toString()
  const colon = text.indexOf(':')
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  return [password, user].filter(token => token !== '')
}

/** @throws HubError `unauthenticated`; what keeps the device out that one of the tokens is of */
async function bearerOf(hub: Hub, tokens: readonly string[]): Promise<Bearer> {
  for (const token of tokens)
    try {
      return await hub.authenticate(token)
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'unauthenticated') throw error
    }
  throw new HubError('unauthenticated')
}
