import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { SUBPROTOCOL } from '../../../protocol/index.ts'
import type { HubConnection } from '../../../server/core/ports.ts'
import { createWsTransport, lecternDoor } from '../../../server/transports/ws.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('server/transports/ws', { limitMs: 60_000 })

const MESSAGE_BYTES = 1_000_000
/** More than what systems keep between two sockets. */
const MESSAGES = 48

/** The hub's end of a real connection, and the other one. */
async function connected(
  { defer }: TestContext,
  options: { autoPong?: boolean } = {}
): Promise<{ hubEnd: HubConnection; reader: WebSocket }> {
  const server = createServer()
  const accepted = new Promise<HubConnection>(resolve => {
    const transport = createWsTransport(lecternDoor(resolve))
    server.on('upgrade', (request, socket, head) => transport.upgrade(request, socket, head, 'test'))
    defer(() => transport.close())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => server.close())
  const reader = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, SUBPROTOCOL, options)
  defer(() => reader.terminate())
  await once(reader, 'open')
  return { hubEnd: await accepted, reader }
}

const message = (index: number): Buffer => Buffer.alloc(MESSAGE_BYTES, index)

test('of a reader that moves on bit by bit the hub hears while most of what it sent has not left', async context => {
  const { hubEnd, reader } = await connected(context)
  reader.pause()
  const heard = new Promise<number>(resolve =>
    hubEnd.listen({ onFrame: () => undefined, onDrain: () => resolve(hubEnd.bufferedBytes), onClose: () => undefined })
  )
  for (let index = 0; index < MESSAGES; index++) hubEnd.send(message(index))
  reader.once('message', () => reader.pause())
  reader.resume()
  assert.ok((await heard) > MESSAGE_BYTES)
  const received: Buffer[] = []
  reader.on('message', (data: Buffer) => received.push(data))
  reader.resume()
  while (received.length < MESSAGES - 1) await once(reader, 'message')
  assert.ok(received.every((data, index) => data.equals(message(index + 1))))
})

test('a reader that answers pings which it was not sent is not taken to move on', async context => {
  const { hubEnd, reader } = await connected(context, { autoPong: false })
  let drains = 0
  const gone = new Promise<void>(resolve =>
    hubEnd.listen({ onFrame: () => resolve(), onDrain: () => (drains += 1), onClose: () => undefined })
  )
  reader.pause()
  for (let index = 0; index < MESSAGES; index++) hubEnd.send(message(index))
  for (let guess = 0; guess < 1_000; guess++) {
    const forged = Buffer.alloc(4)
    forged.writeUInt32BE(guess)
    reader.pong(forged)
  }
  for (const other of ['', 'longer than asked for']) reader.pong(other)
  reader.send(Buffer.of(0))
  await gone
  assert.is(drains, 0)
})

test.run()
