import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, type ActionBody } from './actions.ts'
import { isSameValue } from './merge.ts'
import { isMap, toPlain } from './plain-value.ts'
import type { Plain } from './shapes.ts'
import { textDifference } from './text-difference.ts'

const { root, textField, removedField } = ANNOTATION_DOCUMENT

/** An annotation in its book's document. Yjs clients may write anything: a map of fields is one, and so is one plain object. */
export type AnnotationEntry = Y.Map<unknown> | { readonly [name: string]: unknown }

/** What a field is to be; nil clears it. */
type FieldEdit = readonly [name: string, value: Plain | undefined]

/** False for what is no annotation. */
export const isAnnotationEntry = (value: unknown): value is AnnotationEntry => value instanceof Y.Map || isMap(value)

export function annotationEntryIn(doc: Y.Doc, id: string): AnnotationEntry | undefined {
  const entry = doc.getMap(root).get(id)
  return isAnnotationEntry(entry) ? entry : undefined
}

/** The names of an annotation's fields. */
export const fieldNamesOf = (entry: AnnotationEntry | undefined): string[] =>
  entry instanceof Y.Map ? [...entry.keys()] : Object.keys(entry ?? {})

/**
 * Makes an annotation, or changes the fields that are given and differ; nil clears one, and undefined leaves one as it is. A note is changed where it differs, so that
 * others' typing in it stays. Should run in a transaction.
 */
export function putAnnotation(doc: Y.Doc, id: string, fields: Omit<ActionBody<'annotation.put'>, 'id'>, atMs: number): void {
  editAnnotation(doc, id, Object.entries(fields), atMs)?.set('updatedAtMs', atMs)
}

/**
 * The same without saying when.
 * @param madeAtMs when it is made, if there is none
 * @returns undefined when nothing differs
 */
export function editAnnotation(
  doc: Y.Doc,
  id: string,
  edits: readonly FieldEdit[],
  madeAtMs: number
): Y.Map<unknown> | undefined {
  const known = annotationEntryIn(doc, id)
  const changed = edits.filter(([name, value]) => value !== undefined && differs(known, name, value))
  if (known !== undefined && changed.length === 0) return undefined
  const entry = openEntry(doc, id) ?? newEntry(doc, id, madeAtMs)
  for (const [name, value] of changed) putField(entry, name, value!)
  return entry
}

/** Sets or takes away the mark of removal; the content stays. Does nothing when it is so already. @returns false when there is no such annotation */
export function markAnnotation(doc: Y.Doc, id: string, removedAtMs: number | undefined): boolean {
  const known = annotationEntryIn(doc, id)
  if (known === undefined) return false
  if ((heldIn(known, removedField) !== undefined) !== (removedAtMs !== undefined))
    putField(openEntry(doc, id)!, removedField, removedAtMs ?? null)
  return true
}

/** The live text of an annotation's note; undefined when there is no such annotation. */
export function openNote(doc: Y.Doc, id: string): Y.Text | undefined {
  const entry = openEntry(doc, id)
  if (entry === undefined) return undefined
  const known = entry.get(textField)
  if (known instanceof Y.Text) return known
  return entry.set(textField, new Y.Text(typeof known === 'string' ? known : ''))
}

/** An annotation's fields, to be changed one by one: a plain object becomes a map. */
function openEntry(doc: Y.Doc, id: string): Y.Map<unknown> | undefined {
  const entry = annotationEntryIn(doc, id)
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
  if (name === textField && isText(value)) putText(entry, value ?? '')
  else if (value === null) entry.delete(name)
  else entry.set(name, value)
}

function putText(entry: Y.Map<unknown>, next: string): void {
  const text = entry.get(textField)
  if (!(text instanceof Y.Text)) return void entry.set(textField, new Y.Text(next))
  const { start, deleted, inserted } = textDifference(text.toJSON(), next)
  if (deleted > 0) text.delete(start, deleted)
  if (inserted !== '') text.insert(start, inserted)
}

/** A Yjs client may have written a note that is none. */
const isText = (value: Plain): value is string | null => value === null || typeof value === 'string'

const heldIn = (entry: AnnotationEntry | undefined, name: string): unknown =>
  entry instanceof Y.Map ? entry.get(name) : entry?.[name]

/** An empty note is the same as none. */
function differs(entry: AnnotationEntry | undefined, name: string, value: Plain): boolean {
  const held = heldIn(entry, name)
  if (name === textField && isText(value)) return (held instanceof Y.Text ? held.toJSON() : (held ?? '')) !== (value ?? '')
  if (value === null) return held !== undefined
  return !isSameValue(held instanceof Y.AbstractType ? toPlain(held, 2) : held, value)
}
