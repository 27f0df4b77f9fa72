import type { SignInLimits } from '../../auth/sign-in-limits.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { HttpApp } from '../../transports/http.ts'
import { MAX_PUSH_BYTES } from './bodies.ts'
import type { TimeLimitHousehold } from './household.ts'
import type { Households } from './households.ts'
import { pushedActions, Pushes } from './push.ts'
import { mustBeCaller, registrationServices } from './registration.ts'
import { json, mountServices, service } from './services.ts'
import { statusServices } from './status.ts'

export { TIMELIMIT_PATHS } from './services.ts'

export interface TimelimitParts {
  /** The rules that the hub was given. */
  readonly household: TimeLimitHousehold
  readonly households: Households
  readonly limits: SignInLimits
  /** Whether whoever reads this address may make a family. */
  readonly mayUseMail: (mail: string) => boolean
  readonly clock: Clock
  readonly logger: Logger
}

/** Mounts the API. */
export function mountTimelimit(app: HttpApp, parts: TimelimitParts): void {
  const { household, households, limits, mayUseMail, clock, logger } = parts
  const pushes = new Pushes({
    household,
    clock,
    told: (account, device, { others, devices }) => households.sockets.notify(account, others, devices, device)
  })
  app.get('/time', () => json({ ms: Math.floor(clock.nowMs()) }))
  const services = {
    '/sync/push-actions': service(
      pushedActions,
      async ({ deviceAuthToken, actions }) => {
        const caller = await mustBeCaller(households, deviceAuthToken)
        return { shouldDoFullSync: await pushes.push(caller, actions) }
      },
      MAX_PUSH_BYTES
    ),
    ...statusServices(households),
    ...registrationServices({ households, limits, mayUse: mayUseMail })
  }
  mountServices(app, services, logger)
}
