import { HubError } from '../../protocol/index.ts'
import type { BlobStore } from '../core/blobs.ts'
import { newId } from '../core/ids.ts'
import { nextTurn, type Clock, type Logger, type RandomBytes } from '../core/ports.ts'
import type { Store } from '../core/store.ts'
import { FinishedUploads, type FinishedUpload } from './finished-uploads.ts'
import { Upload, type ChunkBody } from './upload.ts'
import { chunkCount, UploadRecords, type UploadName, type UploadOutcome, type UploadRecord } from './upload-record.ts'
import { factsOf, UPLOAD_LIMITS, type UploadRequest } from './upload-request.ts'
import { statusOf, type UploadProgress, type UploadStatus } from './upload-status.ts'

const SWEEP_INTERVAL_MS = 600_000

/** Who uploads. */
export interface Uploader {
  readonly account: string
  readonly device: string
}

export interface UploadParts {
  readonly store: Store
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  readonly logger: Logger
  /** What the contents and the open uploads of one account may take together. */
  readonly maxAccountBytes: number
  /** Room on the disk that is to stay free. */
  readonly minFreeBytes: number
  freeBytes(): Promise<number>
  /** What the contents of an account take. */
  contentBytes(account: string): Promise<number>
  /** Resolves when a file can be put at this path, as things are now. @throws HubError `already-exists`, `quota-exceeded` */
  mustTakeFile(account: string, path: string): Promise<void>
  /**
   * Puts the file, whose content is a blob by now, at its path.
   * @param isAgain it may have been called for this upload before, by a hub that was killed: then it MUST come to the same
   * @throws HubError when the file is refused
   */
  publish(upload: UploadRecord, isAgain: boolean): Promise<UploadOutcome>
  /** @throws HubError `storage-full` */
  mustTakeWrites(): void
}

/** Uploads in chunks that go on after anything: a broken line, a restarted hub, another day. */
export class Uploads {
  readonly #parts: UploadParts
  readonly #records: UploadRecords
  /** Those that are not done, by id. */
  readonly #uploads = new Map<string, Upload>()
  readonly #finished = new FinishedUploads()
  readonly #finishing = new Map<string, Promise<UploadOutcome>>()
  #cancelSweep: () => void = () => undefined
  #isClosing = false

  private constructor(parts: UploadParts) {
    this.#parts = parts
    this.#records = new UploadRecords(parts.store)
  }

  /** Goes on with what the last hub left: records without bytes and bytes without a record are cleared away. MUST have the blobs to itself. */
  static async open(parts: UploadParts): Promise<Uploads> {
    const uploads = new Uploads(parts)
    await uploads.#recover()
    uploads.#goOn()
    uploads.#sweepLater()
    return uploads
  }

  /**
   * Begins an upload.
   * @throws HubError `bad-request`, `quota-exceeded`, `storage-full`; `already-exists` when no file can be at its path
   */
  async begin({ account, device }: Uploader, asked: UploadRequest): Promise<UploadStatus> {
    const { blobs, clock, randomBytes } = this.#parts
    const facts = factsOf(asked)
    this.#mustBeOpen()
    this.#parts.mustTakeWrites()
    // What can be refused now is not for the last of many bytes to find out; that it holds until then nobody says.
    await this.#parts.mustTakeFile(account, facts.path)
    const [contentBytes, freeBytes] = await Promise.all([this.#parts.contentBytes(account), this.#parts.freeBytes()])
    this.#mustFit(account, facts.sizeBytes, contentBytes, freeBytes)
    const record: UploadRecord = {
      ...facts,
      id: newId(randomBytes),
      account,
      device,
      state: 'receiving',
      openedAtMs: Math.floor(clock.nowMs()),
      expiresAtMs: Math.floor(clock.nowMs()) + UPLOAD_LIMITS.expiresAfterMs,
      received: new Uint8Array(Math.ceil(chunkCount(facts) / 8))
    }
    const upload = this.#add(record)
    try {
      await asFull(blobs.partials.create(record.id, record.sizeBytes))
      await this.#records.write(record)
    } catch (error) {
      this.#forget(upload)
      await blobs.partials.remove(record.id)
      throw error
    }
    return statusOf(upload)
  }

  /** @throws HubError `not-found` */
  status(account: string, id: string): UploadStatus {
    return statusOf(this.#find(account, id))
  }

  /**
   * Takes a chunk: see `Upload.receive`.
   * @throws HubError `not-found`, `bad-request`, `overloaded`, `storage-full`
   */
  async receive(account: string, id: string, index: number, body: ChunkBody): Promise<UploadProgress> {
    const upload = this.#find(account, id)
    this.#mustBeOpen()
    this.#parts.mustTakeWrites()
    let arrivingCount = 0
    for (const other of this.#of(account)) arrivingCount += other.arrivingCount
    if (arrivingCount >= UPLOAD_LIMITS.maxArrivingPerAccount)
      throw new HubError('overloaded', 'too many chunks come in at once', { retryAfterMs: 1_000 })
    await asFull(upload.receive(index, body))
    const { receivedBytes, chunks } = upload
    return { receivedBytes, missingCount: chunks.count - chunks.size }
  }

  /**
   * Checks the whole, makes it a blob and puts the file at its path. Whoever asks again hears the same.
   * @throws HubError `not-found`; `bad-request` when chunks are missing, or the bytes are not those announced: then all of them are to be sent again;
   * what `publish` throws
   */
  complete(account: string, id: string): Promise<UploadOutcome> {
    const upload = this.#find(account, id)
    if (upload.state === 'done') return Promise.resolve(upload.outcome!)
    const running = this.#finishing.get(id)
    if (running !== undefined) return running
    this.#mustBeOpen()
    const finishing = this.#finish(upload).finally(() => this.#finishing.delete(id))
    this.#finishing.set(id, finishing)
    return finishing
  }

  /**
   * Ends an upload, and frees its room. One that is being put at its path is not stopped any more; one that was refused there is.
   * @throws HubError `not-found`
   */
  async cancel(account: string, id: string): Promise<void> {
    const upload = this.#find(account, id)
    if (upload.state === 'done' || (upload.state === 'verified' && this.#finishing.has(id)))
      throw new HubError('not-found', 'the upload is finished: the file is there')
    await this.#drop([upload])
  }

  /** Takes nothing more, and waits for what is being finished. Uploads that are not finished go on with the next start. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#cancelSweep()
    await Promise.allSettled(this.#finishing.values())
  }

  async #finish(upload: Upload): Promise<UploadOutcome> {
    const { blobs, clock } = this.#parts
    const { id, sha256: expected } = upload.record
    this.#parts.mustTakeWrites()
    if (upload.state === 'receiving') {
      const { count, size } = upload.chunks
      if (size < count) throw new HubError('bad-request', `${count - size} of ${count} chunks are missing`)
      const found = await upload.digest()
      if (found !== expected) {
        upload.reset()
        await this.#keep(upload)
        throw new HubError('bad-request', `the bytes hash to ${found}, not to ${expected}; send all chunks again`, {
          field: 'sha256'
        })
      }
      upload.mustBeThere()
      upload.state = 'verified'
      await this.#records.write(recordOf(upload))
    }
    if (!(await blobs.partials.adopt(id, expected)) && (await blobs.stat(expected)) === undefined)
      throw new Error(`the bytes of the upload ${id} are gone`)
    upload.outcome = await this.#parts.publish(recordOf(upload), upload.record.state === 'verified')
    upload.state = 'done'
    upload.expiresAtMs = Math.floor(clock.nowMs()) + UPLOAD_LIMITS.keepsOutcomeMs
    await this.#records.write(recordOf(upload), this.#finished.add({ ...upload.record, expiresAtMs: upload.expiresAtMs }))
    this.#uploads.delete(id)
    return upload.outcome
  }

  #add(record: UploadRecord): Upload {
    const upload = new Upload(record, this.#parts.blobs.partials, arrived => this.#keep(arrived))
    this.#uploads.set(record.id, upload)
    return upload
  }

  /** An upload that is open, or was finished not long ago. */
  #find(account: string, id: string): Upload {
    const open = this.#uploads.get(id)
    if (open?.record.account === account) return open
    const record = open === undefined ? this.#records.get(account, id) : undefined
    if (record?.state !== 'done') throw new HubError('not-found', 'there is no such upload')
    return new Upload(record, this.#parts.blobs.partials, () => Promise.resolve())
  }

  /** @throws HubError `shutting-down` */
  #mustBeOpen(): void {
    if (this.#isClosing) throw new HubError('shutting-down')
  }

  #of(account: string): Upload[] {
    return [...this.#uploads.values()].filter(({ record }) => record.account === account)
  }

  /** @throws HubError `quota-exceeded`, `storage-full` */
  #mustFit(account: string, sizeBytes: number, contentBytes: number, freeBytes: number): void {
    const { maxAccountBytes, minFreeBytes } = this.#parts
    const open = this.#of(account)
    if (open.length >= UPLOAD_LIMITS.maxOpenPerAccount)
      throw new HubError('quota-exceeded', `${open.length} uploads are open; finish some, or cancel them`)
    const taken = open.reduce((sum, { record }) => sum + record.sizeBytes, contentBytes)
    if (taken + sizeBytes > maxAccountBytes)
      throw new HubError('quota-exceeded', `the account has room for ${Math.max(0, maxAccountBytes - taken)} more bytes of files`)
    // What is announced, and not there yet, is as good as taken.
    let promised = 0
    for (const upload of this.#uploads.values()) promised += upload.record.sizeBytes - upload.receivedBytes
    if (freeBytes - minFreeBytes - promised < sizeBytes) throw new HubError('storage-full')
  }

  async #keep(upload: Upload): Promise<void> {
    upload.mustBeThere()
    upload.expiresAtMs = Math.floor(this.#parts.clock.nowMs()) + UPLOAD_LIMITS.expiresAfterMs
    await this.#records.write(recordOf(upload))
  }

  #forget(upload: Upload): void {
    upload.isGone = true
    this.#uploads.delete(upload.record.id)
  }

  /** The records go first: bytes without one are cleared away at the next start. */
  async #drop(uploads: readonly Upload[]): Promise<void> {
    for (const upload of uploads) this.#forget(upload)
    await this.#records.remove(uploads.map(({ record }) => record))
    for (const { record } of uploads) await this.#parts.blobs.partials.remove(record.id)
  }

  async #recover(): Promise<void> {
    const { blobs, clock } = this.#parts
    const files = new Set(await blobs.partials.list())
    const lost: UploadName[] = []
    const finished: FinishedUpload[] = []
    for (const page of this.#records.pages()) {
      for (const record of page) {
        const { id, account, state, sha256, expiresAtMs } = record
        if (state === 'done') finished.push({ id, account, expiresAtMs })
        else if (files.delete(id) || (state === 'verified' && (await blobs.stat(sha256)) !== undefined)) this.#add(record)
        else lost.push({ id, account })
      }
      await nextTurn(clock)
    }
    for (const upload of finished.sort((left, right) => left.expiresAtMs - right.expiresAtMs)) {
      const leaving = this.#finished.add(upload)
      if (leaving !== undefined) lost.push(leaving)
    }
    await this.#records.remove(lost)
    for (const id of files) await blobs.partials.remove(id)
  }

  /** Finishes what the last hub was finishing: somebody was told nothing yet, and may not ask again. */
  #goOn(): void {
    for (const { record, state } of this.#uploads.values())
      if (state === 'verified')
        this.complete(record.account, record.id).catch((error: unknown) =>
          this.#parts.logger.warn({ err: error, upload: record.id }, 'an upload could not be finished')
        )
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#parts.clock.setTimer(SWEEP_INTERVAL_MS, () => {
      this.#sweep().catch((error: unknown) =>
        this.#parts.logger.error({ err: error }, 'expired uploads could not be cleared away')
      )
      this.#sweepLater()
    })
  }

  /** Clears away what has expired; of uploads, those on which nothing is under way. */
  async #sweep(): Promise<void> {
    const nowMs = this.#parts.clock.nowMs()
    const expired = [...this.#uploads.values()].filter(
      ({ expiresAtMs, arrivingCount, record }) => expiresAtMs <= nowMs && arrivingCount === 0 && !this.#finishing.has(record.id)
    )
    await this.#drop(expired)
    await this.#records.remove(this.#finished.takeExpired(nowMs))
  }
}

/** A full disk by its name. @throws HubError `storage-full` */
const asFull = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException
    throw code === 'ENOSPC' || code === 'EDQUOT' ? new HubError('storage-full') : error
  })

const recordOf = ({ record, state, expiresAtMs, chunks, outcome }: Upload): UploadRecord => ({
  ...record,
  state,
  expiresAtMs,
  received: chunks.toBytes(),
  ...(outcome !== undefined && { outcome })
})
