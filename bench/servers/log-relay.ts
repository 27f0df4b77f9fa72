import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { open } from 'lmdb'
import { WebSocketServer, type WebSocket } from 'ws'
import { changesFrame, decodeValue, encodeFrame, encodeValue, LIMITS, PROTOCOL_VERSION } from '../../protocol/index.ts'
import { config, ready } from './answer.ts'

/**
 * A durable hub of Lectern's wire that looks at nothing: what the devices of an account push in one turn of the event loop is one put, flushed before its acks, and one frame for all of them.
 * Nothing is scanned, checked, counted or folded, nobody is asked who he is, and there is no reading on.
 */
const { folder, accounts, devices } = config as { folder: string; accounts: number; devices: number }
const db = open<Uint8Array, Uint8Array>({
  path: join(folder, 'log.mdb'),
  overlappingSync: false,
  encoding: 'binary',
  keyEncoding: 'binary'
})

interface Member {
  readonly webSocket: WebSocket
  readonly socket: Socket
}

interface Room {
  readonly name: string
  readonly members: Member[]
  head: number
  /** Of this turn. */
  changes: Uint8Array[]
  answers: Map<Member, [number: number, cursor: number][]>
}

type Action = readonly [number: number, atMs: number, kind: string, key: string, body: never]

const rooms = new Map<string, Room>()
let waiting = new Set<Room>()

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

function enter(member: Member, name: string): Room {
  const room: Room = rooms.get(name) ?? { name, members: [], head: 0, changes: [], answers: new Map() }
  rooms.set(name, room)
  room.members.push(member)
  member.webSocket.send(welcome(name))
  return room
}

function push(room: Room, member: Member, actions: readonly Action[]): void {
  for (const action of actions) {
    const cursor = ++room.head
    room.changes.push(encodeValue([cursor, Date.now() * 1_000, room.name, room.name, ...action]))
    const answers = room.answers.get(member) ?? []
    room.answers.set(member, answers)
    answers.push([action[0], cursor])
  }
  if (waiting.size === 0) setImmediate(() => void turn())
  waiting.add(room)
}

async function turn(): Promise<void> {
  const turns = Array.from(waiting, room => {
    const { changes, answers } = room
    room.changes = []
    room.answers = new Map()
    return { room, answers, frame: changesFrame(changes, changes.length) }
  })
  waiting = new Set()
  let flushed: Promise<unknown> | undefined
  for (const { room, frame } of turns) flushed = db.put(Buffer.from(`${room.name} ${room.head}`), frame)
  await flushed
  for (const { room, answers, frame } of turns)
    for (const member of room.members) {
      const accepted = answers.get(member)
      member.socket.cork()
      if (accepted !== undefined) member.webSocket.send(encodeFrame('acked', { accepted, refused: [] }))
      member.webSocket.send(frame)
      member.socket.uncork()
    }
}

const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  perMessageDeflate: false,
  handleProtocols: ([offered]) => offered!
})
server.on('connection', (webSocket, { socket }) => {
  const member = { webSocket, socket }
  let room: Room | undefined
  webSocket.on('message', (data: Buffer) => {
    const frame = decodeValue(data) as unknown as [type: number, version: number, token: string] & [0, 0, readonly Action[]]
    if (room === undefined) room = enter(member, frame[2])
    else push(room, member, frame[2])
  })
})
const tokens = Array.from({ length: accounts }, (_, account) => Array.from({ length: devices }, () => `account-${account}`))
server.on('listening', () => ready({ port: (server.address() as AddressInfo).port, path: '/live', tokens }))
