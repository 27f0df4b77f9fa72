import type { WebSocket } from 'ws'
import type { Connection } from '../../protocol/index.ts'

/** A server's end of a websocket, for the fake hub. */
export function connectionOf(socket: WebSocket): Connection {
  return {
    remote: 'socket',
    bufferedBytes: 0,
    listen(events) {
      socket.on('message', (data: Buffer) => events.onFrame(new Uint8Array(data)))
      socket.on('close', (code, text) => events.onClose({ code, text: text.toString() }))
      socket.on('error', () => {})
    },
    send: bytes => socket.send(bytes),
    pause() {},
    resume() {},
    close: (code, text) => socket.close(code, text)
  }
}
