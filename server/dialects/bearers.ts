import type { MiddlewareHandler } from 'hono'
import { HubError } from '../../protocol/index.ts'
import type { Hub } from '../core/hub.ts'
import { Origin } from '../core/origin.ts'
import { permits, type Bearer, type Verb } from '../core/policy.ts'
import { bearerTokenOf, type HttpEnv } from '../transports/http.ts'

/** What a route behind `authenticated` can read of its request: who asks. */
export interface BearerEnv extends HttpEnv {
  Variables: HttpEnv['Variables'] & { bearer: Bearer; origin: Origin }
}

type TokensOf = (request: HttpEnv['Bindings']['incoming']) => readonly string[]

/**
 * Lets through who has a token, be it a device's own or an access token, and sets `bearer` and `origin`. Others get `unauthenticated`, or what keeps the device out that
 * a token is of.
 * @param tokensOf what of a request may be its token, tried in this order; that of its `authorization` header unless an API has other places
 */
export const authenticated = (
  hub: Hub,
  tokensOf: TokensOf = request => [bearerTokenOf(request)]
): MiddlewareHandler<BearerEnv> => {
  return async (context, next) => {
    const bearer = await bearerOf(hub, tokensOf(context.env.incoming))
    context.set('bearer', bearer)
    context.set('origin', new Origin(bearer.device, '', bearer.actor))
    await next()
  }
}

/** Lets through who may do `verb`, before anything of the request is looked at. Others get `forbidden`. */
export const permitted = (verb: Verb): MiddlewareHandler<BearerEnv> => {
  return async (context, next) => {
    if (!permits(context.get('origin').actor, verb)) throw new HubError('forbidden', 'this device may only read')
    await next()
  }
}

/** @throws HubError `unauthenticated`; what keeps the device out that one of the tokens is of */
async function bearerOf(hub: Hub, tokens: readonly string[]): Promise<Bearer> {
  let refusal = new HubError('unauthenticated')
  for (const token of tokens)
    try {
      return await hub.authenticate(token)
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'unauthenticated') throw error
      refusal = error
    }
  throw refusal
}
