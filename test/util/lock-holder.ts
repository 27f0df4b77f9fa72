import { writeSync } from 'node:fs'
import { open } from 'lmdb'

/** A process that begins a write transaction on an LMDB file and never ends it. Run by full-disk.test.ts. */
const db = open({
  path: process.argv[2]!,
  noSubdir: true,
  maxDbs: 1,
  encoding: 'binary',
  keyEncoding: 'binary',
  overlappingSync: false,
  mapSize: 2 ** 36
})
db.transactionSync(() => {
  writeSync(1, 'holding')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
