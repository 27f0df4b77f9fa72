import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'

const CHUNK_BYTES = 262_144
const SAMPLE_BYTES = 1_024

/** 0, 1024, 4096 … 1 GiB. KOReader shifts 1024 left by -2, 0, 2 … 20 bits, and its shift by -2 comes out as 0. */
const SAMPLE_OFFSETS = [0, ...Array.from({ length: 11 }, (_, index) => 1_024 * 4 ** index)]

export interface BookHashes {
  /** SHA-256 of the whole file, 64 lower-case hex digits: what it is. */
  readonly sha256: string
  /** The name that KOReader gives the file. It covers at most 12 KiB, so it MUST NOT stand for the content. */
  readonly koreaderMd5: string
  readonly sizeBytes: number
}

/**
 * Both names of a book file, reading it once and never holding more than 256 KiB of it.
 *
 * `koreaderMd5 = md5(sample(0) sample(1024) sample(4096) …)`, each sample 1024 bytes or what is left, up to the first that is empty.
 *
 * @see https://github.com/koreader/koreader/blob/master/frontend/util.lua `partialMD5`
 */
export async function bookHashes(path: string): Promise<BookHashes> {
  const file = await open(path)
  try {
    const sha256 = createHash('sha256')
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    let sizeBytes = 0
    for (let chunk = await readFully(file, buffer, 0); chunk.length > 0; chunk = await readFully(file, buffer, sizeBytes)) {
      sha256.update(chunk)
      sizeBytes += chunk.length
    }
    return { sha256: sha256.digest('hex'), koreaderMd5: await partialMd5(file), sizeBytes }
  } finally {
    await file.close()
  }
}

async function partialMd5(file: FileHandle): Promise<string> {
  const md5 = createHash('md5')
  const buffer = Buffer.allocUnsafe(SAMPLE_BYTES)
  for (const offset of SAMPLE_OFFSETS) {
    const sample = await readFully(file, buffer, offset)
    if (sample.length === 0) break
    md5.update(sample)
  }
  return md5.digest('hex')
}

/** Fills the buffer from `start` on; shorter only at the file's end. */
async function readFully(file: FileHandle, buffer: Buffer, start: number): Promise<Buffer> {
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, start + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return buffer.subarray(0, length)
}
