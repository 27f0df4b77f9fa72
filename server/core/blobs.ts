export interface BlobInfo {
  /** SHA-256 of the bytes, 64 lower-case hex digits: the blob's name. */
  readonly sha256: string
  readonly sizeBytes: number
}

/** File contents, by their SHA-256. The same bytes are kept once. */
export interface BlobStore {
  /**
   * Keeps the bytes. Resolves when they and their name are flushed to disk; until then, and after any failure, no blob is visible.
   *
   * @param expected refuse bytes that hash to anything else
   * @throws HubError `bad-request` when the hash is not the expected one, `too-large` past `maxBytes`
   */
  put(source: AsyncIterable<Uint8Array>, options?: { expected?: string; maxBytes?: number }): Promise<BlobInfo>
  /** Size of a blob; undefined when there is none. */
  stat(sha256: string): Promise<BlobInfo | undefined>
  /** The bytes from `start` up to but not including `end`; undefined when there is no such blob. */
  read(sha256: string, start?: number, end?: number): Promise<AsyncIterable<Uint8Array> | undefined>
  /** True when it was there. */
  remove(sha256: string): Promise<boolean>
}
