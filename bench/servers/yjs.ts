import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import * as Y from 'yjs'
import { noteEdits } from '../load/note-edits.ts'
import { config, ready } from './answer.ts'
import { varBytes } from '../load/update-pushes.ts'

/**
 * The least that a Yjs server does when someone opens a document: it holds it in memory, with all edits merged, and answers the first step of the sync
 * protocol (0, 0) with what the other lacks (0, 1). It stores nothing and asks for no token.
 */
const { edits } = config as { edits: number }

const doc = new Y.Doc()
for (const update of noteEdits(edits).updates) Y.applyUpdate(doc, update)

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
server.on('connection', socket => {
  socket.on('message', (message: Buffer) => {
    // The length of an empty state vector takes one byte, as does that of any below 128 bytes.
    if (message[0] === 0 && message[1] === 0)
      socket.send(Buffer.concat([Buffer.of(0, 1), varBytes(Y.encodeStateAsUpdate(doc, message.subarray(3)))]))
  })
})
server.on('listening', () => ready({ port: (server.address() as AddressInfo).port }))
