import { isUtf8 } from 'node:buffer'
import { ACTIONS, encodeValue, key, LIMITS } from '../../protocol/index.ts'
import type { Annotation, BookDescription, BookFields, Reading, ReadBook } from './annotation.ts'
import { isBookSync, readBookSync } from './book-sync-record.ts'
import { isKindle, readKindle } from './kindle.ts'
import { readKoreader } from './koreader.ts'
import { isDeep } from './json-values.ts'
import { badFile, MAX_ANNOTATIONS, MAX_BOOKS, MAX_FILE_BYTES, MAX_JSON_DEPTH, MAX_LEFT_OUT } from './limits.ts'
import { isMarkdown, readMarkdown } from './markdown.ts'
import { readReadium } from './readium.ts'
import { readW3c } from './w3c.ts'
import { isMap, listOf } from './web-annotation.ts'

const { body: putShape } = ACTIONS['annotation.put']
const { body: bookShape } = ACTIONS['book.put']
const idShape = key(128)
/** As many as one action may bring. */
const MAX_IDENTIFIERS = 64
const W3C_TYPES = ['Annotation', 'AnnotationPage', 'AnnotationCollection']

/**
 * Reads a file of annotations of whatever kind, which it is recognised by its content. What one annotation holds that the library cannot keep leaves that one out;
 * a file that is not sound gives nothing.
 *
 * @throws HubError `bad-request` saying what is wrong, and where
 */
export function readAnnotationFile(bytes: Uint8Array): Reading {
  if (bytes.length > MAX_FILE_BYTES) throw badFile(`it is over ${MAX_FILE_BYTES} bytes`)
  const reading = readByContent(bytes)
  const count = reading.books.reduce((sum, { annotations }) => sum + annotations.length, 0)
  if (count > MAX_ANNOTATIONS) throw badFile(`it holds over ${MAX_ANNOTATIONS} annotations`)
  if (reading.books.length > MAX_BOOKS) throw badFile(`it holds over ${MAX_BOOKS} books`)
  const leftOut = [...reading.leftOut]
  const leave = (what: string): void => void (leftOut.length < MAX_LEFT_OUT && leftOut.push(what))
  const books = reading.books.map(({ book, annotations }): ReadBook => {
    const title = book.fields.title?.slice(0, 100) ?? 'the book'
    const sound = annotations.filter((annotation, index) => {
      const fault = faultOf(annotation)
      if (fault !== undefined) leave(`annotation ${index + 1} of ${title}: ${fault}`)
      return fault === undefined
    })
    return { book: soundBook(book, what => leave(`${title}: ${what}`)), annotations: sound }
  })
  return { ...reading, books, leftOut }
}

function readByContent(given: Uint8Array): Reading {
  const whole = (kind: string, books: ReadBook[]): Reading => ({ kind, books, leftOut: [] })
  const bytes = inUtf8(given)
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '')
  const isSound = isUtf8(bytes)
  const mustBeSound = (): void => {
    if (!isSound) throw badFile('it is not in UTF-8; save it in UTF-8, and import that')
  }
  const koreader = (): Reading => {
    mustBeSound()
    return whole('koreader', readKoreader(bytes))
  }
  // The first of its lines is a title, which begins with anything.
  if (isKindle(text)) return { kind: 'kindle', ...readKindle(text, isSound) }
  const begin = text.slice(0, 4_096).trimStart()
  if (begin.startsWith('{') || begin.startsWith('[')) {
    const json = parsed(text)
    // KOReader writes some of its tables without a word in front.
    if (json === undefined && /^\{\s*\[?["'\w]/.test(begin) && !begin.startsWith('{"')) return koreader()
    if (json === undefined) throw badFile('it looks like JSON, and is none')
    mustBeSound()
    if (isDeep(json)) throw badFile(`its values are nested over ${MAX_JSON_DEPTH} deep`)
    const types = listOf(
      isMap(json) ? json['type'] : (json as unknown[])[0] && ((json as unknown[])[0] as Record<string, unknown>)['type']
    )
    if (types.includes('AnnotationSet')) return whole('readium', readReadium(json))
    if (types.some(type => W3C_TYPES.includes(type as string))) return whole('w3c', readW3c(json))
    if (isBookSync(json)) return whole('book-sync', readBookSync(json))
  } else if (isMarkdown(text)) {
    mustBeSound()
    return whole('markdown', readMarkdown(text))
  } else if (/^(?:--|return\b)/.test(begin)) return koreader()
  throw badFile(
    'it is of no kind that is known: an EPUB, annotations as W3C JSON-LD, Readium or Markdown, a metadata.*.lua of KOReader, a My Clippings.txt of a Kindle, or a library feed'
  )
}

/**
 * Windows has editors that save texts in UTF-16, and put a mark in front.
 * @throws HubError `bad-request` when what follows such a mark is not in UTF-16
 */
function inUtf8(bytes: Uint8Array): Uint8Array {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined
  if (encoding === undefined) return bytes
  try {
    return Buffer.from(new TextDecoder(encoding, { fatal: true }).decode(bytes))
  } catch {
    throw badFile('it begins as UTF-16, and is none; save it in UTF-8, and import that')
  }
}

/** A book without what the library cannot keep of it. */
function soundBook(book: BookDescription, leave: (what: string) => void): BookDescription {
  const names = (Object.keys(book.fields) as (keyof BookFields)[]).filter(name => {
    const fault = bookShape.fault({ [name]: book.fields[name] })
    if (fault !== undefined) leave(`${fault.path.slice(1)} is not ${fault.expected}`)
    return fault === undefined
  })
  const fields = Object.fromEntries(names.map(name => [name, book.fields[name]]))
  const identifiers = book.identifiers.filter(name => Buffer.byteLength(name) <= LIMITS.maxMapKeyBytes).slice(0, MAX_IDENTIFIERS)
  const isSmall = encodeValue([fields, identifiers]).length <= LIMITS.maxBodyBytes
  if (!isSmall) leave(`what it says of itself takes over ${LIMITS.maxBodyBytes} bytes`)
  const { id, ...others } = book
  return {
    ...others,
    ...(id !== undefined && idShape.fault(id) === undefined && { id }),
    identifiers,
    fields: isSmall ? fields : {}
  }
}

/** Why the library cannot keep an annotation. */
function faultOf(annotation: Annotation): string | undefined {
  const { updatedAtMs: _, base: __, ...body } = annotation
  const fault = putShape.fault(body)
  if (fault !== undefined) return `${fault.path.slice(1) || 'it'} is not ${fault.expected}`
  return encodeValue(body).length > LIMITS.maxBodyBytes ? `it takes over ${LIMITS.maxBodyBytes} bytes` : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
