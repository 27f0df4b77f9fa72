import { createHash } from 'node:crypto'
import { HubError } from '../../protocol/index.ts'
import type { PartialBlob, PartialBlobs } from '../core/blobs.ts'
import { Arrival } from './arrival.ts'
import { ChunkSet } from './chunk-set.ts'
import { chunkCount, type UploadOutcome, type UploadRecord, type UploadState } from './upload-record.ts'

/** A chunk as it comes in. */
export interface ChunkBody {
  readonly bytes: AsyncIterable<Uint8Array>
  /** How many bytes the sender announced; undefined when it said nothing. */
  readonly sizeBytes?: number | undefined
  /** SHA-256 of the chunk, where the sender gave it. */
  readonly sha256?: Uint8Array | undefined
  /** @throws HubError why nothing of it may count any more; asked with each piece, and before the chunk counts */
  readonly mustBeLetIn?: () => void
}

/** An upload that is not done: its chunks, and the hash of those that are there from the first on. */
export class Upload {
  readonly record: UploadRecord
  readonly chunks: ChunkSet
  state: UploadState
  expiresAtMs: number
  outcome: UploadOutcome | undefined
  /** It was cancelled, or has expired: nothing counts any more. */
  isGone = false
  /** Chunks that come in, counting repeats. */
  arrivingCount = 0
  readonly #partials: PartialBlobs
  readonly #keep: (upload: Upload) => Promise<void>
  readonly #arrivals = new Map<number, { arrival: Arrival; done: Promise<void> }>()
  #hash = createHash('sha256')
  #hashedChunks = 0
  #hashing: Promise<void> | undefined

  /** @param keep stores how far it is. Resolves when that is flushed to disk */
  constructor(record: UploadRecord, partials: PartialBlobs, keep: (upload: Upload) => Promise<void>) {
    this.record = record
    this.state = record.state
    this.expiresAtMs = record.expiresAtMs
    this.outcome = record.outcome
    this.chunks = new ChunkSet(chunkCount(record), record.received)
    this.#partials = partials
    this.#keep = keep
  }

  get receivedBytes(): number {
    const { chunkBytes, sizeBytes } = this.record
    const { count, size } = this.chunks
    return size * chunkBytes - (this.chunks.has(count - 1) ? count * chunkBytes - sizeBytes : 0)
  }

  /**
   * Takes a chunk. Resolves when it is on disk and counted; of one that is there already, when all of it was heard. It counts whole or not at all.
   * @throws HubError `bad-request` when its place, its length or its digest is wrong
   * @throws HubError `not-found` when the upload went away meanwhile
   * @throws HubError what `mustBeLetIn` of the chunk says
   */
  async receive(index: number, body: ChunkBody): Promise<void> {
    const sizeBytes = this.#sizeOf(index)
    mustHaveBytes(body.sizeBytes ?? sizeBytes, sizeBytes)
    this.arrivingCount += 1
    try {
      const file = await this.#open()
      if (!this.chunks.has(index)) return await this.#take(index, body, sizeBytes, file)
      await file.close()
      await readWhole(body, sizeBytes, () => undefined)
      // That it is there may not be kept yet; and the upload lives on from here.
      await this.#keep(this)
    } finally {
      this.arrivingCount -= 1
    }
  }

  /**
   * SHA-256 of the whole file, once all chunks are there.
   * @throws HubError `not-found` when the upload went away meanwhile
   */
  async digest(): Promise<string> {
    while (this.#hashedChunks < this.chunks.count) {
      await this.#hashOn()
      this.mustBeThere()
    }
    return this.#hash.copy().digest('hex')
  }

  /** Forgets all chunks: some of them are not what was announced, and nobody can say which. */
  reset(): void {
    this.chunks.clear()
    this.#hash = createHash('sha256')
    this.#hashedChunks = 0
  }

  mustBeThere(): void {
    if (this.isGone) throw new HubError('not-found', 'the upload was cancelled, or has expired')
  }

  async #take(index: number, body: ChunkBody, sizeBytes: number, file: PartialBlob): Promise<void> {
    const arrival = new Arrival(file, index * this.record.chunkBytes, this.#arrivals.get(index)?.arrival)
    const done = this.#write(index, body, sizeBytes, arrival).finally(() => {
      if (this.#arrivals.get(index)?.arrival === arrival) this.#arrivals.delete(index)
    })
    this.#arrivals.set(index, { arrival, done })
    try {
      await done
    } finally {
      await file.close()
    }
    // Who was replaced hears what came of the sending that took its place.
    if (!arrival.isReplaced) return
    for (let latest = this.#arrivals.get(index); latest !== undefined; latest = this.#arrivals.get(index)) await latest.done
    if (!this.chunks.has(index)) throw new HubError('bad-request', `the chunk ${index} was sent twice at once; send it again`)
  }

  async #write(index: number, body: ChunkBody, sizeBytes: number, arrival: Arrival): Promise<void> {
    // Over a copy, so that a chunk which does not count leaves no trace in the hash.
    const hash = index === this.#hashedChunks && this.#hashing === undefined ? this.#hash.copy() : undefined
    try {
      await readWhole(body, sizeBytes, async bytes => {
        if (arrival.isReplaced) return
        this.mustBeThere()
        hash?.update(bytes)
        await arrival.push(bytes)
      })
      await arrival.flush()
    } finally {
      await arrival.settled()
    }
    if (arrival.isReplaced) return
    body.mustBeLetIn?.()
    this.chunks.add(index)
    if (hash !== undefined && index === this.#hashedChunks) {
      this.#hash = hash
      this.#hashedChunks += 1
    }
    await this.#keep(this)
    // Chunks that came before their turn are read back while others arrive. Should that fail, whoever finishes the upload tries again, and is told.
    if (this.chunks.has(this.#hashedChunks)) this.#hashOn().catch(() => undefined)
  }

  #hashOn(): Promise<void> {
    return (this.#hashing ??= this.#readBack().finally(() => (this.#hashing = undefined)))
  }

  async #readBack(): Promise<void> {
    const file = await this.#open()
    try {
      while (!this.isGone && this.chunks.has(this.#hashedChunks)) {
        const start = this.#hashedChunks * this.record.chunkBytes
        const hash = this.#hash.copy()
        for await (const bytes of file.read(start, start + this.#sizeOf(this.#hashedChunks))) hash.update(bytes)
        this.#hash = hash
        this.#hashedChunks += 1
      }
    } finally {
      await file.close()
    }
  }

  async #open(): Promise<PartialBlob> {
    const file = await this.#partials.open(this.record.id)
    if (file === undefined) throw new HubError('not-found', 'the upload was cancelled, or has expired')
    return file
  }

  #sizeOf(index: number): number {
    const { count } = this.chunks
    if (!Number.isSafeInteger(index) || index < 0 || index >= count)
      throw new HubError('bad-request', count === 0 ? 'the file has no chunks' : `the chunks are 0 to ${count - 1}`, {
        field: 'index'
      })
    const { chunkBytes, sizeBytes } = this.record
    return Math.min(chunkBytes, sizeBytes - index * chunkBytes)
  }
}

function mustHaveBytes(sizeBytes: number, expected: number): void {
  if (sizeBytes !== expected) throw new HubError('bad-request', `the chunk has ${expected} bytes, not ${sizeBytes}`)
}

/** Hears all of a chunk. @throws HubError `bad-request` when its length or its digest is wrong; what its `mustBeLetIn` says */
async function readWhole(
  { bytes, sha256, mustBeLetIn }: ChunkBody,
  sizeBytes: number,
  take: (bytes: Uint8Array) => Promise<void> | undefined
): Promise<void> {
  const hash = sha256 && createHash('sha256')
  let count = 0
  for await (const part of bytes) {
    mustBeLetIn?.()
    count += part.length
    if (count > sizeBytes) throw new HubError('bad-request', `the chunk has ${sizeBytes} bytes, and more came`)
    hash?.update(part)
    await take(part)
  }
  mustHaveBytes(count, sizeBytes)
  if (hash !== undefined && !hash.digest().equals(sha256!))
    throw new HubError('bad-request', 'the bytes are not those of the content-digest', { field: 'content-digest' })
}
