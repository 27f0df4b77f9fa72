import { open, readdir, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { PartialBlob, PartialBlobs } from '../core/blobs.ts'
import { flushFolder, isMissing, readFile } from './files.ts'

const ID = /^[0-9A-Za-z]{1,64}$/

/** Partials in a folder: a file each, under its id, as long as the blob will be. What has not arrived is a hole in it. */
export class DiskPartials implements PartialBlobs {
  readonly #folder: string
  readonly #name: (path: string, sha256: string) => Promise<void>

  /** @param name gives a flushed file its name among the blobs */
  constructor(folder: string, name: (path: string, sha256: string) => Promise<void>) {
    this.#folder = folder
    this.#name = name
  }

  list(): Promise<string[]> {
    return readdir(this.#folder)
  }

  async create(id: string, sizeBytes: number): Promise<void> {
    const handle = await open(this.#pathOf(id), 'wx', 0o600)
    try {
      await handle.truncate(sizeBytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await flushFolder(this.#folder)
  }

  async open(id: string): Promise<PartialBlob | undefined> {
    try {
      return new DiskPartial(await open(this.#pathOf(id), 'r+'))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  async remove(id: string): Promise<boolean> {
    try {
      await rm(join(this.#folder, id), { recursive: true })
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  async adopt(id: string, sha256: string): Promise<boolean> {
    try {
      await this.#name(this.#pathOf(id), sha256)
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }

  #pathOf(id: string): string {
    if (!ID.test(id)) throw new TypeError(`${JSON.stringify(id)} is no id of a partial`)
    return join(this.#folder, id)
  }
}

class DiskPartial implements PartialBlob {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    let left: readonly Uint8Array[] = parts
    for (;;) {
      const { bytesWritten } = await this.#handle.writev(left, position)
      position += bytesWritten
      left = behind(left, bytesWritten)
      if (left.length === 0) return
      if (bytesWritten === 0) throw new Error('the file takes no more')
    }
  }

  flush(): Promise<void> {
    return this.#handle.datasync()
  }

  read(start: number, end: number): AsyncIterable<Uint8Array> {
    return readFile(this.#handle, start, end)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** What is left of these bytes behind the first `count`: a write may take fewer than it was given. */
function behind(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  const left: Uint8Array[] = []
  for (const part of parts) {
    if (count < part.length) left.push(part.subarray(count))
    count = Math.max(0, count - part.length)
  }
  return left
}
