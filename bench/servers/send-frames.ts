import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { config, ready } from './answer.ts'

/**
 * Bare ws: whoever connects is sent all of a number of bytes in memory, in messages of one size, and no more than a socket takes. No byte is sent twice: a message
 * sent again and again would come from the processor's cache, which no log does.
 */
const { totalBytes, messageBytes } = config as { totalBytes: number; messageBytes: number }
const HIGH_WATER_BYTES = 262_144

const bytes = Buffer.alloc(totalBytes, 'lectern')
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })

server.on('connection', socket => {
  let left = totalBytes
  const send = (): void => {
    while (left > 0 && socket.bufferedAmount < HIGH_WATER_BYTES) {
      const message = bytes.subarray(totalBytes - left).subarray(0, messageBytes)
      left -= message.length
      socket.send(message, send)
    }
  }
  socket.once('message', send)
})
server.on('listening', () => ready({ port: (server.address() as AddressInfo).port }))
