import { randomBytes } from 'node:crypto'
import { chmod, rm, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join, resolve as resolvePath } from 'node:path'
import { mountAnnotations } from './annotations/route.ts'
import { AccessTokens } from './auth/access-tokens.ts'
import { AccountDirectory } from './auth/accounts.ts'
import { createPairing, type Pairing } from './auth/pairing.ts'
import { createPasswords } from './auth/passwords.ts'
import { createSignInLimits } from './auth/sign-in-limits.ts'
import { SignIns } from './auth/sign-ins.ts'
import { SyncKeys } from './auth/sync-keys.ts'
import { rememberVerified } from './auth/verified-passwords.ts'
import { createCarriers, type Carriers } from './carriers.ts'
import { systemClock } from './clock.ts'
import { controlListener } from './control.ts'
import type { BlobStore } from './core/blobs.ts'
import { Hub } from './core/hub.ts'
import type { Logger, RandomBytes } from './core/ports.ts'
import { CONTROL_SOCKET, FILES, mustBeFree } from './data-folder.ts'
import { mountDashboard } from './dashboard/route.ts'
import { DIALECT_PATHS, mountDialects } from './dialects.ts'
import { Copies } from './dialects/kosync/copies.ts'
import { joinDocuments } from './dialects/kosync/documents.ts'
import { DeviceKeys } from './dialects/timelimit/device-keys.ts'
import { TimeLimitHousehold } from './dialects/timelimit/household.ts'
import { EXIT } from './exit-codes.ts'
import { createFailureLog } from './failure-log.ts'
import { openFamilies } from './families.ts'
import { createPublishing } from './files/publishing.ts'
import { Uploads } from './files/uploads.ts'
import type { OperatorParts } from './operations.ts'
import { copyStore, openStore } from './open-store.ts'
import type { Config } from './options.ts'
import { hostsOf } from './hosts.ts'
import { mountFeed } from './routes/feed.ts'
import { mountHealth } from './routes/health.ts'
import { mountSignIn } from './routes/sign-in.ts'
import { DiskBlobStore } from './storage/disk-blobs.ts'
import { makeFolder } from './storage/files.ts'
import { freeBytes, FreeSpace } from './storage/free-space.ts'
import type { LmdbStore } from './storage/lmdb.ts'
import { figuresOf } from './stats.ts'
import { createAddressOf } from './transports/address.ts'
import { createHttpApp, createHttpServer } from './transports/http.ts'

const random: RandomBytes = count => randomBytes(count)
/** Beside live connections: requests, and upgrades that are under way or refused. */
const MORE_CONNECTIONS = 1_000
/** How often a hub that closes looks for connections without a request. */
const SWEEP_MS = 20
/** How long a hub that closes waits for answers to be read. */
const UNREAD_MS = 3_000

/** The hub on its store, without a door to the outside. */
export interface OpenHub extends OperatorParts {
  readonly store: LmdbStore
  readonly blobs: BlobStore
  readonly directory: AccountDirectory
  readonly pairing: Pairing
  readonly space: FreeSpace
  readonly household: TimeLimitHousehold
  close(): Promise<void>
}

/** The hub, listening. */
export interface ServingHub extends OpenHub {
  /** Where it is found on this machine, such as `http://127.0.0.1:4747`. */
  readonly url: string
  /** Where devices on other machines find it, as far as the hub can know; of several, any one. */
  readonly urlsElsewhere: readonly string[]
  /** Where its metrics are read; undefined unless that was asked for. */
  readonly metricsUrl: string | undefined
}

/**
 * Opens the store in the data folder, and the hub on it. One process at a time can.
 * @throws RangeError when the data folder cannot be one
 * @throws StoreDamage
 */
export async function openHub(config: Config, logger: Logger): Promise<OpenHub> {
  await makePrivate(config.dataFolder, logger)
  const store = await openStore(config, logger)
  const blobs = await DiskBlobStore.open(join(config.dataFolder, FILES)).catch(async (error: unknown) => {
    await store.close()
    throw error
  })
  const passwords = rememberVerified(createPasswords(), { clock: systemClock, randomBytes: random })
  const directory = new AccountDirectory(store, passwords, systemClock, random)
  const syncKeys = new SyncKeys(store, passwords, 'kosync')
  const signIns = new SignIns(store, await AccessTokens.open(store, systemClock, random), systemClock, random)
  const pairing = createPairing({ clock: systemClock, randomBytes: random })
  const keys = await DeviceKeys.open(store, random)
  const household = new TimeLimitHousehold(keys)
  const copies = new Copies(systemClock, (account, error) =>
    logger.warn({ err: error, account: account.id }, 'documents of a removed book are not given to another one yet')
  )
  const hub = new Hub({
    store,
    household,
    clock: systemClock,
    logger,
    randomBytes: random,
    authenticate: signIns.authenticate,
    maxSessions: config.maxSessions,
    maxAccountBytes: config.maxAccountMiB * 2 ** 20,
    onBookChange(account, book, body) {
      joinDocuments(account, body, (error: unknown) =>
        logger.warn({ err: error, account: account.id }, 'positions of a document are not joined to its book yet')
      )
      copies.bookChanged(account, book)
    },
    onFailure(error) {
      logger.error({ err: error }, 'the store failed; the hub ends')
      process.exit(EXIT.diskFailed)
    }
  })
  const space = await FreeSpace.watch({
    folder: config.dataFolder,
    floorBytes: config.minFreeMiB * 2 ** 20,
    onChange(isShort, freeBytes) {
      hub.isReadOnly = isShort
      if (isShort) logger.error({ freeBytes }, 'the disk is nearly full: changes are refused until there is room again')
      else logger.warn({ freeBytes }, 'there is room on the disk again: changes are taken')
    },
    onError: error => logger.warn({ err: error }, 'the free space is not known')
  })
  const parts = { hub, store, directory }
  const ports = { clock: systemClock, logger, randomBytes: random }
  return {
    ...parts,
    blobs,
    syncKeys,
    pairing,
    households: openFamilies(config, { ...parts, ...ports, keys }),
    signIns,
    space,
    household,
    figures: () => figuresOf(store, config.dataFolder),
    copyStore: name => copyStore(store, config, name),
    async close() {
      space.stop()
      await hub.close()
      await store.close()
    }
  }
}

/** Opens the hub and its doors: HTTP, what carries live connections, and the operator's socket in the data folder. */
export async function serveHub(config: Config, logger: Logger): Promise<ServingHub> {
  const addressOf = createAddressOf(config.trustedProxies)
  const open = await openHub(config, logger)
  const { hub, store, blobs } = open
  const uploads = await Uploads.open({
    store,
    blobs,
    clock: systemClock,
    randomBytes: random,
    logger,
    maxAccountBytes: config.maxAccountFilesGiB * 2 ** 30,
    minFreeBytes: config.minFreeMiB * 2 ** 20,
    freeBytes: () => freeBytes(config.dataFolder),
    ...createPublishing(hub)
  }).catch(async (error: unknown) => {
    await open.close()
    throw error
  })
  let isReady = true
  const app = createHttpApp(logger, addressOf, config.allowedOrigins, DIALECT_PATHS)
  mountDashboard(app)
  mountHealth(app, () => isReady)
  const logFailure = createFailureLog(logger, systemClock)
  let refusedSignIns = 0
  const limits = createSignInLimits({
    randomBytes: random,
    onFailure(remote) {
      refusedSignIns += 1
      logFailure(remote)
    }
  })
  const urls = (): string[] => {
    const { port } = server.address() as AddressInfo
    return hostsOf(config.host, networkInterfaces()).map(host => `http://${host}:${port}`)
  }
  const urlsElsewhere = (): string[] => (config.publicUrl === '' ? urls().slice(1) : [config.publicUrl])
  const parts = { ...open, uploads, limits, clock: systemClock, logger, randomBytes: random, urlsElsewhere }
  mountSignIn(app, parts)
  mountFeed(app, hub, systemClock)
  mountAnnotations(app, parts)
  mountDialects(app, parts, config)
  const carriers = createCarriers({
    hub,
    logger,
    addressOf,
    allowedOrigins: config.allowedOrigins,
    acceptEvents: client => open.households.sockets.accept(client)
  })
  const server = createHttpServer(app, carriers.upgrades, config.maxSessions + MORE_CONNECTIONS, carriers.requests)
  const control = createServer(controlListener(open, logger))
  const controlPath = join(config.dataFolder, CONTROL_SOCKET)
  let metrics: Server | undefined
  try {
    // The store is claimed, so a socket that is still there belongs to a process that is gone.
    await rm(controlPath, { force: true })
    await listen(control, { path: controlPath }).catch((error: unknown) => {
      throw new Error(
        `the operator's socket ${controlPath} cannot be made (${codeOf(error)}); choose another folder, with a short path, with --data or LECTERN_DATA_FOLDER`,
        { cause: error }
      )
    })
    await chmod(controlPath, 0o600)
    metrics = await metricsServer(config, open, server, carriers, () => refusedSignIns, logger)
    if (metrics !== undefined) await listenAt(metrics, config.metricsHost, config.metricsPort!, 'metrics-')
    await listenAt(server, config.host, config.port, '')
  } catch (error) {
    control.close()
    metrics?.close()
    await uploads.close()
    await open.close()
    throw error
  }
  const closeHub = async (): Promise<void> => {
    await uploads.close()
    await hub.close()
    await carriers.close()
  }
  return {
    ...open,
    url: urls()[0]!,
    urlsElsewhere: urlsElsewhere(),
    metricsUrl: metrics && metricsUrlOf(metrics, config.metricsHost),
    async close() {
      isReady = false
      await Promise.all([closed(control), closed(server), metrics && closed(metrics), closeHub()])
      open.space.stop()
      await open.store.close()
    }
  }
}

/** Makes the data folder, and closes it to everyone but its owner. */
async function makePrivate(folder: string, logger: Logger): Promise<void> {
  try {
    await makeFolder(folder)
  } catch (error) {
    throw new RangeError(
      `the data folder ${resolvePath(folder)} cannot be made or is not a folder (${codeOf(error)}); name another with --data or LECTERN_DATA_FOLDER`,
      { cause: error }
    )
  }
  mustBeFree(folder)
  if (((await stat(folder)).mode & 0o077) === 0) return
  try {
    await chmod(folder, 0o700)
  } catch (error) {
    logger.warn({ err: error, folder }, 'others may read the data folder, and it cannot be closed to them; chmod it to 0700')
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)

/** @param kind what the names of its options begin with */
async function listenAt(server: Server, host: string, port: number, kind: '' | 'metrics-'): Promise<void> {
  const env = kind === '' ? 'LECTERN_' : 'LECTERN_METRICS_'
  await listen(server, { host, port }).catch((error: unknown) => {
    const code = codeOf(error)
    const message =
      code === 'EADDRINUSE'
        ? `port ${port} is taken; choose another with --${kind}port or ${env}PORT`
        : `cannot listen on ${host}, port ${port} (${code}); choose others with --${kind}host and --${kind}port, or ${env}HOST and ${env}PORT`
    throw new Error(message, { cause: error })
  })
}

/** What answers with the hub's metrics; undefined unless that is asked for, and then nothing of it is even loaded. */
async function metricsServer(
  { metricsPort, dataFolder }: Config,
  { hub, store, figures }: OpenHub,
  server: Server,
  { counts }: Carriers,
  refusedSignIns: () => number,
  logger: Logger
): Promise<Server | undefined> {
  if (metricsPort === undefined) return undefined
  const [{ createMetricsServer }, { countRequests }] = await Promise.all([
    import('./metrics/server.ts'),
    import('./metrics/requests.ts')
  ])
  const sources = {
    connections: counts,
    behindCount: () => hub.behindCount,
    tally: hub.tally,
    requests: countRequests(server),
    refusedSignIns,
    isReadOnly: () => hub.isReadOnly,
    store: () => store.figures,
    freeBytes: () => freeBytes(dataFolder),
    files: figures
  }
  return createMetricsServer(sources, logger)
}

const metricsUrlOf = (metrics: Server, host: string): string =>
  `http://${hostsOf(host, networkInterfaces())[0]!}:${(metrics.address() as AddressInfo).port}/metrics`

const listen = (server: Server, where: { path: string } | { host: string; port: number }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })

/**
 * Takes no more requests, and waits for those under way. What was busy with one is idle after it, and would be kept open for the next; who does not read
 * its answer is cut off.
 */
function closed(server: Server): Promise<void> {
  return new Promise(resolve => {
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
    const cut = setTimeout(() => server.closeAllConnections(), UNREAD_MS)
    server.close(() => {
      clearInterval(sweep)
      clearTimeout(cut)
      resolve()
    })
  })
}
