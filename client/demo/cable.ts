import { WebSocket } from 'ws'
import type { WebSocketClass } from '../node.ts'

/** A network cable that can be pulled, without a goodbye and without a way back until it is plugged in again; or left hanging, with nobody reading. */
export class Cable {
  isCut = false
  readonly webSocket: WebSocketClass
  readonly #sockets = new Set<WebSocket>()

  constructor() {
    const sockets = this.#sockets
    const isCut = (): boolean => this.isCut
    class CableSocket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        sockets.add(this)
        this.on('close', () => sockets.delete(this))
        if (isCut()) this.terminate()
      }
    }
    this.webSocket = CableSocket as unknown as WebSocketClass
  }

  /** Stops reading: what comes in piles up on the way. Undone by `thaw`. */
  freeze(): void {
    for (const socket of this.#sockets) socket.pause()
  }

  thaw(): void {
    for (const socket of this.#sockets) socket.resume()
  }

  cut(): void {
    this.isCut = true
    for (const socket of this.#sockets) socket.terminate()
  }
}
