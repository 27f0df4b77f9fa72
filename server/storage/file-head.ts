import { open, type FileHandle } from 'node:fs/promises'
import { StoreDamage } from '../core/store.ts'

/**
 * One of the two pages that a database file begins with: where everything else stands, as of one transaction. Data format 2, little-endian;
 * mdb.c `MDB_meta`, behind a page head of 24 bytes.
 */
interface Meta {
  /** Of the page's own head: where it stands, and what it is. */
  readonly page: bigint
  readonly kind: number
  readonly magic: number
  readonly version: number
  /** Where in memory to map the file; 0 is anywhere. */
  readonly address: bigint
  readonly mapBytes: bigint
  readonly pageBytes: number
  /** How the trees are ordered, and how the environment was opened. */
  readonly flags: readonly number[]
  readonly depths: readonly number[]
  /** Of the free pages, and of the records. */
  readonly roots: readonly bigint[]
  readonly lastPage: bigint
  readonly transaction: bigint
}

const META_BYTES = 160
const PAGE_HEAD_BYTES = 24
const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
const LEAST_PAGE_BYTES = 512
const MOST_PAGE_BYTES = 65_536
const NO_PAGE = 2n ** 64n - 1n
const META_PAGE = 8
const FREE_FLAGS = 0x4808
const MOST_DEPTH = 32
const MOST_MAP_BYTES = 2n ** 47n
/** A page's flags say what it is: a branch or a leaf, and nothing beside. */
const TREE_FLAGS = new Set([1, 2])

/** LMDB need not write the last pages of a transaction that it did not use in the end: so a sound file may lack a few. */
const SPARE_BYTES = 1_048_576

/**
 * Looks at the beginning of a database file before LMDB maps it: LMDB takes what stands there on trust, and a read behind the file's end would end the
 * process (SIGBUS). A file that is not there is fine.
 *
 * @param mend makes a file that lacks a few pages as long as it says it is: LMDB refuses a page of zeros by name. The zeros are appended, so that nothing is
 * lost should another process be using the file
 * @throws StoreDamage when the file is no store, is cut short, or its beginning contradicts itself
 */
export async function checkHead(path: string, mend: boolean): Promise<void> {
  const handle = await openIfThere(path, mend)
  if (handle === undefined) return
  try {
    const { size } = await handle.stat()
    const metas = [await metaAt(handle, 0)]
    const { pageBytes } = metas[0]!
    mustBeStore(path, size, metas[0]!)
    metas.push(await metaAt(handle, pageBytes))
    mustBeStore(path, size, metas[1]!)
    if (!areInTurn(metas) || !metas.every((meta, index) => isPlausible(meta, index, pageBytes)))
      throw new StoreDamage(`${path} has a damaged beginning`)
    const needed = metas.reduce((most, { lastPage }) => (lastPage > most ? lastPage : most), 0n)
    const missing = (needed + 1n) * BigInt(pageBytes) - BigInt(size)
    if (missing > SPARE_BYTES) throw new StoreDamage(`${path} is cut short: ${missing} bytes are missing`)
    if (missing > 0 && mend) await handle.writeFile(Buffer.alloc(Number(missing)))
    await checkRoots(handle, path, metas[0]!.transaction > metas[1]!.transaction ? metas[0]! : metas[1]!)
  } finally {
    await handle.close()
  }
}

async function openIfThere(path: string, mend: boolean): Promise<FileHandle | undefined> {
  try {
    // 'a+' would make a file that is not there.
    await (await open(path, 'r')).close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return open(path, mend ? 'a+' : 'r')
}

async function metaAt(handle: FileHandle, position: number): Promise<Meta> {
  const bytes = Buffer.alloc(META_BYTES)
  await handle.read(bytes, 0, META_BYTES, position)
  return {
    page: bytes.readBigUInt64LE(0),
    kind: bytes.readUInt16LE(18),
    magic: bytes.readUInt32LE(24),
    version: bytes.readUInt32LE(28) & 0xffff,
    address: bytes.readBigUInt64LE(32),
    mapBytes: bytes.readBigUInt64LE(40),
    pageBytes: bytes.readUInt32LE(48),
    flags: [bytes.readUInt16LE(52), bytes.readUInt16LE(100)],
    depths: [bytes.readUInt16LE(54), bytes.readUInt16LE(102)],
    roots: [bytes.readBigUInt64LE(88), bytes.readBigUInt64LE(136)],
    lastPage: bytes.readBigUInt64LE(144),
    transaction: bytes.readBigUInt64LE(152)
  }
}

function mustBeStore(path: string, size: number, { magic, version, pageBytes }: Meta): void {
  if (size === 0) throw new StoreDamage(`${path} is empty: whatever it held is gone`)
  if (magic !== MAGIC) throw new StoreDamage(`${path} is no store, or its beginning is damaged`)
  if (version !== DATA_VERSION) throw new StoreDamage(`${path} has the unknown format ${version}, and not ${DATA_VERSION}`)
  const isPageSize = pageBytes >= LEAST_PAGE_BYTES && pageBytes <= MOST_PAGE_BYTES && (pageBytes & (pageBytes - 1)) === 0
  if (!isPageSize) throw new StoreDamage(`${path} has a damaged beginning`)
  if (size < 2 * pageBytes) throw new StoreDamage(`${path} is cut short`)
}

/** Transactions write the two in turn: the even ones the first, the odd ones the second. A new file has 0 in both. */
function areInTurn([first, second]: readonly Meta[]): boolean {
  const difference = first!.transaction - second!.transaction
  if (difference === 0n) return first!.transaction === 0n
  return (difference === 1n || difference === -1n) && first!.transaction % 2n === 0n
}

/** What a store of ours has there: lmdb-js opens it as one file (NOSUBDIR) and the free pages are kept by number (INTEGERKEY). */
function isPlausible(meta: Meta, index: number, pageBytes: number): boolean {
  const { page, kind, address, mapBytes, flags, depths, roots, lastPage } = meta
  return (
    page === BigInt(index) &&
    kind === META_PAGE &&
    meta.pageBytes === pageBytes &&
    address === 0n &&
    mapBytes >= (lastPage + 1n) * BigInt(pageBytes) &&
    mapBytes < MOST_MAP_BYTES &&
    flags[0] === FREE_FLAGS &&
    flags[1] === 0 &&
    depths.every((depth, tree) => depth <= MOST_DEPTH && (depth === 0) === (roots[tree] === NO_PAGE)) &&
    roots.every(root => root === NO_PAGE || (root >= 2n && root <= lastPage))
  )
}

/** Both trees begin with a page that says of itself where it stands, what it is, and when it was written. */
async function checkRoots(handle: FileHandle, path: string, { roots, pageBytes, transaction }: Meta): Promise<void> {
  for (const root of roots) {
    if (root === NO_PAGE) continue
    const head = Buffer.alloc(PAGE_HEAD_BYTES)
    await handle.read(head, 0, PAGE_HEAD_BYTES, Number(root) * pageBytes)
    const isSound =
      head.readBigUInt64LE(0) === root && head.readBigUInt64LE(8) <= transaction && TREE_FLAGS.has(head.readUInt16LE(18))
    if (!isSound) throw new StoreDamage(`${path} is damaged at page ${root}, where its records begin`)
  }
}
