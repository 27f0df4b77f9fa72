import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HubError } from '../protocol/index.ts'
import type { Logger } from './core/ports.ts'
import { StoreDamage } from './core/store.ts'
import { hubListens } from './control.ts'
import { COPY, FILES, STORE } from './data-folder.ts'
import type { Config } from './options.ts'
import { freeBytes } from './storage/free-space.ts'
import { LmdbStore } from './storage/lmdb.ts'
import { isFree, ownerOf } from './storage/owner.ts'
import { trialOpen } from './storage/trial-open.ts'

/** How long a start may read the store to find damage. */
const TRIAL_MS = 2_000
/** A folder of file contents, by the first two digits of their hashes. */
const CONTENTS = /^[0-9a-f]{2}$/
const advice = (folder: string): string =>
  `Nothing was changed. \`npx lectern check --data ${folder}\` names what is wrong; put the folder aside, and make it anew with \`npx lectern restore BACKUP --data ${folder}\``

/**
 * Opens the store, after a look at it from another process.
 * @throws Error when somebody uses it
 * @throws StoreDamage saying what to do
 */
export async function openStore(config: Config, logger: Logger): Promise<LmdbStore> {
  const path = join(config.dataFolder, STORE)
  // Asked before the claim, which looks for a process by its pid: from another container that process cannot be seen.
  if (await hubListens(config.dataFolder)) throw new Error(`a hub is running in ${config.dataFolder}${whose(path)}: end it first`)
  try {
    return await LmdbStore.open({
      path,
      flushTimeoutMs: config.flushTimeoutSeconds * 1_000,
      takeOver: config.takeOver,
      inspect: async () => {
        await mustNotBeLost(path, config)
        await tryStore(path, config, logger)
        await removeCopies(config.dataFolder)
      },
      logger
    })
  } catch (error) {
    if (!(error instanceof StoreDamage)) throw error
    throw new StoreDamage(`${error.message}. ${advice(config.dataFolder)}`, { cause: error })
  }
}

/** Nothing where the claim is gone or cannot be read: that a hub listens is known without it. */
function whose(path: string): string {
  try {
    const owner = ownerOf(path)
    return owner === undefined ? '' : ` (pid ${owner.pid} on ${owner.host})`
  } catch {
    return ''
  }
}

/**
 * Copies the store into the data folder, for somebody to check or to keep, who has claimed the copy and removes it.
 * @throws HubError `storage-full`, `bad-request`
 */
export async function copyStore(store: LmdbStore, { dataFolder, minFreeMiB }: Config, name: string): Promise<void> {
  if (!isCopy(name)) throw new HubError('bad-request', `a copy is called ${COPY}…`, { field: 'name' })
  await store.copyTo(join(dataFolder, name), async () => {
    await removeCopies(dataFolder)
    const { storeBytes } = store.figures
    if ((await freeBytes(dataFolder)) - minFreeMiB * 2 ** 20 < storeBytes)
      throw new HubError(
        'storage-full',
        `there is no room for a copy of the store, which takes ${storeBytes} bytes: make room, or stop the hub, without which none is needed`
      )
  })
}

const isCopy = (name: string): boolean => name.startsWith(COPY) && /^\w+$/.test(name.slice(COPY.length))

/** What is left of those who were killed before they removed theirs. */
async function removeCopies(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (isCopy(name) && isFree(join(folder, name)))
      for (const file of [name, `${name}-lock`, `${name}-owner`]) await rm(join(folder, file), { force: true })
}

/**
 * A hub that began anew here would not know the files that it finds.
 * @throws StoreDamage when there are files of a hub, and no store
 */
async function mustNotBeLost(path: string, { dataFolder }: Config): Promise<void> {
  if (existsSync(path)) return
  const files = join(dataFolder, FILES)
  const names = existsSync(files) ? await readdir(files) : []
  if (names.some(name => CONTENTS.test(name))) throw new StoreDamage(`${path} is gone, and ${files} holds what belongs to it`)
}

/** @throws StoreDamage unless the operator wants it opened all the same */
async function tryStore(path: string, { openDamaged }: Config, logger: Logger): Promise<void> {
  try {
    const trial = await trialOpen(path, TRIAL_MS)
    if (trial === undefined) return
    if (trial.damaged.length > 0) throw new StoreDamage(`${path} has damaged entries: ${trial.damaged.join(', ')}`)
    if (!trial.isWhole) logger.info({ bytes: trial.bytes }, 'the store is large: the rest of it is checked as it is read')
  } catch (error) {
    if (!openDamaged || !(error instanceof StoreDamage)) throw error
    logger.error({ err: error }, 'the store is damaged, and is opened all the same')
  }
}
