import { randomUUID } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { ready } from './answer.ts'

/**
 * Bare node:http: for every websocket message that comes, an event like one of Lectern's goes to whoever has asked for events. The message is not read,
 * and nothing is kept: what the event says of a page turn is the same each time, beside its numbers.
 */
const [device, client] = [randomUUID(), randomUUID()]
const body = { progression: 0.123456789, locators: { cfi: 'epubcfi(/6/14!/4/16/1:0)' }, extra: { device: 0 } }
const readers = new Set<ServerResponse>()
let cursor = 0

const http = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.write(event('live', '{}'))
  readers.add(response)
  response.on('close', () => readers.delete(response))
})
new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', socket =>
  socket.on('message', () => {
    cursor += 1
    const atMs = Date.now()
    const change = {
      cursor,
      timeUs: atMs * 1_000,
      device,
      client,
      number: cursor,
      atMs,
      kind: 'position.set',
      key: 'moby-dick',
      body
    }
    const text = event('changes', JSON.stringify([change]))
    for (const reader of readers) reader.write(text)
  })
)
http.listen(0, '127.0.0.1', () => ready({ port: (http.address() as AddressInfo).port }))

function event(name: string, data: string): string {
  return `id: ${device}:${cursor}\nevent: ${name}\ndata: ${data}\n\n`
}
