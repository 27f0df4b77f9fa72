import { open, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb'
import { isRunKey } from './keys.ts'

export type Database = RootDatabase<Buffer, Buffer>

/** What reading needs of a database: the newest state of it, or one that stands still. */
export type Reading = Pick<Database, 'getBinary' | 'getRange' | 'doesExist'>

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

/** Opens the environment. README.md says why each option is as it is. */
export const openEnvironment = (path: string, mapSizeBytes: number): Database => open(optionsOf(path, mapSizeBytes, keyEncoder))

/** Opens the environment beside a process that may be writing to it. Every key is read whole. */
export const openForReading = (path: string): Database => open({ ...optionsOf(path, 2 ** 36, wholeKeyEncoder), readOnly: true })

/** The database as it stands now, and stands still until `done`. What it holds on to cannot be used again until then: so not for long. */
export function standStill(db: Database): Reading & { done(): void } {
  const transaction = db.useReadTransaction()
  // lmdb's types leave out that it takes options.
  const get = db.getBinary.bind(db) as (key: Buffer, options: object) => Buffer | undefined
  return {
    getBinary: key => get(key, { transaction }),
    getRange: range => db.getRange({ ...range, transaction }),
    doesExist: key => get(key, { transaction }) !== undefined,
    done: () => transaction.done()
  }
}

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
