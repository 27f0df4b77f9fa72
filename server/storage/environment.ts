import { open, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb'
import { isRunKey } from './keys.ts'

export type Database = RootDatabase<Buffer, Buffer>

/** What reading needs of a database. */
export type Reading = Pick<Database, 'getBinary' | 'getRange' | 'getKeys' | 'doesExist'>

const writeKey = (key: Buffer, target: Buffer, start: number): number => {
  target.set(key, start)
  return start + key.length
}

/** Copies keys as they are. */
const wholeKeyEncoder = {
  writeKey,
  readKey: (source: Buffer, start: number, end: number): Buffer => Buffer.from(source.subarray(start, end))
}

/** The same, save for the keys of runs, which only a check reads: a run's own bytes say where it stands. */
const keyEncoder = {
  writeKey,
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

/** Address space that is reserved at first. The file grows past it, at the cost of a new mapping; it takes no memory and no disk. */
const MAP_SIZE_BYTES = 2 ** 36

/** Opens the environment, which this process MUST own, or be the only one to know. README.md says why each option is as it is. */
export const openEnvironment = (path: string, mapSizeBytes = MAP_SIZE_BYTES): Database =>
  open(optionsOf(path, mapSizeBytes, keyEncoder))

/** The same to read it only. Every key is read whole. */
export const openForReading = (path: string): Database =>
  open({ ...optionsOf(path, MAP_SIZE_BYTES, wholeKeyEncoder), readOnly: true })

function optionsOf(path: string, mapSizeBytes: number, keyEncoder: object): RootDatabaseOptionsWithPath {
  // `safeRestore` is not in lmdb's types.
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
  return options
}
