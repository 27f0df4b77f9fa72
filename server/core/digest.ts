/**
 * A 52-bit digest of an action's content, kept to tell a repeat from another action under the same number.
 * It guards a client against its own mistakes, not against anyone, so it needs no cryptography.
 */
export function digest(parts: readonly Uint8Array[]): number {
  let low = 0x811c9dc5
  let high = 0x1b873593
  for (const bytes of parts) {
    for (let index = 0; index < bytes.length; index++) {
      low = Math.imul(low ^ bytes[index]!, 0x01000193)
      high = Math.imul(high ^ bytes[index]!, 0x85ebca6b)
    }
    low = Math.imul(low ^ bytes.length, 0xc2b2ae35)
    high ^= high >>> 15
  }
  low ^= low >>> 16
  return (high >>> 12) * 0x100000000 + (low >>> 0)
}
