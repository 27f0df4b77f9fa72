import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, HubError, LIMITS, key as keyShape, type ActionBody, type Plain } from '../../../protocol/index.ts'

const { root, textField, removedField } = ANNOTATION_DOCUMENT
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** The plain form of an annotation. */
export type PlainAnnotation = { [field: string]: Plain }

type PutFields = Omit<ActionBody<'annotation.put'>, 'id'>

/** Every annotation of a book, removed ones included, by rising id. What a Yjs client wrote that no plain form can hold is left out. */
export function listAnnotations(doc: Y.Doc): [id: string, annotation: PlainAnnotation][] {
  const found: [string, PlainAnnotation][] = []
  for (const [id, entry] of doc.getMap(root)) {
    if (!isKey(id, 128)) continue
    const plain = toPlain(entry instanceof Y.Map ? entry.toJSON() : entry, 1)
    if (isMap(plain)) found.push([id, plain])
  }
  return found.sort(([left], [right]) => (left < right ? -1 : 1))
}

/** Makes an annotation, or changes the fields that are given; nil clears one. A note is changed where it differs, so that others' typing in it stays. */
export function putAnnotation(doc: Y.Doc, id: string, fields: PutFields, atMs: number): void {
  const annotations = doc.getMap(root)
  let entry = annotations.get(id)
  if (!(entry instanceof Y.Map)) {
    const fresh = new Y.Map<unknown>()
    if (isMap(entry)) for (const [name, value] of Object.entries(entry)) fresh.set(name, value)
    fresh.set('createdAtMs', atMs)
    annotations.set(id, fresh)
    entry = fresh
  }
  const map = entry as Y.Map<unknown>
  for (const [name, value] of Object.entries(fields)) {
    if (name === textField) putText(map, value as string | null)
    else if (value === null) map.delete(name)
    else map.set(name, value)
  }
  map.set('updatedAtMs', atMs)
}

/** Sets or takes away the mark; the content stays.
 * @throws HubError `not-found` */
export function markAnnotation(doc: Y.Doc, id: string, removedAtMs: number | undefined): void {
  const entry = doc.getMap(root).get(id)
  if (!(entry instanceof Y.Map)) throw new HubError('not-found', `there is no annotation ${id} in this book`, { field: 'body.id' })
  if (removedAtMs === undefined) entry.delete(removedField)
  else entry.set(removedField, removedAtMs)
}

function putText(map: Y.Map<unknown>, next: string | null): void {
  const known = map.get(textField)
  if (next === null) return map.delete(textField)
  if (!(known instanceof Y.Text)) return void map.set(textField, new Y.Text(next))
  const last = known.toString()
  let start = 0
  while (start < last.length && start < next.length && last[start] === next[start]) start += 1
  let tail = 0
  while (tail < last.length - start && tail < next.length - start && last[last.length - 1 - tail] === next[next.length - 1 - tail]) tail += 1
  if (last.length > start + tail) known.delete(start, last.length - start - tail)
  if (next.length > start + tail) known.insert(start, next.slice(start, next.length - tail))
}

/** The value as a frame can carry it, or undefined. Yjs clients may write anything. */
function toPlain(value: unknown, depth: number): Plain | undefined {
  if (value === null || typeof value === 'boolean' || value instanceof Uint8Array) return value
  if (typeof value === 'string') return value.replaceAll(/\p{Surrogate}/gu, '\ufffd')
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'object' || depth > LIMITS.maxDepth - 6) return undefined
  if (Array.isArray(value)) return value.map(item => toPlain(item, depth + 1) ?? null)
  const entries = Object.entries(value).filter(([name]) => isKey(name, LIMITS.maxMapKeyBytes / 3))
  const plain: PlainAnnotation = {}
  for (const [name, item] of entries.slice(0, LIMITS.maxMapEntries)) {
    const held = toPlain(item, depth + 1)
    if (held !== undefined) plain[name] = held
  }
  return plain
}

function isKey(name: string, maxLength: number): boolean {
  if (FORBIDDEN_KEYS.has(name)) return false
  try {
    keyShape(maxLength).check(name, '')
    return !/\p{Surrogate}/u.test(name)
  } catch {
    return false
  }
}

const isMap = (value: unknown): value is PlainAnnotation =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
