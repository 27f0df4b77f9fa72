import { createHash, randomUUID } from 'node:crypto'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HubError, SHA256 } from '../../protocol/index.ts'
import type { BlobInfo, BlobStore } from '../core/blobs.ts'
import { DiskPartials } from './disk-partials.ts'
import { flushFolder, isMissing, makeFolder, readFile } from './files.ts'

/** Where unfinished puts are, in the folder of blobs. */
export const TEMPORARY = 'tmp'
/** Where partials are, in the folder of blobs: on its file system, so that they can be renamed to their names. */
export const PARTIALS = 'uploads'

/** @throws HubError `bad-request` when `expected` is no SHA-256 */
export function mustBeName(expected: string | undefined): void {
  if (expected !== undefined && !SHA256.test(expected))
    throw new HubError('bad-request', 'a SHA-256 is 64 lower-case hex digits', { field: 'sha256' })
}

/** @throws HubError `bad-request` when the bytes are not those expected */
export function mustBeExpected(sha256: string, expected: string | undefined): void {
  if (expected !== undefined && sha256 !== expected)
    throw new HubError('bad-request', `the bytes hash to ${sha256}, not to ${expected}`, { field: 'sha256' })
}

/** @throws HubError `too-large` */
export function mustFit(sizeBytes: number, maxBytes: number | undefined): void {
  if (maxBytes !== undefined && sizeBytes > maxBytes) throw new HubError('too-large', `the file is over ${maxBytes} bytes`)
}

function ifMissing<T>(error: unknown, value: T): T {
  if (isMissing(error)) return value
  throw error
}

/** File contents in a folder: `<first 2 digits>/<next 2>/<SHA-256>`. A file is renamed to its name only when all of it is on disk. */
export class DiskBlobStore implements BlobStore {
  readonly #folder: string
  readonly #temporary: string
  readonly partials: DiskPartials

  private constructor(folder: string) {
    this.#folder = folder
    this.#temporary = join(folder, TEMPORARY)
    this.partials = new DiskPartials(join(folder, PARTIALS), (path, sha256) => this.#name(path, sha256))
  }

  /** Makes the folder where it is missing, and removes what unfinished puts left behind. MUST have the folder to itself. */
  static async open(folder: string): Promise<DiskBlobStore> {
    const store = new DiskBlobStore(folder)
    await makeFolder(store.#temporary)
    await makeFolder(join(folder, PARTIALS))
    for (const name of await readdir(store.#temporary)) await rm(join(store.#temporary, name), { recursive: true })
    return store
  }

  async put(
    source: AsyncIterable<Uint8Array>,
    { expected, maxBytes }: { expected?: string; maxBytes?: number } = {}
  ): Promise<BlobInfo> {
    mustBeName(expected)
    const temporary = join(this.#temporary, randomUUID())
    try {
      const info = await write(temporary, source, maxBytes)
      mustBeExpected(info.sha256, expected)
      await this.#name(temporary, info.sha256)
      return info
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  async stat(sha256: string): Promise<BlobInfo | undefined> {
    if (!SHA256.test(sha256)) return undefined
    try {
      return { sha256, sizeBytes: (await stat(this.#pathOf(sha256))).size }
    } catch (error) {
      return ifMissing(error, undefined)
    }
  }

  async read(sha256: string, start = 0, end = Infinity): Promise<AsyncIterable<Uint8Array> | undefined> {
    const info = await this.stat(sha256)
    return info && slice(this.#pathOf(sha256), start, Math.min(end, info.sizeBytes))
  }

  /** Gives a flushed file its name. @throws ENOENT when there is no such file */
  async #name(file: string, sha256: string): Promise<void> {
    const path = this.#pathOf(sha256)
    await makeFolder(dirname(path))
    // Over an equal file as well: that one may be damaged or not yet flushed.
    await rename(file, path)
    await flushFolder(dirname(path))
  }

  #pathOf(sha256: string): string {
    return join(this.#folder, sha256.slice(0, 2), sha256.slice(2, 4), sha256)
  }
}

async function write(path: string, source: AsyncIterable<Uint8Array>, maxBytes: number | undefined): Promise<BlobInfo> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  const handle = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of source) {
      sizeBytes += chunk.length
      mustFit(sizeBytes, maxBytes)
      hash.update(chunk)
      await handle.writeFile(chunk)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  return { sha256: hash.digest('hex'), sizeBytes }
}

/** Opens the file at the first read only, so that bytes nobody asks for hold no file open. */
async function* slice(path: string, start: number, end: number): AsyncIterable<Uint8Array> {
  if (start >= end) return
  const handle = await open(path, 'r')
  try {
    yield* readFile(handle, start, end)
  } finally {
    await handle.close()
  }
}
