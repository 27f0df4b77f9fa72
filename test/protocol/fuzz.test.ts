import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import {
  ACTIONS,
  decodeFrame,
  decodeValue,
  encodeFrame,
  encodeValue,
  FRAMES,
  HubError,
  LIMITS,
  scan,
  type FrameKind
} from '../../protocol/index.ts'
import { bare, fromWords, plain } from '../util/arbitrary.ts'
import { suite } from '../util/suite.ts'

const CASES = 200_000
const SEED = 20_260_117

/** Small, fast and good enough: mulberry32. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Sound frames of every kind, and bodies of every action. */
function corpus(): Uint8Array[] {
  const frames = (Object.keys(FRAMES) as FrameKind[]).flatMap(kind => {
    const fields = Object.entries(FRAMES[kind].fields).map(([name, { words }]) => [name, fromWords(words)])
    const arbitrary = fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>)
    return fc.sample(arbitrary, { numRuns: 6, seed: SEED }).map(values => encodeFrame(kind, values as never))
  })
  const pushes = Object.entries(ACTIONS).flatMap(([kind, { body }]) =>
    fc
      .sample(fromWords(body.words), { numRuns: 4, seed: SEED })
      .map(value => encodeFrame('push', { confirmed: 0, actions: [[1, 0, kind, 'k', value as never]] }))
  )
  return [...frames, ...pushes]
}

/** Heads and bytes that decide something. */
const TELLING = [
  0x00, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xca, 0xcb, 0xcf, 0xd3, 0xd4, 0xd9, 0xdb,
  0xdd, 0xdf, 0xe0, 0xff
]

function mutate(frame: Uint8Array, other: Uint8Array, random: (below: number) => number): Uint8Array {
  const at = random(frame.length + 1)
  const to = at + random(frame.length + 1 - at)
  switch (random(6)) {
    case 0:
      return frame.slice(0, at)
    case 1:
      return Buffer.concat([frame.subarray(0, at), other.subarray(random(other.length)), frame.subarray(to)])
    case 2:
      return Buffer.concat([frame.subarray(0, to), frame.subarray(at)])
    default: {
      const changed = Uint8Array.from(frame)
      for (let count = 1 + random(3); count > 0; count--)
        changed[random(frame.length)] = random(2) === 0 ? random(256) : TELLING[random(TELLING.length)]!
      return changed
    }
  }
}

const test = suite('protocol/fuzz')

test('every plain value passes the scan and comes back as it was', () => {
  fc.assert(
    fc.property(plain(), value => {
      const bytes = encodeValue(value)
      scan(bytes)
      assert.equal(bare(decodeValue(bytes)), value)
    }),
    { numRuns: 2_000 }
  )
})

test('random bytes and mutated frames are read or refused, and nothing else happens', () => {
  const random = seeded(SEED)
  const frames = corpus()
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const counts = { scanned: 0, read: 0 }
  const refused = (bytes: Uint8Array, error: unknown): void => {
    if (!(error instanceof HubError))
      throw new Error(`${String(error)} on ${Buffer.from(bytes).toString('hex')}`, { cause: error })
    assert.ok(error.message.length <= 1_024)
  }
  try {
    for (let index = 0; index < CASES; index++) {
      const bytes =
        index % 4 === 0
          ? Uint8Array.from({ length: random(32) }, (_, place) => (place === 0 ? 0x90 + random(10) : random(256)))
          : mutate(frames[random(frames.length)]!, frames[random(frames.length)]!, random)
      try {
        scan(bytes)
        counts.scanned += 1
      } catch (error) {
        refused(bytes, error)
        assert.throws(() => decodeFrame(bytes, 'client'))
        continue
      }
      decodeValue(bytes)
      for (const from of ['client', 'hub'] as const) {
        try {
          assert.ok(from === 'client' ? decodeFrame(bytes, from) : decodeFrame(bytes, from))
          counts.read += 1
        } catch (error) {
          refused(bytes, error)
        }
      }
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  assert.ok(counts.scanned > CASES / 20 && counts.read > CASES / 50, `too few cases get far: ${JSON.stringify(counts)}`)
  assert.equal(Object.keys(Object.prototype), [])
  assert.ok(frames.every(frame => frame.length <= LIMITS.maxFrameBytes))
})

test.run()
