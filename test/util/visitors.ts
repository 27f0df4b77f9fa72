import { randomBytes } from 'node:crypto'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { decodeFrame, encodeFrame, LIMITS, SUBPROTOCOL, type HubFrame } from '../../protocol/index.ts'
import { helloFrame } from './serving-hub.ts'
import { openSocketIo, type SocketIoWay } from './socket-io-wire.ts'

/** What a visitor does once it is in: writes something, sends what no one may, or stays and listens; or it says nothing from the beginning. */
export type Deed = 'write' | 'oversize' | 'garbage' | 'stay' | 'nothing'

export interface Visit {
  readonly url: string
  readonly token: string
  readonly deed: Deed
  /** The page that it comes from. */
  readonly origin?: string
  /** It was let in. */
  readonly onIn?: () => void
}

/** Comes to a hub over one carrier, and tells in a few words what came of it. */
export type Visitor = (visit: Visit) => Promise<string>

const OVERSIZE = new Uint8Array(LIMITS.maxFrameBytes + 1)
const GARBAGE = Uint8Array.of(0xc1, 0xff, 0xff)

const update = (): Uint8Array => {
  const doc = new Y.Doc()
  doc.getMap('annotations').set(randomBytes(4).toString('hex'), new Y.Map([['kind', 'highlight']]))
  return Y.encodeStateAsUpdate(doc)
}

/** A bare websocket. `hear` answers with what is to be said next, or with how it ended. */
function overWebSocket(
  { url, origin }: Visit,
  path: string,
  protocols: string[],
  first: Uint8Array | undefined,
  hear: (message: Uint8Array) => Uint8Array[] | string
): Promise<string> {
  return new Promise(resolve => {
    const socket = new WebSocket(url.replace('http', 'ws') + path, protocols, origin === undefined ? {} : { origin })
    const done = (how: string): void => {
      resolve(how)
      socket.terminate()
    }
    socket.on('error', () => undefined)
    socket.on('unexpected-response', (_request, { statusCode }) => done(`HTTP ${statusCode}`))
    socket.on('open', () => first !== undefined && socket.send(first))
    socket.on('message', (data: Buffer) => {
      const next = hear(data)
      if (typeof next === 'string') done(next)
      else for (const each of next) socket.send(each)
    })
    socket.on('close', code => done(`closed ${code}`))
  })
}

/** What is said once one is in. */
function deeds({ deed, onIn }: Visit, write: () => Uint8Array[]): Uint8Array[] {
  onIn?.()
  return deed === 'oversize' ? [OVERSIZE] : deed === 'garbage' ? [GARBAGE] : deed === 'write' ? write() : []
}

/** What a speaker of the Lectern protocol says to a frame of the hub. */
function answerTo(frame: HubFrame, visit: Visit): Uint8Array[] | string {
  if (frame.kind === 'acked') return frame.refused.length > 0 ? `in, ${frame.refused[0]![1]}` : 'in, writes'
  if (frame.kind !== 'welcome') return []
  return deeds(visit, () => [
    encodeFrame('push', { confirmed: 0, actions: [[frame.lastNumber + 1, 0, 'setting.put', 'n', { value: 1 }]] })
  ])
}

const hello = ({ token }: Visit): Uint8Array => helloFrame(token, { client: randomBytes(8).toString('hex') })

const lectern: Visitor = visit =>
  overWebSocket(visit, '/live', [SUBPROTOCOL], visit.deed === 'nothing' ? undefined : hello(visit), message =>
    answerTo(decodeFrame(message, 'hub'), visit)
  )

const socketIo =
  (way: SocketIoWay): Visitor =>
  visit =>
    new Promise(resolve => {
      const headers = visit.origin === undefined ? {} : { extraHeaders: { origin: visit.origin } }
      const socket = openSocketIo(visit.url, way, headers)
      let code = 1006
      const done = (how: string): void => {
        resolve(how)
        socket.disconnect()
      }
      socket.on('connect', () => visit.deed === 'nothing' || socket.emit('frame', hello(visit)))
      socket.on('frame', (bytes: Uint8Array) => {
        const next = answerTo(decodeFrame(bytes, 'hub'), visit)
        if (typeof next === 'string') done(next)
        else for (const each of next) socket.emit('frame', each)
      })
      socket.on('close', (given: number) => (code = given))
      socket.on('disconnect', () => done(`closed ${code}`))
      socket.on('connect_error', () => done('refused'))
    })

const SYNC = 0
const STEP_1 = 0
const UPDATE = 2

function syncMessage(name: string | undefined, step: number, bytes: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder()
  if (name !== undefined) encoding.writeVarString(encoder, name)
  encoding.writeVarUint(encoder, SYNC)
  encoding.writeVarUint(encoder, step)
  encoding.writeVarUint8Array(encoder, bytes)
  return encoding.toUint8Array(encoder)
}

/** The hub's step 1 says that one is in; what is written is asked for again, to see whether it is there. */
function providerAnswer(name: string | undefined, message: Uint8Array, visit: Visit): Uint8Array[] | string {
  const decoder = decoding.createDecoder(message)
  if (name !== undefined) decoding.readVarString(decoder)
  if (decoding.readVarUint(decoder) !== SYNC) return []
  const step = decoding.readVarUint(decoder)
  if (step === STEP_1)
    return deeds(visit, () => [syncMessage(name, UPDATE, update()), syncMessage(name, STEP_1, Y.encodeStateVector(new Y.Doc()))])
  const { structs } = Y.decodeUpdate(decoding.readVarUint8Array(decoder))
  return structs.length > 0 ? 'in, writes' : 'in, forbidden'
}

/** Each visit to a book of its own, in which nothing is written yet. */
const document = (): string => `book/${randomBytes(6).toString('hex')}`

const yWebsocket: Visitor = visit =>
  overWebSocket(visit, `/yjs/${document()}?token=${visit.token}`, [], undefined, message =>
    providerAnswer(undefined, message, visit)
  )

const hocuspocus: Visitor = visit => {
  const name = document()
  const encoder = encoding.createEncoder()
  encoding.writeVarString(encoder, name)
  for (const number of [2, 0]) encoding.writeVarUint(encoder, number)
  encoding.writeVarString(encoder, visit.token)
  const first = visit.deed === 'nothing' ? undefined : encoding.toUint8Array(encoder)
  return overWebSocket(visit, '/hocuspocus', [], first, message => {
    const decoder = decoding.createDecoder(message)
    decoding.readVarString(decoder)
    if (decoding.readVarUint(decoder) === 2) {
      const isDenied = decoding.readVarUint(decoder) === 0
      if (isDenied) return `denied, ${decoding.readVarString(decoder)}`
      return []
    }
    return providerAnswer(name, message, visit)
  })
}

const feed =
  (live: string): Visitor =>
  async ({ url, token, deed, origin, onIn }) => {
    const headers = { authorization: `Bearer ${token}`, ...(origin !== undefined && { origin }) }
    const ask = (query: string): Promise<Response> => fetch(`${url}/api/v1/changes?${query}`, { headers })
    if (deed === 'stay') {
      const { epoch, cursor } = (await (await ask('')).json()) as { epoch: string; cursor: number }
      const response = await ask(`live=${live}&epoch=${epoch}&cursor=${cursor}`)
      onIn?.()
      return `ended, ${/"code":"([a-z-]+)"/.exec(await response.text())?.[1]}`
    }
    const more = deed === 'oversize' ? `&epoch=${'x'.repeat(16_384)}` : deed === 'garbage' ? '&cursor=%ff' : ''
    const response = await ask(`live=${live}${more}`)
    await response.body!.cancel()
    if (!response.ok) return `HTTP ${response.status}`
    return origin === undefined || response.headers.has('access-control-allow-origin') ? 'in' : 'in, hidden from the page'
  }

/** Every way into a hub. */
export const VISITORS = {
  ws: lectern,
  'socket.io by websocket': socketIo('websocket'),
  'socket.io by polling': socketIo('polling'),
  'y-websocket': yWebsocket,
  hocuspocus,
  'long poll': feed('long-poll'),
  events: feed('sse')
} satisfies Readonly<Record<string, Visitor>>

export type VisitorName = keyof typeof VISITORS
