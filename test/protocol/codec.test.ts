import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import {
  ACTIONS,
  CHANGES,
  decodeFrame,
  decodeValue,
  decodeValues,
  encodeFrame,
  encodeValue,
  FRAMES,
  HubError,
  LIMITS,
  scan,
  type Frame,
  type FrameKind,
  type HubFrame,
  type Plain,
  type WireChange
} from '../../protocol/index.ts'
import type { Shape } from '../../protocol/shapes.ts'
import { bare, fromWords } from '../util/arbitrary.ts'
import { suite } from '../util/suite.ts'

const kinds = Object.keys(FRAMES) as FrameKind[]
const decode = (kind: FrameKind, bytes: Uint8Array): Frame =>
  FRAMES[kind].from === 'client' ? decodeFrame(bytes, 'client') : decodeFrame(bytes, 'hub')

/** The frame as a client or the hub would send it: places of the array, written as they are. */
const raw = (...places: Plain[]): Uint8Array => encodeValue(places)

function refusal(act: () => unknown): HubError {
  try {
    act()
  } catch (error) {
    if (error instanceof HubError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

function refuses(bytes: Uint8Array, from: 'client' | 'hub', code: string, field: string, message?: RegExp): void {
  const error = refusal(() => (from === 'client' ? decodeFrame(bytes, from) : decodeFrame(bytes, from)))
  assert.is(error.code, code)
  assert.is(error.field, field)
  if (field !== '') assert.ok(error.message.startsWith(`${field}: `), error.message)
  if (message !== undefined) assert.match(error.message, message)
}

const action = (body: Plain = { progression: 0.5 }): Plain[] => [1, 0, 'position.set', 'b', body]

const test = suite('protocol/codec')

test('a frame of any kind, made from the words of the spec, comes back as it was', () => {
  for (const kind of kinds) {
    const rows = Object.entries<Shape<unknown>>(FRAMES[kind].fields)
    const requiredKeys = rows.filter(([, { optional }]) => optional !== true).map(([name]) => name)
    const fields = Object.fromEntries(rows.map(([name, { words }]) => [name, fromWords(words)]))
    fc.assert(
      fc.property(fc.record(fields, { requiredKeys, noNullPrototype: true }), values => {
        assert.equal(bare(decode(kind, encodeFrame(kind, values as never))), { kind, ...values })
      }),
      { numRuns: 100 }
    )
  }
})

test('a body of any action or change, made from the words of the spec, is of its form', () => {
  for (const [kind, { key, body }] of [...Object.entries(ACTIONS), ...Object.entries(CHANGES)])
    fc.assert(
      fc.property(fromWords(key.words), fromWords(body.words), (name, value) => {
        assert.is(key.fault(name), undefined)
        assert.is((body as Shape<unknown>).fault(value), undefined, kind)
      }),
      { numRuns: 100 }
    )
})

test('a frame of the other direction is out of place', () => {
  for (const kind of kinds) {
    const fields = Object.values<Shape<unknown>>(FRAMES[kind].fields).map(
      ({ words }) => fc.sample(fromWords(words), 1)[0] as Plain
    )
    const from = FRAMES[kind].from === 'client' ? 'hub' : 'client'
    refuses(raw(FRAMES[kind].type, ...fields), from, 'out-of-place', '')
  }
})

test('a type that no frame has is refused, whatever it is', () => {
  const types: Plain[] = [6, 255, -1, 1.5, '1', null, true, [], [1], {}, { toString: 1, valueOf: 1 }, 'x'.repeat(5_000)]
  for (const type of types) refuses(raw(type, 0), 'client', 'bad-frame', '', /^no frame has this type$/)
  for (const value of [null, 4, 'ping', { 0: 4 }, []]) refuses(encodeValue(value), 'client', 'bad-frame', '')
})

test('a type in any numeric format is the same type', () => {
  for (const type of ['04', 'cc04', 'cd0004', 'd004', 'cf0000000000000004', 'cb4010000000000000'])
    assert.equal(decodeFrame(Buffer.from(`92${type}07`, 'hex'), 'client'), { kind: 'ping', nonce: 7 })
})

test('a field that is missing is named', () => {
  refuses(raw(0), 'client', 'bad-frame', 'hello.version')
  refuses(raw(0, 1, 't', 'c', '', 0), 'client', 'bad-frame', 'hello.agent')
  refuses(raw(1, 0), 'client', 'bad-frame', 'push.actions')
  refuses(raw(1, 0, [[1, 0, 'position.set', 'b']]), 'client', 'bad-frame', 'push.actions[0].body')
  refuses(raw(1, 0, [action(), []]), 'client', 'bad-frame', 'push.actions[1].number')
  refuses(raw(16, 1, 'a', 'd', 'e', 0, 0, 0, {}), 'hub', 'bad-frame', 'welcome.limits.maxFrameBytes')
})

test('nil stands for no field that has to be there', () => {
  refuses(raw(4, null), 'client', 'bad-frame', 'ping.nonce')
  refuses(raw(2, null), 'client', 'bad-frame', 'ack.cursor')
  refuses(raw(0, 1, null, 'c', '', 0, ''), 'client', 'bad-frame', 'hello.token')
})

test('a field of a wrong form is named, as deep as it lies, and the form is told', () => {
  refuses(raw(1, 0, [[1, 0, 7, 'b', {}]]), 'client', 'bad-frame', 'push.actions[0].kind', /expected str 0\.\.64$/)
  refuses(raw(1, 0, [action(), [0, 0, 'k', 'b', {}]]), 'client', 'bad-frame', 'push.actions[1].number', /expected uint 1\.\.$/)
  refuses(raw(1, -1, []), 'client', 'bad-frame', 'push.confirmed')
  refuses(raw(1, 0.5, []), 'client', 'bad-frame', 'push.confirmed')
  refuses(raw(1, 0, {}), 'client', 'bad-frame', 'push.actions')
  refuses(raw(1, 0, ['x']), 'client', 'bad-frame', 'push.actions[0]')
  refuses(raw(3, 0, 'everything', '', ''), 'client', 'bad-frame', 'read.view')
  refuses(raw(0, 1, 't', '', '', 0, ''), 'client', 'bad-frame', 'hello.client')
  refuses(raw(18, [[1, 'x']], []), 'hub', 'bad-frame', 'acked.accepted[0].cursor')
  refuses(raw(22, 'slow', 'text', 'soon'), 'hub', 'bad-frame', 'bye.retryAfterMs')
})

test('a place too many is refused inside a frame, and a field too many is ignored at its end, where later versions append', () => {
  refuses(raw(1, 0, [[...action(), 1]]), 'client', 'bad-frame', 'push.actions[0]')
  refuses(raw(18, [[1, 2, 3]], []), 'hub', 'bad-frame', 'acked.accepted[0]')
  assert.equal(decodeFrame(raw(4, 7, 'later'), 'client'), { kind: 'ping', nonce: 7 })
  assert.equal(decodeFrame(raw(23, 7, 8, { more: true }), 'hub'), { kind: 'pong', nonce: 7, timeMs: 8 })
})

test('an optional field is absent when it is nil or not sent', () => {
  const expected = { kind: 'bye', code: 'slow', message: 'text' }
  assert.equal(decodeFrame(raw(22, 'slow', 'text'), 'hub'), expected)
  assert.equal(decodeFrame(raw(22, 'slow', 'text', null), 'hub'), expected)
  assert.equal(decodeFrame(encodeFrame('bye', { code: 'slow', message: 'text' }), 'hub'), expected)
  assert.equal(decodeFrame(raw(22, 'slow', 'text', 0), 'hub'), { ...expected, retryAfterMs: 0 })
})

test('a body may be nil', () => {
  assert.equal(decodeFrame(raw(1, 0, [action(null)]), 'client'), {
    kind: 'push',
    confirmed: 0,
    actions: [[1, 0, 'position.set', 'b', null]]
  })
})

test('actions are allowed up to the limit of a push', () => {
  const push = (count: number): Uint8Array =>
    raw(
      1,
      0,
      Array.from({ length: count }, () => action())
    )
  const frame = decodeFrame(push(LIMITS.maxActionsPerPush), 'client')
  assert.is(frame.kind === 'push' && frame.actions.length, LIMITS.maxActionsPerPush)
  refuses(push(LIMITS.maxActionsPerPush + 1), 'client', 'bad-frame', 'push.actions')
})

test('a frame is allowed up to its limit of bytes', () => {
  const sized = (size: number): Uint8Array => {
    const empty = raw(1, 0, [action(Buffer.alloc(70_000))]).length - 70_000
    return raw(1, 0, [action(Buffer.alloc(size - empty))])
  }
  assert.is(sized(LIMITS.maxFrameBytes).length, LIMITS.maxFrameBytes)
  assert.is(decodeFrame(sized(LIMITS.maxFrameBytes), 'client').kind, 'push')
  refuses(sized(LIMITS.maxFrameBytes + 1), 'client', 'frame-too-large', '')
  refuses(sized(LIMITS.maxFrameBytes + 1), 'hub', 'frame-too-large', '')
})

test('what two clients may push in one turn, the hub may send in one frame', () => {
  const body = { value: Array.from({ length: 60_000 }, () => null) }
  assert.is(
    decodeFrame(encodeFrame('push', { confirmed: 0, actions: [[1, 0, 'setting.put', 'a', body]] }), 'client').kind,
    'push'
  )
  const change = (cursor: number): WireChange => [cursor, cursor, 'd', 'c', cursor, 0, 'setting.put', 'a', body]
  const both = decodeFrame(encodeFrame('changes', { changes: [change(1), change(2)] }), 'hub')
  assert.is(both.kind === 'changes' && both.changes.length, 2)
  refuses(raw(1, 0, [action(body), action(body)]), 'client', 'bad-frame', '', /^over 65536 values/)
})

test('a decoded frame shares no memory with its message', () => {
  const message = Buffer.from(raw(1, 0, [action(Uint8Array.of(1, 2, 3))]))
  const frame = decodeFrame(message, 'client') as Frame<'push'>
  const body = frame.actions[0]![4] as Uint8Array
  message.fill(0)
  assert.equal([...body], [1, 2, 3])
  assert.ok(body.buffer !== message.buffer)
})

test('keys that touch prototypes do not get into a frame', () => {
  for (const word of ['__proto__', 'constructor', 'prototype']) {
    const inner = Buffer.concat([Buffer.from([0x81]), encodeValue(word), encodeValue({ isAdmin: true })])
    const bytes = Buffer.concat([Buffer.from('93010091950100', 'hex'), encodeValue('setting.put'), encodeValue('k'), inner])
    refuses(bytes, 'client', 'bad-frame', '', /^map key is not allowed/)
  }
  assert.is(({} as { isAdmin?: boolean }).isAdmin, undefined)
})

test('values that stand one behind the other are all built', () => {
  assert.equal(decodeValues(Buffer.concat([encodeValue(1), encodeValue(['a']), encodeValue(null)])), [1, ['a'], null])
  assert.equal(decodeValues(new Uint8Array()), [])
})

test('bytes are one msgpack value at the borders of its heads', () => {
  for (const [length, head] of [
    [0, 'c400'],
    [255, 'c4ff'],
    [256, 'c50100'],
    [65_535, 'c5ffff'],
    [65_536, 'c600010000']
  ] as const) {
    const value = new Uint8Array(length).fill(7)
    const bytes = encodeValue(value)
    scan(bytes)
    assert.ok(Buffer.from(bytes).toString('hex').startsWith(head))
    assert.equal(Uint8Array.from(decodeValue(bytes) as Uint8Array), value)
  }
})

test('bytes that were packed stay as they are, however many are packed behind them', () => {
  const values = Array.from({ length: 300 }, (_, index) => new Uint8Array((index * 55) % 16_500).fill(index))
  const packed = values.map(value => encodeValue(value))
  for (const [index, value] of values.entries()) assert.equal(Uint8Array.from(decodeValue(packed[index]!) as Uint8Array), value)
})

test('frames that are decoded one behind the other do not disturb each other', () => {
  const frames: HubFrame[] = []
  const bytes = Array.from({ length: 50 }, (_, index) => encodeFrame('pong', { nonce: index, timeMs: index * 2 ** 33 }))
  for (const frame of bytes) {
    refusal(() => decodeFrame(frame.subarray(1), 'hub'))
    frames.push(decodeFrame(frame, 'hub'))
  }
  assert.equal(
    frames,
    bytes.map((_, index) => ({ kind: 'pong', nonce: index, timeMs: index * 2 ** 33 }))
  )
})

test.run()
