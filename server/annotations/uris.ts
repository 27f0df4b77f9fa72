import { createHash } from 'node:crypto'
import { key } from '../../protocol/index.ts'
import { identifierKey, normaliseIsbn } from '../files/identifiers.ts'

const BOOK = 'urn:lectern:book:'
const ANNOTATION = 'urn:lectern:annotation:'
const IDENTIFIER = 'urn:lectern:id:'
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const URI = /^[a-z][a-z0-9+.-]*:[^\s]+$/i
const idShape = key(128)

export const bookUri = (id: string): string => BOOK + encodeURIComponent(id)

/** The id of a book of a library; undefined when the URI names none. */
export const bookOfUri = (uri: string): string | undefined => idBehind(BOOK, uri)

/** An annotation's id as a URI, so that `annotationOfUri` gives it back. */
export function annotationUri(id: string): string {
  if (UUID.test(id)) return `urn:uuid:${id}`
  return URI.test(id) && annotationOfUri(id) === id ? id : ANNOTATION + encodeURIComponent(id)
}

/** The id under which an annotation of this URI is kept: the same for the same URI, always. */
export function annotationOfUri(uri: string): string {
  const uuid = /^urn:uuid:(.*)$/is.exec(uri)?.[1]
  if (uuid !== undefined && UUID.test(uuid)) return uuid
  return idBehind(ANNOTATION, uri) ?? (idShape.fault(uri) === undefined ? uri : stableId(uri))
}

/** An id of 32 digits: the same for the same words. */
export const stableId = (...words: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(words)).digest('hex').slice(0, 32)

/** The same for annotations of the same quote and note. */
export const wordsOf = ({ quote, note }: { readonly quote?: unknown; readonly note?: unknown }): string =>
  stableId(typeof quote === 'string' ? quote : '', typeof note === 'string' ? note : '').slice(0, 16)

/** A book's `type:value` as a URI. */
export function identifierUri(identifier: string): string {
  const [, type, value] = /^(isbn|uuid|url):(.+)$/s.exec(identifier) ?? []
  const uri = type === 'url' ? value! : `urn:${type}:${value}`
  return type !== undefined && identifierOfUri(uri) === identifier ? uri : IDENTIFIER + encodeURIComponent(identifier)
}

/** A book's `type:value`, of a URI or of whatever a file gives in its place; undefined when there is nothing in it. */
export const identifierOfUri = (uri: string): string | undefined => {
  const isbn = normaliseIsbn(uri)
  return idBehind(IDENTIFIER, uri) ?? (isbn === undefined ? identifierKey(uri, '') : `isbn:${isbn}`)
}

function idBehind(prefix: string, uri: string): string | undefined {
  if (!uri.startsWith(prefix)) return undefined
  try {
    const id = decodeURIComponent(uri.slice(prefix.length))
    return idShape.fault(id) === undefined ? id : undefined
  } catch {
    return undefined
  }
}
