import { chmod, mkdir, open, stat, type FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** What was asked for is not there. */
export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** Flushes a folder's entries: a new, renamed or removed file in it then survives a power cut. */
export async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a folder and those above it that are missing, each one's entry flushed. */
export async function makeFolder(folder: string): Promise<void> {
  const path = resolve(folder)
  if (await isFolder(path)) return
  // One by one: Node's own `recursive` never ends where a folder is there and takes none, as below /proc.
  if (dirname(path) !== path) await makeFolder(dirname(path))
  try {
    await mkdir(path)
  } catch (error) {
    if (!(await isFolder(path))) throw error
  }
  await flushFolder(dirname(path))
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    // Whoever makes it hears why.
    return false
  }
}

/** What a file system without modes, such as a USB stick's, says to `chmod`. */
const NO_MODES: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** Leaves a file or folder to its owner alone, where the file system has modes. Elsewhere how it is mounted says who may read it. */
export async function makeOwn(path: string, mode: 0o600 | 0o700): Promise<void> {
  try {
    await chmod(path, mode)
  } catch (error) {
    if (!NO_MODES.has((error as NodeJS.ErrnoException).code)) throw error
  }
}

const READ_BYTES = 131_072

/**
 * The bytes of a file from `start` up to but not including `end`. The next ones are read while the caller has the last, and no more than these two are in memory.
 * @throws Error when the file ends before
 */
export async function* readFile(handle: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array> {
  const readAt = (position: number): Promise<Uint8Array> | undefined =>
    position < end ? readSome(handle, position, Math.min(READ_BYTES, end - position)) : undefined
  let position = start
  let next = readAt(position)
  try {
    while (next !== undefined) {
      const bytes = await next
      position += bytes.length
      next = readAt(position)
      // Should the caller take no more, nobody hears of its failure, and nobody needs to.
      next?.catch(() => undefined)
      yield bytes
    }
  } finally {
    // A handle must not be closed while something reads from it.
    await next?.catch(() => undefined)
  }
}

async function readSome(handle: FileHandle, position: number, size: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(size), 0, size, position)
  if (bytesRead === 0) throw new Error(`the file ends at ${position}, before it should`)
  return bytesRead === size ? buffer : buffer.subarray(0, bytesRead)
}
