import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { config, ready } from './answer.ts'

/**
 * Bare ws: whoever connects is sent a number of bytes from memory, in messages of one size, and no more than a socket takes. To one connection no byte of memory
 * is sent twice: one message again and again would come from the processor's cache, as no log does.
 */
const { totalBytes, messageBytes } = config as { totalBytes: number; messageBytes: number }
const HIGH_WATER_BYTES = 262_144

const bytes = randomBytes(totalBytes)
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })

server.on('connection', socket => {
  let sent = 0
  const send = (): void => {
    while (sent < totalBytes && socket.bufferedAmount < HIGH_WATER_BYTES) {
      const message = bytes.subarray(sent, sent + messageBytes)
      sent += message.length
      socket.send(message, send)
    }
  }
  socket.once('message', send)
})
server.on('listening', () => ready({ port: (server.address() as AddressInfo).port }))
