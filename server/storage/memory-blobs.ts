import { createHash } from 'node:crypto'
import type { BlobInfo, BlobStore } from '../core/blobs.ts'
import { mustBeExpected, mustBeName, mustFit } from './disk-blobs.ts'

/** File contents in memory, for tests. */
export class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<string, Buffer>()

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

  async remove(sha256: string): Promise<boolean> {
    return this.#blobs.delete(sha256)
  }
}

async function* chunksOf(bytes: Buffer): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes
}
