import { Agent } from 'node:http'
import { io, type Socket } from 'socket.io-client'
import { decodeFrame, FRAMES } from '../../protocol/index.ts'
import type { OpenWire, Wire } from './carrier-device.ts'
import { changesIn, hello } from './hub-device.ts'
import { positionPush } from './position-pushes.ts'

/** A browser keeps the connections that it polls by; `socket.io-client` in Node does so when it is told to. */
const agent = new Agent({ keepAlive: true }) as unknown as string

export interface SocketIoAddress {
  readonly port: number
  readonly path: string
  readonly transport: 'websocket' | 'polling'
}

/** Of a server that forwards page turns and answers nothing: each event is one. */
export const relaySocketIo =
  (address: SocketIoAddress, window: number): OpenWire =>
  onArrived =>
    new Promise(resolve => {
      const socket = open(address)
      socket.on('frame', () => onArrived(1))
      socket.on('connect', () => resolve(wire(socket, window)))
    })

/** Of Lectern, signed in, with the log read up to its head. */
export const hubSocketIo =
  (address: SocketIoAddress, token: string, window: number): OpenWire =>
  onArrived =>
    new Promise(resolve => {
      const socket = open(address)
      /** Changes of before. */
      let left = Infinity
      const read = (count: number): void => {
        left -= count
        if (left <= 0) resolve(wire(socket, window))
      }
      socket.on('frame', (data: Buffer | ArrayBuffer) => {
        const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data)
        const changes = changesIn(bytes, 0)
        if (changes > 0) return left > 0 ? read(changes) : onArrived(changes)
        if (bytes[1] === FRAMES.acked.type) return
        const frame = decodeFrame(bytes, 'hub')
        if (frame.kind !== 'welcome') throw new Error(`the hub sent ${JSON.stringify(frame)}`)
        left = frame.head
        read(0)
      })
      socket.on('connect', () => socket.emit('frame', hello(token)))
    })

function open({ port, path, transport }: SocketIoAddress): Socket {
  const socket = io(`http://127.0.0.1:${port}`, { path, transports: [transport], reconnection: false, forceNew: true, agent })
  const fail = (reason: unknown): void => {
    throw new Error(`the server ended a session of socket.io: ${String(reason)}`)
  }
  socket.on('connect_error', fail)
  socket.on('disconnect', reason => {
    if (reason !== 'io client disconnect') fail(reason)
  })
  return socket
}

const wire = (socket: Socket, window: number): Wire => ({
  push(first, count) {
    for (let number = first; number < first + count; number++) socket.emit('frame', positionPush(number, window))
  },
  close: () => void socket.disconnect()
})
