import { randomBytes } from 'node:crypto'
import { constants, createReadStream, createWriteStream, existsSync, realpathSync } from 'node:fs'
import { copyFile, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { checkFolder, type CheckReport } from './check.ts'
import { newRestoredEpoch } from './core/ids.ts'
import { StoreDamage } from './core/store.ts'
import { FILES, MANIFEST, STORE } from './data-folder.ts'
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
  const store = join(dataFolder, STORE)
  if (!existsSync(store)) throw new RangeError(`there is no store in ${resolve(dataFolder)}`)
  if (liesIn(folder, dataFolder)) throw new RangeError(`${resolve(folder)} is or lies in the data folder; name one outside of it`)
  await makeEmpty(folder, 'to make a backup in')
  const madeAtMs = Date.now()
  await onStandingStore(dataFolder, STORE, async path => {
    await mustHaveRoom(folder, (await stat(path)).size)
    await trialOpen(path, TRIAL_MS)
    await copyFlushed(path, join(folder, STORE))
  })
  await copyFiles(dataFolder, folder)
  const manifest = await soundManifest(folder, STORE, madeAtMs, 'the backup')
  await writeFlushed(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
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
  await makeEmpty(dataFolder, 'to restore into; a restore never overwrites')
  const store = join(folder, STORE)
  mustBeSame(folder, manifest, await soundManifest(folder, STORE, manifest.madeAtMs, 'the backup'))
  await mustHaveRoom(dataFolder, (await stat(store)).size)
  const path = join(dataFolder, UNFINISHED)
  await copyFlushed(store, path)
  await copyFiles(folder, dataFolder)
  await renewEpochs(path, () => newRestoredEpoch(count => randomBytes(count)))
  const restored = await soundManifest(dataFolder, UNFINISHED, manifest.madeAtMs, 'what was restored')
  mustBeSame(folder, manifest, restored)
  await rename(path, join(dataFolder, STORE))
  await rm(`${path}-lock`, { force: true })
  await flushFolder(dataFolder)
  return restored
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
  let manifest: Manifest
  try {
    manifest = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as Manifest
  } catch (error) {
    const why = isMissing(error) ? `it has no ${MANIFEST}, which is written last` : (error as Error).message
    throw new RangeError(`${resolve(folder)} is no finished backup: ${why}`, { cause: error })
  }
  if (manifest.format !== FORMAT) throw new RangeError(`the backup in ${folder} has the unknown format ${manifest.format}`)
  return manifest
}

/** True for a folder itself too. */
const liesIn = (folder: string, parent: string): boolean => relative(realPath(parent), realPath(folder)).split(sep)[0] !== '..'

/** Where a path leads, be it to what is not there yet. */
const realPath = (path: string): string =>
  existsSync(path) ? realpathSync(path) : join(realPath(dirname(resolve(path))), basename(resolve(path)))

async function makeEmpty(folder: string, purpose: string): Promise<void> {
  await makeFolder(folder)
  if ((await readdir(folder)).length > 0) throw new RangeError(`${resolve(folder)} is not empty; name a new folder ${purpose}`)
  await makeOwn(folder, 0o700)
}

async function mustHaveRoom(folder: string, bytes: number): Promise<void> {
  const free = await freeBytes(folder)
  if (free < bytes) throw new RangeError(`${resolve(folder)} has room for ${free} bytes, and the store alone needs ${bytes}`)
}

async function copyFiles(from: string, to: string): Promise<void> {
  const folders = new Set<string>()
  for await (const { path } of listBlobs(join(from, FILES))) {
    const target = join(to, FILES, path)
    await makeFolder(dirname(target))
    await copyFlushed(join(from, FILES, path), target)
    folders.add(dirname(target))
  }
  for (const folder of folders) await flushFolder(folder)
}

async function copyFlushed(from: string, to: string): Promise<void> {
  await copy(from, to)
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
