import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { foldPath, isFilePath, pathBeside, type Plain } from '../protocol/index.ts'
import { lackingOf } from './annotations/take-books.ts'
import type { Account } from './core/account.ts'
import type { BlobStore } from './core/blobs.ts'
import { isInTheWay } from './core/files/actions.ts'
import { fileAt, holdContent } from './core/files/contents.ts'
import type { Hub } from './core/hub.ts'
import { OPERATOR } from './core/origin.ts'
import type { FileContent } from './core/records.ts'
import { bookHashes } from './files/book-hashes.ts'
import { readEpub } from './files/epub.ts'

/**
 * Reads an EPUB, keeps its bytes and its cover, and puts the book, and the file under its name. The book's id comes from the content, so that a second import of
 * the same file, on whatever machine, is the same book; what a person has changed of it since stays.
 */
export async function importBook(
  { hub, blobs }: { readonly hub: Hub; readonly blobs: BlobStore },
  account: Account,
  path: string
): Promise<Plain> {
  hub.mustTakeWrites()
  const { cover, fields } = await readEpub(path)
  const { identifiers = {}, ...metadata } = fields
  const { sha256, koreaderMd5, sizeBytes } = await bookHashes(path)
  const contents = [await blobs.put(createReadStream(path), { expected: sha256 })]
  if (cover !== undefined) contents.push(await blobs.put(once(cover.bytes)))
  for (const content of contents) await holdContent(account, OPERATOR.device, content.sha256, content.sizeBytes)
  const book = sha256.slice(0, 32)
  const isNew = account.views.get('books', book) === undefined
  const file = { sha256, sizeBytes, mediaType: 'application/epub+zip', name: basename(path) }
  const lacking = lackingOf(account, book, {
    ...metadata,
    ...(contents[1] && { cover: contents[1].sha256 }),
    file,
    identifiers: { ...identifiers, [`sha256:${sha256}`]: 'import', [`koreader:${koreaderMd5}`]: 'import' }
  })
  if (Object.keys(lacking).length > 0) await account.perform(OPERATOR, 'book.put', book, lacking)
  await putFile(account, foldPath(basename(path)), { sha256, sizeBytes })
  return { book, cursor: account.views.get('books', book)!.cursor, title: metadata.title ?? basename(path), isNew }
}

/** Puts a file at the top, unless it is there already; beside another one of its name, or a folder. */
async function putFile(account: Account, name: string, content: FileContent): Promise<void> {
  const path = isFilePath(name) ? name : `${content.sha256.slice(0, 32)}.epub`
  const hashAt = (candidate: string): string | undefined => fileAt(account.views, candidate)?.content.sha256
  const isTaken = (candidate: string): boolean =>
    ![undefined, content.sha256].includes(hashAt(candidate)) || isInTheWay(account.views, candidate)
  const free = isTaken(path) ? pathBeside(path, 'import', isTaken) : path
  if (hashAt(free) === undefined) await account.perform(OPERATOR, 'file.put', free, { ...content })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
