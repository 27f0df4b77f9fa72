import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, type ConnectionEvents } from '../../../protocol/index.ts'
import { HIGH_WATER_BYTES } from '../../../server/core/log-reader.ts'
import { Origin } from '../../../server/core/origin.ts'
import type { HubConnection } from '../../../server/core/ports.ts'
import { YWebsocketSession } from '../../../server/core/yjs/y-websocket.ts'
import { coreHub, type CoreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/yjs/unread-answers')

const BOOK = 'moby-dick'
/** Sync step 1 with an empty state vector: everything, please. */
const ALL = Uint8Array.of(0, 0, 1, 0)
const WHO_IS_THERE = Uint8Array.of(3)
const SYNC = 0
const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2
const LONG = 1_000_000
const PLACES = 4
/** Notes of a document that is given in many parts. */
const NOTES = 60
/** Parts of long answers that may be made between two looks, for whomever: the 10 that a turn of the event loop allows, and what is at its ends. */
const PARTS_PER_TURN = 12

/** The hub's end of a connection whose other end takes nothing until it is told to. */
class Stuck implements HubConnection {
  readonly remote = 'test'
  bufferedBytes = 0
  closedWith: string | undefined
  isPaused = false
  messages = 0
  /** What it was sent. */
  readonly doc = new Y.Doc()
  /** How many notes it had been sent when it was told that this is all. */
  readonly notesWhenTold: number[] = []
  #events: ConnectionEvents | undefined

  listen(events: ConnectionEvents): void {
    this.#events = events
  }

  send(bytes: Uint8Array): void {
    const decoder = decoding.createDecoder(bytes)
    const [kind, step] = [decoding.readVarUint(decoder), decoding.readVarUint(decoder)]
    // The hub's own question, with which each document begins.
    if (kind === SYNC && step === STEP_1) return
    this.bufferedBytes += bytes.length
    this.messages += 1
    if (kind !== SYNC) return
    Y.applyUpdate(this.doc, decoding.readVarUint8Array(decoder))
    if (step === STEP_2) this.notesWhenTold.push(this.doc.getMap(ANNOTATION_DOCUMENT.root).size)
  }

  say(bytes: Uint8Array): void {
    this.#events!.onFrame(bytes)
  }

  /** So much of what waits leaves, unless more does; the hub is told once all has left. */
  take(bytes = this.bufferedBytes): void {
    this.bufferedBytes -= bytes
    if (this.bufferedBytes === 0) this.#events!.onDrain()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  close(_code: number, text: string): void {
    this.closedWith = text
  }
}

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

/** Lets everything happen that waits for nobody. */
async function settle({ clock }: CoreHub): Promise<void> {
  for (let turns = 0; turns < 100; turns++) {
    await turn()
    clock.advance(0)
  }
}

/** An account with a long document, and connections that have opened it. */
async function scene(hub: CoreHub, count: number, notes = 3): Promise<Stuck[]> {
  const { account, devices } = await hub.account('wall')
  await account.documents.load(new Set([BOOK]))
  const written = new Y.Doc()
  for (let index = 0; index < notes; index++) {
    const before = Y.encodeStateVector(written)
    written.getMap(ANNOTATION_DOCUMENT.root).set(`${index}`, new Y.Map([['extra', 'x'.repeat((1.5 * LONG) / notes)]]))
    const update = Y.encodeStateAsUpdate(written, before)
    await account.perform(new Origin(devices.wall!.device, ''), 'annotation.update', BOOK, update)
  }
  const connections = Array.from({ length: count }, () => new Stuck())
  for (const connection of connections)
    hub.hub.admit(host => new YWebsocketSession(connection, host, { name: `book/${BOOK}`, token: devices.wall!.token }))
  await settle(hub)
  return connections
}

const served = (connections: readonly Stuck[]): number[] => connections.map(({ bufferedBytes }) => (bufferedBytes > LONG ? 1 : 0))

test('a provider that asks for a long document and does not take it is cut off as slow after 10 seconds', async () => {
  const hub = coreHub()
  const [stuck] = (await scene(hub, 1)) as [Stuck]
  stuck.say(ALL)
  await settle(hub)
  assert.ok(stuck.bufferedBytes > LONG)
  hub.clock.advance(9_999)
  assert.is(stuck.closedWith, undefined)
  hub.clock.advance(1)
  assert.is(stuck.closedWith, 'slow')
})

test('one that takes a little now and then is not', async () => {
  const hub = coreHub()
  const [steady] = (await scene(hub, 1)) as [Stuck]
  steady.say(ALL)
  await settle(hub)
  for (let times = 0; times < 5; times++) {
    steady.take(20_000)
    hub.clock.advance(10_000)
    await settle(hub)
  }
  assert.is(steady.closedWith, undefined)
  hub.clock.advance(10_000)
  assert.is(steady.closedWith, 'slow')
})

test('a provider that missed an edit while a long answer is on its way is told that it has all once it has', async () => {
  const hub = coreHub()
  const [provider, other] = (await scene(hub, 2, NOTES)) as [Stuck, Stuck]
  provider.say(ALL)
  while (provider.bufferedBytes < HIGH_WATER_BYTES) await turn()
  const written = new Y.Doc()
  written.getMap(ANNOTATION_DOCUMENT.root).set('late', new Y.Map())
  const edit = encoding.createEncoder()
  for (const number of [SYNC, UPDATE]) encoding.writeVarUint(edit, number)
  encoding.writeVarUint8Array(edit, Y.encodeStateAsUpdate(written))
  other.say(encoding.toUint8Array(edit))
  const has = ({ doc }: Stuck): boolean => doc.getMap(ANNOTATION_DOCUMENT.root).has('late')
  while (!has(other)) await turn()
  assert.not(has(provider))
  provider.take()
  while (!has(provider) || provider.notesWhenTold.length === 0) await turn()
  await settle(hub)
  assert.equal(provider.notesWhenTold, [NOTES + 1])
})

test('long answers to sixteen providers are made with turns of the event loop for others, as all dear work on documents', async () => {
  const hub = coreHub()
  const connections: Stuck[] = []
  for (let accounts = 0; accounts < 16 / PLACES; accounts++) connections.push(...(await scene(hub, PLACES, NOTES)))
  for (const connection of connections) connection.say(ALL)
  let mostInTurn = 0
  for (let before = 0; connections.some(({ notesWhenTold }) => notesWhenTold.length === 0);) {
    await turn()
    const messages = connections.reduce((sum, connection) => sum + connection.messages, 0)
    mostInTurn = Math.max(mostInTurn, messages - before)
    before = messages
  }
  assert.ok(mostInTurn <= PARTS_PER_TURN, `${mostInTurn} parts in one turn`)
  for (const { notesWhenTold } of connections) assert.equal(notesWhenTold, [NOTES])
})

test('a long document waits unread for four of an account at a time; the others get it when one has it, or has gone', async () => {
  const hub = coreHub()
  const connections = await scene(hub, PLACES + 3)
  const [other] = (await scene(hub, 1)) as [Stuck]
  for (const connection of connections) connection.say(ALL)
  await settle(hub)
  assert.equal(served(connections), [1, 1, 1, 1, 0, 0, 0])
  other.say(ALL)
  await settle(hub)
  assert.equal(served([other]), [1])
  connections[1]!.take()
  await settle(hub)
  assert.equal(served(connections), [1, 0, 1, 1, 1, 0, 0])
  hub.clock.advance(10_000)
  await settle(hub)
  assert.equal(served(connections).slice(5), [1, 1])
})

test('who asks again and again who is there, and takes nothing, makes the hub hold some of them; it is told all as it takes them', async () => {
  const hub = coreHub()
  const { account, devices } = await hub.account('wall')
  const state = JSON.stringify({ name: 'x'.repeat(4_000) })
  const tellAll = { isFull: () => false, onPresence: () => undefined }
  for (let index = 0; index < 100; index++) {
    const seat = account.presences.join(BOOK, devices.wall!.device, tellAll)
    for (let id = 0; id < 8; id++) seat.say(8 * index + id, 1, state)
  }
  const stuck = new Stuck()
  hub.hub.admit(host => new YWebsocketSession(stuck, host, { name: `book/${BOOK}`, token: devices.wall!.token }))
  await settle(hub)
  stuck.take()
  for (let times = 0; times < 20; times++) stuck.say(WHO_IS_THERE)
  await settle(hub)
  assert.ok(stuck.bufferedBytes > HIGH_WATER_BYTES)
  let toldBytes = 0
  while (stuck.bufferedBytes > 0) {
    assert.ok(stuck.bufferedBytes < 4 * HIGH_WATER_BYTES, `${stuck.bufferedBytes} bytes`)
    toldBytes += stuck.bufferedBytes
    stuck.take()
    await settle(hub)
  }
  assert.ok(toldBytes > 800 * 4_000)
})

test.run()
