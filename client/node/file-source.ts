import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import type { ByteSource } from '../file-upload.ts'
import type { Hash } from '../hash.ts'

/** Node's own SHA-256. */
export function nodeHash(): Hash {
  const hash = createHash('sha256')
  return { update: bytes => void hash.update(bytes), digest: () => hash.digest('hex') }
}

/** A file that is open to be read. It MUST be closed. */
export interface FileSource extends ByteSource {
  close(): Promise<void>
}

/** Opens a file to be uploaded, or to be read at any place. @throws what the file system throws */
export async function openFileSource(path: string): Promise<FileSource> {
  const file = await open(path, 'r')
  try {
    const { size: sizeBytes } = await file.stat()
    return { sizeBytes, read: (start, end) => readAll(file, start, end), close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readAll(file: FileHandle, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - start)
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at)
    if (bytesRead === 0) throw new Error('the file became shorter while it was read')
    at += bytesRead
  }
  return bytes
}
