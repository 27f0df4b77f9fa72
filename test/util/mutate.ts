import type { Random } from './random.ts'

/** Heads of msgpack values and other bytes that decide something. */
const TELLING = [
  0x00, 0x01, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xca, 0xcb, 0xcf, 0xd3, 0xd4, 0xd9,
  0xdb, 0xdd, 0xdf, 0xe0, 0xff
]

/** What a broken client, a broken line or an enemy makes of some bytes: cut, spliced with others, repeated in part, or changed here and there. */
export function mutate(bytes: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  const at = random.below(bytes.length + 1)
  switch (random.below(8)) {
    case 0:
      return bytes.slice(0, at)
    case 1: {
      const other = random.pick(others)
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))])
    }
    case 2: {
      const to = at + random.below(Math.min(64, bytes.length + 1 - at))
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)])
    }
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(4))])
    default: {
      const changed = Uint8Array.from(bytes)
      for (let count = 1 + random.below(3); count > 0; count--) {
        const place = random.below(changed.length)
        const choice = random.below(4)
        if (choice === 0) changed[place] = random.below(256)
        else if (choice === 1) changed[place]! ^= 1 << random.below(8)
        else if (choice === 2) changed[place]! += random.chance(0.5) ? 1 : -1
        else changed[place] = random.pick(TELLING)
      }
      return changed
    }
  }
}
