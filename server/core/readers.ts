import type { Views } from './views.ts'

/**
 * A client that is further behind gets a snapshot: so the log is not kept for it either. As many page turns are some months of one reader; and what a
 * snapshot holds is never more entries than the changes that it stands for.
 */
export const FAR_BEHIND_CHANGES = 4_096
/** The cursor is marked at every so many bytes of the log: the marks tell how much it holds. */
const MARK_BYTES = 1_048_576
/** Nor is the log kept for a client that is so many bytes behind, be they ever so few changes. */
const FAR_BEHIND_BYTES = 64 * MARK_BYTES
/** A client that was not heard of for this long does not hold the floor. */
const FORGOTTEN_AFTER_MS = 30 * 86_400_000
/** Kept for clients that no one knows of, such as one that was just restored from an old copy of its storage. */
export const KEPT_CHANGES = 1_024
const KEPT_BYTES = 16 * MARK_BYTES
/** Only so many clients are remembered: those that were heard of last. */
const MAX_READERS = 1_000

interface Reader {
  readonly device: string
  readonly client: string
  cursor: number
  seenAtMs: number
}

/** How far the clients of an account keep its log, by their own word; and so which part of it nobody will ask for again. */
export class Readers {
  readonly #views: Views
  /** The one heard of last stands last. */
  readonly #readers = new Map<string, Reader>()
  /** Cursors of the newest marks. */
  readonly #marks: number[]
  #bytesSinceMark = 0
  #isChanged = false

  constructor(views: Views) {
    this.#views = views
    const { readers, marks } = views.get('readers') ?? { readers: [], marks: [] }
    this.#marks = [...marks]
    for (const [device, client, cursor, seenAtMs] of readers)
      this.#readers.set(nameOf(device, client), { device, client, cursor, seenAtMs })
  }

  /** A client has come, and has kept everything up to `cursor`. */
  setCursor(device: string, client: string, cursor: number, nowMs: number): void {
    const name = nameOf(device, client)
    this.#readers.delete(name)
    this.#readers.set(name, { device, client, cursor, seenAtMs: nowMs })
    if (this.#readers.size > MAX_READERS) this.#readers.delete(this.#readers.keys().next().value!)
    this.#isChanged = true
  }

  /** A client reads on from `cursor`. It does not say what it has kept: so the log is held from there if that is earlier than before, and never from later. */
  lowerCursor(device: string, client: string, cursor: number, nowMs: number): void {
    this.setCursor(device, client, Math.min(cursor, this.cursorOf(device, client) ?? cursor), nowMs)
  }

  /** How far a client has got by its own word; undefined when nothing is known of it. */
  cursorOf(device: string, client: string): number | undefined {
    return this.#readers.get(nameOf(device, client))?.cursor
  }

  /**
   * A client says, without having come, that it has got to `cursor`.
   * @returns how far it has got by all that it said
   */
  raiseCursor(device: string, client: string, cursor: number, nowMs: number): number {
    const got = Math.max(cursor, this.cursorOf(device, client) ?? 0)
    this.setCursor(device, client, got, nowMs)
    return got
  }

  /** A client that has come says that it has got to `cursor`. */
  acked(device: string, client: string, cursor: number, nowMs: number): void {
    const reader = this.#readers.get(nameOf(device, client))
    if (reader === undefined) return
    reader.cursor = Math.max(reader.cursor, cursor)
    reader.seenAtMs = nowMs
    this.#isChanged = true
  }

  /** The log has become so many bytes longer, and ends at `cursor`. */
  logGrew(cursor: number, bytes: number): void {
    this.#bytesSinceMark += bytes
    if (this.#bytesSinceMark < MARK_BYTES) return
    for (; this.#bytesSinceMark >= MARK_BYTES; this.#bytesSinceMark -= MARK_BYTES) this.#marks.push(cursor)
    this.#marks.splice(0, this.#marks.length - FAR_BEHIND_BYTES / MARK_BYTES)
    this.#isChanged = true
  }

  /** How many bytes the log holds behind `after`, up to `cursor`: in MiB, and of the newest 64 only; less by what a crash made it forget. */
  bytesBetween(after: number, cursor: number): number {
    return this.#marks.filter(mark => mark > after && mark <= cursor).length * MARK_BYTES
  }

  /** The oldest cursor that somebody may still ask for. */
  floor(head: number, nowMs: number): number {
    let least = Math.max(head - KEPT_CHANGES, this.#before(KEPT_BYTES))
    const far = Math.max(head - FAR_BEHIND_CHANGES, this.#before(FAR_BEHIND_BYTES))
    for (const { device, cursor, seenAtMs } of this.#readers.values()) {
      const isFar = cursor < far || nowMs - seenAtMs > FORGOTTEN_AFTER_MS
      if (!isFar && cursor < least && this.#views.get('devices', device)?.revoked !== true) least = cursor
    }
    return Math.max(1, least + 1)
  }

  /** Puts what is known among the records to be stored. */
  putRecord(): void {
    if (!this.#isChanged) return
    this.#isChanged = false
    const readers = Array.from(
      this.#readers.values(),
      ({ device, client, cursor, seenAtMs }) => [device, client, cursor, seenAtMs] as const
    )
    this.#views.put('readers', [], { readers, marks: [...this.#marks] })
  }

  /** The cursor behind which the log holds so many bytes; 0 when it holds less. */
  #before(bytes: number): number {
    return this.#marks.at(-bytes / MARK_BYTES) ?? 0
  }
}

const nameOf = (device: string, client: string): string => `${device}\n${client}`
