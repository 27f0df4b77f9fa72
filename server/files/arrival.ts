import type { PartialBlob } from '../core/blobs.ts'

/** So many bytes go to the disk at once, while as many again are gathered: a write costs about as much for few bytes as for these. */
const GATHERED_BYTES = 262_144
/** So many written bytes are flushed while others arrive: a chunk's last flush, for which its sender waits, finds little left to do. */
const FLUSHED_BYTES = 4_194_304

/**
 * One sending of a chunk, on its way to its place in the file. Bytes are gathered while those before them are written, and who sends faster than the disk
 * writes waits.
 *
 * Of two sendings of one chunk the later takes the place: most often the earlier comes from a line that broke without a word. What was replaced writes no more.
 */
export class Arrival {
  isReplaced = false
  readonly #file: PartialBlob
  #position: number
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  #writing: Promise<void>
  #unflushedBytes = 0
  #flushing: Promise<void> | undefined
  #isFlushing = false

  /** @param earlier the sending whose place this one takes */
  constructor(file: PartialBlob, position: number, earlier: Arrival | undefined) {
    this.#file = file
    this.#position = position
    this.#writing = earlier?.settled() ?? Promise.resolve()
    if (earlier !== undefined) earlier.isReplaced = true
  }

  async push(bytes: Uint8Array): Promise<void> {
    this.#gathered.push(bytes)
    this.#gatheredBytes += bytes.length
    if (this.#gatheredBytes >= GATHERED_BYTES) await this.#write()
  }

  /** Resolves when all that was pushed is written and flushed. */
  async flush(): Promise<void> {
    if (this.#gatheredBytes > 0) await this.#write()
    await this.#writing
    await this.#flushing
    await this.#file.flush()
  }

  /** Resolves when nothing is under way, however it ended. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => undefined)
    await this.#flushing?.catch(() => undefined)
  }

  async #write(): Promise<void> {
    await this.#writing
    if (this.isReplaced) return
    this.#writing = this.#file.write(this.#gathered, this.#position)
    // Its failure is told by whoever waits for it next.
    this.#writing.catch(() => undefined)
    this.#position += this.#gatheredBytes
    this.#unflushedBytes += this.#gatheredBytes
    this.#gathered = []
    this.#gatheredBytes = 0
    if (this.#unflushedBytes >= FLUSHED_BYTES && !this.#isFlushing) this.#flushOn()
  }

  /** After a flush that failed none follows: what the next one says would be no word about those bytes. */
  #flushOn(): void {
    this.#isFlushing = true
    this.#unflushedBytes = 0
    this.#flushing = this.#writing.then(() => this.#file.flush()).then(() => void (this.#isFlushing = false))
    this.#flushing.catch(() => undefined)
  }
}
