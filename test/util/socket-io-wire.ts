import { createRequire } from 'node:module'
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import type { OpenWire } from './wire-client.ts'

/** How an unmodified client of socket.io reaches a hub. */
export type SocketIoWay =
  'websocket' | 'polling' | 'upgrade' | 'websocket with msgpack' | 'polling with msgpack' | 'upgrade with msgpack'

export const SOCKET_IO_WAYS: readonly SocketIoWay[] = [
  'websocket',
  'polling',
  'upgrade',
  'websocket with msgpack',
  'polling with msgpack'
]

const msgpackParser: unknown = createRequire(import.meta.url)('socket.io-msgpack-parser')

/** A socket of the unmodified package. It connects at once, and never again by itself. */
export function openSocketIo(url: string, way: SocketIoWay, more: Partial<ManagerOptions & SocketOptions> = {}): Socket {
  const [transport, parser] = way.split(' with ')
  return io(url, {
    path: '/live/socket.io',
    transports: transport === 'upgrade' ? ['polling', 'websocket'] : [transport as 'polling' | 'websocket'],
    reconnection: false,
    forceNew: true,
    ...(parser !== undefined && { parser: msgpackParser }),
    ...more
  })
}

/** @param opened is given each socket that is opened */
export const socketIoWire =
  (way: SocketIoWay, opened: (socket: Socket) => void = () => undefined): OpenWire =>
  (url, { onOpen, onMessage, onClose }) => {
    const socket = openSocketIo(url, way)
    opened(socket)
    let code = 1006
    let isFrozen = false
    socket.on('connect', onOpen)
    socket.on('frame', (bytes: Uint8Array) => isFrozen || onMessage(bytes))
    socket.on('close', (given: number) => (code = given))
    socket.on('disconnect', () => onClose(code))
    socket.on('connect_error', () => onClose(code))
    return {
      get isOpen() {
        return socket.connected
      },
      send: bytes => socket.emit('frame', bytes),
      freeze() {
        isFrozen = true
        freeze(socket)
      },
      terminate: () => socket.disconnect()
    }
  }

interface EngineTransport {
  readonly name: string
  readonly ws?: { pause(): void }
  _poll?(): void
}

/** Reads nothing more: of a websocket the bytes stay in the system, and no poll is made. */
function freeze(socket: Socket): void {
  const transport = socket.io.engine.transport as unknown as EngineTransport
  if (transport.name === 'websocket') transport.ws!.pause()
  else transport._poll = () => undefined
}
