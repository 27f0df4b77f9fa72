import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { config, ready } from './answer.ts'

/** Bare ws: whoever connects is sent a number of bytes from memory, in messages of one size, and no more than a socket takes. */
const { totalBytes, messageBytes } = config as { totalBytes: number; messageBytes: number }
const HIGH_WATER_BYTES = 262_144

const bytes = Buffer.alloc(messageBytes, 'lectern')
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })

server.on('connection', socket => {
  let left = totalBytes
  const send = (): void => {
    while (left > 0 && socket.bufferedAmount < HIGH_WATER_BYTES) {
      const size = Math.min(left, messageBytes)
      left -= size
      socket.send(bytes.subarray(0, size), send)
    }
  }
  socket.once('message', send)
})
server.on('listening', () => ready({ port: (server.address() as AddressInfo).port }))
