import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HubError, type Plain } from '../protocol/index.ts'
import type { BookDescription } from './annotations/annotation.ts'
import { FORMATS, type FormatName } from './annotations/formats.ts'
import { plainOf } from './annotations/json-values.ts'
import { stableId } from './annotations/uris.ts'
import { bookOfView, writeAnnotations, type AnnotationPage } from './annotations/write-file.ts'
import type { Call } from './cli.ts'
import { makeFolder } from './storage/files.ts'

type KnownBook = BookDescription & { readonly id: string }
type View = { readonly value: readonly (readonly [string, { readonly [field: string]: Plain }])[]; readonly next: string }

/**
 * Writes the annotations of one book to a file, or to the standard output. A book that has annotations and no record, as when an app told of them before it told of the book, is written without title.
 * @throws HubError `not-found`
 */
export async function exportBook(
  call: Call,
  {
    account,
    book,
    format,
    path,
    isReplacing
  }: {
    readonly account: string
    readonly book: string
    readonly format: FormatName
    readonly path: string | undefined
    readonly isReplacing: boolean
  }
): Promise<void> {
  const pieces = piecesOf(call, account, bookOfView(book, await fieldsOf(call, account, book)), format)
  if (path === undefined) {
    for await (const piece of pieces) {
      // Nobody reads on, which is said where it is found.
      if (process.stdout.destroyed) return
      if (!process.stdout.write(piece)) await once(process.stdout, 'drain').catch(() => undefined)
    }
  } else if (existsSync(path) && !isReplacing) throw new RangeError(`${path} is there; replace it with --overwrite`)
  else await writeWhole(path, pieces)
}

/** Writes a file for each book that has annotations, with a record or without one, unless the file is there. Books that are removed are left out. */
export async function exportBooks(
  call: Call,
  {
    account,
    format,
    folder,
    isReplacing
  }: { readonly account: string; readonly format: FormatName; readonly folder: string; readonly isReplacing: boolean }
): Promise<{ readonly rows: Plain[]; readonly leftOut: readonly string[] }> {
  await makeFolder(folder).catch((error: unknown) => {
    throw new RangeError(`the folder ${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`, { cause: error })
  })
  const rows: Plain[] = []
  const leftOut: string[] = []
  for await (const [id, fields] of booksOf(call, account)) {
    if (fields['removed'] === true || (await view(call, account, 'annotations', id, '')).value.length === 0) continue
    const book = bookOfView(id, fields)
    const path = join(folder, fileName(book, format))
    if (existsSync(path) && !isReplacing) {
      leftOut.push(`${path} is there; replace it with --overwrite`)
      continue
    }
    await writeWhole(path, piecesOf(call, account, book, format))
    rows.push({ book: id, file: path })
  }
  return { rows, leftOut }
}

/** The books of the library, and then those that have annotations and no record: an app may have told of them before it told of the book. */
async function* booksOf(call: Call, account: string): AsyncGenerator<View['value'][number]> {
  for (const operation of ['read', 'book.unlisted'] as const)
    for (let after: string | undefined = ''; after !== undefined;) {
      const place = operation === 'read' ? { account, view: 'books', key: '', after } : { account, after }
      const { value, next }: View = viewOf(await call(operation, place))
      yield* value
      after = next === '' ? undefined : next
    }
}

async function fieldsOf(call: Call, account: string, book: string): Promise<View['value'][number][1]> {
  try {
    return (await view(call, account, 'book', book, '')).value[0]![1]
  } catch (error) {
    if (!(error instanceof HubError && error.code === 'not-found')) throw error
    if ((await view(call, account, 'annotations', book, '')).value.length === 0) throw error
    return {}
  }
}

const piecesOf = (call: Call, account: string, book: KnownBook, format: FormatName): AsyncGenerator<string> =>
  writeAnnotations(format, book, async (after): Promise<AnnotationPage> => view(call, account, 'annotations', book.id, after))

async function view(call: Call, account: string, name: 'book' | 'annotations', key: string, after: string): Promise<View> {
  return viewOf(await call('read', { account, view: name, key, after }))
}

function viewOf(answer: unknown): View {
  const { value, next } = answer as { value: unknown; next: string }
  return { value: plainOf(value) as never, next }
}

/** Of the title, for people, and of the id, so that it stays the same and is no other book's. */
function fileName({ id, fields: { title = '' } }: KnownBook, format: FormatName): string {
  const name = title.replace(/[\s\u0000-\u001f\u007f/\\:*?"<>|]+/g, ' ').replace(/^[. ]+/, '')
  return `${Array.from(name).slice(0, 50).join('').trim()} ${stableId(id).slice(0, 8)}${FORMATS[format].extension}`.trimStart()
}

/** A file is there whole, or not at all. */
async function writeWhole(path: string, pieces: AsyncIterable<string>): Promise<void> {
  const temporary = `${path}.${process.pid}.part`
  const file = await open(temporary, 'w').catch((error: unknown) => {
    throw new HubError('bad-request', `${path} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  })
  try {
    try {
      for await (const piece of pieces) await file.write(piece)
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
