import * as Y from 'yjs'
import {
  ANNOTATION_DOCUMENT,
  annotationEntryIn,
  editAnnotation,
  fieldNamesOf,
  type ActionBody,
  type AnnotationEntry,
  type Plain
} from '../protocol/index.ts'

const { root, textField } = ANNOTATION_DOCUMENT

type Fields = Omit<ActionBody<'annotation.put'>, 'id'>

/** An annotation in plain form. */
export type Annotation = { readonly [K in keyof Fields]: Exclude<Fields[K], null> } & {
  readonly id: string
  readonly createdAtMs?: number
  readonly updatedAtMs?: number
  /** Set while it is removed. */
  readonly removedAtMs?: number
}

export function readAnnotation(doc: Y.Doc, id: string): Annotation | undefined {
  const entry = annotationEntryIn(doc, id)
  return entry && { ...fieldsOf(entry), id }
}

/** Every annotation, removed ones included, by rising id. */
export const readAnnotations = (doc: Y.Doc): Annotation[] =>
  [...doc.getMap(root).keys()].sort().flatMap(id => readAnnotation(doc, id) ?? [])

/** Makes the annotations of one document read like those of another, by edits of its own. */
export function copyAnnotations(from: Y.Doc, to: Y.Doc): void {
  for (const id of from.getMap(root).keys()) {
    const wanted = annotationEntryIn(from, id)
    if (wanted === undefined) continue
    const fields = fieldsOf(wanted)
    const held = annotationEntryIn(to, id)
    const surplus = fieldNamesOf(held).filter(name => !Object.hasOwn(fields, name) && name !== textField)
    const entry = editAnnotation(to, id, [...surplus.map((name): [string, null] => [name, null]), ...Object.entries(fields)], 0)
    if (held === undefined && !Object.hasOwn(fields, 'createdAtMs')) entry?.delete('createdAtMs')
  }
}

const fieldsOf = (entry: AnnotationEntry): Record<string, Plain> =>
  entry instanceof Y.Map ? entry.toJSON() : { ...(entry as Record<string, Plain>) }
