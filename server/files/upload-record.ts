import { decodeValue, encodeValue, type Plain } from '../../protocol/index.ts'
import { recordPages, type RecordKey, type Store } from '../core/store.ts'

/** What a client wants to upload, and where to. */
export interface UploadFacts {
  /** The file's path. */
  readonly path: string
  readonly sizeBytes: number
  /** SHA-256 of all its bytes, 64 lower-case hex digits. */
  readonly sha256: string
  /** Every chunk has so many bytes, but for the last. */
  readonly chunkBytes: number
  /** SHA-256 of the content that the client saw at the path; absent when it saw none. */
  readonly base?: string
  /** When the file was changed, by the client's word. */
  readonly mtimeMs?: number
}

/**
 * How far an upload is: chunks arrive; all of them are there and are the bytes that were announced; the file is at its path. From `verified` on nothing can be
 * taken back: a hub that is killed goes on with it.
 */
export type UploadState = 'receiving' | 'verified' | 'done'

/** What came of a finished upload, for whoever asks for it again. */
export interface UploadOutcome {
  /** The change that put the file at its path. */
  readonly cursor: number
  /** Set when the path keeps another content: the id of the conflict that this one is a side of. */
  readonly conflict?: string
}

/** An upload as the store keeps it. */
export interface UploadRecord extends UploadFacts {
  readonly id: string
  readonly account: string
  /** The device that opened it: where its changes come from. */
  readonly device: string
  readonly state: UploadState
  readonly openedAtMs: number
  readonly expiresAtMs: number
  /** Which chunks are on disk. */
  readonly received: Uint8Array
  readonly outcome?: UploadOutcome
}

export const chunkCount = ({ sizeBytes, chunkBytes }: UploadFacts): number => Math.ceil(sizeBytes / chunkBytes)

/** Records of no account stand under the empty name; those of one account's uploads stand together. */
const UPLOADS: RecordKey = ['', 'uploads']
const ID = /^[0-9A-Za-z]{1,64}$/
const PAGE = 1_000

/** The uploads in the store, beside the logs. What is written or removed resolves when it is flushed to disk. */
export class UploadRecords {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** @param id whatever somebody gave for one */
  get(account: string, id: string): UploadRecord | undefined {
    const bytes = ID.test(id) ? this.#store.get(keyOf({ account, id })) : undefined
    return bytes && decode(bytes)
  }

  *all(): Generator<UploadRecord> {
    for (const page of recordPages(this.#store, UPLOADS, PAGE)) for (const [, bytes] of page) yield decode(bytes)
  }

  write(record: UploadRecord): Promise<void> {
    return this.#store.commit({
      appends: [],
      writes: [{ key: keyOf(record), value: encodeValue({ ...record } as unknown as Plain) }]
    })
  }

  async remove(records: readonly UploadRecord[]): Promise<void> {
    if (records.length === 0) return
    await this.#store.commit({ appends: [], writes: records.map(record => ({ key: keyOf(record), value: undefined })) })
  }
}

const keyOf = ({ account, id }: { account: string; id: string }): RecordKey => [...UPLOADS, account, id]

const decode = (bytes: Uint8Array): UploadRecord => decodeValue(bytes) as unknown as UploadRecord
