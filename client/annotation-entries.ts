import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, textDifference, type ActionBody, type Plain } from '../protocol/index.ts'

const { root, textField, removedField } = ANNOTATION_DOCUMENT

type PutBody = ActionBody<'annotation.put'>
type Fields = Omit<PutBody, 'id'>

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
  return entry && { ...entry.toJSON(), id }
}

/** Every annotation, removed ones included, by rising id. */
export const readAnnotations = (doc: Y.Doc): Annotation[] =>
  [...doc.getMap(root).keys()].sort().flatMap(id => readAnnotation(doc, id) ?? [])

/** Makes an annotation, or changes the fields that are given and differ; null clears one. Should run in a transaction. */
export function writeAnnotation(doc: Y.Doc, { id, ...fields }: PutBody, atMs: number): void {
  const known = entryOf(doc, id)
  const entry = known ?? createEntry(doc, id, atMs)
  let isChanged = known === undefined
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    const writes = name === textField ? writeText(noteOf(entry), (value as string | null) ?? '') : writeField(entry, name, value)
    isChanged = writes || isChanged
  }
  if (isChanged) entry.set('updatedAtMs', atMs)
}

/** Sets or takes away the mark; the content stays. Does nothing when it is so already, or when there is no such annotation. */
export function markAnnotation(doc: Y.Doc, id: string, removedAtMs: number | undefined): void {
  const entry = entryOf(doc, id)
  if (entry === undefined || entry.has(removedField) === (removedAtMs !== undefined)) return
  if (removedAtMs === undefined) entry.delete(removedField)
  else entry.set(removedField, removedAtMs)
}

/** The live text of an annotation's note; undefined when there is no such annotation. */
export function openNote(doc: Y.Doc, id: string): Y.Text | undefined {
  const entry = entryOf(doc, id)
  return entry && noteOf(entry)
}

/** Makes the annotations of one document read like those of another, by edits of its own. */
export function copyAnnotations(from: Y.Doc, to: Y.Doc): void {
  for (const [id, value] of from.getMap(root)) {
    if (!(value instanceof Y.Map)) continue
    const entry = entryOf(to, id) ?? createEntry(to, id, 0)
    const fields = value.toJSON() as Record<string, Plain>
    for (const name of entry.keys()) if (!Object.hasOwn(fields, name) && name !== textField) entry.delete(name)
    for (const [name, field] of Object.entries(fields)) {
      if (name === textField && typeof field === 'string') writeText(noteOf(entry), field)
      else writeField(entry, name, field)
    }
  }
}

/** Yjs clients may write anything: what is not a map is no annotation. */
function entryOf(doc: Y.Doc, id: string): Y.Map<unknown> | undefined {
  const entry = doc.getMap(root).get(id)
  return entry instanceof Y.Map ? (entry as Y.Map<unknown>) : undefined
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

/** @returns whether anything changed */
function writeField(entry: Y.Map<unknown>, name: string, value: Plain): boolean {
  if (value === null) {
    if (!entry.has(name)) return false
    entry.delete(name)
    return true
  }
  if (isEqual(entry.get(name), value)) return false
  entry.set(name, value)
  return true
}

/**
 * Changes a text only where it differs, so that others' typing in the rest of it stays.
 *
 * @returns whether anything changed
 */
export function writeText(text: Y.Text, next: string): boolean {
  const { start, deleted, inserted } = textDifference(text.toJSON(), next)
  if (deleted > 0) text.delete(start, deleted)
  if (inserted !== '') text.insert(start, inserted)
  return deleted > 0 || inserted !== ''
}

function isEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left) !== Array.isArray(right) || left instanceof Uint8Array !== right instanceof Uint8Array) return false
  const names = Object.keys(left)
  if (names.length !== Object.keys(right).length) return false
  return names.every(name => Object.hasOwn(right, name) && isEqual((left as never)[name], (right as never)[name]))
}
