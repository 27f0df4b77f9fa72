import type { BookDescription, ReadBook } from './annotation.ts'
import type { Format } from './formats.ts'
import { badFile } from './limits.ts'
import { bookOfUri, bookUri, identifierOfUri, identifierUri } from './uris.ts'
import { annotationOfItem, isMap, itemOf, listOf, type Vocabulary } from './web-annotation.ts'

const VOCABULARY: Vocabulary = {
  css: 'CSSSelector',
  colors: ['pink', 'orange', 'yellow', 'green', 'blue', 'purple'],
  styles: ['solid', 'underline', 'strikethrough', 'outline'],
  namesKinds: false,
  knowsBooks: true
}

/** Readium's annotation set. @see https://github.com/readium/annotations */
export const readium: Format = {
  mediaType: 'application/rd-annotations+json',
  extension: '.ann',
  begin({ id, identifiers, fields }) {
    const { title, authors, publisher, published, file } = fields
    const year = /^\d{4}/.exec(published ?? '')?.[0]
    const head = {
      '@context': 'http://www.w3.org/ns/anno.jsonld',
      id: `${bookUri(id)}:annotations`,
      type: 'AnnotationSet',
      generator: { id: 'urn:lectern', type: 'Software', name: 'Lectern' },
      ...(title !== undefined && { title }),
      about: {
        'dc:identifier': [...identifiers.map(identifierUri), bookUri(id)],
        ...(title && { 'dc:title': title }),
        ...(file && { 'dc:format': file.mediaType }),
        ...(publisher && { 'dc:publisher': publisher }),
        ...(authors && { 'dc:creator': authors }),
        ...(year !== undefined && { 'dc:date': year })
      }
    }
    return `${JSON.stringify(head).slice(0, -1)},"items":[`
  },
  item: (annotation, book, index) => `${index === 0 ? '' : ','}\n${JSON.stringify(itemOf(annotation, book, VOCABULARY))}`,
  end: () => '\n]}\n'
}

/** The annotations of a set, and the book that they are about. */
export function readReadium(json: unknown): ReadBook[] {
  const { about, items } = json as Record<string, unknown>
  if (!Array.isArray(items)) throw badFile('its `items` are no list')
  const annotations = items.map((item, index) => {
    if (!isMap(item)) throw badFile(`item ${index + 1} is no annotation`)
    return annotationOfItem(item).annotation
  })
  return [{ book: describedBook(isMap(about) ? about : {}), annotations }]
}

function describedBook(about: Record<string, unknown>): BookDescription {
  const texts = (name: string): string[] =>
    listOf(about[name]).filter(text => typeof text === 'string' && text !== '') as string[]
  const uris = texts('dc:identifier')
  const id = uris.map(bookOfUri).find(found => found !== undefined)
  const [title] = texts('dc:title')
  const [publisher] = texts('dc:publisher')
  const authors = texts('dc:creator')
  return {
    ...(id !== undefined && { id }),
    identifiers: uris.filter(uri => bookOfUri(uri) === undefined).flatMap(uri => identifierOfUri(uri) ?? []),
    fields: { ...(title && { title }), ...(publisher && { publisher }), ...(authors.length > 0 && { authors }) }
  }
}
