import { createServer, IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ERRORS, HubError } from '../../protocol/index.ts'
import type { Follower } from '../core/account-host.ts'
import { mustBeLetIn, type Bearer } from '../core/policy.ts'
import type { Logger } from '../core/ports.ts'
import { boundBodyTime } from './body-time.ts'
import { isOriginAllowed } from './web-origin.ts'

/** What a route can read of its request beside HTTP: the sender's address, as limits and logs count it. */
export interface HttpEnv {
  Bindings: HttpBindings
  Variables: { address: string }
}

export type HttpApp = Hono<HttpEnv>

/** Takes upgrades of one path. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Takes requests of one path past the application. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

const MAX_BODY_BYTES = 65_536
/** What pages of allowed origins may read of an answer, beside what any page may. */
const EXPOSED = ['accept-ranges', 'content-disposition', 'content-range', 'etag', 'repr-digest', 'retry-after']
/** What every answer of the application has, unless a route says otherwise. */
const SAFE_HEADERS = Object.entries({
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0'
})
const REFUSED_WITHIN_MS = 5_000
/** Sockets of requests on which nothing moves for so long are cut. No answer is waited for longer, and event streams say something more often. */
const STALLED_MS = 60_000
/** Requests of a connection that wait for the answer before theirs. One more cuts it off: hardly anyone sends a request before the last was answered, and nobody so many. */
const MAX_WAITING = 16

/**
 * The hub's HTTP application, on which routes are mounted: errors in one form, bounded bodies.
 * @param ownBodies paths, and beginnings of paths, in lower case, whose routes read bodies themselves, and MUST bound them
 */
export function createHttpApp(
  logger: Logger,
  addressOf: (request: IncomingMessage) => string,
  allowedOrigins: readonly string[],
  ownBodies: readonly string[] = []
): HttpApp {
  const app: HttpApp = new Hono<HttpEnv>()
  if (allowedOrigins.length > 0) app.use(cors({ origin: [...allowedOrigins], maxAge: 86_400, exposeHeaders: EXPOSED }))
  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => problem(new HubError('too-large', `the body is over ${MAX_BODY_BYTES} bytes`))
  })
  app.use((context, next) => {
    const { env, req } = context
    // A page can post a form anywhere, without asking: what CORS keeps from it is the answer, not the deed.
    if (req.method !== 'GET' && req.method !== 'HEAD' && !isOriginAllowed(env.incoming, allowedOrigins))
      throw new HubError('origin-refused')
    context.set('address', addressOf(env.incoming))
    const path = req.path.toLowerCase()
    return ownBodies.some(own => path.startsWith(own)) ? next() : limit(context, next)
  })
  app.notFound(() => problem(new HubError('not-found')))
  app.onError(error => {
    if (error instanceof HubError) return problem(error)
    if (error instanceof HTTPException) return problem(new HubError('bad-request', error.message))
    logger.error({ err: error }, 'a request failed')
    return problem(new HubError('internal'))
  })
  return app
}

/** The token in the `authorization` header of a request; empty when there is none. */
export const bearerTokenOf = ({ headers }: IncomingMessage): string =>
  /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? ''

/** The token of a request: in its header, or as `?token=` for what cannot send one, such as an `EventSource` or a WebSocket of a browser. */
export const tokenOf = (request: IncomingMessage): string =>
  bearerTokenOf(request) || (new URLSearchParams((request.url ?? '').split('?', 2)[1]).get('token') ?? '')

/**
 * The body of a request, piece by piece and as fast as it is read, for a route that bounds it itself. Nothing else may have read from it. Who stops early leaves
 * the rest to whoever answers.
 *
 * @throws HubError `bad-request` when the request breaks off
 */
export async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
  } catch {
    throw new HubError('bad-request', 'the body broke off')
  }
}

/**
 * Gives `take` the body of a request piece by piece, as it comes, for a route that bounds it itself and keeps it. Nothing else may have read from it. What `take` throws
 * is thrown, and the rest is left to whoever answers.
 *
 * @throws HubError `bad-request` when the request breaks off
 */
export function takeBody(request: IncomingMessage, take: (chunk: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error): void => {
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
      if (error === undefined) return resolve()
      request.pause()
      reject(error)
    }
    const onData = (chunk: Uint8Array): void => {
      try {
        take(chunk)
      } catch (error) {
        end(error as Error)
      }
    }
    const onEnd = (): void => end()
    const onBroken = (): void => end(new HubError('bad-request', 'the body broke off'))
    if (request.destroyed) return onBroken()
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  })
}

/** The header that says when to come back, in whole seconds; none without a time. @see RFC 9110, section 10.2.3 */
export const retryAfter = (retryAfterMs: number | undefined): Record<string, string> =>
  retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }

/**
 * An error as HTTP answers it. @see RFC 9457
 * @param status that of the table, unless an API has one of its own
 */
export function problem(
  { code, message, field, retryAfterMs }: HubError,
  status = ERRORS[code].http as ContentfulStatusCode
): Response {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', ...retryAfter(retryAfterMs) }
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  const body = {
    type: 'about:blank',
    title: ERRORS[code].text,
    status,
    code,
    detail: message,
    ...(field === '' ? {} : { field })
  }
  return new Response(JSON.stringify(body), { status, headers })
}

/** Gives an answer to a request that went past the application. */
export async function answer(response: ServerResponse, given: Response): Promise<void> {
  response.writeHead(given.status, Object.fromEntries(given.headers))
  response.end(await given.text())
}

/**
 * Ends at once what a request does when its token lets nobody in any more, however long it takes and whether or not anybody reads. Until the answer is over, the account
 * stays in memory for it.
 * @param end left out, the connection is cut: what has begun to leave cannot be taken back
 * @throws HubError why the token lets nobody in by now
 */
export function endWithToken(
  bearer: Bearer,
  outgoing: ServerResponse,
  end: (reason: HubError) => void = () => outgoing.destroy()
): void {
  mustBeLetIn(bearer)
  if (outgoing.closed || outgoing.destroyed) return
  const { account, device, refusal } = bearer
  const follower: Follower = { device, client: '', refusal, deliver: () => undefined, end }
  account.follow(follower)
  outgoing.once('close', () => account.followers.delete(follower))
}

const upgradeSaid = Symbol('what Node says of a request that wants an upgrade')

/**
 * A request that is no upgrade unless it is one to a WebSocket: a wish for another protocol, such as the `h2c` of curl and Java, is passed over, and the request answered.
 * Node asks for `upgrade` when it has read a head, and would hand each such wish to whoever takes upgrades. @see RFC 9110, section 7.8
 */
class Request extends IncomingMessage {
  declare [upgradeSaid]: boolean

  get upgrade(): boolean {
    return this[upgradeSaid] && (this.method === 'CONNECT' || this.headers.upgrade?.toLowerCase() === 'websocket')
  }

  set upgrade(said: boolean) {
    this[upgradeSaid] = said
  }
}

/**
 * Begins a request once it is its turn to be answered: Node hands out all those at once that came in one piece, and a thousand of them would be one turn of the event loop.
 * Only then has its answer the socket, with which it ends.
 */
function inOrder(begin: RequestHandler): RequestHandler {
  const waiting = new WeakMap<Duplex, number>()
  return (request, response) => {
    if (response.socket !== null) return begin(request, response)
    const { socket } = request
    const count = (waiting.get(socket) ?? 0) + 1
    if (count > MAX_WAITING) return void socket.destroy()
    waiting.set(socket, count)
    response.once('socket', () => {
      waiting.set(socket, waiting.get(socket)! - 1)
      setImmediate(() => (socket.destroyed ? undefined : begin(request, response)))
    })
  }
}

/**
 * A hardened HTTP server for an application, whose answers get safe headers, and its upgrades. It is not listening yet.
 * @param upgrades by path; a path that ends with a slash is for all that are under it
 * @param maxConnections sockets at once, whatever they carry; one more is closed unanswered
 * @param requests by path in the same way: what goes past the application
 */
export function createHttpServer(
  app: HttpApp,
  upgrades: Readonly<Record<string, UpgradeHandler>>,
  maxConnections: number,
  requests: Readonly<Record<string, RequestHandler>> = {}
): Server {
  // Only HTTP/1.0 knows requests without a host: the checks of load balancers are some.
  const listener = getRequestListener(app.fetch, { hostname: 'localhost' })
  const server = createServer(
    {
      IncomingMessage: Request,
      headersTimeout: 10_000,
      // Bodies are held to their time one by one.
      requestTimeout: 0,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 8_192,
      noDelay: true
    },
    inOrder((request, response) => {
      boundBodyTime(request, response)
      const handler = atPath(requests, request)
      if (handler !== undefined) return handler(request, response)
      // Set here, so that none is missing whatever a route answers with, and no answer has to be made anew for them.
      for (const [name, value] of SAFE_HEADERS) response.setHeader(name, value)
      void listener(request, response)
    })
  )
  server.maxConnections = maxConnections
  server.maxHeadersCount = 64
  // Who does not take its answer would hold it, and the socket, for as long as it likes.
  server.timeout = STALLED_MS
  server.maxRequestsPerSocket = 1_000
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    const handler = atPath(upgrades, request)
    if (handler === undefined) refuseUpgrade(socket, 404, 'Not Found')
    else handler(request, socket, head)
  })
  return server
}

/** What stands at a request's path, or at one that it is under. */
function atPath<T>(places: Readonly<Record<string, T>>, { url = '' }: IncomingMessage): T | undefined {
  const path = url.split('?')[0]!
  for (const place in places) if (path === place || (place.endsWith('/') && path.startsWith(place))) return places[place]
  return undefined
}

/** Answers an upgrade with a refusal, and closes, even when the other end keeps its half open or does not read. */
export function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  const cut = setTimeout(() => socket.destroy(), REFUSED_WITHIN_MS)
  socket.once('close', () => clearTimeout(cut))
  socket.once('finish', () => socket.destroy())
  // What the other end sent and nobody read would make the close a reset, which can overtake the answer.
  socket.resume()
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
