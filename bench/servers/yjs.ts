import type { AddressInfo } from 'node:net'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { WebSocketServer } from 'ws'
import * as sync from 'y-protocols/sync'
import * as Y from 'yjs'
import { EDITS_OF, type EditKind } from '../load/document-edits.ts'
import { config, ready } from './answer.ts'

const SYNC = 0

/**
 * The least that a Yjs server does: it holds one document in memory, with all edits merged, answers the first step of the sync protocol with what the other
 * lacks, applies what it is sent, and sends that to all, the sender too, as servers for `y-websocket` do. It stores nothing and asks for no token.
 */
const { kind = 'note', edits } = config as { kind?: EditKind; edits: number }

const doc = new Y.Doc()
for (const update of EDITS_OF[kind](edits).updates) Y.applyUpdate(doc, update)

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
doc.on('update', (update: Uint8Array) => {
  const encoder = begun()
  sync.writeUpdate(encoder, update)
  const message = encoding.toUint8Array(encoder)
  for (const socket of server.clients) socket.send(message)
})
server.on('connection', socket => {
  socket.on('message', (message: Buffer) => {
    const decoder = decoding.createDecoder(message)
    if (decoding.readVarUint(decoder) !== SYNC) return
    const encoder = begun()
    sync.readSyncMessage(decoder, encoder, doc, socket)
    if (encoding.length(encoder) > 1) socket.send(encoding.toUint8Array(encoder))
  })
})
server.on('listening', () => ready({ port: (server.address() as AddressInfo).port }))

function begun(): encoding.Encoder {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, SYNC)
  return encoder
}
