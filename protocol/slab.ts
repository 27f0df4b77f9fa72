const SLAB_BYTES = 65_536
let slab = new Uint8Array(0)
let slabUsed = 0

/**
 * Memory that nobody else is given, for what is short and soon let go of: pieces of one block, which stays for as long as any of them does. A buffer of its own for each would cost
 * more than what is written to it.
 */
export function allocate(bytes: number): Uint8Array {
  if (bytes > SLAB_BYTES / 4) return new Uint8Array(bytes)
  if (slabUsed + bytes > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    slabUsed = 0
  }
  slabUsed += bytes
  return slab.subarray(slabUsed - bytes, slabUsed)
}
