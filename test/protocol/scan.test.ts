import * as assert from 'uvu/assert'
import { decodeValue, encodeValue, HubError, LIMITS, scan, valueEnd } from '../../protocol/index.ts'
import { costOf } from '../util/cost.ts'
import { suite } from '../util/suite.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')
const join = (...parts: (string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map(part => (typeof part === 'string' ? hex(part) : part)))

function refuses(bytes: Uint8Array, why: RegExp | string): void {
  let error: unknown
  try {
    scan(bytes)
  } catch (thrown) {
    error = thrown
  }
  const place = bytes.subarray(0, 24).toString()
  assert.ok(error instanceof HubError, `accepted or failed: ${place} ${String(error)}`)
  assert.is(error.code, 'bad-frame')
  if (typeof why === 'string') assert.is(error.message, why)
  else assert.match(error.message, why)
}

const accepts = (bytes: Uint8Array): void => assert.not.throws(() => scan(bytes))

/** A map of one entry with this key, as it stands on the wire. */
const keyed = (key: string | Uint8Array): Buffer => join('81', key, 'c0')
const str8 = (text: string | Uint8Array): Buffer => join(Uint8Array.of(0xd9, Buffer.byteLength(text)), Buffer.from(text))

const test = suite('protocol/scan')

test('every format of a value that the protocol uses is accepted', () => {
  const values = `00 7f e0 ff c0 c2 c3 cc00 cdffff ceffffffff cf001fffffffffffff d080 d18000 d280000000 d3ffe0000000000000
    ca7f7fffff cb7fefffffffffffff a0 a161 d900 d90161 da000161 db0000000161 c400 c401ff c50001ff c600000001ff
    90 91c0 dc0001c0 dd00000001c0 80 81a0c0 de0001a0c0 df00000001a0c0 81d900c0`
  for (const value of values.split(/\s+/)) accepts(hex(value))
})

test('100,000 nested arrays are refused at the limit of depth', () => {
  refuses(Buffer.alloc(100_000, 0x91), /^deeper than 16 at byte 17$/)
})

test('a count or a length over the bytes that are there is refused before anything is read', () => {
  for (const vector of [
    'dd01312d00',
    'dbffffffff',
    'c6ffffffff',
    'dfffffffff',
    'dcffff',
    'deffff',
    'daffff',
    'c5ffff',
    'd9ff',
    'c4ff',
    'a161'
  ])
    refuses(vector === 'a161' ? hex('a2 61') : hex(vector), /over the bytes that are there/)
})

test('72 KB of nested array headers are refused', () => {
  refuses(Buffer.concat(Array.from({ length: 24_000 }, () => hex('dcffff'))), /over the bytes that are there|deeper than/)
  refuses(Buffer.concat(Array.from({ length: 24_000 }, () => hex('dc0400'))), /deeper than 16/)
})

test('no extension passes: not records, circular references, regular expressions, errors, sets or times', () => {
  const types = [0x72, 0x69, 0x70, 0x78, 0x65, 0x73, 0x74, 0x42, 0x62, 0x00, 0xff]
  for (const type of types)
    for (const [head, size] of [
      ['d4', 1],
      ['d5', 2],
      ['d6', 4],
      ['d7', 8],
      ['d8', 16]
    ] as const)
      refuses(join(head, Uint8Array.of(type), Buffer.alloc(size)), `type 0x${head} is not allowed at byte 0`)
  for (const head of ['c7', 'c8', 'c9']) refuses(join('91', head, '01010101010101'), `type 0x${head} is not allowed at byte 1`)
  refuses(hex('c1'), 'type 0xc1 is not allowed at byte 0')
})

test('keys that touch prototypes are refused, with either head, at any depth', () => {
  for (const word of ['__proto__', 'constructor', 'prototype']) {
    refuses(keyed(encodeValue(word)), 'map key is not allowed at byte 1')
    refuses(keyed(str8(word)), 'map key is not allowed at byte 1')
    refuses(join('91 81 a161', keyed(encodeValue(word))), 'map key is not allowed at byte 5')
  }
  for (const word of ['_proto__', '__proto___', 'Constructor', 'toString', 'valueOf', '']) accepts(keyed(encodeValue(word)))
})

test('a doubled key is refused in small and large maps, whatever its head', () => {
  refuses(hex('82 a161 00 a161 01'), 'map key is doubled at byte 4')
  refuses(hex('82 a161 00 d90161 01'), 'map key is doubled at byte 4')
  for (const count of [16, 17, 256]) {
    const entries = Array.from({ length: count - 1 }, (_, index) => join(encodeValue(`k${index}`), 'c0'))
    const head = Uint8Array.of(0xde, count >> 8, count & 255)
    refuses(join(head, ...entries, str8('k0'), 'c0'), /^map key is doubled/)
    accepts(join(head, ...entries, str8('k0 '), 'c0'))
  }
  accepts(hex('82 a161 81 a161 00 a162 81 a161 00'))
})

test('a key that is not a short string is refused', () => {
  for (const key of ['00', 'c0', 'c3', 'ff', 'cc61', 'cb0000000000000000', 'c40161', 'da000161', 'db0000000161', '90', '80'])
    refuses(keyed(key), 'map key is not a short string at byte 1')
})

test('bytes after the value, and no bytes at all, are refused', () => {
  refuses(hex('c0 c0'), 'bytes after the value at byte 1')
  refuses(hex('91 c0 00'), 'bytes after the value at byte 2')
  refuses(hex(''), 'value cut off at byte 0')
})

test('every beginning of a sound value is refused', () => {
  const sound = hex('96 82 a161 cb3ff8000000000000 d90162 c40101 cd0102 cf0000000100000000 ce00000001 a2c3a9 da0002c3a9')
  accepts(sound)
  for (let length = 0; length < sound.length; length++)
    refuses(sound.subarray(0, length), /cut off|bytes that are there|short string/)
})

test('text that is not UTF-8 is refused', () => {
  const wrong = {
    'a lone continuation byte': '80',
    'an overlong slash': 'c0af',
    'an overlong form of three bytes': 'e09fbf',
    'an overlong form of four bytes': 'f08fbfbf',
    'half of a surrogate pair': 'eda080',
    'the other half': 'edbfbf',
    'a code point beyond the last': 'f4908080',
    'a lead byte of five': 'f888808080',
    'a byte that UTF-8 never uses': 'ff',
    'a character cut off after one byte': 'c3',
    'a character cut off after two bytes': 'e282',
    'a character cut off after three bytes': 'f09f98',
    'a character whose last byte is another lead': 'e282c3',
    'a character whose third byte is no continuation': 'f09f2880'
  }
  for (const [what, text] of Object.entries(wrong)) {
    refuses(str8(hex(text)), /^text is not UTF-8 at byte 2$/)
    refuses(join('92', str8(hex(text)), 'a28080'), /^text is not UTF-8/)
    refuses(keyed(str8(hex(text))), /^text is not UTF-8/)
    assert.ok(what)
  }
})

test('the first and last code point of every length of UTF-8 are accepted', () => {
  for (const text of ['\u0000', '\u007f', '\u0080', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'])
    accepts(encodeValue(text))
})

test('an integer is accepted up to 2^53 - 1 and refused from there on', () => {
  accepts(hex('cf001fffffffffffff'))
  accepts(hex('d3001fffffffffffff'))
  accepts(hex('d3ffe0000000000000'))
  refuses(hex('cf0020000000000000'), 'integer beyond 2^53 at byte 1')
  refuses(hex('cfffffffffffffffff'), 'integer beyond 2^53 at byte 1')
  refuses(hex('d30020000000000000'), 'integer beyond 2^53 at byte 1')
  refuses(hex('d3ffdfffffffffffff'), 'integer beyond 2^53 at byte 1')
  refuses(hex('d38000000000000000'), 'integer beyond 2^53 at byte 1')
})

test('NaN and the infinities are refused in either width', () => {
  for (const number of ['ca7f800000', 'caff800000', 'ca7fc00000', 'caffffffff', 'ca7f800001'])
    refuses(hex(number), 'number is not finite at byte 1')
  for (const number of [
    'cb7ff0000000000000',
    'cbfff0000000000000',
    'cb7ff8000000000000',
    'cbffffffffffffffff',
    'cb7ff0000000000001'
  ])
    refuses(hex(number), 'number is not finite at byte 1')
})

test('depth is allowed up to the limit', () => {
  const nested = (depth: number): Buffer => join(Buffer.alloc(depth - 1, 0x91), '90')
  accepts(nested(LIMITS.maxDepth))
  refuses(nested(LIMITS.maxDepth + 1), /^deeper than/)
})

test('values are allowed up to the limit, map keys and containers counted', () => {
  const list = (count: number): Buffer => join('dd', Uint8Array.of(0, count >> 16, count >> 8, count), Buffer.alloc(count, 0xc0))
  accepts(list(LIMITS.maxFrameValues - 1))
  refuses(list(LIMITS.maxFrameValues), `over ${LIMITS.maxFrameValues} values at byte ${LIMITS.maxFrameValues + 4}`)
  const withMap = (count: number): Buffer => join('92', hex('81 a161 c0'), list(count))
  accepts(withMap(LIMITS.maxFrameValues - 5))
  refuses(withMap(LIMITS.maxFrameValues - 4), /^over/)
})

test('the entries of a map are allowed up to the limit', () => {
  const wide = (count: number): Buffer =>
    join(
      Uint8Array.of(0xde, count >> 8, count & 255),
      ...Array.from({ length: count }, (_, index) => join(encodeValue(`k${index}`), 'c0'))
    )
  accepts(wide(LIMITS.maxMapEntries))
  refuses(wide(LIMITS.maxMapEntries + 1), /^map over 256 entries/)
})

test('the bytes of a key are allowed up to the limit', () => {
  accepts(keyed(str8('k'.repeat(LIMITS.maxMapKeyBytes))))
  refuses(keyed(str8('k'.repeat(LIMITS.maxMapKeyBytes + 1))), /^map key over 128 bytes/)
  accepts(keyed(str8('é'.repeat(LIMITS.maxMapKeyBytes / 2))))
  refuses(keyed(str8('é'.repeat(LIMITS.maxMapKeyBytes / 2 + 1))), /^map key over 128 bytes/)
})

test('a map whose keys all differ in their last byte takes no longer than one whose keys differ in their first', async () => {
  const mapOf = (nameOf: (number: string) => string): Uint8Array =>
    join('de0100', ...Array.from({ length: 256 }, (_, index) => join(str8(nameOf(String(index).padStart(4, '0'))), 'c0')))
  const costOfAll = (map: Uint8Array): Promise<number> =>
    costOf(() => {
      for (let round = 0; round < 300; round++) accepts(map)
    })
  const fill = 'k'.repeat(124)
  const usual = await costOfAll(mapOf(number => number + fill))
  const cost = await costOfAll(mapOf(number => fill + number))
  assert.ok(cost < 10 * usual, `${cost} µs, and ${usual} µs`)
})

test('the end of a trusted value is found at any offset, over the limit of values too', () => {
  const bytes = join('c0', '92 01 a161', 'cf0000000100000000')
  assert.is(valueEnd(bytes, 0), 1)
  assert.is(valueEnd(bytes, 1), 5)
  assert.is(valueEnd(bytes, 5), bytes.length)
  assert.throws(() => valueEnd(bytes, bytes.length))
  const wide = encodeValue(Array.from({ length: LIMITS.maxFrameValues + 5 }, () => null))
  assert.is(valueEnd(join('00', wide), 1), wide.length + 1)
})

test('what is built from accepted bytes leaves every prototype as it was', () => {
  const bytes = encodeValue({ toString: 1, hasOwnProperty: { valueOf: null }, __defineGetter__: [] })
  accepts(bytes)
  const built = decodeValue(bytes) as object
  assert.is(Object.getPrototypeOf(built), Object.prototype)
  assert.equal(Object.getOwnPropertyDescriptor(Object.prototype, 'toString')?.enumerable, false)
  assert.equal(Object.keys(Object.prototype), [])
})

test.run()
