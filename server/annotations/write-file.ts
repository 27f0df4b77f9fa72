import type { Plain } from '../../protocol/index.ts'
import { annotationOf, type Annotation, type BookDescription } from './annotation.ts'
import { FORMATS, type FormatName } from './formats.ts'
import { inReadingOrder } from './reading-order.ts'

/** A page of the view `annotations`, and where the next begins; empty on the last. */
export interface AnnotationPage {
  readonly value: readonly (readonly [id: string, annotation: { readonly [field: string]: Plain }])[]
  readonly next: string
}

/** Formats that are for people are in the order of the book, for which all must be there first. */
export const isOrdered = (format: FormatName): boolean => format === 'markdown'

/** Annotations written together. */
const PIECE = 100

/**
 * Writes the annotations of a book, those that are removed left out, piece by piece and as fast as it is read.
 * @param readPage the page that begins after this id
 */
export async function* writeAnnotations(
  formatName: FormatName,
  book: BookDescription & { readonly id: string },
  readPage: (after: string) => Promise<AnnotationPage>
): AsyncGenerator<string> {
  const format = FORMATS[formatName]
  let count = 0
  const written = (annotations: readonly Annotation[]): string =>
    annotations.map(annotation => format.item(annotation, book.id, count++)).join('')
  yield format.begin(book)
  const held: Annotation[] = []
  for (let after: string | undefined = ''; after !== undefined;) {
    const { value, next } = await readPage(after)
    const annotations = value
      .filter(([, fields]) => fields['removedAtMs'] === undefined)
      .map(([id, fields]) => annotationOf(id, fields))
    if (isOrdered(formatName)) held.push(...annotations)
    else yield written(annotations)
    after = next === '' ? undefined : next
  }
  const ordered = inReadingOrder(held)
  for (let start = 0; start < ordered.length; start += PIECE) yield written(ordered.slice(start, start + PIECE))
  yield format.end(count)
}

/** A book of the view `books` or `book`. */
export function bookOfView(id: string, view: { readonly [field: string]: Plain }): BookDescription & { readonly id: string } {
  const { identifiers, removed: _, cursor: __, changedAtUs: ___, ...fields } = view
  const known = Object.entries(fields).filter(([, value]) => value !== null)
  return { id, identifiers: Object.keys((identifiers ?? {}) as object).sort(), fields: Object.fromEntries(known) }
}
