import { HubError, type Plain } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import type { Page } from './read.ts'

const PART_BYTES = 262_144
/** Documents that may be held at once, over all sessions, while they are read in parts. */
const MAX_READINGS = 16
/** A document without any edit, as a Yjs v1 update. */
const EMPTY_UPDATE = Uint8Array.of(0, 0)

/** A page of a list or a part of a document, which stood so at `cursor`. */
export interface Part extends Page {
  readonly value: Plain
  readonly cursor: number
}

interface Reading {
  readonly book: string
  readonly cursor: number
  readonly bytes: Uint8Array
}

/**
 * The documents that are being read in parts, one for each reader: all parts are of the same state. When too many are held at once, the one
 * that has waited longest for its reader is let go, and that reader begins again.
 */
export class DocumentReadings {
  readonly #held = new Map<object, Reading>()

  /**
   * The part that begins at `after`, the first when it is empty. A known document MUST be in memory.
   * @throws HubError `bad-request` with the field `after` when no such reading is held
   */
  next(reader: object, account: Account, book: string, after: string): Part {
    const reading = after === '' ? begin(account, book) : this.#held.get(reader)
    const start = Number(after)
    this.#held.delete(reader)
    if (reading === undefined || reading.book !== book || !Number.isInteger(start) || start < 0 || start > reading.bytes.length)
      throw new HubError('bad-request', 'no reading of this document is under way there; start again', { field: 'after' })
    const end = start + PART_BYTES
    const isLast = end >= reading.bytes.length
    if (!isLast) this.#hold(reader, reading)
    return { value: reading.bytes.slice(start, end), next: isLast ? '' : String(end), cursor: reading.cursor }
  }

  /** Lets go of what a reader held. */
  drop(reader: object): void {
    this.#held.delete(reader)
  }

  #hold(reader: object, reading: Reading): void {
    this.#held.set(reader, reading)
    if (this.#held.size > MAX_READINGS) this.#held.delete(this.#held.keys().next().value!)
  }
}

const begin = (account: Account, book: string): Reading => ({
  book,
  cursor: account.head,
  bytes: account.documents.isKnown(book) ? account.documents.use(book).encode() : EMPTY_UPDATE
})
