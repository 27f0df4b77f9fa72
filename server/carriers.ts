import type { IncomingMessage } from 'node:http'
import { HubError } from '../protocol/index.ts'
import { addressGroup } from './auth/sign-in-limits.ts'
import type { Hub } from './core/hub.ts'
import type { Logger } from './core/ports.ts'
import { answer, problem, refuseUpgrade, type RequestHandler, type UpgradeHandler } from './transports/http.ts'
import { createEngineTransport, type EngineTransport } from './transports/engine.ts'
import { EventClient, MAX_EVENT_BYTES, MAX_STRANGER_BYTES, type EventListener } from './transports/event-client.ts'
import { isOriginAllowed } from './transports/web-origin.ts'
import { createSocketIoTransport } from './transports/socket-io.ts'
import { createWsTransport, lecternDoor, type WsTransport } from './transports/ws.ts'
import { hocuspocusDoor, yWebsocketDoor } from './transports/yjs.ts'

export interface CarrierParts {
  readonly hub: Hub
  readonly logger: Logger
  readonly addressOf: (request: IncomingMessage) => string
  readonly allowedOrigins: readonly string[]
  /** Is given each new client that exchanges events. */
  readonly acceptEvents: (client: EventClient) => EventListener
}

/** Every way to a live connection, by path. */
export interface Carriers {
  readonly upgrades: Readonly<Record<string, UpgradeHandler>>
  readonly requests: Readonly<Record<string, RequestHandler>>
  /** Live connections now, by the carrier's name. */
  readonly counts: () => Readonly<Record<string, number>>
  /** Ends what is left of the connections. Resolves when the last has gone. */
  close(): Promise<void>
}

const SOCKET_IO_PATH = '/live/socket.io/'
/** Where clients of socket.io look by themselves. */
const EVENTS_PATHS = ['/socket.io', '/socket.io/'] as const

/** Opens the doors for live connections: the protocol by WebSocket and by socket.io, the two kinds of Yjs providers, and events by socket.io. */
export function createCarriers({ hub, logger, addressOf, allowedOrigins, acceptEvents }: CarrierParts): Carriers {
  const live = createWsTransport(lecternDoor(connection => hub.accept(connection)))
  const socketIo = createSocketIoTransport({ accept: connection => hub.accept(connection), allowedOrigins, addressGroup })
  const events = createEngineTransport({
    open: (session, remote) => new EventClient(session, remote, acceptEvents),
    maxMessageBytes: MAX_EVENT_BYTES,
    maxFirstBytes: MAX_STRANGER_BYTES,
    allowEIO3: true,
    allowedOrigins,
    addressGroup
  })
  const yjs = createWsTransport(yWebsocketDoor(hub, '/yjs/'))
  const hocuspocus = createWsTransport(hocuspocusDoor(hub))

  const admits = (request: IncomingMessage): boolean => {
    if (isOriginAllowed(request, allowedOrigins)) return true
    logger.warn(
      { origin: request.headers.origin },
      'a page of this origin was refused; to let it connect, add the origin to LECTERN_ALLOWED_ORIGINS'
    )
    return false
  }
  const upgradeTo =
    (transport: Pick<WsTransport, 'upgrade'>): UpgradeHandler =>
    (request, socket, head) => {
      if (admits(request)) transport.upgrade(request, socket, head, addressOf(request))
      else refuseUpgrade(socket, 403, 'Forbidden')
    }
  const requestTo =
    (transport: EngineTransport): RequestHandler =>
    (request, response) => {
      if (admits(request)) transport.request(request, response, addressOf(request))
      else void answer(response, problem(new HubError('origin-refused')))
    }
  const askForUpgrade: RequestHandler = (_request, response) =>
    void answer(
      response,
      problem(new HubError('bad-request', 'this is a WebSocket: come with an upgrade, which a proxy may have taken away'))
    )
  return {
    upgrades: {
      '/live': upgradeTo(live),
      [SOCKET_IO_PATH]: upgradeTo(socketIo),
      '/yjs/': upgradeTo(yjs),
      '/hocuspocus': upgradeTo(hocuspocus),
      ...Object.fromEntries(EVENTS_PATHS.map(path => [path, upgradeTo(events)]))
    },
    requests: {
      '/live': askForUpgrade,
      '/yjs/': askForUpgrade,
      '/hocuspocus': askForUpgrade,
      [SOCKET_IO_PATH]: requestTo(socketIo),
      ...Object.fromEntries(EVENTS_PATHS.map(path => [path, requestTo(events)]))
    },
    counts: () => ({
      websocket: live.count,
      'socket.io': socketIo.count,
      'y-websocket': yjs.count,
      hocuspocus: hocuspocus.count,
      timelimit: events.count
    }),
    async close() {
      await Promise.all([live, socketIo, events, yjs, hocuspocus].map(carrier => carrier.close()))
    }
  }
}
