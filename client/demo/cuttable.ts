import { WebSocket } from 'ws'
import { connectNode, type Client, type ConnectNodeOptions, type WebSocketClass } from '../node.ts'

interface Cable {
  isCut: boolean
  readonly sockets: Set<WebSocket>
}

/** A device whose network cable can be pulled. */
export class CuttableDevice {
  readonly name: string
  readonly client: Client
  readonly #cable: Cable

  private constructor(name: string, client: Client, cable: Cable) {
    this.name = name
    this.client = client
    this.#cable = cable
  }

  static async connect(name: string, options: Omit<ConnectNodeOptions, 'webSocket'>): Promise<CuttableDevice> {
    const cable: Cable = { isCut: false, sockets: new Set() }
    class CableSocket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        cable.sockets.add(this)
        this.on('close', () => cable.sockets.delete(this))
        if (cable.isCut) this.terminate()
      }
    }
    const client = await connectNode({ ...options, webSocket: CableSocket as unknown as WebSocketClass })
    await client.live()
    return new CuttableDevice(name, client, cable)
  }

  /** Pulls the cable: without a goodbye, and without a way back. */
  cut(): void {
    this.#cable.isCut = true
    for (const socket of this.#cable.sockets) socket.terminate()
  }

  /** Plugs it in again, and waits until the device has caught up. */
  async mend(): Promise<void> {
    this.#cable.isCut = false
    this.client.retry()
    await this.client.live()
  }
}
