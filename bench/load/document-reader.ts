import { randomUUID } from 'node:crypto'
import * as Y from 'yjs'
import { decodeFrame, encodeFrame, PROTOCOL_VERSION, SUBPROTOCOL, type WireChange } from '../../protocol/index.ts'
import type { HubAddress } from './hub-device.ts'
import { clockOf } from './document-edits.ts'
import { hocuspocusHello, varBytes } from './update-pushes.ts'
import { maskedMessage, WireSocket } from './wire-socket.ts'

const SYNC = 0
const STEP_2 = 1
const AUTH = 2
const REFUSED = 1

/** Opens a connection and takes in a document that it knows nothing of. Resolves once it has all edits up to `clock`. */
export async function readByYjs(port: number, path: string, clock: number): Promise<void> {
  const doc = new Y.Doc()
  const step1 = maskedMessage(Buffer.of(SYNC, 0, 1, 0))
  await reading({ port, path }, step1, message => takeStep2(doc, message) && clockOf(doc) >= clock)
}

/** The same from Hocuspocus, whose messages begin with the document's name. */
export async function readByHocuspocus(port: number, document: string, clock: number): Promise<void> {
  const doc = new Y.Doc()
  const nameBytes = varBytes(Buffer.from(document)).length
  await reading({ port, path: '/' }, hocuspocusHello(document), message => {
    const bytes = message.subarray(nameBytes)
    if (bytes[0] === AUTH && bytes[1] === REFUSED) throw new Error('the server refused the sign-in')
    return takeStep2(doc, bytes) && clockOf(doc) >= clock
  })
}

/** The same as a new device of Lectern, which reads all of its account: a snapshot, and the log behind it. */
export async function readByHub({ port, path, token }: HubAddress, clock: number): Promise<void> {
  const doc = new Y.Doc()
  let parts: Uint8Array[] = []
  const hello = { version: PROTOCOL_VERSION, token, client: randomUUID(), epoch: '', cursor: 0, agent: 'bench' }
  await reading({ port, path, subprotocol: SUBPROTOCOL }, maskedMessage(encodeFrame('hello', hello)), message => {
    const frame = decodeFrame(message, 'hub')
    if (frame.kind === 'bye') throw new Error(`the hub ended with ${frame.code}`)
    const changes: readonly WireChange[] =
      frame.kind === 'snapshot' ? frame.entries : frame.kind === 'changes' ? frame.changes : []
    for (const [, , , , , , kind, , body] of changes) {
      if (kind === 'annotation.part') parts.push(body as Uint8Array)
      if (kind !== 'annotation.update') continue
      Y.applyUpdate(doc, parts.length === 0 ? (body as Uint8Array) : Buffer.concat([...parts, body as Uint8Array]))
      parts = []
    }
    return clockOf(doc) >= clock
  })
}

/** Applies the update of a step 2. False for any other message. */
function takeStep2(doc: Y.Doc, message: Uint8Array): boolean {
  if (message[0] !== SYNC || message[1] !== STEP_2) return false
  let at = 2
  while (message[at]! > 127) at += 1
  Y.applyUpdate(doc, message.subarray(at + 1))
  return true
}

/** @param take true when a message was the last one needed */
async function reading(
  address: Parameters<typeof WireSocket.open>[0],
  first: Uint8Array,
  take: (message: Uint8Array) => boolean
): Promise<void> {
  let done: () => void
  const all = new Promise<void>(resolve => (done = resolve))
  const socket = await WireSocket.open(address, (buffer, start, end) => {
    if (take(Buffer.from(buffer.subarray(start, end)))) done()
  })
  socket.write(first)
  await all
  socket.close()
}
