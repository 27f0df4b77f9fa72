import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'
import { fromBufferPromise, openPromise, type Entry, type ZipFile } from 'yauzl'
import { HubError } from '../../protocol/index.ts'

const inflate = promisify(inflateRaw)

const MAX_ENTRIES = 20_000
const MAX_DIRECTORY_BYTES = 8_388_608
const MAX_TOTAL_BYTES = 33_554_432

const STORED = 0
const DEFLATED = 8

/** The complaint about a file that is not what it should be. */
export const badFile = (detail: string): HubError => new HubError('bad-request', detail, { field: 'file' })

/** A zip file's contents, by name, in memory and within bounds. Names are only ever looked up: no path reaches the file system. */
export class ZipArchive {
  readonly #zip: ZipFile
  readonly #entries = new Map<string, Entry>()
  #leftBytes = MAX_TOTAL_BYTES

  private constructor(zip: ZipFile) {
    this.#zip = zip
  }

  /**
   * Reads the central directory. Of two entries with one name the first counts.
   *
   * @param source a path, or the file's bytes
   * @throws HubError `bad-request` when it is no zip file, is damaged, or lists too much; file system errors as they are
   */
  static async open(source: string | Buffer): Promise<ZipArchive> {
    const options = { autoClose: false }
    const zip = await reading(typeof source === 'string' ? openPromise(source, options) : fromBufferPromise(source, options))
    const archive = new ZipArchive(zip)
    try {
      await reading(archive.#readDirectory())
      return archive
    } catch (error) {
      archive.close()
      throw error
    }
  }

  async #readDirectory(): Promise<void> {
    let directoryBytes = 0
    for await (const entry of this.#zip.eachEntry()) {
      directoryBytes += 46 + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength
      if (this.#zip.entriesRead > MAX_ENTRIES || directoryBytes > MAX_DIRECTORY_BYTES)
        throw badFile('the zip file lists too many entries')
      if (!this.#entries.has(entry.fileName)) this.#entries.set(entry.fileName, entry)
    }
  }

  /** The size that the directory gives for an entry, before it was inflated; undefined when there is no such entry. */
  sizeOf(name: string): number | undefined {
    return this.#entries.get(name)?.uncompressedSize
  }

  /**
   * The bytes of one entry; undefined when there is none of that name.
   *
   * @throws HubError `bad-request` when the entry is larger than `maxBytes`, or than it says, or is damaged or encrypted
   */
  async read(name: string, maxBytes: number): Promise<Buffer | undefined> {
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    if (entry.isEncrypted() || (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED))
      throw badFile(`${shown(name)} is encrypted or packed in a way that cannot be read`)
    const mostBytes = Math.min(maxBytes, this.#leftBytes)
    if (entry.uncompressedSize > mostBytes || entry.compressedSize > mostBytes)
      throw badFile(`${shown(name)} is larger than ${mostBytes} bytes`)
    this.#leftBytes -= entry.uncompressedSize
    const packed = await reading(this.#readPacked(entry))
    // yauzl's own inflating stream cannot be ended early without leaving its memory behind.
    const bytes = entry.compressionMethod === STORED ? packed : await reading(inflateAtMost(packed, entry.uncompressedSize))
    if (bytes.length !== entry.uncompressedSize) throw badFile(`${shown(name)} is not as long as it says`)
    return bytes
  }

  async #readPacked(entry: Entry): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of await this.#zip.openReadStreamPromise(entry, { decodeFileData: false }))
      chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  close(): void {
    this.#zip.close()
  }
}

/** Stops at `sizeBytes`, however much more there is to inflate. */
function inflateAtMost(packed: Buffer, sizeBytes: number): Promise<Buffer> {
  return inflate(packed, { maxOutputLength: Math.max(1, sizeBytes) })
}

/** What yauzl and zlib complain of is the file's fault; what the file system says is not. */
async function reading<T>(step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (error) {
    if (error instanceof HubError || !(error instanceof Error) || 'syscall' in error) throw error
    throw badFile(`the zip file is damaged, or is none: ${error.message}`)
  }
}

/** A name from the file, fit for an error's text. */
export const shown = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
