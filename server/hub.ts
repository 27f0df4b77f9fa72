import { randomBytes } from 'node:crypto'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { AccountDirectory } from './auth/accounts.ts'
import { authenticateToken } from './auth/devices.ts'
import { createPairing, type Pairing } from './auth/pairing.ts'
import { createPasswords } from './auth/passwords.ts'
import { createSignInLimits } from './auth/sign-in-limits.ts'
import { systemClock } from './clock.ts'
import { controlListener, CONTROL_SOCKET } from './control.ts'
import type { BlobStore } from './core/blobs.ts'
import { Hub } from './core/hub.ts'
import type { Logger } from './core/ports.ts'
import type { Store } from './core/store.ts'
import type { OperatorParts } from './operations.ts'
import type { Config } from './options.ts'
import { mountHealth } from './routes/health.ts'
import { mountSignIn } from './routes/sign-in.ts'
import { DiskBlobStore } from './storage/disk-blobs.ts'
import { LmdbStore } from './storage/lmdb.ts'
import { createAddressOf } from './transports/address.ts'
import { createHttpApp, createHttpServer, refuseUpgrade } from './transports/http.ts'
import { isOriginAllowed } from './transports/origin.ts'
import { createWsTransport } from './transports/ws.ts'

/** The hub on its store, without a door to the outside. */
export interface OpenHub extends OperatorParts {
  readonly store: Store
  readonly blobs: BlobStore
  readonly directory: AccountDirectory
  readonly pairing: Pairing
  close(): Promise<void>
}

/** The hub, listening. */
export interface ServingHub extends OpenHub {
  /** The address that devices are given, such as `http://127.0.0.1:4747`. */
  readonly url: string
}

/** Opens the store in the data folder, and the hub on it. One process at a time can. */
export async function openHub(config: Config, logger: Logger): Promise<OpenHub> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 })
  const store = await LmdbStore.open({
    path: join(config.dataFolder, 'store'),
    mapSizeBytes: config.mapSizeGiB * 2 ** 30,
    takeOver: config.takeOver,
    logger
  })
  const blobs = await DiskBlobStore.open(join(config.dataFolder, 'files'))
  const random = (count: number): Uint8Array => randomBytes(count)
  const directory = new AccountDirectory(store, createPasswords(), systemClock, random)
  const pairing = createPairing({ clock: systemClock, randomBytes: random })
  const hub = new Hub({
    store,
    clock: systemClock,
    logger,
    randomBytes: random,
    authenticate: authenticateToken,
    maxSessions: config.maxSessions,
    onFailure(error) {
      logger.error({ err: error }, 'the store failed; the hub ends')
      process.exit(75)
    }
  })
  return {
    hub,
    store,
    blobs,
    directory,
    pairing,
    async close() {
      await hub.close()
      await store.close()
    }
  }
}

/** Opens the hub and its doors: HTTP, `/live` for websockets, and the operator's socket in the data folder. */
export async function serveHub(config: Config, logger: Logger): Promise<ServingHub> {
  const open = await openHub(config, logger)
  const { hub } = open
  const addressOf = createAddressOf(config.trustedProxies)
  let isReady = true
  const app = createHttpApp(logger, addressOf, config.allowedOrigins)
  mountHealth(app, () => isReady)
  mountSignIn(app, {
    ...open,
    limits: createSignInLimits({ randomBytes: count => randomBytes(count) }),
    randomBytes: count => randomBytes(count)
  })
  const live = createWsTransport(connection => hub.accept(connection))
  const server = createHttpServer(app, {
    '/live': (request, socket, head) => {
      if (isOriginAllowed(request, config.allowedOrigins)) live.upgrade(request, socket, head, addressOf(request))
      else refuseUpgrade(socket, 403, 'Forbidden')
    }
  })
  const control = createServer(controlListener(open, logger))
  const controlPath = join(config.dataFolder, CONTROL_SOCKET)
  try {
    // The store's lock is held, so a socket that is still there belongs to a process that is gone.
    await rm(controlPath, { force: true })
    await listen(control, { path: controlPath })
    await chmod(controlPath, 0o600)
    await listen(server, { host: config.host, port: config.port })
  } catch (error) {
    control.close()
    await open.close()
    throw error
  }
  const { port } = server.address() as AddressInfo
  return {
    ...open,
    url: config.publicUrl === '' ? `http://${urlHost(config.host)}:${port}` : config.publicUrl,
    async close() {
      isReady = false
      await Promise.all([closed(control), closed(server), hub.close().then(() => live.close())])
      await open.store.close()
    }
  }
}

const urlHost = (host: string): string =>
  host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host

const listen = (server: Server, where: { path: string } | { host: string; port: number }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })

/** Takes no more requests, and waits for those under way. */
function closed(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
}
