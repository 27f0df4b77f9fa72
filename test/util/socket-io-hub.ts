import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { addressGroup } from '../../server/auth/sign-in-limits.ts'
import { createHttpApp, createHttpServer } from '../../server/transports/http.ts'
import type { EngineLimits, EngineTransport } from '../../server/transports/engine.ts'
import { createSocketIoTransport } from '../../server/transports/socket-io.ts'
import { coreHub, type CoreHub } from './core-hub.ts'
import type { TestContext } from './suite.ts'

export interface SocketIoHub extends CoreHub {
  readonly transport: EngineTransport
  readonly url: string
}

/**
 * A hub's core with no other door than socket.io, and bounds that a test can reach. It is closed when the test ends.
 * @param mayUpgrade holds back each upgrade until it resolves
 */
export async function socketIoHub(
  { defer }: TestContext,
  limits: Partial<EngineLimits>,
  mayUpgrade?: () => Promise<void>
): Promise<SocketIoHub> {
  const core = coreHub()
  const transport = createSocketIoTransport({
    accept: connection => core.hub.accept(connection),
    allowedOrigins: [],
    addressGroup,
    limits
  })
  const remote = '127.0.0.1'
  const server = createHttpServer(
    createHttpApp(core.logger, () => remote, []),
    {
      '/live/socket.io/': (request, socket, head) => {
        const upgrade = (): void => transport.upgrade(request, socket, head, remote)
        if (mayUpgrade === undefined) upgrade()
        else void mayUpgrade().then(upgrade)
      }
    },
    1_000,
    { '/live/socket.io/': (request, response) => transport.request(request, response, remote) }
  )
  server.listen(0, remote)
  await once(server, 'listening')
  defer(async () => {
    await core.hub.close()
    await transport.close()
    server.close()
    server.closeAllConnections()
  })
  return { ...core, transport, url: `http://${remote}:${(server.address() as AddressInfo).port}` }
}

/** Engine.IO by hand, for what no client would do. */
export class RawPolling {
  readonly #url: string
  #sid = ''

  constructor(url: string) {
    this.#url = `${url}/live/socket.io/?EIO=4&transport=polling`
  }

  /** Begins a session. */
  async open(): Promise<Response> {
    const response = await fetch(this.#url)
    if (response.ok) this.#sid = (JSON.parse((await response.clone().text()).slice(1)) as { sid: string }).sid
    return response
  }

  get sid(): string {
    return this.#sid
  }

  post(body: string): Promise<Response> {
    return fetch(`${this.#url}&sid=${this.#sid}`, { method: 'POST', body })
  }

  /** What the hub has to say, as Engine.IO packets. */
  async poll(): Promise<string[]> {
    const response = await fetch(`${this.#url}&sid=${this.#sid}`)
    return (await response.text()).split('\u001e')
  }
}
