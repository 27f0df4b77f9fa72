import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readFile, stat, statfs, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { ContentDamagedError } from '../file-download.ts'
import type { Uploaded } from '../file-upload.ts'
import type { Files } from '../files.ts'
import type { Hash } from '../hash.ts'
import { nodeHash, openFileSource } from '../node/file-source.ts'
import { isFull, look, namesIn, noneIfMissing, writeWhole } from './disk.ts'
import type { HubFile } from './hub-files.ts'
import { OWN_FOLDER } from './names.ts'
import type { LocalFile } from './scan.ts'

/** No date is later: what a device says beyond it is no time that a disk could keep. */
const LATEST_MS = 8.64e15

export interface TransferParts {
  readonly root: string
  readonly files: Files
  readonly signal: AbortSignal
  /** So much of a file went over the wire, or was there from before. */
  readonly onBytes: (path: string, doneBytes: number) => void
}

/** Carries contents between the folder and the hub, and goes on with those that a kill broke off. */
export class Transfers {
  readonly #parts: TransferParts
  readonly #uploads: string
  readonly #downloads: string

  constructor(parts: TransferParts) {
    this.#parts = parts
    this.#uploads = join(parts.root, OWN_FOLDER, 'uploads')
    this.#downloads = join(parts.root, OWN_FOLDER, 'tmp')
  }

  /** Makes room for what is under way. */
  async open(): Promise<void> {
    for (const folder of [this.#uploads, this.#downloads]) await mkdir(folder, { recursive: true, mode: 0o700 })
  }

  /** Puts a file of the folder at its path. @throws what `Files.upload` throws, and the disk */
  async upload(file: LocalFile, base: string | undefined): Promise<Uploaded> {
    const { files, signal, onBytes } = this.#parts
    const note = join(this.#uploads, nameFor(file.path, file.sha256))
    const [id, about] = (await readFile(note, 'utf8').catch(noneIfMissing)).split('\n')
    const isSame = id !== undefined && id !== '' && about === (base ?? '')
    if (id !== undefined && id !== '' && !isSame) await files.cancelUpload(id)
    const source = await openFileSource(file.place)
    try {
      const uploaded = await files.upload(file.path, source, {
        base,
        mtimeMs: file.mtimeMs,
        sha256: file.sha256,
        ...(isSame && { resume: id }),
        onBegun: begun => writeWhole(note, `${begun}\n${base ?? ''}\n`),
        onProgress: sentBytes => onBytes(file.path, sentBytes),
        signal
      })
      await unlink(note).catch(noneIfMissing)
      return uploaded
    } finally {
      await source.close()
    }
  }

  /** Gets what the hub has at a path. @returns where it is, whole, checked and on disk. @throws what `Files.download` throws, and the disk */
  async download(path: string, { sha256, sizeBytes, mtimeMs }: HubFile): Promise<string> {
    const { files, signal, onBytes } = this.#parts
    const place = join(this.#downloads, nameFor(path, sha256))
    // A kill may have left it in the folder already, under its path, too: what is written to it would be written there. Or with the mode of what it replaces.
    const left = look(place)
    if (left !== undefined && (left.nlink > 1n || (left.mode & 0o600n) !== 0o600n)) await unlink(place)
    const hash = nodeHash()
    const bytes = await hashPart(place, hash, sizeBytes)
    await mustHaveRoom(this.#downloads, sizeBytes - bytes)
    const file = await open(place, bytes === 0 ? 'w' : 'a')
    try {
      if (bytes < sizeBytes) {
        const from = bytes === 0 ? undefined : { bytes, hash }
        const download = await files.download(path, { sha256, from, signal, onProgress: doneBytes => onBytes(path, doneBytes) })
        for await (const chunk of download.chunks)
          for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten
      } else if (hash.digest() !== sha256) throw new ContentDamagedError(path)
      await file.sync()
    } catch (error) {
      // A part that fills the disk leaves no room for what else is to be written.
      if (error instanceof ContentDamagedError || isFull(error)) await unlink(place).catch(noneIfMissing)
      throw error
    } finally {
      await file.close()
    }
    if (mtimeMs !== undefined && mtimeMs <= LATEST_MS) await utimes(place, new Date(), new Date(mtimeMs))
    return place
  }

  /** Lets go of what nothing came of. MUST come only while nothing is under way. */
  async tidy(): Promise<void> {
    for (const name of await namesIn(this.#downloads)) await unlink(join(this.#downloads, name))
    for (const name of await namesIn(this.#uploads)) {
      const [id = ''] = (await readFile(join(this.#uploads, name), 'utf8')).split('\n')
      if (id !== '') await this.#parts.files.cancelUpload(id)
      await unlink(join(this.#uploads, name))
    }
  }
}

const nameFor = (path: string, sha256: string): string =>
  `${sha256.slice(0, 32)}-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`

/** A content that cannot fit is not for the disk to find out, each time it is tried. @throws Error */
async function mustHaveRoom(folder: string, bytes: number): Promise<void> {
  const { blocks, bavail, bsize } = await statfs(folder)
  // Some file systems do not say, and have no blocks at all then.
  if (blocks > 0 && bytes > bavail * bsize)
    throw new Error(`the disk has room for ${bavail * bsize} bytes more, and ${bytes} are to come`)
}

/** How much of a content is there from before, which the hash is fed. More than all of it is none of it. */
async function hashPart(place: string, hash: Hash, sizeBytes: number): Promise<number> {
  const size = await stat(place).then(({ size }) => size, noneIfMissing)
  if (typeof size !== 'number' || size > sizeBytes) return 0
  let bytes = 0
  if (size > 0)
    for await (const chunk of createReadStream(place, { end: size - 1 })) {
      hash.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
    }
  return bytes
}
