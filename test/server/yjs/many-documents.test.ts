import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, HubError, type ConnectionEvents } from '../../../protocol/index.ts'
import { HIGH_WATER_BYTES } from '../../../server/core/log-reader.ts'
import { Origin } from '../../../server/core/origin.ts'
import { HocuspocusSession } from '../../../server/core/yjs/hocuspocus.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'
import type { HubConnection } from '../../../server/core/ports.ts'

const test = suite('server/yjs/many-documents')

const BOOK = 'moby-dick'
const SYNC = 0
const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2
const AUTH = 2
const TOKEN = 0
const DOCUMENTS = 16
const NOTE_LENGTH = 300_000

/** The hub's end of a connection whose other end reads only when told to. */
class Reader implements HubConnection {
  readonly remote = 'test'
  bufferedBytes = 0
  mostBytes = 0
  isReading = true
  isClosed = false
  readonly docs = new Map<string, Y.Doc>()
  readonly #asked = new Set<string>()
  #events: ConnectionEvents | undefined

  /** Whether a document is open. */
  isAsked(name: string): boolean {
    return this.#asked.has(name)
  }

  listen(events: ConnectionEvents): void {
    this.#events = events
  }

  send(bytes: Uint8Array): void {
    if (!this.isReading) this.bufferedBytes += bytes.length
    this.mostBytes = Math.max(this.mostBytes, this.bufferedBytes)
    const decoder = decoding.createDecoder(bytes)
    const name = decoding.readVarString(decoder)
    if (decoding.readVarUint(decoder) !== SYNC) return
    if (decoding.readVarUint(decoder) === STEP_1) this.#asked.add(name)
    else Y.applyUpdate(this.docs.get(name)!, decoding.readVarUint8Array(decoder))
  }

  /** Everything that waits leaves. */
  drain(): void {
    this.bufferedBytes = 0
    this.#events!.onDrain()
  }

  open(name: string, token: string): void {
    this.docs.set(name, new Y.Doc())
    const encoder = encoding.createEncoder()
    encoding.writeVarString(encoder, name)
    for (const number of [AUTH, TOKEN]) encoding.writeVarUint(encoder, number)
    encoding.writeVarString(encoder, token)
    this.#events!.onFrame(encoding.toUint8Array(encoder))
  }

  edit(name: string, update: Uint8Array, step = UPDATE): void {
    const encoder = encoding.createEncoder()
    encoding.writeVarString(encoder, name)
    for (const number of [SYNC, step]) encoding.writeVarUint(encoder, number)
    encoding.writeVarUint8Array(encoder, update)
    this.#events!.onFrame(encoding.toUint8Array(encoder))
  }

  pause(): void {}
  resume(): void {}
  close(): void {
    this.isClosed = true
  }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('documents of one connection that fell behind are given what they missed one after the other, as it drains', async () => {
  const { hub, account: newAccount, clock } = coreHub()
  const { account, devices } = await newAccount('wall', 'desk')
  const reader = new Reader()
  hub.admit(host => new HocuspocusSession(reader, host))
  for (let index = 0; index < DOCUMENTS; index++) {
    reader.open(`book/${BOOK}\0${index}`, devices.wall!.token)
    while (account.followers.size <= index) await turn()
    clock.advance(0)
  }
  reader.isReading = false
  reader.bufferedBytes = HIGH_WATER_BYTES
  const written = new Y.Doc()
  written.getMap(ANNOTATION_DOCUMENT.root).set('long', new Y.Map([['extra', 'x'.repeat(NOTE_LENGTH)]]))
  await account.perform(new Origin(devices.desk!.device, ''), 'annotation.update', BOOK, Y.encodeStateAsUpdate(written))
  const isToldAll = (): boolean => [...reader.docs.values()].every(doc => doc.getMap(ANNOTATION_DOCUMENT.root).has('long'))
  for (let drains = 0; !isToldAll(); drains++) {
    assert.ok(drains < 2 * DOCUMENTS)
    reader.drain()
    for (let turns = 0; turns < 10; turns++) {
      await turn()
      clock.advance(0)
    }
  }
  assert.ok(reader.mostBytes < HIGH_WATER_BYTES + 2 * NOTE_LENGTH, `${reader.mostBytes} bytes`)
})

test('a state that is refused ends its document, and the connection goes on with another', async () => {
  const { hub, account: newAccount, clock } = coreHub()
  const { account, devices } = await newAccount('wall')
  const reader = new Reader()
  hub.admit(host => new HocuspocusSession(reader, host))
  for (const book of ['emma', BOOK]) {
    reader.open(`book/${book}`, devices.wall!.token)
    while (!reader.isAsked(`book/${book}`)) await turn()
  }
  reader.edit('book/emma', Uint8Array.of(1, 2, 3), STEP_2)
  while (account.followers.size > 1) {
    await turn()
    clock.advance(0)
  }
  const head = account.durableHead
  const written = new Y.Doc()
  written.getMap(ANNOTATION_DOCUMENT.root).set('one', new Y.Map([['kind', 'note']]))
  reader.edit(`book/${BOOK}`, Y.encodeStateAsUpdate(written))
  while (account.durableHead === head) await turn()
  assert.ok(account.documents.use(BOOK).doc.getMap(ANNOTATION_DOCUMENT.root).has('one'))
  assert.is(reader.isClosed, false)
})

test('a document whose device was ended while it opened takes no edit, although the connection goes on with another', async () => {
  const { hub, account: newAccount } = coreHub()
  const { account, devices } = await newAccount('wall', 'desk')
  const reader = new Reader()
  hub.admit(host => new HocuspocusSession(reader, host))
  reader.open('book/emma', devices.wall!.token)
  while (!reader.isAsked('book/emma')) await turn()
  reader.open(`book/${BOOK}`, devices.desk!.token)
  while (account.followers.size < 2) await Promise.resolve()
  ;[...account.followers].at(-1)!.end(new HubError('device-revoked'))
  await turn()
  const head = account.durableHead
  const written = new Y.Doc()
  written.getMap(ANNOTATION_DOCUMENT.root).set('one', new Y.Map([['kind', 'note']]))
  reader.edit(`book/${BOOK}`, Y.encodeStateAsUpdate(written))
  reader.edit('book/emma', Y.encodeStateAsUpdate(written))
  while (account.durableHead === head) await turn()
  await account.settled()
  assert.is(account.durableHead, head + 1)
  assert.is(
    account.documents.isLoaded(BOOK) && account.documents.use(BOOK).doc.getMap(ANNOTATION_DOCUMENT.root).has('one'),
    false
  )
})

test.run()
