import { open, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb'
import { isRunKey } from './keys.ts'

export type Database = RootDatabase<Buffer, Buffer>

/** Copies keys as they are, save those of runs, which nobody reads: a run's own bytes say where it stands. */
const keyEncoder = {
  writeKey(key: Buffer, target: Buffer, start: number): number {
    target.set(key, start)
    return start + key.length
  },
  readKey: (source: Buffer, start: number, end: number): Buffer | undefined =>
    isRunKey(source, start) ? undefined : Buffer.from(source.subarray(start, end))
}

/** Copies values out of the buffer that lmdb-js uses again; from Node's pool, which costs half of a buffer of its own. */
const encoder = {
  encode: (value: Buffer): Buffer => value,
  decode(source: Buffer): Buffer {
    // lmdb-js gives its buffer the value's `length`, and leaves it its own bytes.
    const { length } = source
    const value = Buffer.allocUnsafe(length)
    value.set(new Uint8Array(source.buffer, source.byteOffset, length))
    return value
  }
}

/** Opens the environment. README.md says why each option is as it is. */
export function openEnvironment(path: string, mapSizeBytes: number): Database {
  // Not in lmdb's types.
  const options: RootDatabaseOptionsWithPath & { safeRestore: boolean } = {
    path,
    noSubdir: true,
    mapSize: mapSizeBytes,
    maxDbs: 1,
    maxReaders: 126,
    encoding: 'binary',
    encoder,
    keyEncoder,
    cache: false,
    overlappingSync: false,
    safeRestore: true,
    useWritemap: false,
    remapChunks: false
  }
  return open(options)
}
