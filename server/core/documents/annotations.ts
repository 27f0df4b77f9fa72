import * as Y from 'yjs'
import {
  ANNOTATION_DOCUMENT,
  HubError,
  LIMITS,
  isSameValue,
  key,
  objectFrom,
  roomOf,
  textDifference,
  type ActionBody,
  type Plain
} from '../../../protocol/index.ts'

const { root, textField, removedField } = ANNOTATION_DOCUMENT
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])
const idShape = key(128)
const utf8 = new TextEncoder()
/** A view's page is a frame, a list and an entry deep already. */
const MAX_DEPTH = LIMITS.maxDepth - 3

/** False for what a Yjs client wrote under a name that no action can have. */
export const isAnnotationId = (id: string): boolean => idShape.fault(id) === undefined

/** The plain form of an annotation. */
export type PlainAnnotation = { [field: string]: Plain }

type PutFields = Omit<ActionBody<'annotation.put'>, 'id'>
type Entry = Y.Map<unknown> | PlainAnnotation

/** The ids of a book's annotations, removed ones included, in order. */
export const annotationIds = (doc: Y.Doc): string[] =>
  Array.from(doc.getMap(root), ([id, value]) => (isEntry(value) && isAnnotationId(id) ? id : ''))
    .filter(Boolean)
    .sort()

/**
 * The annotations of a book whose id sorts after `after`, removed ones included, by rising id and at most `limit`. What a Yjs client wrote that no plain
 * form can hold is left out.
 *
 * @param ids as `annotationIds` gives them, for who reads page by page
 */
export function listAnnotations(
  doc: Y.Doc,
  after = '',
  limit = Infinity,
  ids: readonly string[] = annotationIds(doc)
): [id: string, annotation: PlainAnnotation][] {
  const entries = doc.getMap(root)
  const found: [string, PlainAnnotation][] = []
  for (let index = firstAfter(ids, after); index < ids.length && found.length < limit; index++) {
    const plain = toPlain(entries.get(ids[index]!), 1)
    if (isMap(plain)) found.push([ids[index]!, plain])
  }
  return found
}

/** Where in a sorted list the texts begin that sort after `after`. */
function firstAfter(sorted: readonly string[], after: string): number {
  let low = 0
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! <= after) low = middle + 1
    else high = middle
  }
  return low
}

/** One annotation; undefined when there is none, or when no plain form can hold it. */
export function annotationIn(doc: Y.Doc, id: string): PlainAnnotation | undefined {
  const plain = toPlain(doc.getMap(root).get(id), 1)
  return isMap(plain) ? plain : undefined
}

/**
 * Makes an annotation, or changes the fields that are given and differ; nil clears one. A note is changed where it differs, so that others' typing
 * in it stays.
 */
export function putAnnotation(doc: Y.Doc, id: string, fields: PutFields, atMs: number): void {
  const known = entryOf(doc, id)
  const changed = Object.entries(fields).filter(([name, value]) => differs(known, name, value))
  if (known !== undefined && changed.length === 0) return
  const entry = openEntry(doc, id) ?? newEntry(doc, id, atMs)
  for (const [name, value] of changed) putField(entry, name, value)
  entry.set('updatedAtMs', atMs)
}

/**
 * Makes an annotation what it was, and takes the mark of removal away. Only what differs is changed, of a note too, so that what others do meanwhile is
 * merged. Does nothing when it is so already.
 */
export function restoreAnnotation(doc: Y.Doc, id: string, version: PlainAnnotation, atMs: number): void {
  const known = entryOf(doc, id)
  const names = new Set(Object.keys(version))
  if (known !== undefined) for (const name of known instanceof Y.Map ? known.keys() : Object.keys(known)) names.add(name)
  names.delete('updatedAtMs')
  const changed = [...names].filter(name => differs(known, name, version[name] ?? null))
  if (changed.length === 0) return
  const entry = openEntry(doc, id) ?? newEntry(doc, id, atMs)
  for (const name of changed) putField(entry, name, version[name] ?? null)
  entry.set('updatedAtMs', atMs)
}

/**
 * Sets or takes away the mark; the content stays. Does nothing when it is so already.
 * @throws HubError `not-found`
 */
export function markAnnotation(doc: Y.Doc, id: string, removedAtMs: number | undefined): void {
  const known = entryOf(doc, id)
  if (known === undefined) throw new HubError('not-found', `there is no annotation ${id} in this book`, { field: 'body.id' })
  if ((heldIn(known, removedField) !== undefined) === (removedAtMs !== undefined)) return
  const entry = openEntry(doc, id)!
  if (removedAtMs === undefined) entry.delete(removedField)
  else entry.set(removedField, removedAtMs)
}

/** A Yjs client may have written an annotation as one plain object, instead of a map of fields. */
function entryOf(doc: Y.Doc, id: string): Entry | undefined {
  const entry = doc.getMap(root).get(id)
  return isEntry(entry) ? entry : undefined
}

const isEntry = (value: unknown): value is Entry => value instanceof Y.Map || isMap(value)

/** An annotation's fields, to be changed one by one: a plain object becomes a map. */
function openEntry(doc: Y.Doc, id: string): Y.Map<unknown> | undefined {
  const entry = entryOf(doc, id)
  if (entry === undefined || entry instanceof Y.Map) return entry
  return doc.getMap(root).set(id, new Y.Map<unknown>(Object.entries(entry)))
}

/** With its note from the start: two devices that each made the text later would lose one of the two. */
function newEntry(doc: Y.Doc, id: string, atMs: number): Y.Map<unknown> {
  const entry = doc.getMap(root).set(id, new Y.Map<unknown>([[textField, new Y.Text()]]))
  entry.set('createdAtMs', atMs)
  return entry
}

function putField(entry: Y.Map<unknown>, name: string, value: Plain): void {
  if (name === textField) putText(entry, (value as string | null) ?? '')
  else if (value === null) entry.delete(name)
  else entry.set(name, value)
}

const heldIn = (entry: Entry | undefined, name: string): unknown => (entry instanceof Y.Map ? entry.get(name) : entry?.[name])

/** An empty note is the same as none. */
function differs(entry: Entry | undefined, name: string, value: Plain): boolean {
  const held = heldIn(entry, name)
  if (name === textField) return (held instanceof Y.Text ? held.toJSON() : (held ?? '')) !== (value ?? '')
  if (value === null) return held !== undefined
  return !isSameValue(held instanceof Y.AbstractType ? toPlain(held, 2) : held, value)
}

function putText(entry: Y.Map<unknown>, next: string): void {
  const text = entry.get(textField)
  if (!(text instanceof Y.Text)) return void entry.set(textField, new Y.Text(next))
  const { start, deleted, inserted } = textDifference(text.toJSON(), next)
  if (deleted > 0) text.delete(start, deleted)
  if (inserted !== '') text.insert(start, inserted)
}

/** The value as a frame can carry it, or undefined. Yjs clients may write anything. */
export function toPlain(value: unknown, depth: number): Plain | undefined {
  const copying = new Copying()
  const plain = copying.plain(value, depth)
  return copying.valuesLeft < 0 ? undefined : plain
}

/** Copies what may hold more than any frame can carry, and ends then: it is left out. */
class Copying {
  valuesLeft: number = LIMITS.maxNodes

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
  !FORBIDDEN_KEYS.has(name) && utf8.encode(name).length <= LIMITS.maxMapKeyBytes && !/\p{Surrogate}/u.test(name)

export const isMap = (value: unknown): value is PlainAnnotation =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array) &&
  !(value instanceof Y.AbstractType)
