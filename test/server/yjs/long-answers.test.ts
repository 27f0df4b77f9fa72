import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT } from '../../../protocol/index.ts'
import { Origin } from '../../../server/core/origin.ts'
import { register, servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/yjs/long-answers')

const BOOK = 'moby-dick'
const SYNC = 0
const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2
const NOTES = 60
const NOTE_LENGTH = 40_000
/** A message holds about 64 KiB, and the note that goes over it. */
const MAX_MESSAGE_BYTES = 65_536 + NOTE_LENGTH

const notesIn = (doc: Y.Doc): number => doc.getMap(ANNOTATION_DOCUMENT.root).size

/** Asks for what a document lacks, as a provider does, and takes so many messages of the answer. @returns the bytes of each */
function fetch(hub: TestServingHub, token: string, doc: Y.Doc, maxMessages = Infinity): Promise<number[]> {
  return new Promise(resolve => {
    const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/yjs/book/${BOOK}?token=${token}`)
    const sizes: number[] = []
    socket.once('open', () => {
      const encoder = encoding.createEncoder()
      for (const number of [SYNC, STEP_1]) encoding.writeVarUint(encoder, number)
      encoding.writeVarUint8Array(encoder, Y.encodeStateVector(doc))
      socket.send(encoding.toUint8Array(encoder))
    })
    socket.on('message', (data: Buffer) => {
      const decoder = decoding.createDecoder(data)
      const [kind, step] = [decoding.readVarUint(decoder), decoding.readVarUint(decoder)]
      if (kind !== SYNC || (step !== STEP_2 && step !== UPDATE) || sizes.length === maxMessages) return
      sizes.push(data.length)
      Y.applyUpdate(doc, decoding.readVarUint8Array(decoder))
      if (step === STEP_2 || sizes.length === maxMessages) socket.terminate()
    })
    socket.once('close', () => resolve(sizes))
  })
}

test('a long document goes to a provider in messages of about 64 KiB; one whose line breaks keeps those that it has, and gets the rest', async context => {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount('reader')
  const { token, device } = await register(account, 'wall')
  await account.documents.load(new Set([BOOK]))
  const written = new Y.Doc()
  for (let index = 0; index < NOTES; index++) {
    const before = Y.encodeStateVector(written)
    const map = written.getMap(ANNOTATION_DOCUMENT.root)
    map.set(`${index}`, new Y.Map([['note', new Y.Text('x'.repeat(NOTE_LENGTH))]]))
    if (index % 10 === 9) map.delete(`${index}`)
    await account.perform(new Origin(device, ''), 'annotation.update', BOOK, Y.encodeStateAsUpdate(written, before))
  }
  const doc = new Y.Doc()
  const first = await fetch(hub, token, doc, 10)
  assert.ok(Math.max(...first) < MAX_MESSAGE_BYTES, first.join(' '))
  const kept = notesIn(doc)
  assert.ok(kept > 0 && kept < NOTES)
  const rest = await fetch(hub, token, doc)
  assert.ok(Math.max(...rest) < MAX_MESSAGE_BYTES)
  assert.equal(doc.toJSON(), written.toJSON())
  assert.ok(Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(written)))
  const all = [...first, ...rest].reduce((sum, bytes) => sum + bytes, 0)
  assert.ok(all < 1.1 * Y.encodeStateAsUpdate(written).length, `${all} bytes`)
})

test.run()
