import type { Hub } from '../../core/hub.ts'
import type { Clock, Logger, RandomBytes } from '../../core/ports.ts'
import type { Store } from '../../core/store.ts'
import type { HttpApp } from '../../transports/http.ts'
import type { TimeLimitHousehold } from './household.ts'
import { MAX_PUSH_BYTES } from './bodies.ts'
import { pushedActions, Pushes } from './push.ts'
import { Refused } from './refusals.ts'
import { json, mountServices, service, withToken } from './services.ts'
import { HouseholdSockets } from './sockets.ts'
import { DeviceTokens } from './tokens.ts'

export { TIMELIMIT_PATHS } from './services.ts'

export interface TimelimitParts {
  readonly hub: Hub
  /** The rules that the hub was given. */
  readonly household: TimeLimitHousehold
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly randomBytes: RandomBytes
}

/** Mounts the API, and gives what takes its clients' live sockets. */
export function mountTimelimit(
  app: HttpApp,
  { hub, household, store, clock, logger, randomBytes }: TimelimitParts
): HouseholdSockets {
  const tokens = new DeviceTokens(hub, store, randomBytes)
  const sockets = new HouseholdSockets({
    tokens,
    isShown: () => true,
    failed: error => logger.error({ err: error }, 'a socket of a TimeLimit client could not be signed in')
  })
  const pushes = new Pushes({
    household,
    clock,
    told(account, device, { others, devices }) {
      sockets.notify(account.id, others, devices, device)
      sockets.shownChanged(account)
    }
  })
  app.get('/time', () => json({ ms: Math.floor(clock.nowMs()) }))
  mountServices(
    app,
    {
      '/sync/push-actions': service(
        pushedActions,
        async ({ deviceAuthToken, actions }) => {
          const caller = await tokens.find(deviceAuthToken)
          if (caller === undefined) throw new Refused(401)
          return { shouldDoFullSync: await pushes.push(caller, actions) }
        },
        MAX_PUSH_BYTES
      ),
      '/sync/is-device-removed': service(withToken, async ({ deviceAuthToken }) => ({
        isDeviceRemoved: await tokens.isRemoved(deviceAuthToken)
      }))
    },
    logger
  )
  return sockets
}
