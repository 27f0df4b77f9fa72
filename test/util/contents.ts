import { createHash } from 'node:crypto'

/** The least that an upload's chunks may have. */
export const CHUNK_BYTES = 65_536

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export const chunkOf = (bytes: Uint8Array, index: number, chunkBytes = CHUNK_BYTES): Uint8Array =>
  bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)
