import { join } from 'node:path'
import type { AddressInfo, Socket } from 'node:net'
import { open } from 'lmdb'
import { WebSocketServer } from 'ws'
import { applyUpdate, Doc } from 'yjs'
import { changesFrame, decodeValue, encodeFrame, encodeValue, LIMITS, PROTOCOL_VERSION } from '../../protocol/index.ts'
import { config, ready } from './answer.ts'

/**
 * The least that a durable hub of Lectern's wire can do: what all devices push in one turn of the event loop is one put, flushed before its acks; each device has one write for what that turn had for it.
 * Updates are applied to a Yjs document, of which each account has one. Nothing is scanned, checked, counted or folded; nobody is asked who he is, and there is no reading on.
 */
const { folder, accounts, devices } = config as { folder: string; accounts: number; devices: number }
const log = open<Uint8Array, number>({
  path: join(folder, 'log.mdb'),
  overlappingSync: false,
  encoding: 'binary',
  keyEncoding: 'uint32'
})

interface Room {
  readonly name: string
  readonly members: Socket[]
  readonly document: Doc
  head: number
  /** Of this turn. */
  changes: Uint8Array[]
  answers: Map<Socket, [number: number, cursor: number][]>
}

type Action = readonly [number: number, atMs: number, kind: string, key: string, body: never]

const rooms = new Map<string, Room>()
let waiting = new Set<Room>()
let turns = 0

const { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs } = LIMITS

const welcome = (name: string): Uint8Array =>
  encodeFrame('welcome', {
    version: PROTOCOL_VERSION,
    account: name,
    device: name,
    epoch: name,
    head: 0,
    lastNumber: 0,
    timeMs: Date.now(),
    limits: { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs }
  })

/** As messages of the WebSocket protocol (RFC 6455, section 5.2), each below 64 KiB. */
function framed(...messages: Uint8Array[]): Buffer {
  const parts: Uint8Array[] = []
  for (const message of messages) {
    const { length } = message
    parts.push(length < 126 ? Buffer.of(0x82, length) : Buffer.of(0x82, 126, length >> 8, length & 255), message)
  }
  return Buffer.concat(parts)
}

function enter(socket: Socket, name: string): Room {
  const room: Room = rooms.get(name) ?? { name, members: [], document: new Doc(), head: 0, changes: [], answers: new Map() }
  rooms.set(name, room)
  room.members.push(socket)
  socket.write(framed(welcome(name)))
  return room
}

function push(room: Room, socket: Socket, actions: readonly Action[]): void {
  for (const action of actions) {
    if (action[2] === 'annotation.update') applyUpdate(room.document, action[4])
    const cursor = ++room.head
    room.changes.push(encodeValue([cursor, Date.now() * 1_000, room.name, room.name, ...action]))
    const answers = room.answers.get(socket) ?? []
    room.answers.set(socket, answers)
    answers.push([action[0], cursor])
  }
  if (waiting.size === 0) setImmediate(() => void turn())
  waiting.add(room)
}

async function turn(): Promise<void> {
  const told = Array.from(waiting, ({ members, changes, answers }) => ({
    members,
    answers,
    frame: changesFrame(changes, changes.length)
  }))
  for (const room of waiting) {
    room.changes = []
    room.answers = new Map()
  }
  waiting = new Set()
  await log.put(++turns, Buffer.concat(told.map(({ frame }) => frame)))
  for (const { members, answers, frame } of told) {
    const toOthers = framed(frame)
    for (const socket of members) {
      const accepted = answers.get(socket)
      socket.write(accepted === undefined ? toOthers : framed(encodeFrame('acked', { accepted, refused: [] }), frame))
    }
  }
}

const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  perMessageDeflate: false,
  handleProtocols: ([offered]) => offered!
})
server.on('connection', (webSocket, { socket }) => {
  let room: Room | undefined
  webSocket.on('message', (data: Buffer) => {
    const frame = decodeValue(data) as unknown as [type: number, version: number, token: string] & [0, 0, readonly Action[]]
    if (room === undefined) room = enter(socket, frame[2])
    else push(room, socket, frame[2])
  })
})
const tokens = Array.from({ length: accounts }, (_, account) => Array.from({ length: devices }, () => `account-${account}`))
server.on('listening', () => ready({ port: (server.address() as AddressInfo).port, path: '/live', tokens }))
