import { randomBytes } from 'node:crypto'
import { constants, createReadStream, createWriteStream, existsSync, realpathSync } from 'node:fs'
import { copyFile, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { map, number, uint } from '../protocol/index.ts'
import { checkFolder, type CheckReport } from './check.ts'
import { newRestoredEpoch } from './core/ids.ts'
import { StoreDamage } from './core/store.ts'
import { FILES, holdsStore, MANIFEST, STORE } from './data-folder.ts'
import { onStandingStore } from './on-standing-store.ts'
import { listBlobs } from './storage/check-blobs.ts'
import { flushFolder, isMissing, makeFolder, makeOwn } from './storage/files.ts'
import { freeBytes } from './storage/free-space.ts'
import { renewEpochs } from './storage/new-epochs.ts'
import { trialOpen } from './storage/trial-open.ts'

const FORMAT = 1
/** The store's name until all of a restore is checked. */
const UNFINISHED = 'store.restoring'
/** The trial before a copy: what it does not reach, the check behind it does. */
const TRIAL_MS = 10_000

/** What a backup holds. */
export interface Manifest {
  readonly format: number
  readonly madeAtMs: number
  readonly accounts: number
  readonly changes: number
  readonly files: number
  readonly fileBytes: number
}

/** The last moment that a date can name. */
const MAX_DATE_MS = 8_640_000_000_000_000
const MANIFEST_FORM = map({
  format: uint,
  madeAtMs: number(0, MAX_DATE_MS),
  accounts: uint,
  changes: uint,
  files: uint,
  fileBytes: uint
})

/** What is said of a copy that does not pass its check. */
export class BadCopy extends Error {
  override readonly name = 'BadCopy'
  readonly report: CheckReport

  constructor(message: string, report: CheckReport) {
    super(message)
    this.report = report
  }
}

/**
 * Copies a data folder while a hub may be writing to it, and checks the copy. It holds every change that was acked before the backup began.
 *
 * The store is copied as it stands at one moment, and the files after it: a file is kept before the record that names it.
 *
 * @throws RangeError when `folder` is not empty or lies in the data folder, or there is no store
 * @throws StoreDamage when the store cannot be read
 * @throws BadCopy when what was copied is damaged
 */
export async function backUp(dataFolder: string, folder: string): Promise<Manifest> {
  if (!holdsStore(dataFolder)) throw new RangeError(`there is no store in ${resolve(dataFolder)}`)
  if (liesIn(folder, dataFolder)) throw new RangeError(`${resolve(folder)} is or lies in the data folder; name one outside of it`)
  return fill(folder, 'to make a backup in', async () => {
    const madeAtMs = Date.now()
    await onStandingStore(dataFolder, STORE, async path => {
      await trialOpen(path, TRIAL_MS)
      await copyStore(path, join(folder, STORE), dataFolder)
    })
    await copyFiles(dataFolder, folder)
    const manifest = await soundManifest(folder, STORE, madeAtMs, 'the backup')
    await writeFlushed(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`)
    return manifest
  })
}

/**
 * Makes a data folder from a backup. Its logs get new epochs: every device begins anew, and sends what it has not sent.
 *
 * @throws RangeError when `dataFolder` is not empty, or `folder` is no finished backup
 * @throws StoreDamage when the backup holds less than it did
 * @throws BadCopy when it is damaged
 */
export async function restore(folder: string, dataFolder: string): Promise<Manifest> {
  const manifest = await readManifest(folder)
  return fill(dataFolder, 'to restore into; a restore never overwrites', async () => {
    mustBeSame(folder, manifest, await soundManifest(folder, STORE, manifest.madeAtMs, 'the backup'))
    const path = join(dataFolder, UNFINISHED)
    await copyStore(join(folder, STORE), path, folder)
    await copyFiles(folder, dataFolder)
    await renewEpochs(path, () => newRestoredEpoch(count => randomBytes(count), Date.now()))
    const restored = await soundManifest(dataFolder, UNFINISHED, manifest.madeAtMs, 'what was restored')
    mustBeSame(folder, manifest, restored)
    await rename(path, join(dataFolder, STORE))
    await rm(`${path}-lock`, { force: true })
    await flushFolder(dataFolder)
    return restored
  })
}

async function soundManifest(folder: string, storeName: string, madeAtMs: number, what: string): Promise<Manifest> {
  const report = await checkFolder(folder, storeName)
  if (report.findings.length > 0) throw new BadCopy(`${what} in ${folder} is damaged, and MUST NOT be used`, report)
  const { accounts, changes, files, fileBytes } = report
  return { format: FORMAT, madeAtMs, accounts, changes, files, fileBytes }
}

function mustBeSame(folder: string, manifest: Manifest, found: Manifest): void {
  for (const part of ['accounts', 'changes', 'files', 'fileBytes'] as const)
    if (found[part] !== manifest[part])
      throw new StoreDamage(`the backup in ${folder} should hold ${part}: ${manifest[part]}, and there are ${found[part]}`)
}

async function readManifest(folder: string): Promise<Manifest> {
  const refusal = (why: string, cause?: unknown): RangeError =>
    new RangeError(`${resolve(folder)} is no finished backup: ${why}`, { cause })
  let found: unknown
  try {
    found = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8'))
  } catch (error) {
    throw refusal(isMissing(error) ? `it has no ${MANIFEST}, which is written last` : (error as Error).message, error)
  }
  const format = (found as Partial<Manifest> | null)?.format
  if (typeof format === 'number' && format !== FORMAT)
    throw new RangeError(`the backup in ${folder} has the unknown format ${format}`)
  const fault = MANIFEST_FORM.fault(found)
  if (fault !== undefined) throw refusal(`${MANIFEST}${fault.path}: expected ${fault.expected}`)
  return found as Manifest
}

/** True for a folder itself too. */
const liesIn = (folder: string, parent: string): boolean => relative(realPath(parent), realPath(folder)).split(sep)[0] !== '..'

/** Where a path leads, be it to what is not there yet. */
const realPath = (path: string): string =>
  existsSync(path) ? realpathSync(path) : join(realPath(dirname(resolve(path))), basename(resolve(path)))

/**
 * Has a new or empty folder filled. What was made is removed when that fails, but for a copy that was found damaged: it is named, and may be looked at.
 * @throws RangeError when the folder cannot be that, or has no room left
 */
async function fill<T>(folder: string, purpose: string, work: () => Promise<T>): Promise<T> {
  const isNew = !existsSync(folder)
  await makeFolder(folder).catch((error: unknown) => {
    throw new RangeError(`${resolve(folder)} cannot be made or is not a folder (${codeOf(error)}); name a new folder ${purpose}`)
  })
  if ((await readdir(folder)).length > 0) throw new RangeError(`${resolve(folder)} is not empty; name a new folder ${purpose}`)
  await makeOwn(folder, 0o700)
  try {
    return await work()
  } catch (error) {
    if (error instanceof BadCopy) throw error
    const made = isNew ? [folder] : (await readdir(folder)).map(name => join(folder, name))
    for (const path of made) await rm(path, { recursive: true, force: true })
    if (!NO_ROOM.has(codeOf(error))) throw error
    throw new RangeError(`${resolve(folder)} has no room left, and what was copied is gone from it; ${MAKE_ROOM}`, {
      cause: error
    })
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)
const NO_ROOM: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT'])
const MAKE_ROOM = 'make room there, or name a folder on another disk'

/** @throws RangeError unless the folder has room for a store, and for the files of the folder that it is from */
async function mustHaveRoom(folder: string, store: string, from: string): Promise<void> {
  let bytes = (await stat(store)).size
  for await (const { path } of listBlobs(join(from, FILES))) bytes += (await stat(join(from, FILES, path))).size
  const free = await freeBytes(folder)
  if (free < bytes)
    throw new RangeError(`${resolve(folder)} has room for ${free} bytes, and the copy needs ${bytes}; ${MAKE_ROOM}`)
}

/** Copies the store before the files, if there is room for both. Where a disk lets copies share their blocks, they need none. */
async function copyStore(store: string, to: string, from: string): Promise<void> {
  const isShared = await copyFile(store, to, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false
  )
  if (!isShared) {
    await mustHaveRoom(dirname(to), store, from)
    await copy(store, to)
  }
  await flush(to)
}

async function copyFiles(from: string, to: string): Promise<void> {
  const folders = new Set<string>()
  for await (const { path } of listBlobs(join(from, FILES))) {
    const target = join(to, FILES, path)
    await makeFolder(dirname(target))
    await copy(join(from, FILES, path), target)
    await flush(target)
    folders.add(dirname(target))
  }
  for (const folder of folders) await flushFolder(folder)
}

async function flush(to: string): Promise<void> {
  await makeOwn(to, 0o600)
  const handle = await open(to, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Where the file system can, the copy shares its blocks with the original until one of them is written to. */
async function copy(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
    // `copyFile` copies the mode too, which some file systems refuse.
    await pipeline(createReadStream(from), createWriteStream(to, { mode: 0o600 }))
  }
}

async function writeFlushed(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await flushFolder(dirname(path))
}
