import { createReadStream, type BigIntStats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { foldPath } from '../../protocol/index.ts'
import { codeOf, isSameFile, look, stampOf } from './disk.ts'
import { isIgnoredName, pathAtHub } from './names.ts'

/** A file of the folder. */
export interface LocalFile {
  readonly path: string
  /** The whole name on this disk, whose spelling may differ from the path's. */
  readonly place: string
  readonly sha256: string
  readonly sizeBytes: number
  readonly mtimeMs: number
  readonly stamp: string
}

/** What a folder holds. */
export interface Scan {
  readonly files: Map<string, LocalFile>
  /** Paths of files that cannot be looked at, or are still being written. */
  readonly unknown: Set<string>
  /** Folders that could not be read: nobody knows what is in them. */
  readonly unknownFolders: Set<string>
  /** Files that cannot be at a hub, and why. */
  readonly problems: Map<string, string>
  /** Folders whose spelling on this disk differs from their path. */
  readonly spelled: Map<string, string>
  /** Every folder, as a place on this disk. */
  readonly folders: string[]
  /** Something is still being written: look again soon. */
  readonly isMoving: boolean
}

export interface ScanOptions {
  /** What is known of a path's content by its looks. */
  known(path: string): { readonly sha256: string; readonly stamp: string } | undefined
  /** A file whose last change is younger than this is still being written. */
  readonly settleMs: number
  readonly signal?: AbortSignal
}

/** Looks at every file of a folder, and reads those that look new. Hidden files, passing ones and links are nobody's business. */
export async function scanFolder(root: string, options: ScanOptions): Promise<Scan> {
  const scan = {
    files: new Map<string, LocalFile>(),
    unknown: new Set<string>(),
    unknownFolders: new Set<string>(),
    problems: new Map<string, string>(),
    spelled: new Map<string, string>(),
    folders: [] as string[],
    isMoving: false
  }
  /** By path, the name on this disk. */
  const found = new Map<string, string>()
  const waiting = ['']
  while (waiting.length > 0) {
    const folder = waiting.pop()!
    options.signal?.throwIfAborted()
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
      // Gone while it was walked: then so are its files.
      if (folder === '' || codeOf(error) !== 'ENOENT') scan.problems.set(folder, (error as Error).message)
      if (folder === '') throw error
      if (codeOf(error) !== 'ENOENT') scan.unknownFolders.add(foldPath(folder))
      return undefined
    })
    if (entries === undefined) continue
    scan.folders.push(join(root, folder))
    if (foldPath(folder) !== folder) scan.spelled.set(foldPath(folder), folder)
    for (const entry of entries) {
      const place = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory() ? entry.name.startsWith('.') : isIgnoredName(entry.name)) continue
      // Bytes that are no UTF-8 are read as this character, and by such a name nothing is found.
      if (entry.name.includes('\ufffd') && look(join(root, place)) === undefined)
        scan.problems.set(place, 'its name is not in UTF-8, and no file at a hub can have it')
      else if (entry.isDirectory()) waiting.push(place)
      else if (!entry.isFile()) scan.unknown.add(foldPath(place))
      else {
        const path = pathAtHub(place)
        const twin = path === undefined ? undefined : found.get(path)
        if (path === undefined) scan.problems.set(place, 'no file at a hub can have this name')
        else if (twin === undefined) found.set(path, place)
        else {
          // What was synced stays what it is; of two new ones it does not hang on the order of a listing.
          const known = options.known(path)
          const isKnown = (name: string): boolean => known !== undefined && isSameFile(look(join(root, name)), known.stamp)
          const twins = [twin, place]
          const chosen = twins.find(isKnown) ?? twins.find(name => name === path) ?? twin
          found.set(path, chosen)
          scan.problems.set(chosen === twin ? place : twin, `${chosen} has the same name, spelled otherwise`)
        }
      }
    }
  }
  const files = Array.from(found, ([path, name]) => ({ path, place: join(root, name) }))
  const looks = new Map<string, BigIntStats>()
  for (let start = 0; start < files.length; start += 256)
    await Promise.all(
      files.slice(start, start + 256).map(async ({ path, place }) => {
        const seen = await lstat(place, { bigint: true }).catch(() => undefined)
        if (seen !== undefined) looks.set(path, seen)
        else if (look(place) !== undefined) scan.unknown.add(path)
      })
    )
  for (const { path, place } of files) {
    const seen = looks.get(path)
    if (seen === undefined) continue
    options.signal?.throwIfAborted()
    const stamp = stampOf(seen)
    const known = options.known(path)
    const content = { path, place, sizeBytes: Number(seen.size), mtimeMs: Number(seen.mtimeNs / 1_000_000n), stamp }
    if (known?.stamp === stamp) {
      scan.files.set(path, { ...content, sha256: known.sha256 })
      continue
    }
    // A change within the clock's step of the last look would not show in the looks: what was changed just now is looked at later.
    const isYoung = Math.abs(Date.now() - Number(seen.ctimeNs / 1_000_000n)) < options.settleMs
    const sha256 = isYoung ? undefined : await hashOf(place, scan.problems, path)
    const after = look(place)
    if (sha256 !== undefined && after !== undefined && stampOf(after) === stamp) scan.files.set(path, { ...content, sha256 })
    else if (after !== undefined) {
      scan.unknown.add(path)
      scan.isMoving ||= !scan.problems.has(path)
    }
  }
  return scan
}

/** True for a path of which a scan cannot say what is there: it, or a folder that it is in, could not be looked into, or is a link. */
export const isUnknownIn = ({ unknown, unknownFolders }: Scan, path: string): boolean => {
  if (unknown.has(path)) return true
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const folder = path.slice(0, at)
    if (unknownFolders.has(folder) || unknown.has(folder)) return true
  }
  return false
}

async function hashOf(place: string, problems: Map<string, string>, path: string): Promise<string | undefined> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(place, { highWaterMark: 1_048_576 })) hash.update(chunk as Buffer)
    return hash.digest('hex')
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') problems.set(path, (error as Error).message)
    return undefined
  }
}
