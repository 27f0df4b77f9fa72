import * as assert from 'uvu/assert'
import { encodeFrame, encodeValue, LIMITS } from '../../protocol/index.ts'
import { converse, helloFrame, register, servingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'

const test = suite('hostile/frames')

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
/** A `push` of one `setting.put`, whose value is these bytes. */
const pushOf = (value: Uint8Array): Buffer =>
  Buffer.concat([
    bytes('93 01 00 91 95 01 00'),
    encodeValue('setting.put'),
    encodeValue('k'),
    bytes('81'),
    encodeValue('value'),
    value
  ])
const mapOf = (...entries: (string | Uint8Array)[]): Buffer =>
  Buffer.concat([
    Buffer.of(0x80 | (entries.length / 2)),
    ...entries.map(entry => (typeof entry === 'string' ? encodeValue(entry) : entry))
  ])

/** Case by case, the frames of part 1 to 5 of the list in this folder's README. */
const FRAMES: Readonly<Record<string, Uint8Array>> = {
  'case 1: 100,000 nested arrays': Buffer.alloc(100_000, 0x91),
  'case 1: nested within a body': pushOf(Buffer.concat([Buffer.alloc(LIMITS.maxDepth, 0x91), bytes('c0')])),
  'case 2: an array of 20 million values in 5 bytes': bytes('dd 01 31 2d 00'),
  'case 2: a text of 4 GiB': bytes('db ff ff ff ff'),
  'case 2: bytes of 4 GiB in a body': pushOf(bytes('c6 ff ff ff ff')),
  'case 2: a map of 65,535 entries': pushOf(bytes('de ff ff')),
  'case 3: 72 KB of nested array headers': Buffer.from('dc0001'.repeat(24_000), 'hex'),
  'case 3: more values than a frame may hold': pushOf(Buffer.concat([bytes('dd 00 01 00 00'), Buffer.alloc(65_536, 0xc0)])),
  'case 4: a record definition (0x72)': pushOf(bytes('d4 72 40 91 a1 61 01')),
  'case 4: a circular reference (0x69, 0x70)': pushOf(bytes('d6 69 00 00 00 01 91 d6 70 00 00 00 01')),
  'case 4: a regular expression (0x78)': pushOf(bytes('c7 05 78 92 a1 61 a1 67')),
  'case 4: an Error (0x65)': pushOf(bytes('c7 04 65 92 a1 45 c0')),
  'case 4: a typed array (0x74)': pushOf(bytes('d5 74 00 01')),
  'case 4: a time (0xff)': pushOf(bytes('d6 ff 00 00 00 00')),
  'case 5: the key __proto__': pushOf(mapOf('__proto__', mapOf('isAdmin', bytes('c3')))),
  'case 5: the key constructor': pushOf(mapOf('constructor', bytes('01'))),
  'case 5: the key prototype, with the longer head': pushOf(
    Buffer.concat([bytes('81 d9 09'), Buffer.from('prototype'), bytes('01')])
  ),
  'case 5: a doubled key': pushOf(mapOf('a', bytes('01'), 'a', bytes('02'))),
  'case 5: a key that is a number': pushOf(mapOf(bytes('01'), bytes('02'))),
  'case 5: bytes behind the frame': Buffer.concat([pushOf(bytes('c0')), bytes('c0')]),
  'case 5: text that is not UTF-8': pushOf(bytes('a2 c3 28')),
  'case 5: an integer of 2^53': pushOf(bytes('cf 00 20 00 00 00 00 00 00')),
  'case 5: NaN where a count is due': Buffer.concat([bytes('92 02 cb'), bytes('7f f8 00 00 00 00 00 00')]),
  'case 5: a fraction where a count is due': Buffer.concat([bytes('92 02'), encodeValue(0.5)]),
  'case 5: a negative count': bytes('92 02 ff'),
  'no frame of this type': bytes('91 7f'),
  'a frame that only hubs send': encodeFrame('pong', { nonce: 1, timeMs: 1 }),
  'no bytes at all': Buffer.alloc(0),
  'a frame over the limit': Buffer.alloc(LIMITS.maxFrameBytes + 1, 0xc0)
}

/** What a hub may say to such frames. */
const CLOSES = new Map<number, string>([
  [1007, 'bad-frame'],
  [1002, 'out-of-place'],
  [1009, 'frame-too-large']
])

test('a hostile frame ends its own connection with a named code, changes nothing, and nobody else notices', async context => {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const { token } = await register(account, 'enemy')
  const { token: friend } = await register(account, 'friend')
  const head = account.head
  const closes = new Map<string, number>()
  for (const [name, frame] of Object.entries(FRAMES)) {
    const { closeCode, frames } = await converse(hub.url, [helloFrame(token), frame])
    const bye = frames.find(frame => frame.kind === 'bye')
    // ws refuses what is too large before the session sees it, and closes without a word.
    const isNamed = CLOSES.get(closeCode!) === bye?.code || (closeCode === 1009 && bye === undefined)
    assert.ok(isNamed, `${name}: closed with ${closeCode} ${bye?.code ?? ''}`)
    assert.is(account.head, head, name)
    closes.set(`${closeCode}`, (closes.get(`${closeCode}`) ?? 0) + 1)
    const { frames: heard } = await converse(
      hub.url,
      [helloFrame(friend), encodeFrame('ping', { nonce: 7 })],
      ({ kind }) => kind === 'pong'
    )
    assert.is(heard.at(-1)?.kind, 'pong', `${name}: the next one is not served`)
  }
  assert.equal(Object.keys(Object.prototype), [])
  process.stdout.write(
    `FIGURE: ${Object.keys(FRAMES).length} hostile frames, closed with ${JSON.stringify(Object.fromEntries(closes))}\n`
  )
})

test('the same frames from someone who has not said who they are end the connection too', async context => {
  const hub = await servingHub(context)
  for (const [name, frame] of Object.entries(FRAMES)) {
    const { closeCode } = await converse(hub.url, [frame])
    // Who sends more than a hello before it is complete is cut off, without a close.
    assert.ok(CLOSES.has(closeCode!) || (closeCode === 1006 && frame.length > LIMITS.maxHelloBytes), `${name}: ${closeCode}`)
  }
  while (hub.hub.sessionCount > 0) await new Promise(resolve => setImmediate(resolve))
})

test('a text message, which is no frame, ends the connection', async context => {
  const hub = await servingHub(context)
  assert.is((await converse(hub.url, ['hello'])).closeCode, 1007)
})

test('case 17: a repeat gets its first answer, on whatever connection; the same number with other content is a conflict', async context => {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const { token } = await register(account, 'device')
  const push = (number: number, value: number): Uint8Array =>
    encodeFrame('push', { confirmed: 0, actions: [[number, 0, 'setting.put', 'k', { value }]] })
  const answer = async (frame: Uint8Array): Promise<unknown> => {
    const { frames } = await converse(hub.url, [helloFrame(token), frame], ({ kind }) => kind === 'acked')
    const acked = frames.find(frame => frame.kind === 'acked')!
    return [acked.accepted, acked.refused.map(([number, code]) => [number, code])]
  }
  const first = await answer(push(5, 1))
  assert.equal(first, [[[5, account.head]], []])
  const head = account.head
  for (let times = 0; times < 3; times++) assert.equal(await answer(push(5, 1)), first)
  assert.equal(await answer(push(5, 2)), [[], [[5, 'action-conflict']]])
  assert.equal(await answer(push(3, 1)), [[], [[3, 'already-done']]])
  assert.is(account.head, head)
})

test('case 17: a cursor of an old epoch, or from the future, is told to resync', async context => {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const { token } = await register(account, 'device')
  for (const more of [
    { epoch: 'another', cursor: 1 },
    { epoch: account.epoch, cursor: account.head + 1 },
    { epoch: account.epoch, cursor: Number.MAX_SAFE_INTEGER }
  ]) {
    const { frames } = await converse(hub.url, [helloFrame(token, more)], ({ kind }) => kind === 'changes')
    assert.equal(
      frames.map(({ kind }) => kind),
      ['welcome', 'resync', 'changes']
    )
  }
})

test.run()
