import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { Server, type Socket as EngineSocket } from 'engine.io'
import { WebSocketServer, type ServerOptions } from 'ws'
import { ERRORS, HubError } from '../../protocol/index.ts'
import { Admission, type AdmissionLimits } from './admission.ts'
import type { EngineSession } from './engine-session.ts'
import { answer, problem, refuseUpgrade } from './http.ts'
import { boundFirstBytes, HARDENED } from './ws.ts'

/** Bounds on sessions. */
export interface EngineLimits extends AdmissionLimits {
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

const DEFAULTS: EngineLimits = {
  maxPolling: 2_000,
  maxPollingPerAddress: 200,
  maxNewPerMinute: 600,
  pingIntervalMs: 25_000,
  pingTimeoutMs: 20_000
}

export interface EngineOptions {
  /** Is given each new session. */
  readonly open: (session: EngineSocket, remote: string) => EngineSession
  /** The longest message, as a POST or a WebSocket carries it. */
  readonly maxMessageBytes: number
  /** What comes by WebSocket from someone not yet known, all in all. */
  readonly maxFirstBytes: number
  /**
   * Clients of the protocol before, of socket.io 1 and 2, are served too.
   * @default false
   */
  readonly allowEIO3?: boolean
  /** Pages that may read answers, beside the hub's own. */
  readonly allowedOrigins: readonly string[]
  /** What an address is counted as. */
  readonly addressGroup: (address: string) => string
  /** @default 2,000 sessions that poll, 200 of one address, 600 new ones of one address in a minute; a ping every 25 s, answered within 20 */
  readonly limits?: Partial<EngineLimits>
}

/** Takes the requests and upgrades of its path. Whoever calls has looked at their origin. */
export interface EngineTransport {
  request(request: IncomingMessage, response: ServerResponse, remote: string): void
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, remote: string): void
  /** Sessions now. */
  readonly count: number
  /** Sessions that poll now. */
  readonly pollingCount: number
  /** Ends every session. Resolves when the last has gone. */
  close(): Promise<void>
}

/** What is known of a request that may become a session. */
interface Visit {
  readonly remote: string
  /** It polls no longer, or never began. */
  readonly leave: () => void
  client?: EngineSession
}

/** A server of Engine.IO on our own `ws`, which bounds who may begin a session, and what is read of whom. */
export function createEngineTransport({
  open,
  maxMessageBytes,
  maxFirstBytes,
  allowEIO3 = false,
  allowedOrigins,
  addressGroup,
  limits = {}
}: EngineOptions): EngineTransport {
  const { pingIntervalMs, pingTimeoutMs, ...admissionLimits } = { ...DEFAULTS, ...limits }
  const admission = new Admission(admissionLimits)
  const clients = new Map<string, EngineSession>()
  const visits = new WeakMap<IncomingMessage, Visit>()

  /** Engine.IO has an older `ws` of its own. */
  class HardenedServer extends WebSocketServer {
    constructor(options: ServerOptions) {
      super({ ...options, ...HARDENED, maxPayload: maxMessageBytes })
    }

    override handleUpgrade(...[request, socket, head, onUpgraded]: Parameters<WebSocketServer['handleUpgrade']>): void {
      super.handleUpgrade(request, socket, head, (...upgraded) => {
        const { sid } = queryOf(request)
        const client = (): EngineSession | undefined => (sid ? clients.get(sid) : visits.get(request)?.client)
        boundFirstBytes(socket, maxFirstBytes, () => client()?.isKnown === true)
        onUpgraded(...upgraded)
      })
    }
  }

  const engine = new Server({
    wsEngine: HardenedServer,
    transports: ['polling', 'websocket'],
    pingInterval: pingIntervalMs,
    pingTimeout: pingTimeoutMs,
    maxHttpBufferSize: maxMessageBytes,
    allowEIO3,
    perMessageDeflate: false,
    httpCompression: false,
    ...(allowedOrigins.length > 0 && { cors: { origin: [...allowedOrigins], maxAge: 86_400 } })
  })
  engine.on('headers', (headers: Record<string, string>) => (headers['x-content-type-options'] = 'nosniff'))
  engine.on('connection_error', ({ req }: { req: IncomingMessage }) => visits.get(req)?.leave())
  engine.on('connection', (session: EngineSocket) => {
    const { sid } = session.transport
    const visit = visits.get(session.request)!
    const client = open(session, visit.remote)
    clients.set(sid, client)
    visit.client = client
    session.once('upgrade', visit.leave)
    session.once('close', () => {
      clients.delete(sid)
      visit.leave()
    })
  })
  const heartbeat = setInterval(() => {
    for (const client of clients.values()) client.beat()
  }, pingIntervalMs)
  heartbeat.unref()

  /** @throws HubError `rate-limited`, `overloaded` */
  const admit = (request: IncomingMessage, remote: string, isPolling: boolean): void => {
    visits.set(request, { remote, leave: admission.admit(addressGroup(remote), isPolling) })
  }
  return {
    get count() {
      return clients.size
    },
    get pollingCount() {
      return admission.polling
    },
    request(request, response, remote) {
      const { sid, transport, j } = queryOf(request)
      const isPreflight = request.method === 'OPTIONS' && allowedOrigins.length > 0
      try {
        if (request.method !== 'GET' && request.method !== 'POST' && !isPreflight)
          throw new HubError('bad-request', 'expected GET or POST')
        // JSONP is for browsers that have no CORS, and hands answers to any page.
        if (!isPreflight && (transport !== 'polling' || j !== undefined))
          throw new HubError('bad-request', 'expected `transport=polling`')
        if (!sid && !isPreflight) admit(request, remote, true)
      } catch (error) {
        if (!(error instanceof HubError)) throw error
        return void answer(response, problem(error))
      }
      const client = clients.get(sid ?? '')
      if (client === undefined || request.method !== 'POST') return engine.handleRequest(request, response)
      response.once('finish', () => {
        if (response.statusCode === ERRORS['frame-too-large'].http) client.cut(ERRORS['frame-too-large'].close, 'frame-too-large')
      })
      const handle = (): void => {
        if (request.destroyed) client.cut(1006, 'a post was cut off')
        else engine.handleRequest(request, response)
      }
      if (!client.hold(handle)) handle()
    },
    upgrade(request, socket, head, remote) {
      try {
        if (!queryOf(request).sid) admit(request, remote, false)
      } catch {
        return refuseUpgrade(socket, 429, 'Too Many Requests')
      }
      engine.handleUpgrade(request, socket, head)
    },
    async close() {
      clearInterval(heartbeat)
      admission.stop()
      for (const client of clients.values()) {
        client.close(ERRORS['shutting-down'].close, 'shutting-down')
        // Who polls was told in the poll that it had open; another may not come, as no more connections are taken.
        if (client.isPolling) setImmediate(() => client.cut(ERRORS['shutting-down'].close, 'shutting-down'))
      }
      await Promise.all(Array.from(clients.values(), ({ gone }) => gone))
      engine.close()
    }
  }
}

type Query = Partial<Record<string, string>>

/** What a request's address says, read once and for Engine.IO too, so that both see the same requests begin a session: those whose `sid` is empty as well. */
function queryOf(request: IncomingMessage & { _query?: Query }): Query {
  return (request._query ??= Object.fromEntries(new URLSearchParams(request.url?.split('?', 2)[1])))
}
