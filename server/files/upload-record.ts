import { decodeValue, encodeValue, type Plain } from '../../protocol/index.ts'
import { recordPages, type RecordKey, type RecordWrite, type Store } from '../core/store.ts'

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

/** Where the store keeps an upload. */
export interface UploadName {
  readonly id: string
  readonly account: string
}

/** An upload as the store keeps it. */
export interface UploadRecord extends UploadFacts, UploadName {
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

  /** All of them, some at a time: there may be more than one turn is for. */
  *pages(): Generator<UploadRecord[]> {
    for (const page of recordPages(this.#store, UPLOADS, PAGE)) yield page.map(([, bytes]) => decode(bytes))
  }

  /** @param leaving is removed with it */
  write(record: UploadRecord, leaving?: UploadName): Promise<void> {
    const writes = [{ key: keyOf(record), value: encodeValue({ ...record } as unknown as Plain) }]
    return this.#store.commit({ appends: [], writes: [...writes, ...removals(leaving === undefined ? [] : [leaving])] })
  }

  /** So many at a time, too. */
  async remove(names: readonly UploadName[]): Promise<void> {
    for (let at = 0; at < names.length; at += PAGE)
      await this.#store.commit({ appends: [], writes: removals(names.slice(at, at + PAGE)) })
  }
}

const removals = (names: readonly UploadName[]): RecordWrite[] => names.map(name => ({ key: keyOf(name), value: undefined }))

const keyOf = ({ account, id }: UploadName): RecordKey => [...UPLOADS, account, id]

const decode = (bytes: Uint8Array): UploadRecord => decodeValue(bytes) as unknown as UploadRecord
