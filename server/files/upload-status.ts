import type { Upload } from './upload.ts'
import type { UploadFacts, UploadOutcome, UploadState } from './upload-record.ts'

/** How far an upload is, in short. */
export interface UploadProgress {
  readonly receivedBytes: number
  readonly missingCount: number
}

/** How far an upload is. */
export interface UploadStatus extends UploadFacts {
  readonly id: string
  readonly state: UploadState
  readonly receivedBytes: number
  /** Chunks that are not there yet, in order. */
  readonly missing: readonly number[]
  readonly expiresAtMs: number
  readonly outcome?: UploadOutcome
}

export function statusOf(upload: Upload): UploadStatus {
  const { id, path, sizeBytes, sha256, chunkBytes, base, mtimeMs } = upload.record
  return {
    id,
    path,
    sizeBytes,
    sha256,
    chunkBytes,
    ...(base !== undefined && { base }),
    ...(mtimeMs !== undefined && { mtimeMs }),
    state: upload.state,
    receivedBytes: upload.receivedBytes,
    missing: upload.chunks.missing(),
    expiresAtMs: upload.expiresAtMs,
    ...(upload.outcome !== undefined && { outcome: upload.outcome })
  }
}
