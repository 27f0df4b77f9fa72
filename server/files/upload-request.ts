import { checked, filePath, foldPath, HubError, map, number, opt, sha256, uint } from '../../protocol/index.ts'
import { chunkCount, type UploadFacts } from './upload-record.ts'

/** The bounds of uploads. */
export const UPLOAD_LIMITS = {
  maxFileBytes: 64 * 2 ** 30,
  minChunkBytes: 65_536,
  maxChunkBytes: 64 * 2 ** 20,
  /** What a client gets that asks for nothing. */
  chunkBytes: 8 * 2 ** 20,
  /** Which of them are there is written with each chunk. */
  maxChunks: 8_192,
  maxOpenPerAccount: 64,
  /** Chunks of one account that come in at once. */
  maxArrivingPerAccount: 32,
  /** An upload to which nothing came for so long is gone. */
  expiresAfterMs: 86_400_000,
  /** What came of a finished upload can be asked again for so long. */
  keepsOutcomeMs: 3_600_000,
  /** Of so many, the latest ones. */
  maxFinishedPerAccount: 1_000
} as const

const request = map({
  path: filePath,
  sizeBytes: number(0, UPLOAD_LIMITS.maxFileBytes),
  sha256,
  chunkBytes: opt(number(UPLOAD_LIMITS.minChunkBytes, UPLOAD_LIMITS.maxChunkBytes)),
  base: opt(sha256),
  mtimeMs: opt(uint)
})

/** What a client asks for when it begins. */
export type UploadRequest = Omit<UploadFacts, 'chunkBytes'> & { readonly chunkBytes?: number }

/**
 * What a client wants to upload, sound and complete.
 * @throws HubError `bad-request` with the field
 */
export function factsOf(asked: UploadRequest): UploadFacts {
  const folded = { ...asked, path: foldPath(asked.path) }
  const facts: UploadFacts = { chunkBytes: UPLOAD_LIMITS.chunkBytes, ...checked('bad-request', request, folded, 'upload') }
  mustBeSound(facts)
  return facts
}

/** @throws HubError `bad-request` */
function mustBeSound(facts: UploadFacts): void {
  for (const field of ['sizeBytes', 'chunkBytes'] as const)
    if (!Number.isInteger(facts[field])) throw new HubError('bad-request', `${field}: expected a whole number`, { field })
  if (chunkCount(facts) > UPLOAD_LIMITS.maxChunks)
    throw new HubError('bad-request', `a file has at most ${UPLOAD_LIMITS.maxChunks} chunks: ask for larger ones`, {
      field: 'chunkBytes'
    })
}
