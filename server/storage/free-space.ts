import { statfs } from 'node:fs/promises'

export interface FreeSpaceOptions {
  /** Where to look: any folder of the file system. */
  readonly folder: string
  /** Below this much free, space is short; 0 never looks. */
  readonly floorBytes: number
  /** Space has become short, or is there again. */
  readonly onChange: (isShort: boolean, freeBytes: number) => void
  /** The file system did not say. What was known stays. */
  readonly onError: (error: unknown) => void
}

const INTERVAL_MS = 1_000
/** Space counts as there again only when it is so much more than the floor, so that it does not go to and fro. */
const ENOUGH = 1.125

/** Room for those who are not root, on the file system of `folder`. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** Watches how much room a file system has: a store must not be written to a full disk, which lmdb-js does not survive. */
export class FreeSpace {
  readonly #options: FreeSpaceOptions
  #timer: NodeJS.Timeout | undefined
  #isShort = false
  #isStopped = false

  private constructor(options: FreeSpaceOptions) {
    this.#options = options
  }

  /** Looks once, and then at an interval. */
  static async watch(options: FreeSpaceOptions): Promise<FreeSpace> {
    const space = new FreeSpace(options)
    if (options.floorBytes > 0) await space.#look()
    return space
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    const { folder, floorBytes, onChange, onError } = this.#options
    try {
      const free = await freeBytes(folder)
      const isShort = free < (this.#isShort ? floorBytes * ENOUGH : floorBytes)
      if (isShort !== this.#isShort && !this.#isStopped) onChange((this.#isShort = isShort), free)
    } catch (error) {
      onError(error)
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#look(), INTERVAL_MS).unref()
  }
}
