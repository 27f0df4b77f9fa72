import { identifierIn } from '../../core/identifiers.ts'
import type { BookRecord } from '../../core/records.ts'
import { bookUuid, fileUuid } from './book-ids.ts'
import { isoOf } from './progress.ts'

const MAX_INT32 = 2 ** 31 - 1

/** A book as this API tells it, without its progress. Every member is always there; what is not known is null. */
export function toldOf(
  book: string,
  { fields, identifiers, changedAtUs, createdAtUs }: BookRecord,
  touchedAtUs: number,
  base: string
) {
  const id = bookUuid(book)
  const isbn13 = identifierIn(identifiers, 'isbn') ?? null
  const updatedAtUs = Math.max(touchedAtUs, changedAtUs)
  const { cover, file } = fields
  return {
    id,
    status: 'organized',
    title: fields.title ?? null,
    author: fields.authors?.length ? fields.authors.join(', ') : null,
    isbn10: isbn13 === null ? null : isbn10Of(isbn13),
    isbn13,
    publisher: fields.publisher ?? null,
    publishedYear: yearOf(fields.published),
    language: fields.language ?? null,
    description: fields.description ?? null,
    coverUrl: cover ? `${base}/api/library/${id}/cover` : null,
    coverPath: cover ? `covers/${cover}` : null,
    pageCount: int32Of(fields.extra?.['pageCount']),
    series: fields.series ?? null,
    seriesIndex: fields.seriesIndex ?? null,
    genres: fields.subjects ?? [],
    tags: fields.tags ?? [],
    hardcoverBookId: int32Of(Number(identifierIn(identifiers, 'hardcover') ?? NaN)),
    hardcoverEditionId: int32Of(Number(identifierIn(identifiers, 'hardcover-edition') ?? NaN)),
    createdBy: null,
    possibleDuplicateOf: null,
    approvedAt: null,
    createdAt: isoOf(Math.floor(createdAtUs / 1_000)),
    updatedAt: isoOf(Math.floor(updatedAtUs / 1_000)),
    files: file ? [fileOf(file)] : [],
    uploader: null
  }
}

export type ToldBook = ReturnType<typeof toldOf>

type BookFile = NonNullable<BookRecord['fields']['file']>

export const fileOf = (file: BookFile) => ({
  id: fileUuid(file.sha256),
  format: formatOf(file),
  originalName: file.name,
  fileSize: String(file.sizeBytes)
})

/** Where a file's bytes are in the hub's folder of contents, and their SHA-256. */
export const storedFileOf = (file: BookFile) => ({
  ...fileOf(file),
  storagePath: `${file.sha256.slice(0, 2)}/${file.sha256.slice(2, 4)}/${file.sha256}`,
  checksum: file.sha256
})

/** `epub` where it is one, else what its name ends with. */
function formatOf({ mediaType, name }: BookFile): string {
  if (mediaType === 'application/epub+zip') return 'epub'
  return /\.([a-z0-9]{1,8})$/i.exec(name)?.[1]?.toLowerCase() ?? 'unknown'
}

/** Ten digits there are for those that begin with 978. */
function isbn10Of(isbn13: string): string | null {
  const digits = /^978(\d{9})\d$/.exec(isbn13)?.[1]
  if (digits === undefined) return null
  const sum = Array.from(digits, (digit, index) => Number(digit) * (10 - index)).reduce((left, right) => left + right, 0)
  const check = (11 - (sum % 11)) % 11
  return digits + (check === 10 ? 'X' : String(check))
}

const yearOf = (published: string | null | undefined): number | null =>
  int32Of(Number(/(?<!\d)\d{4}(?!\d)/.exec(published ?? '')?.[0] ?? NaN))

const int32Of = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= MAX_INT32 ? value : null
