import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SHA256 } from '../../protocol/index.ts'
import { PARTIALS, TEMPORARY } from './disk-blobs.ts'

/** A file that is a blob by its name: where it stands below the folder, and its SHA-256. */
export interface BlobFile {
  readonly path: string
  readonly sha256: string
}

/** What a file manager leaves in every folder that it shows. */
const LEFT_BY_VIEWERS: ReadonlySet<string> = new Set(['Thumbs.db', 'desktop.ini'])
/** Hidden names count for nothing: `.DS_Store`, `._…`. */
const isLeftByOthers = (name: string): boolean => name.startsWith('.') || LEFT_BY_VIEWERS.has(name)

/**
 * Every blob in a folder of them, without what is yet to become one; none when there is no such folder.
 * @param odd told of each file that is none, but for those that file managers leave
 */
export async function* listBlobs(folder: string, odd: (path: string) => void = () => undefined): AsyncGenerator<BlobFile> {
  for (const first of await names(folder)) {
    if (first === TEMPORARY || first === PARTIALS) continue
    for (const second of await names(join(folder, first)))
      for (const name of await names(join(folder, first, second))) {
        const path = join(first, second, name)
        if (SHA256.test(name) && name.startsWith(first + second)) yield { path, sha256: name }
        else odd(path)
      }
  }
}

/**
 * Reads every blob in the folder, and reports those whose bytes are not those of their name.
 * @returns the size of each, by name, and what they take together
 */
export async function checkBlobs(
  folder: string,
  report: (what: string) => void
): Promise<{ sizes: ReadonlyMap<string, number>; bytes: number }> {
  const sizes = new Map<string, number>()
  let bytes = 0
  for await (const { path, sha256 } of listBlobs(folder, path => report(`the file ${path} is no blob`))) {
    const hash = createHash('sha256')
    const before = bytes
    try {
      for await (const chunk of createReadStream(join(folder, path)) as AsyncIterable<Buffer>) {
        hash.update(chunk)
        bytes += chunk.length
      }
      if (hash.digest('hex') !== sha256) report(`the file ${path} is not what was written`)
    } catch (error) {
      report(`the file ${path} cannot be read: ${(error as Error).message}`)
    }
    sizes.set(sha256, bytes - before)
  }
  return { sizes, bytes }
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(name => !isLeftByOthers(name)).sort()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    // A file where a folder of blobs would be.
    if (code === 'ENOTDIR') return ['']
    throw error
  }
}
