import type { MiddlewareHandler } from 'hono'
import { HubError } from '../../../protocol/index.ts'
import type { Hub } from '../../core/hub.ts'
import { Origin } from '../../core/origin.ts'
import { permits, type Bearer, type Verb } from '../../core/policy.ts'
import { bearerTokenOf, type HttpEnv } from '../../transports/http.ts'

/** What a route of the dialect can read of its request: who asks. */
export interface PinakesEnv extends HttpEnv {
  Variables: HttpEnv['Variables'] & { bearer: Bearer; origin: Origin }
}

/** Lets through who has a token in the `authorization` header, be it a device's or an access token, and sets `bearer` and `origin`. */
export const authenticated = (hub: Hub): MiddlewareHandler<PinakesEnv> => {
  return async (context, next) => {
    const bearer = await hub.authenticate(bearerTokenOf(context.env.incoming))
    context.set('bearer', bearer)
    context.set('origin', new Origin(bearer.device, '', bearer.readOnly ? 'reader' : 'writer'))
    await next()
  }
}

/** Lets through who may do `verb`, before anything of the request is looked at. Others get `forbidden`. */
export const permitted = (verb: Verb): MiddlewareHandler<PinakesEnv> => {
  return async (context, next) => {
    if (!permits(context.get('origin').actor, verb)) throw new HubError('forbidden', 'this device may only read')
    await next()
  }
}
