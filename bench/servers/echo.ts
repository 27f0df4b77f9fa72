import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { ready } from './answer.ts'

/** Bare ws: every message goes back as it came. */
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })

server.on('connection', socket => socket.on('message', data => socket.send(data)))
server.on('listening', () => ready({ port: (server.address() as AddressInfo).port }))
