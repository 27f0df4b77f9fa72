import type { StoredRun } from '../core/store.ts'

/**
 * The segments read last, checked and ready to send, so that the devices of an account that come back together cost one reading of the file.
 * Segments never change, so what is in here is never stale.
 */
export class SegmentCache {
  readonly #maxBytes: number
  /** By account and first cursor; in the order of their last use, the oldest first. */
  readonly #segments = new Map<string, StoredRun>()
  #sizeBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The segment of `account` that begins with the change `first`; undefined when it is not in here. */
  get(account: string, first: number): StoredRun | undefined {
    const key = keyOf(account, first)
    const segment = this.#segments.get(key)
    if (segment === undefined) return undefined
    this.#segments.delete(key)
    this.#segments.set(key, segment)
    return segment
  }

  add(account: string, segment: StoredRun): void {
    const key = keyOf(account, segment.first)
    const bytes = sizeOf(segment)
    if (bytes > this.#maxBytes || this.#segments.has(key)) return
    this.#segments.set(key, segment)
    this.#sizeBytes += bytes
    for (const [oldestKey, oldest] of this.#segments) {
      if (this.#sizeBytes <= this.#maxBytes) break
      this.#segments.delete(oldestKey)
      this.#sizeBytes -= sizeOf(oldest)
    }
  }
}

const keyOf = (account: string, first: number): string => `${account} ${first}`

/** A run and its notes are views of one record. */
const sizeOf = ({ run }: StoredRun): number => run.buffer.byteLength
