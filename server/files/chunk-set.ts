/** Which chunks of a file are there: a bit each. */
export class ChunkSet {
  /** Of how many chunks. */
  readonly count: number
  readonly #bits: Uint8Array
  #size = 0

  /** @param bits as `toBytes` gave them; without, none is there */
  constructor(count: number, bits?: Uint8Array) {
    this.count = count
    this.#bits = new Uint8Array(Math.ceil(count / 8))
    if (bits !== undefined) this.#bits.set(bits.subarray(0, this.#bits.length))
    for (let index = 0; index < count; index++) if (this.has(index)) this.#size += 1
  }

  /** How many are there. */
  get size(): number {
    return this.#size
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
  }

  add(index: number): void {
    if (!this.has(index)) this.#size += 1
    this.#bits[index >> 3]! |= 1 << (index & 7)
  }

  clear(): void {
    this.#bits.fill(0)
    this.#size = 0
  }

  /** Those that are not there, in order. */
  missing(): number[] {
    return Array.from({ length: this.count }, (_, index) => index).filter(index => !this.has(index))
  }

  toBytes(): Uint8Array {
    return this.#bits.slice()
  }
}
