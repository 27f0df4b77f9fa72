import { OpenAPIHono } from '@hono/zod-openapi'
import type { AccountDirectory } from '../../auth/accounts.ts'
import type { SignInLimits } from '../../auth/sign-in-limits.ts'
import type { SignIns } from '../../auth/sign-ins.ts'
import type { Hub } from '../../core/hub.ts'
import type { BlobStore } from '../../core/blobs.ts'
import type { Clock, Logger, RandomBytes } from '../../core/ports.ts'
import type { Uploads } from '../../files/uploads.ts'
import type { HttpApp } from '../../transports/http.ts'
import { authenticated, type BearerEnv } from '../bearers.ts'
import { mountChanges } from './changes.ts'
import { mountConflicts } from './conflicts.ts'
import { mountDevices } from './devices.ts'
import { mountDownloads } from './downloads.ts'
import { mountReport } from './report.ts'
import { mountSignIn } from './sign-in.ts'
import { refuseFaults, type PinakesApp } from './shapes.ts'
import { mountUploads } from './uploads.ts'

/** What the dialect uses of the hub. */
export interface PinakesParts {
  readonly hub: Hub
  readonly directory: AccountDirectory
  readonly limits: SignInLimits
  readonly signIns: SignIns
  readonly uploads: Uploads
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly logger: Logger
  readonly randomBytes: RandomBytes
}

const BASES = ['/api/v1/sync', '/api/sync'] as const

/** Paths, and beginnings of paths, whose routes bound their bodies themselves: chunks, and reports. */
export const PINAKES_PATHS = BASES.flatMap(base => [`${base}/upload/`, `${base}/report`])

const INFO = {
  openapi: '3.1.0',
  info: {
    title: 'Lectern',
    version: '1',
    description: "The hub's native REST: devices, changes, conflicts and files of one account."
  },
  security: [{ bearer: [] }]
}

/** The hub's native REST: `/api/v1/sync/…`, the same at `/api/sync/…`, and sign-in at `/api/v1/auth/…`. Its OpenAPI document is `/api/v1/openapi.json`. */
export function mountPinakes(app: HttpApp, parts: PinakesParts): void {
  const sync: PinakesApp = new OpenAPIHono<BearerEnv>({ defaultHook: refuseFaults })
  sync.use(authenticated(parts.hub))
  mountDevices(sync, parts)
  mountChanges(sync, parts)
  mountReport(sync, parts)
  mountConflicts(sync)
  mountUploads(sync, parts)
  mountDownloads(sync, parts)
  for (const base of BASES) app.route(base, sync)
  const auth: PinakesApp = new OpenAPIHono<BearerEnv>({ defaultHook: refuseFaults })
  mountSignIn(auth, parts)
  app.route('/api/v1/auth', auth)

  const documented = new OpenAPIHono()
  documented.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' })
  documented.route('/api/v1/auth', auth)
  documented.route(BASES[0], sync)
  let document: object | undefined
  app.get('/api/v1/openapi.json', context => context.json((document ??= documented.getOpenAPI31Document(INFO))))
}
