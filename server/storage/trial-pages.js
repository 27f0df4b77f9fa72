import { readSync } from 'node:fs'

/**
 * Looks at the pages of a database file themselves, without LMDB: it takes on trust what stands in them, and above all which pages are free. A page that is in
 * use and counts as free is written over by the next transaction.
 *
 * Data format 2, little-endian; mdb.c `MDB_page`, `MDB_node`, `MDB_ovpage` and `mdb_freelist_save`. Plain JavaScript, for trial-child.js.
 */
const PAGE_HEAD_BYTES = 24
const NODE_HEAD_BYTES = 8
const OVERFLOW_HEAD_BYTES = 24
const META_BYTES = 160
const BRANCH = 1
const LEAF = 2
const OVERFLOW = 4
const BIG_DATA = 1
const NO_PAGE = 2n ** 64n - 1n
const MAX_DEPTH = 32
const PAGES_PER_LOOK = 1_024

class BadPage extends Error {}

/** The newest of the two pages that the file begins with. */
export function readMeta(fd) {
  const first = metaAt(fd, 0)
  const second = metaAt(fd, first.pageBytes)
  return first.transaction > second.transaction ? first : second
}

function metaAt(fd, position) {
  const bytes = Buffer.alloc(META_BYTES)
  readSync(fd, bytes, 0, META_BYTES, position)
  const tree = at => ({
    depth: bytes.readUInt16LE(at + 6),
    counts: [8, 16, 24, 32].map(from => Number(bytes.readBigUInt64LE(at + from))),
    root: bytes.readBigUInt64LE(at + 40)
  })
  return {
    pageBytes: bytes.readUInt32LE(48),
    free: tree(48),
    main: tree(96),
    lastPage: Number(bytes.readBigUInt64LE(144)),
    transaction: bytes.readBigUInt64LE(152)
  }
}

/**
 * Walks both trees of the file as of `meta`: every page is what it says, is used once, and is not free.
 *
 * @param endAtMs when to stop, by `performance.now()`
 * @returns what is wrong; undefined when nothing is, or time ran out
 */
export function checkPages(fd, meta, endAtMs) {
  const { pageBytes, lastPage } = meta
  const used = new Uint8Array(lastPage + 1)
  let looked = 0

  const use = (number, what) => {
    if (!(number >= 2 && number <= lastPage)) throw new BadPage(`${what} is on the page ${number}, which the file has not`)
    if (used[number] === 1) throw new BadPage(`the page ${number} is used twice`)
    used[number] = 1
  }

  /** A page's bytes; its head says where it stands, what it is and when it was written. */
  const read = (number, flags, length) => {
    const page = Buffer.allocUnsafe(length)
    if (readSync(fd, page, 0, length, number * pageBytes) !== length) throw new BadPage(`the page ${number} is missing`)
    const isSound =
      Number(page.readBigUInt64LE(0)) === number &&
      page.readBigUInt64LE(8) <= meta.transaction &&
      flags.includes(page.readUInt16LE(18))
    if (!isSound) throw new BadPage(`the page ${number} is damaged`)
    return page
  }

  /** A value that takes pages of its own; more of them than it needs, when it took the place of a longer one. */
  const overflow = (node, dataAt, size, visit) => {
    const number = Number(node.readBigUInt64LE(dataAt))
    use(number, 'a long value')
    const head = read(number, [OVERFLOW], visit === undefined ? PAGE_HEAD_BYTES : PAGE_HEAD_BYTES + size)
    const count = head.readUInt32LE(20)
    if (count * pageBytes < PAGE_HEAD_BYTES + size) throw new BadPage(`the page ${number} is damaged`)
    for (let index = 1; index < count; index++) use(number + index, 'a long value')
    visit?.(head.subarray(PAGE_HEAD_BYTES))
    return count
  }

  /** False when time ran out. */
  const tree = ({ root, depth, counts }, visit) => {
    const counted = [0, 0, 0, 0]
    const stack = root === NO_PAGE ? [] : [[Number(root), 1]]
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const [number, level] = next
      if (++looked % PAGES_PER_LOOK === 0 && performance.now() > endAtMs) return false
      use(number, 'a part of the tree')
      counted[level === depth ? 1 : 0]++
      const page = read(number, level === depth ? [LEAF] : [BRANCH], pageBytes)
      const lower = page.readUInt16LE(20)
      const upper = page.readUInt16LE(22)
      const bad = new BadPage(`the page ${number} is damaged`)
      if (lower % 2 !== 0 || lower > upper || upper > pageBytes - PAGE_HEAD_BYTES || level > MAX_DEPTH || lower === 0) throw bad
      for (let at = PAGE_HEAD_BYTES; at < PAGE_HEAD_BYTES + lower; at += 2) {
        const node = page.readUInt16LE(at) + PAGE_HEAD_BYTES
        if (node < PAGE_HEAD_BYTES + upper || node + NODE_HEAD_BYTES > pageBytes) throw bad
        const low = page.readUInt32LE(node)
        const flags = page.readUInt16LE(node + 4)
        const dataAt = node + NODE_HEAD_BYTES + page.readUInt16LE(node + 6)
        if (level < depth) {
          if (dataAt > pageBytes) throw bad
          stack.push([low + flags * 2 ** 32, level + 1])
        } else {
          if ((flags & ~BIG_DATA) !== 0 || dataAt + (flags === BIG_DATA ? OVERFLOW_HEAD_BYTES : low) > pageBytes) throw bad
          counted[3]++
          if (flags === BIG_DATA) counted[2] += overflow(page, dataAt, low, visit)
          else visit?.(page.subarray(dataAt, dataAt + low))
        }
      }
    }
    // Branches, leaves, pages of long values, entries: a tree that is not the newest has others.
    if (counted.some((count, index) => count !== counts[index]))
      throw new BadPage('its tree is not the one that was written last')
    return true
  }

  const free = new Uint8Array(lastPage + 1)
  const setFree = number => {
    if (!(number >= 2 && number <= lastPage) || free[number] === 1) throw new BadPage('its list of free pages is damaged')
    free[number] = 1
  }
  /** A count, and so many numbers of 8 bytes: pages; 0, which is none; or, negative, how many pages begin with the next number. */
  const freeList = value => {
    const count = value.length < 8 ? -1 : Number(value.readBigInt64LE(0))
    if (count < 0 || (count + 1) * 8 > value.length) throw new BadPage('its list of free pages is damaged')
    for (let index = 1; index <= count; index++) {
      const entry = Number(value.readBigInt64LE(index * 8))
      if (entry > 0) setFree(entry)
      if (entry >= 0) continue
      if (++index > count) throw new BadPage('its list of free pages is damaged')
      const start = Number(value.readBigInt64LE(index * 8))
      for (let number = start; number < start - entry; number++) setFree(number)
    }
  }

  try {
    if (!tree(meta.main) || !tree(meta.free, freeList)) return undefined
    for (let number = 2; number <= lastPage; number++)
      if (used[number] === 1 && free[number] === 1) return `the page ${number} is in use, and counts as free`
    return undefined
  } catch (error) {
    if (error instanceof BadPage) return error.message
    throw error
  }
}
