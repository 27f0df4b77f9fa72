import type { Random } from './random.ts'

/** Where in a store's file bytes stand: from an offset on, so many. */
export interface Place {
  readonly at: number
  readonly length: number
}

const PAGE_HEAD_BYTES = 24
const NODE_HEAD_BYTES = 8
const META_HEAD_BYTES = 160
const NO_PAGE = 2n ** 64n - 1n
/** What the first byte of a key says, by server/storage/README.md. */
const ENTRIES: Record<string, string> = {
  l: 'a segment',
  j: 'a journal record',
  r: 'a record',
  e: 'an epoch',
  f: 'a floor'
}

/**
 * Every place of a store's file that is in use, by its kind: the two beginnings, page heads, pointers, node heads, keys and values of each kind of entry, and
 * the list of free pages. By LMDB's data format 2, independently of the hub's own reading of it.
 */
export function placesIn(file: Buffer): Map<string, Place[]> {
  const pageBytes = file.readUInt32LE(48)
  const transaction = (page: number): bigint => file.readBigUInt64LE(page * pageBytes + 152)
  const newest = transaction(0) > transaction(1) ? 0 : pageBytes
  const places = new Map<string, Place[]>()
  const add = (kind: string, at: number, length: number): void => {
    if (length === 0) return
    const known = places.get(kind)
    if (known === undefined) places.set(kind, [{ at, length }])
    else known.push({ at, length })
  }
  add('the newest beginning', newest, META_HEAD_BYTES)
  add('the beginning before it', pageBytes - newest, META_HEAD_BYTES)

  const value = (kind: string, node: number, dataAt: number): void => {
    const size = file.readUInt32LE(node)
    if (file.readUInt16LE(node + 4) !== 1) return add(kind, dataAt, size)
    add('the place of a long value', dataAt, 8)
    const page = Number(file.readBigUInt64LE(dataAt)) * pageBytes
    add('the head of a long value', page, PAGE_HEAD_BYTES)
    add(`${kind}, long`, page + PAGE_HEAD_BYTES, size)
  }
  const tree = (root: bigint, depth: number, isFree: boolean): void => {
    if (root === NO_PAGE) return
    const page = Number(root) * pageBytes
    const lower = file.readUInt16LE(page + 20)
    add('the head of a page', page, PAGE_HEAD_BYTES)
    add('the pointers of a page', page + PAGE_HEAD_BYTES, lower)
    for (let at = page + PAGE_HEAD_BYTES; at < page + PAGE_HEAD_BYTES + lower; at += 2) {
      const node = page + PAGE_HEAD_BYTES + file.readUInt16LE(at)
      const keyAt = node + NODE_HEAD_BYTES
      const keyBytes = file.readUInt16LE(node + 6)
      const entry = ENTRIES[String.fromCharCode(file[keyAt]!)] ?? '?'
      add(depth > 1 ? 'a branch' : 'the head of a node', node, NODE_HEAD_BYTES)
      if (depth > 1) {
        const child = file.readUInt32LE(node) + file.readUInt16LE(node + 4) * 2 ** 32
        tree(BigInt(child), depth - 1, isFree)
      } else if (isFree) value('the list of free pages', node, keyAt + keyBytes)
      else {
        add(`the key of ${entry}`, keyAt, keyBytes)
        value(entry, node, keyAt + keyBytes)
      }
    }
  }
  for (const [at, isFree] of [
    [48, true],
    [96, false]
  ] as const)
    // prettier-ignore
    tree(file.readBigUInt64LE(newest + at + 40), file.readUInt16LE(newest + at + 6), isFree)
  return places
}

/** A byte of a kind: any of all those places, whichever page they are on. */
export function someByte(places: readonly Place[], random: Random): number {
  const { at, length } = places[random.below(places.length)]!
  return at + random.below(length)
}
