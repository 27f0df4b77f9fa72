import { openSync } from 'node:fs'
import * as zlib from 'node:zlib'
import { open } from 'lmdb'
import { checkPages, readMeta } from './trial-pages.js'

/**
 * Reads a database file from end to end, in a process that may die of it: LMDB takes pages on trust, and a damaged one can end whoever reads it with SIGBUS
 * or SIGSEGV. Run by trial-open.ts, which tells what came of it; plain JavaScript, because a loader would take longer to start than most files to read.
 *
 * Arguments: the file, and after how many milliseconds to stop. Prints `{ entries, bytes, isWhole, damaged }`, `{ damage }`, or `{ failure, code }` when LMDB
 * did not open it.
 */
const [, , path, limitMs] = process.argv
const startMs = performance.now()
const endAtMs = startMs + Number(limitMs)
/** Of the time, for the pages by themselves; what they leave is for reading through LMDB. */
const pagesEndAtMs = startMs + Number(limitMs) / 2
const ENTRIES_PER_LOOK = 256
const MAX_NAMED = 20
/** As in layout.ts and keys.ts, which this cannot load. */
const RESIDUE = 0x2144df1c
const JOURNAL = 0x6a
const SEGMENT = 0x6c
const CURSOR_BYTES = 8
/** Before Node 20.15 there is none: then damage is found by who reads it. */
const { crc32 } = zlib

const db = opened()
if (db !== undefined) read(db)

function opened() {
  try {
    return open({
      path,
      readOnly: true,
      noSubdir: true,
      mapSize: 2 ** 36,
      maxDbs: 1,
      maxReaders: 126,
      encoding: 'binary',
      keyEncoding: 'binary',
      cache: false,
      overlappingSync: false,
      safeRestore: true,
      remapChunks: false
    })
  } catch (error) {
    tell({ failure: error.message, code: error.code })
    return undefined
  }
}

function read(db) {
  let entries = 0
  let bytes = 0
  let place = 'the beginning'
  let last
  const damaged = []
  const outcome = isWhole => ({ entries, bytes, isWhole, damaged })
  try {
    const fd = openSync(path, 'r')
    const wrong = checkPages(fd, readMeta(fd), pagesEndAtMs)
    if (wrong !== undefined) return tell({ damage: wrong })
    const { entryCount } = db.getStats()
    for (const { key, value } of db.getRange({})) {
      entries++
      bytes += key.length + value.length
      place = `the place behind ${nameOf(key)}`
      if (last !== undefined && Buffer.compare(last, key) >= 0)
        return tell({ damage: `${nameOf(key)} stands behind ${nameOf(last)}, out of order` })
      last = key
      if (damaged.length < MAX_NAMED && !isSound(key, value)) damaged.push(nameOf(key))
      if (entries % ENTRIES_PER_LOOK === 0 && performance.now() > endAtMs) return tell(outcome(false))
    }
    if (entryCount === entries) return tell(outcome(true))
    tell({ damage: `it has ${entryCount} entries, and ${entries} can be found` })
  } catch (error) {
    tell({ damage: `it cannot be read at ${place}: ${error.message}` })
  }
}

function isSound(key, value) {
  if (crc32 === undefined) return true
  const summed = key[0] === SEGMENT ? key.subarray(0, -CURSOR_BYTES) : key
  return crc32(value, crc32(summed)) === RESIDUE
}

/** A key in words: its kind and account, without what does not print; or, of what all accounts wrote in one turn, its number. */
function nameOf(key) {
  if (key[0] === JOURNAL) return `the journal record ${key.readBigUInt64BE(1)}`
  return JSON.stringify(
    key
      .toString('latin1')
      .replace(/[^ -~]+/g, ' ')
      .trim()
      .slice(0, 80)
  )
}

function tell(outcome) {
  process.stdout.write(JSON.stringify(outcome), () => process.exit(0))
}
