import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, isSameValue, textDifference, type ActionBody, type Plain } from '../protocol/index.ts'

const { root, textField, removedField } = ANNOTATION_DOCUMENT

type PutBody = ActionBody<'annotation.put'>
type Fields = Omit<PutBody, 'id'>
type PlainEntry = { readonly [name: string]: unknown }
type Entry = Y.Map<unknown> | PlainEntry

/** An annotation in plain form. */
export type Annotation = { readonly [K in keyof Fields]: Exclude<Fields[K], null> } & {
  readonly id: string
  readonly createdAtMs?: number
  readonly updatedAtMs?: number
  /** Set while it is removed. */
  readonly removedAtMs?: number
}

export function readAnnotation(doc: Y.Doc, id: string): Annotation | undefined {
  const entry = entryOf(doc, id)
  return entry && { ...fieldsOf(entry), id }
}

/** Every annotation, removed ones included, by rising id. */
export const readAnnotations = (doc: Y.Doc): Annotation[] =>
  [...doc.getMap(root).keys()].sort().flatMap(id => readAnnotation(doc, id) ?? [])

/** Makes an annotation, or changes the fields that are given and differ; null clears one. Should run in a transaction. */
export function writeAnnotation(doc: Y.Doc, { id, ...fields }: PutBody, atMs: number): void {
  const known = entryOf(doc, id)
  const changed = Object.entries(fields).filter(([name, value]) => value !== undefined && differs(known, name, value))
  if (known !== undefined && changed.length === 0) return
  const entry = openEntry(doc, id) ?? createEntry(doc, id, atMs)
  for (const [name, value] of changed) writeField(entry, name, value)
  entry.set('updatedAtMs', atMs)
}

/** Sets or takes away the mark; the content stays. Does nothing when it is so already, or when there is no such annotation. */
export function markAnnotation(doc: Y.Doc, id: string, removedAtMs: number | undefined): void {
  const known = entryOf(doc, id)
  if (known === undefined || (heldIn(known, removedField) !== undefined) === (removedAtMs !== undefined)) return
  writeField(openEntry(doc, id)!, removedField, removedAtMs ?? null)
}

/** The live text of an annotation's note; undefined when there is no such annotation. */
export function openNote(doc: Y.Doc, id: string): Y.Text | undefined {
  const entry = openEntry(doc, id)
  return entry && noteOf(entry)
}

/** Makes the annotations of one document read like those of another, by edits of its own. */
export function copyAnnotations(from: Y.Doc, to: Y.Doc): void {
  for (const id of from.getMap(root).keys()) {
    const wanted = entryOf(from, id)
    if (wanted === undefined) continue
    const fields = fieldsOf(wanted)
    const entry = openEntry(to, id) ?? createEntry(to, id, 0)
    for (const name of entry.keys()) if (!Object.hasOwn(fields, name) && name !== textField) entry.delete(name)
    for (const [name, field] of Object.entries(fields)) if (differs(entry, name, field)) writeField(entry, name, field)
  }
}

/** Yjs clients may write anything: a map of fields is an annotation, and so is one plain object. */
function entryOf(doc: Y.Doc, id: string): Entry | undefined {
  const entry = doc.getMap(root).get(id)
  return entry instanceof Y.Map || isPlainEntry(entry) ? entry : undefined
}

/** An annotation's fields, to be changed one by one: a plain object becomes a map. */
function openEntry(doc: Y.Doc, id: string): Y.Map<unknown> | undefined {
  const entry = entryOf(doc, id)
  if (entry === undefined || entry instanceof Y.Map) return entry
  return doc.getMap(root).set(id, new Y.Map<unknown>(Object.entries(entry)))
}

const isPlainEntry = (value: unknown): value is PlainEntry =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array) &&
  !(value instanceof Y.AbstractType)

const fieldsOf = (entry: Entry): Record<string, Plain> =>
  entry instanceof Y.Map ? entry.toJSON() : { ...(entry as Record<string, Plain>) }

const heldIn = (entry: Entry | undefined, name: string): unknown => (entry instanceof Y.Map ? entry.get(name) : entry?.[name])

/** An empty note is the same as none. */
function differs(entry: Entry | undefined, name: string, value: Plain): boolean {
  const held = heldIn(entry, name)
  if (name === textField) return (held instanceof Y.Text ? held.toJSON() : (held ?? '')) !== (value ?? '')
  return value === null ? held !== undefined : !isSameValue(held, value)
}

/** With its note from the start: two devices that each made the text later would lose one of the two. */
function createEntry(doc: Y.Doc, id: string, atMs: number): Y.Map<unknown> {
  const entry = new Y.Map<unknown>()
  entry.set(textField, new Y.Text())
  entry.set('createdAtMs', atMs)
  doc.getMap(root).set(id, entry)
  return entry
}

function noteOf(entry: Y.Map<unknown>): Y.Text {
  const known = entry.get(textField)
  if (known instanceof Y.Text) return known
  const text = new Y.Text(typeof known === 'string' ? known : '')
  entry.set(textField, text)
  return text
}

function writeField(entry: Y.Map<unknown>, name: string, value: Plain): void {
  if (name === textField && (value === null || typeof value === 'string')) writeText(noteOf(entry), value ?? '')
  else if (value === null) entry.delete(name)
  else entry.set(name, value)
}

/** Changes a text only where it differs, so that others' typing in the rest of it stays. */
function writeText(text: Y.Text, next: string): void {
  const { start, deleted, inserted } = textDifference(text.toJSON(), next)
  if (deleted > 0) text.delete(start, deleted)
  if (inserted !== '') text.insert(start, inserted)
}
