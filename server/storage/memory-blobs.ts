import { createHash } from 'node:crypto'
import type { BlobInfo, BlobStore, PartialBlob, PartialBlobs } from '../core/blobs.ts'
import { mustBeExpected, mustBeName, mustFit } from './disk-blobs.ts'

/** File contents in memory, for tests. */
export class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<string, Buffer>()
  readonly partials: PartialBlobs = new MemoryPartials((sha256, bytes) => void this.#blobs.set(sha256, bytes))

  async put(
    source: AsyncIterable<Uint8Array>,
    { expected, maxBytes }: { expected?: string; maxBytes?: number } = {}
  ): Promise<BlobInfo> {
    mustBeName(expected)
    const chunks: Buffer[] = []
    let sizeBytes = 0
    for await (const chunk of source) {
      sizeBytes += chunk.length
      mustFit(sizeBytes, maxBytes)
      chunks.push(Buffer.from(chunk))
    }
    const bytes = Buffer.concat(chunks)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    mustBeExpected(sha256, expected)
    this.#blobs.set(sha256, bytes)
    return { sha256, sizeBytes }
  }

  async stat(sha256: string): Promise<BlobInfo | undefined> {
    const bytes = this.#blobs.get(sha256)
    return bytes && { sha256, sizeBytes: bytes.length }
  }

  async read(sha256: string, start = 0, end = Infinity): Promise<AsyncIterable<Uint8Array> | undefined> {
    const bytes = this.#blobs.get(sha256)
    return bytes && chunksOf(Buffer.from(bytes.subarray(start, Math.max(start, Math.min(end, bytes.length)))))
  }
}

async function* chunksOf(bytes: Buffer): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

class MemoryPartials implements PartialBlobs {
  readonly #files = new Map<string, Buffer>()
  readonly #name: (sha256: string, bytes: Buffer) => void

  constructor(name: (sha256: string, bytes: Buffer) => void) {
    this.#name = name
  }

  async list(): Promise<string[]> {
    return [...this.#files.keys()]
  }

  async create(id: string, sizeBytes: number): Promise<void> {
    this.#files.set(id, Buffer.alloc(sizeBytes))
  }

  async open(id: string): Promise<PartialBlob | undefined> {
    const bytes = this.#files.get(id)
    return (
      bytes && {
        async write(parts, position) {
          for (const part of parts) {
            bytes.set(part, position)
            position += part.length
          }
        },
        flush: async () => undefined,
        read: (start, end) => chunksOf(Buffer.from(bytes.subarray(start, end))),
        close: async () => undefined
      }
    )
  }

  async remove(id: string): Promise<boolean> {
    return this.#files.delete(id)
  }

  async adopt(id: string, sha256: string): Promise<boolean> {
    const bytes = this.#files.get(id)
    if (bytes === undefined) return false
    this.#files.delete(id)
    this.#name(sha256, bytes)
    return true
  }
}
