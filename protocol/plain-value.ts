import * as Y from 'yjs'
import { LIMITS } from './limits.ts'
import type { Plain } from './shapes.ts'
import { FORBIDDEN_KEYS, isRecord, objectFrom, roomOf } from './values.ts'

const utf8 = new TextEncoder()
/** A view's page is a frame, a list and an entry deep already. */
const MAX_DEPTH = LIMITS.maxDepth - 3

/** What a Yjs client wrote, which may be anything, as a frame can carry it; undefined for what none can. */
export function toPlain(value: unknown, depth: number): Plain | undefined {
  const copying = new Copying()
  const plain = copying.plain(value, depth)
  return copying.valuesLeft < 0 ? undefined : plain
}

/** True for an object of fields: no list, no bytes and no Yjs type. */
export const isMap = (value: unknown): value is { [name: string]: Plain } => isRecord(value) && !(value instanceof Y.AbstractType)

/** Copies what may hold more than any frame can carry, and ends then: it is left out. */
class Copying {
  valuesLeft: number = LIMITS.maxFrameValues

  plain(value: unknown, depth: number): Plain | undefined {
    this.valuesLeft -= 1
    if (this.valuesLeft < 0) return undefined
    if (value === null || typeof value === 'boolean' || value instanceof Uint8Array) return value
    if (value instanceof Y.Text && !(value instanceof Y.XmlText)) return this.plain(value.toJSON(), depth)
    if (typeof value === 'string') return value.replaceAll(/\p{Surrogate}/gu, '\ufffd')
    if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
    if (depth > MAX_DEPTH) return undefined
    const items: unknown = value instanceof Y.Array ? value.toArray() : value
    if (Array.isArray(items)) return items.map(item => this.plain(item, depth + 1) ?? null)
    const entries =
      value instanceof Y.Map ? [...(value as Y.Map<unknown>).entries()] : isMap(value) ? Object.entries(value) : undefined
    if (entries === undefined) return undefined
    const members: [string, Plain][] = []
    for (const [name, item] of entries.filter(([name]) => isMapKey(name)).slice(0, LIMITS.maxMapEntries)) {
      this.valuesLeft -= 1 + roomOf(name)
      const held = this.plain(item, depth + 1)
      if (held !== undefined) members.push([name, held])
    }
    return objectFrom(members)
  }
}

const isMapKey = (name: string): boolean =>
  !FORBIDDEN_KEYS.includes(name) && utf8.encode(name).length <= LIMITS.maxMapKeyBytes && !/\p{Surrogate}/u.test(name)
