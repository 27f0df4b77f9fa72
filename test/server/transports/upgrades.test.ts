import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { LIMITS, SUBPROTOCOL } from '../../../protocol/index.ts'
import { createHttpApp, createHttpServer, type UpgradeHandler } from '../../../server/transports/http.ts'
import { createWsTransport, lecternDoor } from '../../../server/transports/ws.ts'
import { recordingLogger } from '../../util/core-hub.ts'
import { RawSocket } from '../../util/raw-socket.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('server/transports/upgrades')

const nothing = (): void => undefined
const logger = recordingLogger()

async function listening({ defer }: TestContext, upgrade: UpgradeHandler, maxConnections = 100): Promise<Server> {
  const app = createHttpApp(logger, () => '127.0.0.1', [])
  app.post('/echo', async ({ req, text }) => text(`<${await req.text()}>`))
  app.get('/text', ({ text }) => text('<text>'))
  const server = createHttpServer(app, { '/live': upgrade }, maxConnections)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => server.close())
  return server
}

/** A raw socket that asks for an upgrade, and keeps its half open whatever the hub does. */
function ask({ defer }: TestContext, server: Server, path: string): Socket {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  defer(() => socket.destroy())
  socket.on('error', nothing)
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`
  )
  return socket
}

const openSockets = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))))

const none = async (server: Server): Promise<void> => {
  while ((await openSockets(server)) > 0) await new Promise(resolve => setTimeout(resolve, 5))
}

test('a refused upgrade is answered, and closed although the other end keeps its half open', async context => {
  const server = await listening(context, nothing)
  const socket = ask(context, server, '/elsewhere')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(socket, 'end')
  assert.match(text, /^HTTP\/1.1 404 Not Found\r\n/)
  await none(server)
})

test('a wish for another protocol than WebSocket is passed over, and the request answered with all of its body', async context => {
  const server = await listening(context, () => assert.unreachable())
  const raw = new RawSocket(context, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const wish = 'Host: hub\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
  const chunked = `${wish}Transfer-Encoding: chunked\r\n`
  for (const [parts, body] of [
    [[`GET /text HTTP/1.1\r\n${wish}\r\n`], '<text>'],
    [[`POST /echo HTTP/1.1\r\n${wish}Content-Length: 5\r\n\r\nwhole`], '<whole>'],
    [[`POST /echo HTTP/1.1\r\n${wish}Content-Length: 8\r\n\r\nin `, 'parts'], '<in parts>'],
    [[`POST /echo HTTP/1.1\r\n${chunked}\r\n3\r\nin \r\n`, '6\r\nchunks\r\n0\r\n\r\n'], '<in chunks>'],
    [['GET /text HTTP/1.1\r\nHost: hub\r\n\r\n'], '<text>']
  ] as [string[], string][]) {
    raw.received = Buffer.alloc(0)
    for (const part of parts) {
      // In a piece of its own.
      await new Promise(resolve => raw.socket.write(part, resolve))
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.match(await raw.until(text => text.includes('>')), /^HTTP\/1\.1 200 /, body)
    assert.ok(raw.received.toString().endsWith(body), raw.received.toString())
  }
})

test('sockets over the bound are closed unanswered', async context => {
  const server = await listening(context, nothing, 1)
  const first = ask(context, server, '/live')
  await once(first, 'connect')
  const dropped = once(server, 'drop')
  ask(context, server, '/live')
  await dropped
  assert.is(await openSockets(server), 1)
})

/** The head of a masked binary message; a mask of zeros leaves the bytes as they are. */
const messageOf = (size: number, bytes: Uint8Array): Buffer => {
  const head = Buffer.alloc(14)
  head.set([0x82, 0xff])
  head.writeBigUInt64BE(BigInt(size), 2)
  return Buffer.concat([head, bytes])
}

async function upgraded(context: TestContext, onFrame: (bytes: Uint8Array) => void): Promise<{ server: Server; socket: Socket }> {
  const transport = createWsTransport(
    lecternDoor(connection => connection.listen({ onFrame, onDrain: nothing, onClose: nothing }))
  )
  const server = await listening(context, (request, socket, head) => transport.upgrade(request, socket, head, ''))
  const socket = ask(context, server, '/live')
  await once(socket, 'data')
  context.defer(() => {
    socket.destroy()
    return transport.close()
  })
  return { server, socket }
}

test('who sends more than a hello before the first message is complete is cut off', async context => {
  const { server, socket } = await upgraded(context, () => assert.unreachable())
  socket.write(messageOf(LIMITS.maxFrameBytes, Buffer.alloc(LIMITS.maxHelloBytes + 100)))
  await none(server)
})

test('a hello of the full size passes, and so does what comes behind it', async context => {
  const sizes: number[] = []
  const done = new Promise<void>(resolve => {
    void upgraded(context, bytes => {
      sizes.push(bytes.length)
      if (sizes.length === 2) resolve()
    }).then(({ socket }) =>
      socket.write(Buffer.concat([LIMITS.maxHelloBytes, 500_000].map(size => messageOf(size, Buffer.alloc(size)))))
    )
  })
  await done
  assert.equal(sizes, [LIMITS.maxHelloBytes, 500_000])
})

test.run()
