import type { Connection } from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import { addressAt } from './hub-http.ts'
import { SocketIoConnection, type SocketIo } from './socket-io-connection.ts'
import { WsConnection, type WebSocketClass } from './ws-connection.ts'

export interface DialOptions {
  /** `http`, `https`, `ws` or `wss`, and the path that the hub is under. */
  readonly url: string
  readonly webSocket: WebSocketClass | undefined
  readonly socketIo: SocketIo | undefined
  readonly clock: Clock
}

/** WebSockets in a row that brought nothing, although the hub answered HTTP, before they count as blocked. */
const BLOCKED_AFTER = 2
const TRY_AGAIN_MS = 600_000

/**
 * How to begin a connection to a hub: by WebSocket, and by socket.io while WebSockets do not get through.
 * @throws TypeError when the URL is none, or when there is no way
 */
export function dialOf({ url, webSocket, socketIo, clock }: DialOptions): () => Connection {
  const hub = new URL(url)
  hub.protocol = hub.protocol.replace(/^ws/, 'http')
  if (hub.protocol !== 'http:' && hub.protocol !== 'https:') throw new TypeError(`not the address of a hub: ${url}`)
  const live = addressAt(url, '/live')
  live.protocol = live.protocol.replace('http', 'ws')
  const WebSocket = webSocket ?? ((globalThis as { WebSocket?: unknown }).WebSocket as WebSocketClass | undefined)
  const bySocketIo =
    socketIo &&
    ((onEnd?: (hasHeard: boolean) => void) =>
      new SocketIoConnection(hub.origin, addressAt(url, '/live/socket.io').pathname, socketIo, onEnd))
  if (WebSocket === undefined) {
    if (bySocketIo === undefined)
      throw new TypeError('there is no WebSocket on this platform; give one as `webSocket`, or use `connectNode`')
    return () => bySocketIo()
  }
  if (bySocketIo === undefined) return () => new WsConnection(live.href, WebSocket)
  const blocked = new Blocked(addressAt(url, '/healthz').href, clock)
  return () =>
    blocked.isBlocked
      ? bySocketIo(hasHeard => !hasHeard && blocked.clear())
      : new WsConnection(live.href, WebSocket, hasHeard => (hasHeard ? blocked.clear() : blocked.missed()))
}

/** Whether WebSockets do not get through on this network, although HTTP does. */
class Blocked {
  readonly #healthUrl: string
  readonly #clock: Clock
  #missed = 0
  #sinceMs = 0

  constructor(healthUrl: string, clock: Clock) {
    this.#healthUrl = healthUrl
    this.#clock = clock
  }

  /** No longer after a while: networks change, and the next connection finds out. */
  get isBlocked(): boolean {
    return this.#missed >= BLOCKED_AFTER && Math.abs(this.#clock.nowMs() - this.#sinceMs) < TRY_AGAIN_MS
  }

  /** A WebSocket brought nothing. That says something about WebSockets only if the hub can be reached. */
  missed(): void {
    // Any answer will do, also one that a page may not read.
    fetch(this.#healthUrl, { mode: 'no-cors' }).then(
      () => {
        this.#missed += 1
        this.#sinceMs = this.#clock.nowMs()
      },
      () => undefined
    )
  }

  clear(): void {
    this.#missed = 0
  }
}
