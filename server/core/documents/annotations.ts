import type * as Y from 'yjs'
import {
  ANNOTATION_DOCUMENT,
  annotationEntryIn,
  editAnnotation,
  fieldNamesOf,
  HubError,
  isAnnotationEntry,
  isMap,
  key,
  markAnnotation,
  toPlain,
  type Plain
} from '../../../protocol/index.ts'
import { firstIndex } from '../first-index.ts'

const { root } = ANNOTATION_DOCUMENT
const idShape = key(128)

/** False for what a Yjs client wrote under a name that no action can have. */
export const isAnnotationId = (id: string): boolean => idShape.fault(id) === undefined

/** The plain form of an annotation. */
export type PlainAnnotation = { [field: string]: Plain }

/** The ids of a book's annotations, removed ones included, in order. */
export const annotationIds = (doc: Y.Doc): string[] =>
  Array.from(doc.getMap(root), ([id, value]) => (isAnnotationEntry(value) && isAnnotationId(id) ? id : ''))
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
  for (let index = firstIndex(ids.length, at => ids[at]! <= after); index < ids.length && found.length < limit; index++) {
    const plain = toPlain(entries.get(ids[index]!), 1)
    if (isMap(plain)) found.push([ids[index]!, plain])
  }
  return found
}

/** One annotation; undefined when there is none, or when no plain form can hold it. */
export function annotationIn(doc: Y.Doc, id: string): PlainAnnotation | undefined {
  const plain = toPlain(doc.getMap(root).get(id), 1)
  return isMap(plain) ? plain : undefined
}

/**
 * Makes an annotation what it was, and takes the mark of removal away. Only what differs is changed, of a note too, so that what others do meanwhile is
 * merged. Does nothing when it is so already.
 */
export function restoreAnnotation(doc: Y.Doc, id: string, version: PlainAnnotation, atMs: number): void {
  const names = new Set([...Object.keys(version), ...fieldNamesOf(annotationEntryIn(doc, id))])
  names.delete('updatedAtMs')
  const edits = Array.from(names, (name): [string, Plain] => [name, version[name] ?? null])
  editAnnotation(doc, id, edits, atMs)?.set('updatedAtMs', atMs)
}

/** Sets or takes away the mark of removal. @throws HubError `not-found` */
export function markKnownAnnotation(doc: Y.Doc, id: string, removedAtMs: number | undefined): void {
  if (!markAnnotation(doc, id, removedAtMs))
    throw new HubError('not-found', `there is no annotation ${id} in this book`, { field: 'body.id' })
}
