import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isFull, look, noneIfMissing, writeWhole } from './disk.ts'
import { OWN_FOLDER } from './names.ts'

/** A file as it was when the folder and the hub had the same. */
export interface BaseFile {
  readonly sha256: string
  /** What it looked like: while it looks the same, it need not be read again. */
  readonly stamp: string
}

/** The folder is gone from under the mirror: a disk that was unmounted, perhaps. */
export class FolderGone extends Error {
  override readonly name = 'FolderGone'

  constructor(root: string) {
    super(`${root} is not the folder any more that was mirrored: nothing was changed at the hub`)
  }
}

const HEADER = 'lectern-mirror 1'

/**
 * What both sides had when they were last the same, in `.lectern/state`. It may be behind, and be lost: a path that it does not know is one that nobody
 * removed anything from.
 */
export class MirrorState {
  readonly base = new Map<string, BaseFile>()
  readonly #root: string
  readonly #marker: string
  #epoch = ''
  #isDirty = false
  #work: Promise<unknown> = Promise.resolve()

  private constructor(root: string, marker: string) {
    this.#root = root
    this.#marker = marker
  }

  /** Reads it, or begins anew where there is none. One that was damaged counts as none. */
  static async open(root: string): Promise<MirrorState> {
    const own = join(root, OWN_FOLDER)
    await mkdir(own, { recursive: true, mode: 0o700 })
    const markerFile = join(own, 'folder')
    if (look(markerFile) === undefined) await writeWhole(markerFile, `${randomUUID()}\n`)
    const state = new MirrorState(root, await readFile(markerFile, 'utf8'))
    state.#parse(await readFile(join(own, 'state'), 'utf8').catch(noneIfMissing))
    return state
  }

  /** The log that the base is of. */
  get epoch(): string {
    return this.#epoch
  }

  /** A hub that was put back to a backup lacks what the base says that it has: then nothing of it counts. */
  follow(epoch: string): void {
    if (epoch === this.#epoch) return
    this.base.clear()
    this.#epoch = epoch
    this.#isDirty = true
  }

  set(path: string, file: BaseFile): void {
    this.base.set(path, file)
    this.#isDirty = true
  }

  delete(path: string): void {
    if (this.base.delete(path)) this.#isDirty = true
  }

  /** @throws FolderGone */
  async mustBeThere(): Promise<void> {
    const marker = await readFile(join(this.#root, OWN_FOLDER, 'folder'), 'utf8').catch(noneIfMissing)
    if (marker !== this.#marker) throw new FolderGone(this.#root)
  }

  /** Resolves with true when what is known by now is on disk, and with false when that is full: then it is for the next time. @throws FolderGone; what the disk throws */
  save(): Promise<boolean> {
    const saving = this.#work.then(async () => {
      if (!this.#isDirty) return true
      await this.mustBeThere()
      this.#isDirty = false
      try {
        await writeWhole(join(this.#root, OWN_FOLDER, 'state'), this.#text())
      } catch (error) {
        this.#isDirty = true
        if (!isFull(error)) throw error
      }
      return !this.#isDirty
    })
    this.#work = saving.catch(() => undefined)
    return saving
  }

  #text(): string {
    const rows = Array.from(this.base, ([path, { sha256, stamp }]) => `${sha256} ${stamp} ${path}`)
    const body = [this.#epoch, ...rows].join('\n')
    return `${HEADER} ${digest(body)}\n${body}\n`
  }

  #parse(text: string): void {
    const [header = '', epoch = '', ...rows] = text.split('\n')
    if (header !== `${HEADER} ${digest(text.slice(header.length + 1, -1))}`) return
    this.#epoch = epoch
    for (const row of rows) {
      const [, sha256, stamp, path] = /^(\S+) (\S+) (.+)$/.exec(row) ?? []
      if (path !== undefined) this.base.set(path, { sha256: sha256!, stamp: stamp! })
    }
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
