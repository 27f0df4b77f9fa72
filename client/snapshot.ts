import { CHANGES, checked, type ChangeBody, type ChangeKind, type WireChange } from '../protocol/index.ts'
import type { Folded } from './fold.ts'
import { touchedFiles, type FileNews } from './file-news.ts'
import { joinBytes } from './join-bytes.ts'
import { emptyTables, foldInto, type Tables } from './mirror.ts'

/** One of the updates that a book's document consists of. */
export interface DocumentPart {
  readonly book: string
  readonly update: Uint8Array
  /** Its place among all of the snapshot. */
  readonly index: number
}

/** A snapshot as it arrives: the state of the account at a cursor, to take the place of what the replica knew once all of it is there. */
export class IncomingSnapshot {
  readonly epoch: string
  /** The log follows from here. */
  readonly cursor: number
  readonly tables: Tables = emptyTables()
  /** The files and the open conflicts that there are. */
  readonly files: FileNews[] = []
  /** Updates of documents that have arrived and were not taken out. */
  #updates: DocumentPart[] = []
  #updateCount = 0
  /** The beginnings of updates that come in parts, by book. */
  readonly #parts = new Map<string, Uint8Array[]>()

  constructor(epoch: string, cursor: number) {
    this.epoch = epoch
    this.cursor = cursor
  }

  /**
   * Takes one entry.
   * @throws HubError when its key or its body is none of its kind
   */
  take([cursor, timeUs, device, client, , atMs, kind, key, body]: WireChange): void {
    if (kind === 'annotation.part' && body instanceof Uint8Array) {
      this.#parts.set(key, [...(this.#parts.get(key) ?? []), body])
      return
    }
    if (!Object.hasOwn(CHANGES, kind)) return
    checked('bad-request', CHANGES[kind as ChangeKind].key, key, 'key')
    checked<unknown>('bad-request', CHANGES[kind as ChangeKind].body, body, 'body')
    if (kind === 'annotation.update') {
      const update = this.#joined(key, body as ChangeBody<'annotation.update'>)
      this.#updates.push({ book: key, update, index: this.#updateCount++ })
      return
    }
    const change = { cursor, timeMs: timeUs / 1_000, device, client, atMs, kind, key, body } as unknown as Folded
    foldInto(this.tables, change)
    this.files.push(...touchedFiles(change))
  }

  /** Hands over the updates of documents that have come since the last call. */
  takeUpdates(): readonly DocumentPart[] {
    return this.#updates.splice(0)
  }

  #joined(book: string, last: Uint8Array): Uint8Array {
    const parts = [...(this.#parts.get(book) ?? []), last]
    this.#parts.delete(book)
    return joinBytes(parts)
  }
}
