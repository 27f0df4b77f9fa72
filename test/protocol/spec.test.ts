import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import {
  decodeFrame,
  encodeFrame,
  encodeName,
  encodeValue,
  RunWriter,
  WIRE_HASH,
  type Frame,
  type FrameKind
} from '../../protocol/index.ts'
import { fillTables, SPEC_TABLES, wireHash } from '../../protocol/spec.ts'
import { suite } from '../util/suite.ts'

const readme = readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8')
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The frames of the worked example: what the JSON says, and the bytes without their comments. */
const example = [...readme.matchAll(/```json\n(\{\s+"kind"[^`]*)```\n\n```hex\n([^`]*)```/g)].map(([, json, hex]) => ({
  frame: JSON.parse(json!) as Frame,
  bytes: Buffer.from(hex!.replace(/#.*$/gm, '').replace(/\s/g, ''), 'hex')
}))

const test = suite('protocol/spec')

test('the README holds the tables as they are declared', () => {
  assert.is(fillTables(readme), readme, 'run: npm run spec')
})

test('the wire is the one that belongs to its version', () => {
  const advice = 'the wire has changed: look at PROTOCOL_VERSION in protocol/version.ts, then run npm run spec'
  assert.is(WIRE_HASH, wireHash(sha256), advice)
})

test('every line of a table has as many cells as its head', () => {
  for (const [name, write] of Object.entries(SPEC_TABLES))
    for (const table of write()
      .split('\n\n')
      .filter(part => part.startsWith('|'))) {
      const cells = new Set(table.split('\n').map(line => line.split(/(?<!\\)\|/).length))
      assert.is(cells.size, 1, name)
    }
})

test('a text without a place for a table is refused by the name of the table', () => {
  assert.throws(() => fillTables(readme.replace('<!-- /limits -->', '')), /the table of limits/)
})

test('the worked example shows a whole exchange', () => {
  assert.equal(
    example.map(({ frame }) => frame.kind),
    ['hello', 'welcome', 'push', 'changes', 'acked']
  )
})

test('the bytes of the worked example decode to its frames', () => {
  for (const { frame, bytes } of example) {
    const isClients = frame.kind === 'hello' || frame.kind === 'push'
    assert.equal(isClients ? decodeFrame(bytes, 'client') : decodeFrame(bytes, 'hub'), frame)
  }
})

test('the frames of the worked example encode to its bytes', () => {
  for (const { frame, bytes } of example) {
    const written = frame.kind === 'changes' ? writeRun(frame) : encodeFrame<FrameKind>(frame.kind, frame)
    assert.is(Buffer.from(written).toString('hex'), bytes.toString('hex'))
  }
})

function writeRun({ changes }: Frame<'changes'>): Uint8Array {
  const writer = new RunWriter()
  for (const [cursor, timeUs, device, client, number, atMs, kind, key, body] of changes)
    writer.add({
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
  return writer.take().frame
}

test.run()
