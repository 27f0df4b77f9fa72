import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import {
  changesFrame,
  decodeFrame,
  decodeValue,
  decodeValues,
  encodeFrame,
  encodeName,
  encodeValue,
  FRAMES,
  RunWriter,
  scan,
  valueEnd,
  type ChangeParts,
  type WireChange
} from '../../protocol/index.ts'
import { bare, fromWords } from '../util/arbitrary.ts'
import { suite } from '../util/suite.ts'

const parts = ([cursor, timeUs, device, client, number, atMs, kind, key, body]: WireChange): ChangeParts => ({
  cursor,
  timeUs,
  device: encodeName(device),
  client: encodeName(client),
  number,
  atMs,
  kind: encodeName(kind),
  key: encodeName(key),
  body: encodeValue(body)
})

function write(changes: readonly WireChange[]): { run: Uint8Array; frame: Uint8Array; count: number } {
  const writer = new RunWriter()
  for (const change of changes) writer.add(parts(change))
  return writer.take()
}

const anyChanges = fromWords(FRAMES.changes.fields.changes.words) as fc.Arbitrary<WireChange[]>
const someChanges = anyChanges.filter(changes => changes.length > 0)
const change = (number: number): WireChange => [number, number, 'd', 'c', number, number, 'k', 'key', null]

const test = suite('protocol/run')

test('a run holds the changes that were written, and its frame is a frame of them', () => {
  fc.assert(
    fc.property(someChanges, changes => {
      const { run, frame, count } = write(changes)
      assert.is(count, changes.length)
      assert.equal(bare(decodeValues(run)), bare(changes))
      assert.equal(bare(decodeFrame(frame, 'hub')), { kind: 'changes', changes: bare(changes) })
    }),
    { numRuns: 300 }
  )
})

test('stored runs behind one header are the frame that was sent live', () => {
  fc.assert(
    fc.property(someChanges, someChanges, (some, more) => {
      const [first, second] = [write(some), write(more)]
      assert.equal(changesFrame([first.run], first.count), Uint8Array.from(first.frame))
      const both = changesFrame([first.run, second.run], first.count + second.count)
      assert.equal(both, Uint8Array.from(write([...some, ...more]).frame))
    }),
    { numRuns: 200 }
  )
})

test('a frame of no changes is sound', () => {
  assert.equal(decodeFrame(changesFrame([], 0), 'hub'), { kind: 'changes', changes: [] })
})

test('a frame of the codec and one of the run writer say the same', () => {
  const changes = [change(1), change(2 ** 40)]
  assert.equal(decodeFrame(encodeFrame('changes', { changes }), 'hub'), decodeFrame(write(changes).frame, 'hub'))
})

test('a number takes one byte up to 0x7f, five up to 2^32 - 1, and nine up to 2^53 - 1', () => {
  const cursorOf = (cursor: number): string => {
    const { run } = write([[cursor, 0, '', '', 0, 0, '', '', null]])
    return Buffer.from(run.subarray(1, valueEnd(run, 1))).toString('hex')
  }
  assert.is(cursorOf(0), '00')
  assert.is(cursorOf(0x7f), '7f')
  assert.is(cursorOf(0x80), 'ce00000080')
  assert.is(cursorOf(2 ** 32 - 1), 'ceffffffff')
  assert.is(cursorOf(2 ** 32), 'cf0000000100000000')
  assert.is(cursorOf(2 ** 32 + 2 ** 31), 'cf0000000180000000')
  assert.is(cursorOf(2 ** 53 - 1), 'cf001fffffffffffff')
})

test('every number of a change comes back at the borders of the widths', () => {
  const borders = [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52, 2 ** 53 - 1]
  for (const number of borders) {
    const { run } = write([[number, number, 'd', 'c', number, number, 'k', 'key', number]])
    scan(run)
    assert.equal(decodeValue(run), [number, number, 'd', 'c', number, number, 'k', 'key', number])
  }
})

test('a name is one msgpack string at the borders of its heads, counted in bytes', () => {
  for (const [text, head] of [
    ['', 'a0'],
    ['a'.repeat(31), 'bf'],
    ['a'.repeat(32), 'd920'],
    ['é'.repeat(16), 'd920'],
    ['a'.repeat(255), 'd9ff'],
    ['a'.repeat(256), 'da0100'],
    ['漢'.repeat(512), 'da0600']
  ] as const) {
    const bytes = encodeName(text)
    scan(bytes)
    assert.is(decodeValue(bytes), text)
    assert.ok(Buffer.from(bytes).toString('hex').startsWith(head))
  }
})

test('a writer grows with what it is given, and knows its size', () => {
  const writer = new RunWriter()
  const body = new Uint8Array(10_000).fill(7)
  for (let cursor = 1; cursor <= 100; cursor++) writer.add({ ...parts(change(cursor)), body: encodeValue(body) })
  assert.is(writer.count, 100)
  assert.ok(writer.byteLength > 1_000_000)
  const { byteLength } = writer
  const { run } = writer.take()
  assert.is(run.length, byteLength)
  assert.is(decodeValues(run).length, 100)
})

test('a writer begins anew after its run was taken, and writes into it no more', () => {
  const writer = new RunWriter()
  writer.add(parts(change(1)))
  const { run, frame } = writer.take()
  const before = Buffer.from(frame).toString('hex')
  assert.is(writer.count, 0)
  assert.is(writer.byteLength, 0)
  for (let cursor = 2; cursor < 50; cursor++) writer.add(parts(change(cursor)))
  assert.is(writer.take().count, 48)
  assert.is(Buffer.from(frame).toString('hex'), before)
  assert.equal(decodeValues(run), [change(1)])
})

test.run()
