import { ACTIONS, isMap, objectFrom, type ActionBody } from '../../protocol/index.ts'

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
const TEXTS = ['color', 'style', 'quote', 'note', 'chapter'] as const

/**
 * An annotation of a document's fields. Nothing is left out for its length: two who write at once, or a Yjs client, may have made a text longer than one action could. Fields of another type
 * are left out, and so are empty ones.
 */
export function annotationOf(id: string, held: Readonly<Record<string, unknown>>): Annotation {
  const annotation: Record<string, unknown> = { id }
  const { kind, locators, extra, createdAtMs, updatedAtMs } = held
  const can = (field: Readonly<Record<string, unknown>>): boolean => putShape.fault({ id, ...field }) === undefined
  if (kind !== undefined && kind !== null && can({ kind })) annotation['kind'] = kind
  for (const name of TEXTS) {
    const text = held[name]
    if (typeof text === 'string' && !(name === 'note' && text === '')) annotation[name] = text
  }
  const places = isMap(locators) ? Object.entries(locators).filter(([, text]) => typeof text === 'string') : []
  if (places.length > 0) annotation['locators'] = objectFrom(places)
  if (isMap(extra)) annotation['extra'] = extra
  if (createdAtMs !== undefined && createdAtMs !== null && can({ createdAtMs })) annotation['createdAtMs'] = createdAtMs
  if (Number.isSafeInteger(updatedAtMs) && (updatedAtMs as number) >= 0) annotation['updatedAtMs'] = updatedAtMs
  return annotation as unknown as Annotation
}

/** The object without members that are undefined. */
export function sparse<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
}
