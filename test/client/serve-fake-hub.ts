import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { SUBPROTOCOL, type Connection } from '../../protocol/index.ts'
import type { TestContext } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'

/** A fake hub on a real port, at `path` of a server that is not listening yet. It is closed with the test. */
export async function serveFakeHub(
  context: TestContext,
  server: Server,
  path: string
): Promise<{ hub: FakeHub; sockets: WebSocketServer; origin: string }> {
  const hub = new FakeHub()
  const sockets = new WebSocketServer({ server, path, handleProtocols: offered => offered.has(SUBPROTOCOL) && SUBPROTOCOL })
  sockets.on('connection', socket => hub.accept(connectionOf(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.defer(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.closeAllConnections()
    server.close()
  })
  return { hub, sockets, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** A server's end of a websocket, for the fake hub. */
function connectionOf(socket: WebSocket): Connection {
  return {
    bufferedBytes: 0,
    listen(events) {
      socket.on('message', (data: Buffer) => events.onFrame(new Uint8Array(data)))
      socket.on('close', (code, text) => events.onClose({ code, text: text.toString() }))
      socket.on('error', () => {})
    },
    send: bytes => socket.send(bytes),
    close: (code, text) => socket.close(code, text)
  }
}
