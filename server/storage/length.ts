import { existsSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { StoreDamage } from '../core/store.ts'

/** Where LMDB's two meta pages tell what they do (data format 2, little-endian; mdb.c `MDB_meta`, behind a page head of 24 bytes). */
const MAGIC = 0xbeefc0de
const MAGIC_AT = 24
const PAGE_BYTES_AT = 48
const LAST_PAGE_AT = 144
const META_BYTES = 160

/** One that is not LMDB's tells nothing: LMDB itself refuses such a file. */
function neededBytes(meta: Buffer): number {
  if (meta.readUInt32LE(MAGIC_AT) !== MAGIC) return 0
  return (Number(meta.readBigUInt64LE(LAST_PAGE_AT)) + 1) * meta.readUInt32LE(PAGE_BYTES_AT)
}

/** LMDB need not write the last pages of a transaction that it did not use in the end: so a sound file may lack a few. */
const SPARE_BYTES = 1_048_576

/**
 * Makes a database file as long as it says it is. LMDB maps the file, and a read behind its end would end the process (SIGBUS); a page of
 * zeros it refuses by name. The zeros are appended, so that nothing is lost should another process be using the file.
 *
 * @throws StoreDamage when more is missing than LMDB may have left out
 */
export async function mendLength(path: string): Promise<void> {
  if (!existsSync(path)) return
  const handle = await open(path, 'a+')
  try {
    const { size } = await handle.stat()
    const first = await metaAt(handle, 0)
    const pageBytes = first.readUInt32LE(PAGE_BYTES_AT)
    const missing = Math.max(neededBytes(first), neededBytes(await metaAt(handle, pageBytes))) - size
    if (missing > SPARE_BYTES) throw new StoreDamage(`${path} is cut short: ${missing} bytes are missing`)
    if (missing > 0) await handle.writeFile(Buffer.alloc(missing))
  } finally {
    await handle.close()
  }
}

async function metaAt(handle: FileHandle, position: number): Promise<Buffer> {
  const meta = Buffer.alloc(META_BYTES)
  await handle.read(meta, 0, META_BYTES, position)
  return meta
}
