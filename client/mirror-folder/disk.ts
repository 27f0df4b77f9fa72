import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, rmdirSync, unlinkSync, type BigIntStats } from 'node:fs'
import { open, readdir, rename, unlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { folderOf, nameOf, pathBeside } from '../../protocol/index.ts'
import { OWN_FOLDER } from './names.ts'

/** What is there is not what was when it was last looked at, or is in the way. */
export class ChangedMeanwhile extends Error {
  override readonly name = 'ChangedMeanwhile'

  constructor(path: string, how = 'was changed just now') {
    super(`${path} ${how}`)
  }
}

/** What tells two states of a file apart without reading it: which file it is, its size, and when its bytes and its entry last changed. */
export const stampOf = ({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string => `${ino}:${size}:${mtimeNs}:${ctimeNs}`

/** True for the file of a stamp, though it was written to since. */
export const isSameFile = (seen: BigIntStats | undefined, stamp: string): boolean => stamp.startsWith(`${seen?.ino}:`)

/** Without what a new name changes, too. */
const bytesStampOf = ({ ino, size, mtimeNs }: BigIntStats): string => `${ino}:${size}:${mtimeNs}`

/** The stamp of what is at a place, if that is still what was `made`; else one that nothing has, so that it is read again. */
function stampUnless(place: string, made: BigIntStats): string {
  const seen = look(place)
  return seen !== undefined && bytesStampOf(seen) === bytesStampOf(made) ? stampOf(seen) : 'changed'
}

/** Undefined when nothing is there. */
export function look(place: string): BigIntStats | undefined {
  try {
    return lstatSync(place, { bigint: true })
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** Nothing more fits on the disk, or its owner may keep no more there. */
export const isFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '')

const REMOVED = join(OWN_FOLDER, 'removed')

/**
 * Moves files within a mirrored folder so that no content is lost, whatever another program or a kill does in between: nothing is ever put over a name that
 * another file has taken meanwhile, and what goes is set aside for `KEPT_DAYS`.
 */
export class Disk {
  readonly root: string
  /** How folders are spelled on this disk that hold names of another Unicode form: path → place. */
  #spelled: ReadonlyMap<string, string> = new Map()

  constructor(root: string) {
    this.root = root
  }

  /** Says how a scan found folders to be spelled. */
  learn(spelled: ReadonlyMap<string, string>): void {
    this.#spelled = spelled
  }

  /** Where a path is on this disk. @param name its last name, where that is spelled otherwise */
  placeOf(path: string, name = nameOf(path)): string {
    const folder = folderOf(path)
    return join(this.root, this.#folder(folder), name)
  }

  /**
   * Puts a finished file, of the folder's own, at a path.
   * @param had the stamp of what is there, or undefined for nothing
   * @returns its stamp there, before anybody else could change it
   * @throws ChangedMeanwhile when something else is there by now: then nothing was done
   */
  async put(finished: string, path: string, place: string, had: string | undefined): Promise<string> {
    const made = look(finished)!
    this.#makeFolders(path, place)
    let stamp: string
    if (had === undefined) {
      moveToFree(finished, place, path)
      stamp = stampUnless(place, made)
    } else {
      const before = look(place)
      if (before === undefined || stampOf(before) !== had) throw new ChangedMeanwhile(path)
      // Who may read it is for its owner to say. A file system that knows no modes shows one for all.
      if (made.mode !== before.mode) chmodSync(finished, Number(before.mode & 0o777n))
      // Another program may have it open and write on: then the old file stays.
      const kept = this.#roomFor(path)
      const isKept = tryLink(place, kept)
      renameSync(finished, place)
      stamp = stampUnless(place, made)
      const after = isKept ? look(kept) : undefined
      if (after !== undefined && bytesStampOf(after) === bytesStampOf(before)) unlinkSync(kept)
    }
    await flushFolder(dirname(place))
    return stamp
  }

  /**
   * Sets a file aside, to where it can be taken back from.
   * @throws ChangedMeanwhile when it is not as `had` says: then it stays
   */
  async setAside(path: string, place: string, had: string): Promise<void> {
    const before = look(place)
    if (before === undefined || stampOf(before) !== had) throw new ChangedMeanwhile(path)
    const kept = this.#roomFor(path)
    renameSync(place, kept)
    const after = look(kept)
    if (after !== undefined && bytesStampOf(after) !== bytesStampOf(before)) {
      moveToFree(kept, place, path)
      throw new ChangedMeanwhile(path)
    }
    await flushFolder(dirname(place))
    this.#dropEmptyFolders(dirname(place))
  }

  /**
   * Gives a file another path.
   * @returns its stamp there
   * @throws ChangedMeanwhile when it is not as `had` says, or something is at the new path
   */
  async move(path: string, place: string, had: string, to: string): Promise<string> {
    const before = look(place)
    if (before === undefined || stampOf(before) !== had) throw new ChangedMeanwhile(path)
    const target = this.placeOf(to)
    this.#makeFolders(to, target)
    if (tryLink(place, target)) {
      const kept = this.#roomFor(path)
      renameSync(place, kept)
      const gone = look(kept)
      // Another file by now: it gets its name back, or stays aside when that is taken.
      if (gone !== undefined && gone.ino !== before.ino) moveToFree(kept, place, path)
      else unlinkSync(kept)
    } else moveToFree(place, target, to)
    const stamp = stampUnless(target, before)
    await flushFolder(dirname(target))
    await flushFolder(dirname(place))
    this.#dropEmptyFolders(dirname(place))
    return stamp
  }

  /** Gives a file a name beside it, of its own. @returns the new path */
  async moveBeside(path: string, place: string, had: string, note: string): Promise<string> {
    const beside = pathBeside(path, note, candidate => look(this.placeOf(candidate)) !== undefined)
    await this.move(path, place, had, beside)
    return beside
  }

  /** Lets go of what was set aside more than `days` ago. */
  async forgetAside(days: number): Promise<void> {
    const folder = join(this.root, REMOVED)
    for (const name of await namesIn(folder)) {
      const atMs = Number(name.split('-')[0])
      if (Number.isFinite(atMs) && Date.now() - atMs > days * 86_400_000) await unlink(join(folder, name))
    }
  }

  /** A free name among what is set aside, which begins with the time and ends with the file's own. */
  #roomFor(path: string): string {
    const folder = join(this.root, REMOVED)
    mkdirSync(folder, { recursive: true })
    for (let count = 0; ; count++) {
      const place = join(folder, `${Date.now()}-${count === 0 ? '' : `${count}-`}${shortened(nameOf(path))}`)
      if (look(place) === undefined) return place
    }
  }

  #folder(path: string): string {
    if (path === '') return ''
    return this.#spelled.get(path) ?? join(this.#folder(folderOf(path)), nameOf(path))
  }

  /** @throws ChangedMeanwhile when something else is where a folder should be, such as a link that leads elsewhere */
  #makeFolders(path: string, place: string): void {
    for (let folder = dirname(place); folder.length > this.root.length; folder = dirname(folder)) {
      const found = look(folder)
      if (found !== undefined && !found.isDirectory())
        throw new ChangedMeanwhile(
          path,
          `cannot come: ${relative(this.root, folder)} is no folder here; give one of them another name`
        )
    }
    if (look(place)?.isDirectory() === true)
      throw new ChangedMeanwhile(path, 'cannot come: a folder has this name here; give one of them another name')
    mkdirSync(dirname(place), { recursive: true })
  }

  #dropEmptyFolders(folder: string): void {
    for (let place = folder; place.length > this.root.length; place = dirname(place))
      try {
        rmdirSync(place)
      } catch {
        return
      }
  }
}

/** @throws ChangedMeanwhile when the name is taken */
function moveToFree(from: string, to: string, path: string): void {
  if (tryLink(from, to, path)) unlinkSync(from)
  else if (look(to) === undefined) renameSync(from, to)
  else throw new ChangedMeanwhile(path)
}

/** False where the file system has no links. @throws ChangedMeanwhile when the name is taken */
function tryLink(from: string, to: string, path = to): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') throw new ChangedMeanwhile(path)
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS' || code === 'EMLINK' || code === 'EOPNOTSUPP') return false
    throw error
  }
}

/** The end of a name, with room for the time before it. */
const shortened = (name: string): string => {
  const bytes = Buffer.from(name)
  return bytes.length <= 220
    ? name
    : bytes
        .subarray(-220)
        .toString()
        .replace(/^\ufffd+/, '')
}

export const namesIn = async (folder: string): Promise<string[]> => {
  try {
    return await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Writes a file whole or not at all, and on disk before it resolves. */
export async function writeWhole(place: string, text: string): Promise<void> {
  const finished = `${place}.new`
  const file = await open(finished, 'w', 0o600)
  try {
    await writeFile(file, text)
    await file.sync()
  } catch (error) {
    // What was written takes room that may be all there is.
    await unlink(finished).catch(noneIfMissing)
    throw error
  } finally {
    await file.close()
  }
  await rename(finished, place)
  await flushFolder(dirname(place))
}

/** Names are on disk once their folder is. Windows has no such call, and needs none. */
export async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** In place of a text that a file would have held. @throws what says anything but that there is no such file */
export function noneIfMissing(error: unknown): string {
  if (isMissing(error)) return ''
  throw error
}

const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'
