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
  /** The bytes that are to become blobs, and arrive in pieces. */
  readonly partials: PartialBlobs
}

/**
 * Bytes that are to become a blob, and arrive in pieces: in any order, over days and restarts. Which of them are there is for the caller to know and to
 * keep. An id is 1 to 64 letters and digits.
 */
export interface PartialBlobs {
  /** All there are. */
  list(): Promise<string[]>
  /** Makes one of so many bytes, of which none is there yet. Resolves when that it exists is flushed to disk. */
  create(id: string, sizeBytes: number): Promise<void>
  /** Undefined when there is none. It MUST be closed. One that is removed meanwhile can be written and read on, to no effect. */
  open(id: string): Promise<PartialBlob | undefined>
  /** True when it was there. */
  remove(id: string): Promise<boolean>
  /**
   * Makes it a blob, without a copy. Resolves when the blob's name is flushed to disk. Its bytes MUST be flushed, and MUST be those of the name: nobody looks
   * again. Nor MUST anyone write to it any more.
   *
   * @returns false when there is no such partial
   */
  adopt(id: string, sha256: string): Promise<boolean>
}

/** An open partial. */
export interface PartialBlob {
  /** Writes these bytes, one behind the other, from `position` on. They MUST NOT be changed until it resolves. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>
  /** Resolves when all that was written before is flushed to disk. */
  flush(): Promise<void>
  /** The bytes from `start` up to but not including `end`. */
  read(start: number, end: number): AsyncIterable<Uint8Array>
  close(): Promise<void>
}
