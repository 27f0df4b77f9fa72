import type { Views } from './views.ts'

/**
 * A client that is further behind gets a snapshot: so the log is not kept for it either. As many page turns are some months of one reader; and what a
 * snapshot holds is never more entries than the changes that it stands for.
 */
export const FAR_BEHIND_CHANGES = 4_096
/** A client that was not heard of for this long does not hold the floor. */
const FORGOTTEN_AFTER_MS = 30 * 86_400_000
/** Kept for clients that no one knows of, such as one that was just restored from an old copy of its storage. */
export const KEPT_CHANGES = 1_024
/** The ones that were heard of last. */
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
  #isChanged = false

  constructor(views: Views) {
    this.#views = views
    for (const [device, client, cursor, seenAtMs] of views.get('readers')?.readers ?? [])
      this.#readers.set(nameOf(device, client), { device, client, cursor, seenAtMs })
  }

  /** A client has come, and keeps everything up to `cursor`. */
  came(device: string, client: string, cursor: number, nowMs: number): void {
    const name = nameOf(device, client)
    this.#readers.delete(name)
    this.#readers.set(name, { device, client, cursor, seenAtMs: nowMs })
    if (this.#readers.size > MAX_READERS) this.#readers.delete(this.#readers.keys().next().value!)
    this.#isChanged = true
  }

  /** It has got further. */
  acked(device: string, client: string, cursor: number, nowMs: number): void {
    const reader = this.#readers.get(nameOf(device, client))
    if (reader === undefined) return
    reader.cursor = Math.max(reader.cursor, cursor)
    reader.seenAtMs = nowMs
    this.#isChanged = true
  }

  /** The oldest cursor that somebody may still ask for. */
  floor(head: number, nowMs: number): number {
    let least = head - KEPT_CHANGES
    for (const { device, cursor, seenAtMs } of this.#readers.values()) {
      const isFar = head - cursor > FAR_BEHIND_CHANGES || nowMs - seenAtMs > FORGOTTEN_AFTER_MS
      if (!isFar && cursor < least && this.#views.get('devices', device)?.revoked !== true) least = cursor
    }
    return Math.max(1, least + 1)
  }

  /** Puts what is known among the records to be stored. */
  keep(): void {
    if (!this.#isChanged) return
    this.#isChanged = false
    const readers = Array.from(
      this.#readers.values(),
      ({ device, client, cursor, seenAtMs }) => [device, client, cursor, seenAtMs] as const
    )
    this.#views.put('readers', [], { readers })
  }
}

const nameOf = (device: string, client: string): string => `${device}\n${client}`
