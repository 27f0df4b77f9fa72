import type { ActionBody, Plain, ViewName } from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import { endingWith } from './ending.ts'
import { downloadFile, type Download, type DownloadOptions } from './file-download.ts'
import { sourceOf, uploadFile, type ByteSource, type Uploaded, type UploadOptions } from './file-upload.ts'
import { Sha256, type Hash } from './hash.ts'
import { askForContent, askHub, cursorNumber, type ContentParts, type HubRequest } from './hub-http.ts'
import type { Ack } from './pending.ts'

/** What a file is made of. */
export interface FileContent {
  readonly sha256: string
  readonly sizeBytes: number
  readonly mtimeMs?: number
}

/** What the hub has at a path. */
export interface FileEntry extends FileContent {
  readonly path: string
  readonly id: number
  readonly removed: boolean
  /** It went on under this path. */
  readonly movedTo?: string
  /** Who made the newest change of it, and its place in the log. */
  readonly device: string
  readonly cursor: number
}

/** Two devices changed a file, each without knowing of the other. */
export interface FileConflict {
  readonly id: string
  readonly path: string
  /** What the path has; null for nothing. */
  readonly server: FileContent | null
  /** What the other device had there; null when it had removed the file. */
  readonly client: FileContent | null
  readonly device: string
}

/** What happened to a file on this device. `base` is the SHA-256 of what the device knew there from the hub. */
export type LocalChange =
  | ({ readonly change: 'created' | 'modified'; readonly path: string; readonly base?: string } & FileContent)
  | ({ readonly change: 'moved'; readonly path: string; readonly from: string; readonly base?: string } & FileContent)
  | { readonly change: 'deleted'; readonly path: string; readonly base: string }

/** What became of it at the hub. */
export interface Reported {
  readonly path: string
  /** `upload_required`: nothing was done, because the hub lacks the bytes. `conflict`: both sides are kept. */
  readonly result: 'accepted' | 'already_known' | 'upload_required' | 'conflict' | 'refused'
  /** With `accepted`. */
  readonly cursor?: number
  readonly conflict?: string
  /** With `refused`: why. */
  readonly code?: string
  readonly detail?: string
}

/** What the files need of their client. */
export interface FilesHost {
  readonly url: string
  token(): string
  read(view: ViewName): Promise<Plain>
  resolve(id: string, body: ActionBody<'conflict.resolve'>): Promise<Ack>
  newHash?: (() => Hash) | undefined
  readonly clock: Clock
  /** Aborted when the client is closed: whatever is under way ends with it. */
  readonly ended: AbortSignal
}

const MOST_REPORTED = 1_000

/** The account's files: what is where, and their bytes. They are not mirrored: all of this needs a connection. */
export class Files {
  readonly #host: FilesHost
  readonly #parts: ContentParts

  /** @see Client.files */
  constructor(host: FilesHost) {
    this.#host = host
    const newHash = host.newHash ?? (() => new Sha256())
    const signed = (request: HubRequest): HubRequest => ({
      ...request,
      headers: { ...request.headers, authorization: `Bearer ${host.token()}` }
    })
    this.#parts = {
      ask: (path, request) => askHub(host.url, path, signed(request)),
      askForContent: (path, request) => askForContent(host.url, path, signed(request)),
      newHash,
      clock: host.clock
    }
  }

  /**
   * Every file by path, removed ones included.
   * @throws OfflineError, HubError, ClosedError
   */
  async list(): Promise<FileEntry[]> {
    const rows = (await this.#host.read('files')) as unknown as [string, Omit<FileEntry, 'path'>][]
    return rows.map(([path, file]) => ({ path, ...file }))
  }

  /**
   * Says what was done to files of this device. What is not named stays as it is.
   * @returns what became of each, in their order
   * @throws HubError `bad-request` when one of them is none; NoConnectionError; ClosedError
   */
  report(changes: readonly LocalChange[], signal?: AbortSignal): Promise<Reported[]> {
    return this.#until(signal, async signal => {
      const all: Reported[] = []
      for (let start = 0; start < changes.length; start += MOST_REPORTED) {
        const entries = changes.slice(start, start + MOST_REPORTED).map(entryOf)
        const request = { method: 'POST', json: { entries }, signal }
        const { results } = await this.#parts.ask<{ results: ReportedRow[] }>('/api/v1/sync/report', request)
        all.push(...results.map(reportedOf))
      }
      return all
    })
  }

  /**
   * Puts a content at a path. Goes chunk by chunk, at most one in memory, and survives broken connections and restarts of the hub.
   * @throws HubError what it is refused for; NoConnectionError when there is none for minutes; ClosedError
   */
  upload(path: string, source: ByteSource | Blob, options: UploadOptions = {}): Promise<Uploaded> {
    return this.#until(options.signal, signal => uploadFile(this.#parts, path, sourceOf(source), { ...options, signal }))
  }

  /** Ends an upload that is not to be finished; one that is gone already is fine. @throws HubError; NoConnectionError; ClosedError */
  async cancelUpload(id: string): Promise<void> {
    const request = { method: 'DELETE', signal: this.#host.ended }
    await this.#parts.ask(`/api/v1/sync/upload/${encodeURIComponent(id)}`, request).catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'not-found') throw error
    })
  }

  /**
   * Gets the content of a path, piece by piece, checked against its SHA-256.
   * @throws HubError `not-found`; NoConnectionError when there is none for minutes; ClosedError
   */
  async download(path: string, options: DownloadOptions = {}): Promise<Download> {
    const { signal, release } = endingWith(options.signal, this.#host.ended)
    try {
      const download = await downloadFile(this.#parts, path, { ...options, signal })
      return { ...download, chunks: readBefore(download.chunks, release) }
    } catch (error) {
      release()
      throw error
    }
  }

  /** The conflicts that nobody has resolved. @throws OfflineError, HubError, ClosedError */
  async conflicts(): Promise<FileConflict[]> {
    const rows = (await this.#host.read('conflicts')) as unknown as [string, Omit<FileConflict, 'id'>][]
    return rows.map(([id, conflict]) => ({ id, ...conflict }))
  }

  /**
   * Ends a conflict: the path keeps the `server`'s side, gets the `client`'s or any other content that the hub holds, by its SHA-256; with `both` the client's side gets
   * `path`, or one that the hub makes up.
   * @throws HubError `not-found`, `base-changed`, `already-exists`, `content-missing`
   */
  resolve(id: string, body: ActionBody<'conflict.resolve'>): Promise<Ack> {
    return this.#host.resolve(id, body)
  }

  /** Runs a task that ends with the caller's signal, and with the client. */
  async #until<T>(wished: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, release } = endingWith(wished, this.#host.ended)
    try {
      return await task(signal)
    } finally {
      release()
    }
  }
}

/** Passes all chunks on, and ends with `release`, however the reading ends. */
async function* readBefore(chunks: AsyncIterable<Uint8Array>, release: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } finally {
    release()
  }
}

interface ReportedRow extends Omit<Reported, 'cursor' | 'conflict'> {
  readonly cursor?: string
  readonly conflict_id?: string
}

function entryOf(given: LocalChange): object {
  const { change, path } = given
  if (change === 'deleted') return { change, path, base_sha256: given.base }
  return {
    change,
    path,
    sha256: given.sha256,
    size_bytes: given.sizeBytes,
    ...(given.mtimeMs !== undefined && { mtime_ms: Math.max(0, Math.floor(given.mtimeMs)) }),
    ...(given.base !== undefined && { base_sha256: given.base }),
    ...(change === 'moved' && { from: given.from })
  }
}

const reportedOf = ({ path, result, cursor, conflict_id: conflict, code, detail }: ReportedRow): Reported => ({
  path,
  result,
  ...(cursor !== undefined && { cursor: cursorNumber(cursor) }),
  ...(conflict !== undefined && { conflict }),
  ...(code !== undefined && { code }),
  ...(detail !== undefined && { detail })
})
