import { randomBytes } from 'node:crypto'
import { HubError } from '../../protocol/index.ts'
import type { BlobStore } from '../../server/core/blobs.ts'
import type { Store } from '../../server/core/store.ts'
import type { UploadRecord } from '../../server/files/upload-record.ts'
import type { UploadRequest } from '../../server/files/upload-request.ts'
import type { UploadStatus } from '../../server/files/upload-status.ts'
import { Uploads, type UploadParts } from '../../server/files/uploads.ts'
import { DiskBlobStore } from '../../server/storage/disk-blobs.ts'
import { MemoryStore } from '../../server/storage/memory.ts'
import { CHUNK_BYTES, chunkOf, sha256Of } from './contents.ts'
import { recordingLogger } from './core-hub.ts'
import { temporaryFolder } from './folder.ts'
import { ManualClock } from './manual-clock.ts'
import type { TestContext } from './suite.ts'

export const ANNA = { account: 'anna', device: 'phone' }

/** The code and the field of the error that a call ends with; empty when it ends well. */
export async function refusal(call: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof call === 'function' ? call() : call)
    return ''
  } catch (error) {
    if (error instanceof HubError) return `${error.code} ${error.field}`.trim()
    throw error
  }
}

export async function* inParts(bytes: Uint8Array, partBytes = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += partBytes) yield bytes.subarray(at, at + partBytes)
}

/** Bytes that come when the test says so. */
export class Faucet implements AsyncIterable<Uint8Array> {
  readonly #waiting: (Uint8Array | Error | undefined)[] = []
  #wake: () => void = () => undefined
  #taken = 0
  #given = 0
  #wakers: (() => void)[] = []

  give(item: Uint8Array | Error | undefined): void {
    this.#waiting.push(item)
    this.#given += 1
    this.#wake()
  }

  end(): void {
    this.give(undefined)
  }

  /** Resolves when whoever reads wants more than was given. */
  async drained(): Promise<void> {
    while (this.#taken <= this.#given) await new Promise<void>(resolve => this.#wakers.push(resolve))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      this.#taken += 1
      for (const waker of this.#wakers.splice(0)) waker()
      while (this.#waiting.length === 0) await new Promise<void>(resolve => (this.#wake = resolve))
      const item = this.#waiting.shift()
      if (item === undefined) return
      if (item instanceof Error) throw item
      yield item
    }
  }
}

export interface UploadScene {
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: ManualClock
  readonly uploads: Uploads
  /** What was published, in order. */
  readonly published: UploadRecord[]
  readonly logger: ReturnType<typeof recordingLogger>
  /** Another hub on what this one keeps. */
  restart(parts?: Partial<UploadParts>): Promise<UploadScene>
}

/** Uploads on files in a folder of their own; a hub that publishes whatever it is given. */
export async function uploadScene(context: TestContext, parts: Partial<UploadParts> = {}): Promise<UploadScene> {
  const folder = temporaryFolder(context)
  const clock = new ManualClock()
  const open = async (given: Partial<UploadParts>): Promise<UploadScene> => {
    const blobs = given.blobs ?? (await DiskBlobStore.open(folder))
    const published: UploadRecord[] = []
    const logger = recordingLogger()
    const all: UploadParts = {
      store: new MemoryStore(),
      blobs,
      clock,
      randomBytes: count => randomBytes(count),
      logger,
      maxAccountBytes: 2 ** 40,
      minFreeBytes: 0,
      freeBytes: async () => 2 ** 40,
      contentBytes: async () => 0,
      mustTakeFile: async () => undefined,
      publish: async upload => {
        published.push(upload)
        return { cursor: published.length }
      },
      mustTakeWrites: () => undefined,
      ...given
    }
    const { store } = all
    const uploads = await Uploads.open(all)
    context.defer(() => uploads.close())
    const restart = (more: Partial<UploadParts> = {}): Promise<UploadScene> => {
      const { blobs: _, ...kept } = given
      return open({ ...kept, store, ...more })
    }
    return { store, blobs, clock, uploads, published, logger, restart }
  }
  return open(parts)
}

/** Begins an upload of these bytes. */
export const begin = (
  { uploads }: UploadScene,
  bytes: Uint8Array,
  more: Partial<UploadRequest> = {},
  who = ANNA
): Promise<UploadStatus> =>
  uploads.begin(who, { path: 'a.epub', sizeBytes: bytes.length, sha256: sha256Of(bytes), chunkBytes: CHUNK_BYTES, ...more })

/** Sends these chunks, one behind the other. */
export async function send({ uploads }: UploadScene, id: string, bytes: Uint8Array, indexes: readonly number[]): Promise<void> {
  for (const index of indexes) await uploads.receive(ANNA.account, id, index, { bytes: inParts(chunkOf(bytes, index)) })
}
