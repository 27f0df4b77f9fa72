import { HubError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { FORBIDDEN_KEYS, maxValuesIn, roomOf } from './values.ts'

const bad = (why: string, at: number): HubError => new HubError('bad-frame', `${why} at byte ${at}`)

const FORBIDDEN_BYTES = FORBIDDEN_KEYS.map(word => Uint8Array.from(word, letter => letter.charCodeAt(0)))

/** Maps of up to this many keys are searched for doubled ones key by key; larger ones with a set, so that no map takes quadratic time. */
const SMALL_MAP = 16

/**
 * Proves that bytes are one msgpack value which is safe to build, without building anything.
 *
 * Holds the limits of depth, values, lengths and map keys, and refuses what the protocol has no use for: extensions, keys that are
 * not strings, are doubled or touch prototypes, text that is not UTF-8, integers beyond 2^53, NaN and infinities, bytes after the end.
 *
 * @param maxValues how many values there may be: containers and map keys count, and so does what `roomOf` says of a key
 * @throws HubError `bad-frame`, with the reason and the offset
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function scan(bytes: Uint8Array, maxValues: number = maxValuesIn(bytes.length)): void {
  const end = new Scanner(bytes, maxValues).value(0, 0)
  if (end !== bytes.length) throw bad('bytes after the value', end)
}

/** The offset behind the msgpack value that starts at `at` in trusted bytes. */
export const valueEnd = (bytes: Uint8Array, at: number): number => new Scanner(bytes, Infinity).value(at, 0)

class Scanner {
  readonly #bytes: Uint8Array
  readonly #maxValues: number
  #values = 0

  constructor(bytes: Uint8Array, maxValues: number) {
    this.#bytes = bytes
    this.#maxValues = maxValues
  }

  /** Checks the value that starts at `at` and returns the offset behind it. */
  value(at: number, depth: number): number {
    this.#count(1, at)
    const bytes = this.#bytes
    if (at >= bytes.length) throw bad('value cut off', at)
    const head = bytes[at]!
    if (head < 0x80 || head >= 0xe0) return at + 1
    if (head < 0x90) return this.#map(at + 1, head & 0x0f, depth + 1)
    if (head < 0xa0) return this.#array(at + 1, head & 0x0f, depth + 1)
    if (head < 0xc0) return this.#text(at + 1, head & 0x1f)
    switch (head) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return at + 1
      case 0xc4:
        return this.#skip(at + 2, this.#uint(at + 1, 1))
      case 0xc5:
        return this.#skip(at + 3, this.#uint(at + 1, 2))
      case 0xc6:
        return this.#skip(at + 5, this.#uint(at + 1, 4))
      case 0xca:
        return this.#float(at + 1, 4, 0x80)
      case 0xcb:
        return this.#float(at + 1, 8, 0xf0)
      case 0xcc:
      case 0xd0:
        return this.#skip(at + 1, 1)
      case 0xcd:
      case 0xd1:
        return this.#skip(at + 1, 2)
      case 0xce:
      case 0xd2:
        return this.#skip(at + 1, 4)
      case 0xcf:
      case 0xd3:
        return this.#int64(at + 1, head === 0xd3)
      case 0xd9:
        return this.#text(at + 2, this.#uint(at + 1, 1))
      case 0xda:
        return this.#text(at + 3, this.#uint(at + 1, 2))
      case 0xdb:
        return this.#text(at + 5, this.#uint(at + 1, 4))
      case 0xdc:
        return this.#array(at + 3, this.#uint(at + 1, 2), depth + 1)
      case 0xdd:
        return this.#array(at + 5, this.#uint(at + 1, 4), depth + 1)
      case 0xde:
        return this.#map(at + 3, this.#uint(at + 1, 2), depth + 1)
      case 0xdf:
        return this.#map(at + 5, this.#uint(at + 1, 4), depth + 1)
      default:
        throw bad(`type 0x${head.toString(16)} is not allowed`, at)
    }
  }

  #count(values: number, at: number): void {
    this.#values += values
    if (this.#values > this.#maxValues) throw bad(`over ${this.#maxValues} values`, at)
  }

  #skip(at: number, length: number): number {
    if (length > this.#bytes.length - at) throw bad('length over the bytes that are there', at)
    return at + length
  }

  #uint(at: number, width: 1 | 2 | 4): number {
    this.#skip(at, width)
    let value = 0
    for (let index = 0; index < width; index++) value = value * 256 + this.#bytes[at + index]!
    return value
  }

  /** An exponent of nothing but ones stands for the infinities and NaN (IEEE 754). `low` is its part in the second byte. */
  #float(at: number, width: 4 | 8, low: number): number {
    const end = this.#skip(at, width)
    if ((this.#bytes[at]! & 0x7f) === 0x7f && (this.#bytes[at + 1]! & low) === low) throw bad('number is not finite', at)
    return end
  }

  #int64(at: number, signed: boolean): number {
    const end = this.#skip(at, 8)
    const high = signed ? this.#uint(at, 4) | 0 : this.#uint(at, 4)
    if (high > 0x1fffff || high < -0x200000) throw bad('integer beyond 2^53', at)
    return end
  }

  #array(at: number, count: number, depth: number): number {
    this.#enter(at, count, depth)
    for (let index = 0; index < count; index++) at = this.value(at, depth)
    return at
  }

  #map(at: number, count: number, depth: number): number {
    this.#enter(at, count * 2, depth)
    if (count > LIMITS.maxMapEntries) throw bad(`map over ${LIMITS.maxMapEntries} entries`, at)
    const seen = count > SMALL_MAP ? new Set<string>() : undefined
    const places: number[] = []
    let room = 0
    for (let index = 0; index < count; index++) {
      const start = this.#keyStart(at)
      const end = this.value(at, depth)
      if (end - start > LIMITS.maxMapKeyBytes) throw bad(`map key over ${LIMITS.maxMapKeyBytes} bytes`, at)
      for (const word of FORBIDDEN_BYTES) if (this.#holds(start, end, word)) throw bad('map key is not allowed', at)
      if (seen === undefined ? this.#isAmong(places, start, end) : this.#isIn(seen, start, end))
        throw bad('map key is doubled', at)
      if (index + 1 < count) places.push(start, end)
      if (this.#isDigit(start)) room = Math.max(room, roomOf(this.#letters(start, end)))
      at = this.value(end, depth)
    }
    if (room > 0) this.#count(room, at)
    return at
  }

  #keyStart(at: number): number {
    const head = this.#bytes[at]
    if (head !== undefined && head >= 0xa0 && head < 0xc0) return at + 1
    if (head === 0xd9) return at + 2
    throw bad('map key is not a short string', at)
  }

  /** True when the bytes from `start` to `end` are those of `word`, from its `from` on. */
  #holds(start: number, end: number, word: Uint8Array, from = 0, to = word.length): boolean {
    if (end - start !== to - from) return false
    for (let index = start; index < end; index++) if (this.#bytes[index] !== word[from + index - start]) return false
    return true
  }

  #isAmong(places: readonly number[], start: number, end: number): boolean {
    for (let index = 0; index < places.length; index += 2)
      if (this.#holds(start, end, this.#bytes, places[index], places[index + 1])) return true
    return false
  }

  #isIn(seen: Set<string>, start: number, end: number): boolean {
    return seen.size === seen.add(this.#letters(start, end)).size
  }

  #isDigit(at: number): boolean {
    const byte = this.#bytes[at]!
    return byte >= 0x30 && byte <= 0x39
  }

  /** The bytes, each as a character. */
  #letters(start: number, end: number): string {
    let letters = ''
    for (let index = start; index < end; index++) letters += String.fromCharCode(this.#bytes[index]!)
    return letters
  }

  #enter(at: number, values: number, depth: number): void {
    if (depth > LIMITS.maxDepth) throw bad(`deeper than ${LIMITS.maxDepth}`, at)
    if (values > this.#bytes.length - at) throw bad('count over the bytes that are there', at)
  }

  /** Refuses overlong forms, surrogates and code points beyond U+10FFFF too (RFC 3629, section 4). */
  #text(at: number, length: number): number {
    const bytes = this.#bytes
    const end = this.#skip(at, length)
    while (at < end) {
      const lead = bytes[at]!
      if (lead < 0x80) {
        at += 1
        continue
      }
      const extra = lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 0
      const second = bytes[at + 1]!
      const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
      const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
      if (extra === 0 || at + extra >= end || second < least || second > most) throw bad('text is not UTF-8', at)
      for (let index = 2; index <= extra; index++) if ((bytes[at + index]! & 0xc0) !== 0x80) throw bad('text is not UTF-8', at)
      at += extra + 1
    }
    return end
  }
}
