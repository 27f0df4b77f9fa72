import { ACTIONS, objectFrom, type ActionBody } from '../../protocol/index.ts'

type PutFields = Omit<ActionBody<'annotation.put'>, 'id'>
type BookPut = Omit<ActionBody<'book.put'>, 'identifiers'>
export type BookFields = { readonly [K in keyof BookPut]: Exclude<BookPut[K], null> }

/** An annotation as formats write and read it. A field that is absent says nothing. */
export type Annotation = { readonly [K in keyof PutFields]: Exclude<PutFields[K], null> } & {
  readonly id: string
  readonly updatedAtMs?: number
  /** What the quote and the note were when they were written into a file that people edit, by `wordsOf`. */
  readonly base?: string
}

/** A place in a book, in the words of each app that named it: format → text. */
export type Locators = Readonly<Record<string, string>>

/** A book as a file speaks of it, or as the library knows it. */
export interface BookDescription {
  /** The library's own. */
  readonly id?: string
  /** `type:value`. */
  readonly identifiers: readonly string[]
  readonly fields: BookFields
  /** How far somebody has read. */
  readonly position?: BookPosition
  /** The file is about the book itself: what the library lacks of it is to be taken over. */
  readonly isRecord?: true
}

export interface BookPosition {
  readonly progression: number
  readonly atMs: number
  /** Whose it was. */
  readonly device?: string
}

/** One book of a file, and what was marked in it. */
export interface ReadBook {
  readonly book: BookDescription
  readonly annotations: readonly Annotation[]
}

/** All that a file holds. */
export interface Reading {
  readonly kind: string
  readonly books: readonly ReadBook[]
  /** What could not be understood, one line each, such as `line 12: …`. */
  readonly leftOut: readonly string[]
}

const { body: putShape } = ACTIONS['annotation.put']
const FIELDS = ['kind', 'color', 'style', 'quote', 'note', 'chapter', 'locators', 'extra', 'createdAtMs'] as const

/** An annotation of plain fields, be they of a document or of a file: fields that no action could set are left out, and so are empty ones. */
export function annotationOf(id: string, held: Readonly<Record<string, unknown>>): Annotation {
  const annotation: Record<string, unknown> = { id }
  for (const name of FIELDS) {
    const value = name === 'locators' ? withoutNulls(held[name]) : held[name]
    if (value === undefined || value === null || (name === 'note' && value === '')) continue
    if (putShape.fault({ id, [name]: value }) === undefined) annotation[name] = value
  }
  const { updatedAtMs } = held
  if (Number.isSafeInteger(updatedAtMs) && (updatedAtMs as number) >= 0) annotation['updatedAtMs'] = updatedAtMs
  return annotation as unknown as Annotation
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, text]) => text !== null)
  return entries.length === 0 ? undefined : objectFrom(entries)
}

/** The object without members that are undefined. */
export function sparse<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
}
