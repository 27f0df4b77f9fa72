import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A way to a hub that can be cut, whatever speaks over it: sockets end without a goodbye, and new ones are refused until it is mended. */
export class CutOff {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false
  /** Connections that were ever made over it. */
  connections = 0

  private constructor(target: URL) {
    this.#server = createServer(near => {
      if (this.#isCut) {
        near.destroy()
        return
      }
      this.connections += 1
      const far = connect(Number(target.port), target.hostname)
      for (const [one, other] of [
        [near, far],
        [far, near]
      ] as const) {
        this.#sockets.add(one)
        one.on('error', () => undefined)
        one.on('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    })
  }

  /** Resolves once it listens. */
  static async to(target: string): Promise<CutOff> {
    const made = new CutOff(new URL(target))
    await new Promise<void>(resolve => made.#server.listen(0, '127.0.0.1', resolve))
    return made
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get isCut(): boolean {
    return this.#isCut
  }

  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isCut = false
  }

  close(): void {
    this.cut()
    this.#server.close()
  }
}
