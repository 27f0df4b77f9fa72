import { Writable, type Duplex } from 'node:stream'
import * as assert from 'uvu/assert'
import { Outgoing, TurnWriter } from '../../../server/transports/ws-outgoing.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/transports/ws-outgoing')

/** A writer whose time stands still but where a write takes some, and connections that note each write. */
class Scene {
  nowMs = 0
  writeTakesMs = 0
  readonly timers: { readonly delayMs: number; readonly task: () => void }[] = []
  readonly writer = new TurnWriter({
    nowMs: () => this.nowMs,
    setTimer: (delayMs, task) => void this.timers.push({ delayMs, task })
  })

  connection(isOpen = (): boolean => true): { outgoing: Outgoing; writes: string[] } {
    const writes: string[] = []
    const socket = new Writable({
      write: (bytes: Buffer, _encoding, done) => {
        this.nowMs += this.writeTakesMs
        writes.push(contents(bytes))
        done()
      }
    })
    return { outgoing: new Outgoing(socket as Duplex, this.writer, isOpen), writes }
  }

  /** A round of telling that takes 2 ms, behind which the writer rests. */
  async longRound(): Promise<void> {
    this.writeTakesMs = 2
    this.connection().outgoing.add(message('first'), true)
    await turn()
    this.writeTakesMs = 0
  }
}

const message = (text: string): Uint8Array => Buffer.from(text)
/** Each frame here has a head of two bytes, the second being the length. */
function contents(bytes: Buffer): string {
  const texts: string[] = []
  for (let at = 0; at < bytes.length; at += 2 + bytes[at + 1]!)
    texts.push(bytes.toString('utf8', at + 2, at + 2 + bytes[at + 1]!))
  return texts.join(' ')
}
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('what a connection is given in one turn leaves in one write, whether it may wait or not', async () => {
  const { outgoing, writes } = new Scene().connection()
  outgoing.add(message('a'), true)
  outgoing.add(message('b'))
  outgoing.add(message('c'), true)
  await turn()
  assert.equal(writes, ['a b c'])
})

test('after a short round nothing waits', async () => {
  const scene = new Scene()
  const { outgoing, writes } = scene.connection()
  outgoing.add(message('a'), true)
  await turn()
  outgoing.add(message('b'), true)
  await turn()
  assert.equal(writes, ['a', 'b'])
  assert.equal(scene.timers, [])
})

test('after a long round what may wait is gathered, for four times as long', async () => {
  const scene = new Scene()
  await scene.longRound()
  const [left, right] = [scene.connection(), scene.connection()]
  for (const text of ['a', 'b']) {
    for (const { outgoing } of [left, right]) outgoing.add(message(text), true)
    await turn()
  }
  assert.equal([left.writes, right.writes], [[], []])
  const rest = scene.timers[0]!
  assert.is(rest.delayMs, 8)
  rest.task()
  assert.equal([left.writes, right.writes], [['a b'], ['a b']])
})

test('a rest has a longest time', async () => {
  const scene = new Scene()
  scene.writeTakesMs = 1_000
  scene.connection().outgoing.add(message('first'), true)
  await turn()
  assert.is(scene.timers[0]?.delayMs, 20)
})

test('a message that may not wait takes along those before it, in order', async () => {
  const scene = new Scene()
  await scene.longRound()
  const { outgoing, writes } = scene.connection()
  outgoing.add(message('a'), true)
  await turn()
  outgoing.add(message('b'))
  outgoing.add(message('c'), true)
  await turn()
  assert.equal(writes, ['a b c'])
  outgoing.add(message('d'), true)
  await turn()
  scene.timers[0]!.task()
  assert.equal(writes, ['a b c', 'd'])
})

test('what still waits when a connection closes does not follow its close frame', async () => {
  const scene = new Scene()
  await scene.longRound()
  let isOpen = true
  const { outgoing, writes } = scene.connection(() => isOpen)
  outgoing.add(message('a'), true)
  isOpen = false
  scene.timers[0]!.task()
  assert.equal(writes, [])
  assert.is(outgoing.bytes, 0)
})

test('no more waits for a connection than 64 KiB', async () => {
  const scene = new Scene()
  await scene.longRound()
  const { outgoing } = scene.connection()
  for (let at = 0; at < 10; at++) outgoing.add(new Uint8Array(6_553), true)
  await turn()
  assert.is(outgoing.bytes, 65_530)
  outgoing.add(new Uint8Array(7), true)
  await turn()
  assert.is(outgoing.bytes, 0)
})

test('of a short message no part stays with a socket that does not take it, whatever goes with it', async () => {
  const block = new Uint8Array(65_536)
  const held: ArrayBufferLike[] = []
  const socket = new Writable({ writev: chunks => held.push(...chunks.map(({ chunk }) => (chunk as Buffer).buffer)) })
  const outgoing = new Outgoing(socket as Duplex, new Scene().writer, () => true)
  for (const start of [0, 10_000, 20_000]) outgoing.add(block.subarray(start, start + 10_000))
  await turn()
  assert.is(held.length, 3)
  assert.not(held.includes(block.buffer))
})

/** The frames that were written: opcode, whether it is the last of its message, and what it holds. */
function framesIn(written: Buffer): { opcode: number; isFinal: boolean; payload: Buffer }[] {
  const frames = []
  for (let at = 0; at < written.length;) {
    const [first, short] = [written[at]!, written[at + 1]!]
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    const length = short < 126 ? short : short === 126 ? written.readUInt16BE(at + 2) : Number(written.readBigUInt64BE(at + 2))
    frames.push({ opcode: first & 0x0f, isFinal: first >= 0x80, payload: written.subarray(at + head, at + head + length) })
    at += head + length
  }
  return frames
}

test('a long message goes in several frames with a ping behind each, whose answer shows that it was read, once', async () => {
  const written: Buffer[] = []
  const socket = new Writable({ write: (bytes: Buffer, _encoding, done) => (written.push(bytes), done()) })
  const outgoing = new Outgoing(socket as Duplex, new Scene().writer, () => true)
  const long = Buffer.from(Array.from({ length: 400_000 }, (_, index) => index % 251))
  outgoing.add(long)
  await turn()
  const frames = framesIn(Buffer.concat(written))
  const [CONTINUATION, BINARY, PING] = [0, 2, 9]
  assert.equal(
    frames.map(({ opcode, isFinal }) => [opcode, isFinal]),
    [BINARY, CONTINUATION, CONTINUATION, CONTINUATION].flatMap((opcode, index) => [
      [opcode, index === 3],
      [PING, true]
    ])
  )
  assert.ok(Buffer.concat(frames.filter(({ opcode }) => opcode !== PING).map(({ payload }) => payload)).equals(long))
  const pings = frames.filter(({ opcode }) => opcode === PING).map(({ payload }) => payload)
  // The second answer stands for the first one too.
  assert.equal(
    [1, 0, 1, 3, 3].map(index => outgoing.hasRead(pings[index]!)),
    [true, false, false, true, false]
  )
  assert.not(outgoing.hasRead(Buffer.alloc(0)))
})

test('one that answers no ping is asked some, and no more', async () => {
  let pings = 0
  const socket = new Writable({
    write: (bytes: Buffer, _encoding, done) => {
      if (bytes.length === 6 && bytes[0] === 0x89) pings += 1
      done()
    }
  })
  const outgoing = new Outgoing(socket as Duplex, new Scene().writer, () => true)
  for (let times = 0; times < 200; times++) outgoing.add(new Uint8Array(70_000))
  await turn()
  assert.is(pings, 48)
})

test.run()
