import type { Hub } from '../../core/hub.ts'
import type { Clock, Logger, RandomBytes } from '../../core/ports.ts'
import type { Store } from '../../core/store.ts'
import type { HttpApp } from '../../transports/http.ts'
import { json, mountServices, service, withToken } from './services.ts'
import { HouseholdSockets } from './sockets.ts'
import { DeviceTokens } from './tokens.ts'

export { TIMELIMIT_PATHS } from './services.ts'

export interface TimelimitParts {
  readonly hub: Hub
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly randomBytes: RandomBytes
}

/** Mounts the API, and gives what takes its clients' live sockets. */
export function mountTimelimit(app: HttpApp, { hub, store, clock, logger, randomBytes }: TimelimitParts): HouseholdSockets {
  const tokens = new DeviceTokens(hub, store, randomBytes)
  const sockets = new HouseholdSockets({
    tokens,
    isShown: () => true,
    failed: error => logger.error({ err: error }, 'a socket of a TimeLimit client could not be signed in')
  })
  app.get('/time', () => json({ ms: Math.floor(clock.nowMs()) }))
  mountServices(
    app,
    {
      '/sync/is-device-removed': service(withToken, async ({ deviceAuthToken }) => ({
        isDeviceRemoved: await tokens.isRemoved(deviceAuthToken)
      }))
    },
    logger
  )
  return sockets
}
