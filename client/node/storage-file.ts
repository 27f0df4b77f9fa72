import { open, readFile, rename, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StorageTakenError, type ClientStorage, type StorageChange } from '../storage.ts'
import { MAGIC, decodeRecord, encodeRecord, type Entry, type Place } from './journal.ts'
import { lockFile } from './lock-file.ts'

/** The file is none of ours, or bytes in the middle of it are not what was written. */
export class StorageDamagedError extends Error {
  override readonly name = 'StorageDamagedError'

  constructor(path: string, at: number) {
    super(`${path} is damaged at byte ${at}`)
  }
}

export interface FileStorageOptions {
  /** Less garbage than this is left in the file. @default 1_048_576 (1 MiB) */
  readonly minGarbageBytes?: number
}

interface Write {
  readonly changes: readonly StorageChange[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Records that compaction aims at. */
const COMPACT_RECORD_BYTES = 4_194_304

/**
 * Keeps a client's state in one file: a journal of writes, each a record with its length and checksum, and on disk before it resolves.
 *
 * A record that was cut off at the end of the file was never promised, and is dropped on opening. When most of the file is out of date, what
 * counts is written to a temporary file that takes its place.
 */
export class FileStorage implements ClientStorage {
  readonly #path: string
  readonly #minGarbageBytes: number
  readonly #unlock: () => void
  readonly #places = new Map<string, Place>()
  #file: FileHandle
  #end = 0
  #liveBytes = 0
  #waiting: Write[] = []
  /** Everything that touches the file, one after the other. */
  #work: Promise<unknown> = Promise.resolve()
  /** What has to succeed before anything is written again. */
  #mend: (() => Promise<void>) | undefined

  private constructor(path: string, file: FileHandle, unlock: () => void, minGarbageBytes: number) {
    this.#path = path
    this.#file = file
    this.#unlock = unlock
    this.#minGarbageBytes = minGarbageBytes
  }

  /**
   * Opens the journal at `path`, or makes it. One process at a time has it, by a file beside it that ends in `.lock`.
   *
   * @throws StorageTakenError, StorageDamagedError, and what the file system throws
   */
  static async open(path: string, { minGarbageBytes = 1_048_576 }: FileStorageOptions = {}): Promise<FileStorage> {
    const unlock = lockFile(`${path}.lock`, () => new StorageTakenError(path))
    let file: FileHandle | undefined
    try {
      file = await openOrMake(path)
      const storage = new FileStorage(path, file, unlock, minGarbageBytes)
      await storage.#replay()
      return storage
    } catch (error) {
      await file?.close()
      unlock()
      throw error
    }
  }

  load(prefix: string): Promise<[string, Uint8Array][]> {
    return this.#next(async () => {
      const keys = [...this.#places.keys()].filter(key => key.startsWith(prefix)).sort()
      const found: [string, Uint8Array][] = []
      for (const key of keys) found.push([key, await this.#read(this.#places.get(key)!)])
      return found
    })
  }

  /** Writes that come while the disk is busy become one record. */
  write(changes: readonly StorageChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject })
      if (this.#waiting.length === 1) void this.#next(() => this.#drain())
    })
  }

  async close(): Promise<void> {
    await this.#next(() => this.#file.close())
    this.#unlock()
  }

  #next<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#work.then(task)
    this.#work = result.catch(() => {})
    return result
  }

  async #drain(): Promise<void> {
    const writes = this.#waiting
    this.#waiting = []
    try {
      await this.#mended()
      await this.#append(writes.flatMap(({ changes }) => changes))
      for (const { resolve } of writes) resolve()
    } catch (error) {
      // What cannot be mended now fails the next write.
      await this.#mended().catch(() => {})
      for (const { reject } of writes) reject(error)
      return
    }
    const garbageBytes = this.#end - this.#liveBytes
    if (garbageBytes > this.#minGarbageBytes && garbageBytes > this.#liveBytes) await this.#compact()
  }

  async #mended(): Promise<void> {
    await this.#mend?.()
    this.#mend = undefined
  }

  async #append(changes: readonly StorageChange[]): Promise<void> {
    const { bytes, entries } = encodeRecord(changes, this.#end)
    this.#mend = () => this.#cutOff()
    await writeAll(this.#file, bytes, this.#end)
    await this.#file.datasync()
    this.#mend = undefined
    this.#end += bytes.length
    this.#apply(entries)
  }

  /** All of a write that failed may be there, and would count when the file is opened again. */
  async #cutOff(): Promise<void> {
    await this.#file.truncate(this.#end)
    await this.#file.sync()
  }

  #apply(entries: readonly Entry[]): void {
    for (const [key, place] of entries) {
      const old = this.#places.get(key)
      if (old !== undefined) this.#liveBytes -= sizeOf(key, old)
      if (place === undefined) this.#places.delete(key)
      else {
        this.#places.set(key, place)
        this.#liveBytes += sizeOf(key, place)
      }
    }
  }

  async #replay(): Promise<void> {
    const bytes = await readFile(this.#path)
    if (bytes.length <= MAGIC.length && MAGIC.subarray(0, bytes.length).equals(bytes)) await writeAll(this.#file, MAGIC, 0)
    else if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new StorageDamagedError(this.#path, 0)
    this.#end = MAGIC.length
    while (this.#end < bytes.length) {
      const record = decodeRecord(bytes, this.#end)
      if (record === 'damaged') throw new StorageDamagedError(this.#path, this.#end)
      if (record === 'torn') break
      this.#apply(record.entries)
      this.#end = record.end
    }
    await this.#file.truncate(this.#end)
    await this.#file.sync()
    await syncFolder(this.#path)
  }

  /** A crash leaves the old file or the new one. A failure leaves the old one in use. */
  async #compact(): Promise<void> {
    const temporary = `${this.#path}.new`
    let file: FileHandle | undefined
    try {
      file = await open(temporary, 'w+', 0o600)
      const { entries, end } = await this.#copyTo(file)
      await file.sync()
      await rename(temporary, this.#path)
      await this.#file.close()
      this.#file = file
      this.#places.clear()
      this.#liveBytes = 0
      this.#end = end
      this.#apply(entries)
      this.#mend = () => syncFolder(this.#path)
      await this.#mended()
    } catch {
      if (this.#file !== file) await file?.close()
    }
  }

  async #copyTo(file: FileHandle): Promise<{ entries: Entry[]; end: number }> {
    const all: Entry[] = []
    let end = MAGIC.length
    let batch: StorageChange[] = []
    let batchBytes = 0
    const flush = async (): Promise<void> => {
      const { bytes, entries } = encodeRecord(batch, end)
      await writeAll(file, bytes, end)
      for (const entry of entries) all.push(entry)
      end += bytes.length
      batch = []
      batchBytes = 0
    }
    await writeAll(file, MAGIC, 0)
    for (const [key, place] of this.#places) {
      batch.push([key, await this.#read(place)])
      batchBytes += place.length
      if (batchBytes >= COMPACT_RECORD_BYTES) await flush()
    }
    await flush()
    return { entries: all, end }
  }

  async #read({ at, length }: Place): Promise<Uint8Array> {
    const bytes = Buffer.alloc(length)
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, at + done)
      if (bytesRead === 0) throw new StorageDamagedError(this.#path, at + done)
      done += bytesRead
    }
    return bytes
  }
}

const sizeOf = (key: string, { length }: Place): number => key.length + length + 8

async function openOrMake(path: string): Promise<FileHandle> {
  const made = await open(path, 'a', 0o600)
  await made.close()
  return open(path, 'r+')
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}

/** A file's name is durable only when its folder is. Not every system can do it for folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
