import * as Y from 'yjs'
import {
  ANNOTATION_DOCUMENT,
  annotationEntryIn,
  editAnnotation,
  fieldNamesOf,
  isSameValue,
  type ActionBody,
  type AnnotationEntry,
  type Plain
} from '../protocol/index.ts'

const { root, textField, removedField } = ANNOTATION_DOCUMENT

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

/**
 * Writes what was edited here into the annotation that now stands under the id, or makes it again where there is none: another device has put one of its
 * own under it, or deleted it, and Yjs drops with an entry all that was written into it. What was not edited here is theirs, and an edit outlives a removal.
 *
 * @param base the hub's document before it told of that, `theirs` the one after, and `own` that of this device with its edits upon `base`
 */
export function writeBack(id: string, { base, own, theirs }: Record<'base' | 'own' | 'theirs', Y.Doc>, to: Y.Doc): void {
  const [before, mine, other] = [base, own, theirs].map(doc => annotationEntryIn(doc, id)).map(entry => entry && fieldsOf(entry))
  if (mine === undefined) return
  const isEdited = (name: string): boolean =>
    name === textField ? (mine[name] ?? '') !== (before?.[name] ?? '') : !isSameValue(mine[name], before?.[name])
  const names = [...new Set([mine, before, other].flatMap(fields => Object.keys(fields ?? {})))]
  if (!names.some(isEdited)) return
  const isMine = (name: string): boolean => other === undefined || name === removedField || isEdited(name)
  const edits = names.map((name): [string, Plain] => [name, (isMine(name) ? mine : other!)[name] ?? null])
  editAnnotation(to, id, edits, 0)
}

const fieldsOf = (entry: AnnotationEntry): Record<string, Plain> =>
  entry instanceof Y.Map ? entry.toJSON() : { ...(entry as Record<string, Plain>) }
