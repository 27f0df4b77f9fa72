/** A SHA-256 that is fed piece by piece. */
export interface Hash {
  update(bytes: Uint8Array): void
  /** Ends it. @returns 64 lower-case hex digits */
  digest(): string
}

const BLOCK_BYTES = 64

/** The first 32 bits of the fractional parts of a root of each of the first primes. */
const rootsOfPrimes = (count: number, root: (prime: number) => number): Uint32Array<ArrayBuffer> => {
  const found: number[] = []
  for (let candidate = 2; found.length < count; candidate++)
    if (!found.some(prime => candidate % prime === 0)) found.push(candidate)
  return Uint32Array.from(found, prime => (root(prime) % 1) * 2 ** 32)
}

const ROUNDS = rootsOfPrimes(64, Math.cbrt)
const START = rootsOfPrimes(8, Math.sqrt)

/**
 * SHA-256 on any platform. WebCrypto's takes only what is in memory as a whole, which a file need not be.
 * @see FIPS 180-4, section 6.2
 */
export class Sha256 implements Hash {
  readonly #state = START.slice()
  readonly #block = new Uint8Array(BLOCK_BYTES)
  readonly #words = new Uint32Array(64)
  #filled = 0
  #bytes = 0

  update(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    let at = 0
    if (this.#filled > 0) {
      at = Math.min(BLOCK_BYTES - this.#filled, bytes.length)
      this.#block.set(bytes.subarray(0, at), this.#filled)
      this.#filled += at
      if (this.#filled < BLOCK_BYTES) return
      this.#take(this.#block, 0)
      this.#filled = 0
    }
    for (; at + BLOCK_BYTES <= bytes.length; at += BLOCK_BYTES) this.#take(bytes, at)
    this.#block.set(bytes.subarray(at))
    this.#filled = bytes.length - at
  }

  digest(): string {
    const block = this.#block
    block[this.#filled] = 0x80
    block.fill(0, this.#filled + 1)
    if (this.#filled + 1 > BLOCK_BYTES - 8) {
      this.#take(block, 0)
      block.fill(0)
    }
    new DataView(block.buffer).setBigUint64(BLOCK_BYTES - 8, BigInt(this.#bytes) * 8n)
    this.#take(block, 0)
    return Array.from(this.#state, word => word.toString(16).padStart(8, '0')).join('')
  }

  #take(bytes: Uint8Array, at: number): void {
    const words = this.#words
    for (let index = 0; index < 16; index++) {
      const from = at + index * 4
      words[index] = (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!
    }
    for (let index = 16; index < 64; index++) {
      const near = words[index - 2]!
      const far = words[index - 15]!
      const mixedNear = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10)
      const mixedFar = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3)
      words[index] = words[index - 16]! + mixedFar + words[index - 7]! + mixedNear
    }
    const state = this.#state
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
    for (let index = 0; index < 64; index++) {
      const first =
        (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[index]! + words[index]!) | 0
      const second = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + first) | 0
      d = c
      c = b
      b = a
      a = (first + second) | 0
    }
    const after = [a, b, c, d, e, f, g, h]
    for (let index = 0; index < 8; index++) state[index] = state[index]! + after[index]!
  }
}

const turned = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits))
