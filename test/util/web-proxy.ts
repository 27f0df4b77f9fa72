import { once } from 'node:events'
import { createServer, request as askHub } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from './suite.ts'

/** A proxy in front of a hub, like those of companies and hotels: it passes requests on, and upgrades only when it feels like it. */
export interface WebProxy {
  readonly url: string
  /** What becomes of upgrades: passed on, answered with 403, or left without an answer. */
  upgrades: 'pass' | 'refuse' | 'ignore'
  /** Whether anything gets through. */
  isDown: boolean
  /** So many requests to come get a page to sign in to the network, with 200, in the place of their answer. */
  ownPages: number
  /** What is in it. */
  ownPage: string
  /** Upgrades to this path that were passed on. */
  passed(path: string): number
  /** Cuts off whatever is open. */
  cut(): void
}

export async function webProxy({ defer }: TestContext, hubUrl: string): Promise<WebProxy> {
  const { hostname, port } = new URL(hubUrl)
  const sockets = new Set<Socket>()
  const passed: string[] = []
  const server = createServer((incoming, outgoing) => {
    if (proxy.isDown) {
      outgoing.destroy()
      return
    }
    if (proxy.ownPages > 0) {
      proxy.ownPages -= 1
      incoming.resume()
      outgoing.writeHead(200, { 'content-type': 'text/html' }).end(proxy.ownPage)
      return
    }
    const asked = askHub({ hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    asked.on('error', () => outgoing.destroy())
    outgoing.on('close', () => asked.destroy())
    incoming.pipe(asked)
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (incoming, socket, head) => {
    socket.on('error', () => socket.destroy())
    if (proxy.isDown) {
      socket.destroy()
      return
    }
    if (proxy.upgrades === 'refuse') socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    if (proxy.upgrades !== 'pass') return
    passed.push(incoming.url!.split('?')[0]!)
    const hub = connect({ host: hostname, port: Number(port) })
    hub.on('error', () => socket.destroy())
    hub.on('close', () => socket.destroy())
    socket.on('close', () => hub.destroy())
    const headers = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`)
    hub.write(`GET ${incoming.url} HTTP/1.1\r\n${headers.join('')}\r\n`)
    hub.write(head)
    socket.pipe(hub).pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: WebProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    upgrades: 'pass',
    isDown: false,
    ownPages: 0,
    ownPage: '<html><body>Welcome to the airport</body></html>',
    passed: path => passed.filter(name => name === path).length,
    cut() {
      for (const socket of sockets) socket.destroy()
    }
  }
  defer(() => {
    server.close()
    proxy.cut()
  })
  return proxy
}
