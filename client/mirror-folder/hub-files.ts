import { isFilePath, sha256, type ChangeBody } from '../../protocol/index.ts'
import type { Client } from '../client.ts'
import type { ChangeEvent } from '../events.ts'
import { isIgnoredPath } from './names.ts'

/** What the hub has at a path. */
export interface HubFile {
  readonly sha256: string
  readonly sizeBytes: number
  readonly mtimeMs?: number
}

interface Known {
  /** Undefined when nothing is there. */
  readonly file: HubFile | undefined
  readonly cursor: number
}

/** What the hub has at every path: listed once for each connection, and kept up to date from the changes that come by it. */
export class HubFiles {
  readonly #client: Client
  readonly #known = new Map<string, Known>()
  readonly #files = new Map<string, HubFile>()
  readonly #stops: (() => void)[]
  /** Changes that came while the list was being read. */
  #waiting: ChangeEvent[] | undefined
  #isStale = true

  /** @param onNews something at the hub is different now, or can be read again */
  constructor(client: Client, onNews: () => void) {
    this.#client = client
    this.#stops = [
      client.on('state', state => {
        // What came while there was no connection may come as a snapshot, which has no changes.
        if (state !== 'live') this.#isStale = true
        onNews()
      }),
      client.on('change', change => {
        if (this.#waiting === undefined) this.#take(change)
        else this.#waiting.push(change)
        if (change.kind.startsWith('file.') || change.kind === 'conflict.resolve') onNews()
      })
    ]
  }

  /** By path, as of the last `refresh` and what came since. */
  get files(): ReadonlyMap<string, HubFile> {
    return this.#files
  }

  /** It has to be listed anew before it is believed. */
  doubt(): void {
    this.#isStale = true
  }

  /** @throws OfflineError, HubError */
  async refresh(): Promise<void> {
    if (!this.#isStale) return
    this.#isStale = false
    this.#waiting = []
    try {
      const list = await this.#client.files.list()
      this.#known.clear()
      this.#files.clear()
      for (const { path, removed, cursor, sha256, sizeBytes, mtimeMs } of list)
        this.put(path, removed ? undefined : { sha256, sizeBytes, ...(mtimeMs !== undefined && { mtimeMs }) }, cursor)
      for (const change of this.#waiting) this.#take(change)
    } catch (error) {
      this.#isStale = true
      throw error
    } finally {
      this.#waiting = undefined
    }
  }

  /** Notes what is at a path since the change at `cursor`. What is older than what is known changes nothing. */
  put(path: string, file: HubFile | undefined, cursor: number): void {
    // A hub is not believed when it comes to names: of what they are made, places in the folder are.
    const isSound = isFilePath(path) && (file === undefined || sha256.fault(file.sha256) === undefined)
    if (!isSound || isIgnoredPath(path) || (this.#known.get(path)?.cursor ?? 0) >= cursor) return
    this.#known.set(path, { file, cursor })
    if (file === undefined) this.#files.delete(path)
    else this.#files.set(path, file)
  }

  close(): void {
    for (const stop of this.#stops) stop()
  }

  #take({ kind, key, body, cursor }: ChangeEvent): void {
    if (kind === 'file.put') {
      const { sha256, sizeBytes, mtimeMs } = body as ChangeBody<'file.put'>
      this.put(key, { sha256, sizeBytes, ...(mtimeMs !== undefined && { mtimeMs }) }, cursor)
    } else if (kind === 'file.remove') this.put(key, undefined, cursor)
    else if (kind === 'file.move') {
      const known = this.#known.get(key)
      if ((known?.cursor ?? 0) >= cursor) return
      const file = known?.file
      if (file === undefined) this.#isStale = true
      this.put((body as ChangeBody<'file.move'>).to, file, cursor)
      this.put(key, undefined, cursor)
    } else if (kind === 'file.restore' || kind === 'conflict.resolve') this.#isStale = true
  }
}
