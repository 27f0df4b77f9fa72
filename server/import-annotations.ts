import { open, readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { HubError, type Plain } from '../protocol/index.ts'
import type { Annotation, ReadBook } from './annotations/annotation.ts'
import { jsonOf } from './annotations/json-values.ts'
import { MAX_FILE_BYTES } from './annotations/limits.ts'
import type { Merged } from './annotations/merge.ts'
import { readAnnotationFile } from './annotations/read-file.ts'
import type { Taken } from './annotations/take-books.ts'
import type { Call } from './cli.ts'

/** What one call of the operator's socket carries. */
const BATCH_BYTES = 600_000
const BATCH_BOOKS = 200
const BATCH_ANNOTATIONS = 500
const COUNTS = ['added', 'changed', 'same', 'kept', 'removed'] as const

/** What came of a file. */
export interface Imported {
  readonly total: Plain
  /** A row for each book that had annotations, or was changed itself. */
  readonly books: Plain[]
  /** What was not taken, and why. */
  readonly leftOut: readonly string[]
}

/** An EPUB is known by its first bytes, as every zip file is. */
export async function isEpub(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.equals(Buffer.from('PK\x03\x04'))
  } finally {
    await file.close()
  }
}

/**
 * Brings the annotations of a file into a library. The file is read here, so that no hub has to trust it; the hub is given what is in it.
 * @throws HubError `bad-request` when the file is not sound: then nothing was taken
 */
export async function importAnnotations(
  call: Call,
  path: string,
  { account, book, isAdding }: { readonly account: string; readonly book: string | undefined; readonly isAdding: boolean }
): Promise<Imported> {
  const reading = readSound(path, await bytesOf(path))
  if (book !== undefined && reading.books.length !== 1)
    throw new HubError('bad-request', `${basename(path)} is about ${reading.books.length} books; --book is for files about one`)
  const leftOut = [...reading.leftOut]
  const taken = book === undefined ? await takeBooks(call, account, reading.books, isAdding) : await known(call, account, book)
  const sum = { added: 0, changed: 0, same: 0, kept: 0, removed: 0 }
  const rows: Plain[] = []
  for (const [index, { book: description, annotations }] of reading.books.entries()) {
    const found = taken[index]!
    const title = description.fields.title ?? ''
    if (!('book' in found)) {
      leftOut.push(
        `${title === '' ? 'the book' : `"${title}"`} (${annotations.length} ${annotations.length === 1 ? 'annotation' : 'annotations'}): ${reasonOf(found)}`
      )
      continue
    }
    const counts = { added: 0, changed: 0, same: 0, kept: 0, removed: 0 }
    for (const part of batches(annotations.map(jsonOfAnnotation), BATCH_ANNOTATIONS)) {
      const merged = (await call('import.annotations', { account, book: found.book, annotations: part })) as unknown as Merged
      for (const name of COUNTS) counts[name] += merged[name]
      for (const { id, reason } of merged.leftOut) leftOut.push(`annotation ${id} of "${title}": ${reason}`)
    }
    for (const name of COUNTS) sum[name] += counts[name]
    if (annotations.length > 0) rows.push({ book: found.book, title, ...counts })
    else if (found.outcome !== 'found') rows.push({ book: found.book, title, record: found.outcome })
  }
  return { total: { kind: reading.kind, books: reading.books.length, ...sum, leftOut: leftOut.length }, books: rows, leftOut }
}

async function bytesOf(path: string): Promise<Uint8Array> {
  const { size } = await stat(path)
  if (size > MAX_FILE_BYTES) throw new HubError('bad-request', `${basename(path)}: it is over ${MAX_FILE_BYTES} bytes`)
  return readFile(path)
}

function readSound(path: string, bytes: Uint8Array): ReturnType<typeof readAnnotationFile> {
  try {
    return readAnnotationFile(bytes)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    throw new HubError(error.code, `${basename(path)}: ${error.message}`)
  }
}

async function takeBooks(call: Call, account: string, books: readonly ReadBook[], isAdding: boolean): Promise<Taken[]> {
  const taken: Taken[] = []
  for (const part of batches(
    books.map(({ book }) => book),
    BATCH_BOOKS
  ))
    taken.push(...((await call('import.books', { account, books: part, isAdding })) as unknown as Taken[]))
  return taken
}

async function known(call: Call, account: string, book: string): Promise<Taken[]> {
  await call('read', { account, view: 'book', key: book, after: '' })
  return [{ outcome: 'found', book }]
}

function* batches<T extends object>(items: readonly T[], most: number): Generator<T[]> {
  let batch: T[] = []
  let bytes = 0
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item))
    if (batch.length >= most || (batch.length > 0 && bytes + size > BATCH_BYTES)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(item)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

const jsonOfAnnotation = (annotation: Annotation): object => jsonOf(annotation) as object

function reasonOf(taken: Taken): string {
  if (taken.outcome === 'several')
    return `several books here may be it (${taken.books.slice(0, 5).join(', ')}); say which with --book`
  if (taken.outcome === 'removed') return 'the book is removed here'
  return 'there is no such book here; import its file first, say which it is with --book, or have it made with --add-books'
}
