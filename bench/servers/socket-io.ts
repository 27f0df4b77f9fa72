import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { ready } from './answer.ts'

/** Bare socket.io, as it comes: one room, every event forwarded as it came to the others in it, nothing kept, nothing answered. */
const ROOM = 'account'
const http = createServer()
const server = new Server(http)

server.on('connection', socket => {
  void socket.join(ROOM)
  socket.on('frame', (bytes: Buffer) => socket.to(ROOM).emit('frame', bytes))
})
http.listen(0, '127.0.0.1', () => ready({ port: (http.address() as AddressInfo).port }))
