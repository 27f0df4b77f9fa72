import type { HubConnection } from '../core/ports.ts'
import { createEngineTransport, type EngineOptions, type EngineTransport } from './engine.ts'
import { MAX_FIRST_BYTES, MAX_MESSAGE_BYTES, SocketIoConnection } from './socket-io-connection.ts'

export interface SocketIoOptions extends Pick<EngineOptions, 'allowedOrigins' | 'addressGroup' | 'limits'> {
  /** Is given each new connection. */
  readonly accept: (connection: HubConnection) => void
}

/**
 * The `socket.io` carrier: the event `frame` carries one frame, over WebSockets or by polling, from clients with the default parser or the msgpack
 * one. It stands on Engine.IO: of socket.io's own server, its namespaces, rooms and acknowledgements, nothing would be used.
 */
export const createSocketIoTransport = ({ accept, ...options }: SocketIoOptions): EngineTransport =>
  createEngineTransport({
    ...options,
    open: (session, remote) => new SocketIoConnection(session, remote, accept),
    maxMessageBytes: MAX_MESSAGE_BYTES,
    maxFirstBytes: MAX_FIRST_BYTES
  })
