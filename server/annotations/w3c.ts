import type { BookDescription, ReadBook } from './annotation.ts'
import type { Format } from './formats.ts'
import { badFile } from './limits.ts'
import { bookUri } from './uris.ts'
import { annotationOfItem, isMap, itemOf, listOf, type Vocabulary } from './web-annotation.ts'

const VOCABULARY: Vocabulary = { css: 'CssSelector', colors: [], styles: [], namesKinds: true, knowsBooks: false }
/** What the standard has no word for is ours, and JSON all the way down. */
const CONTEXT = ['http://www.w3.org/ns/anno.jsonld', { lectern: { '@id': 'urn:lectern:members', '@type': '@json' } }]

/** W3C Web Annotation in JSON-LD: a collection of one page. @see https://www.w3.org/TR/annotation-model/ */
export const w3c: Format = {
  mediaType: 'application/ld+json; profile="http://www.w3.org/ns/anno.jsonld"',
  extension: '.jsonld',
  begin({ id, identifiers, fields: { title, authors } }) {
    const head = {
      '@context': CONTEXT,
      id: `${bookUri(id)}:annotations`,
      type: 'AnnotationCollection',
      ...(title !== undefined && { label: title }),
      lectern: { book: { id, title, authors, identifiers } }
    }
    return `${JSON.stringify(head).slice(0, -1)},"first":{"type":"AnnotationPage","startIndex":0,"items":[`
  },
  item: (annotation, book, index) => `${index === 0 ? '' : ','}\n${JSON.stringify(itemOf(annotation, book, VOCABULARY))}`,
  end: count => `\n]},"total":${count}}\n`
}

/** The annotations of a collection, a page, a list of annotations or a single one, book by book. */
export function readW3c(json: unknown): ReadBook[] {
  const { items, book } = itemsOf(json)
  const books = new Map<string | undefined, { book: BookDescription; annotations: ReadBook['annotations'][number][] }>()
  for (const item of items) {
    const read = annotationOfItem(item)
    const id = read.book ?? book?.id
    let found = books.get(id)
    if (found === undefined) {
      found = {
        book: book !== undefined && id === book.id ? book : { ...(id !== undefined && { id }), identifiers: [], fields: {} },
        annotations: []
      }
      books.set(id, found)
    }
    found.annotations.push(read.annotation)
  }
  return [...books.values()]
}

function itemsOf(json: unknown): { items: readonly Record<string, unknown>[]; book?: BookDescription } {
  if (Array.isArray(json)) return { items: json.map(mustBeAnnotation) }
  const { type, first, items, lectern } = json as Record<string, unknown>
  if (type === 'Annotation') return { items: [json as Record<string, unknown>] }
  const page: unknown = type === 'AnnotationPage' ? { items } : first
  const listed: unknown = isMap(page) ? page['items'] : undefined
  if (!Array.isArray(listed)) throw badFile('its annotations are not in the file itself: `first.items` is no list')
  const book = isMap(lectern) && isMap(lectern['book']) ? describedBook(lectern['book']) : undefined
  return { items: listed.map(mustBeAnnotation), ...(book !== undefined && { book }) }
}

function mustBeAnnotation(item: unknown, index: number): Record<string, unknown> {
  if (isMap(item) && listOf(item['type']).includes('Annotation')) return item
  throw badFile(`item ${index + 1} is no annotation: its type is not Annotation`)
}

function describedBook({ id, title, authors, identifiers }: Record<string, unknown>): BookDescription {
  const texts = (value: unknown): string[] => listOf(value).filter(text => typeof text === 'string')
  return {
    ...(typeof id === 'string' && { id }),
    identifiers: texts(identifiers),
    fields: { ...(typeof title === 'string' && { title }), ...(texts(authors).length > 0 && { authors: texts(authors) }) }
  }
}
