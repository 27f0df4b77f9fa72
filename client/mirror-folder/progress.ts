/** How much of the transfers that are planned is done; `files` is 0 when none are. */
export interface Progress {
  readonly doneFiles: number
  readonly files: number
  readonly doneBytes: number
  readonly bytes: number
}

const NONE: Progress = { doneFiles: 0, files: 0, doneBytes: 0, bytes: 0 }

/** Adds up what single transfers say of themselves. */
export class TransferCount {
  readonly #onProgress: (progress: Progress) => void
  /** By path, how much of it is done. */
  readonly #done = new Map<string, number>()
  #total = NONE

  constructor(onProgress: (progress: Progress) => void) {
    this.#onProgress = onProgress
  }

  /** Begins anew with these files, by path and size. */
  begin(sizes: Iterable<readonly [path: string, sizeBytes: number]>): void {
    this.#done.clear()
    let bytes = 0
    for (const [path, sizeBytes] of sizes) {
      this.#done.set(path, 0)
      bytes += sizeBytes
    }
    this.#total = { ...NONE, files: this.#done.size, bytes }
    this.#onProgress(this.#total)
  }

  /** So much of a file is done. */
  moved(path: string, doneBytes: number): void {
    const before = this.#done.get(path)
    if (before === undefined) return
    this.#done.set(path, doneBytes)
    this.#total = { ...this.#total, doneBytes: this.#total.doneBytes + doneBytes - before }
    this.#onProgress(this.#total)
  }

  /** One file has come to its end, well or not. */
  finished(): void {
    this.#total = { ...this.#total, doneFiles: this.#total.doneFiles + 1 }
    this.#onProgress(this.#total)
  }
}
