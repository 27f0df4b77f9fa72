import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HubError } from '../protocol/index.ts'
import type { Logger } from './core/ports.ts'
import { StoreDamage } from './core/store.ts'
import { hubListens } from './control.ts'
import { COPY, STORE } from './data-folder.ts'
import type { Config } from './options.ts'
import { freeBytes } from './storage/free-space.ts'
import { LmdbStore } from './storage/lmdb.ts'
import { isFree, ownerOf } from './storage/owner.ts'
import { trialOpen } from './storage/trial-open.ts'

/** How long a start may read the store to find damage. */
const TRIAL_MS = 2_000
const ADVICE =
  'Nothing was changed. `npx lectern check` names what is wrong; put the folder aside, and make a new one with `npx lectern restore BACKUP`'

/**
 * Opens the store, after a look at it from another process.
 * @throws Error when somebody uses it
 * @throws StoreDamage saying what to do
 */
export async function openStore(config: Config, logger: Logger): Promise<LmdbStore> {
  const path = join(config.dataFolder, STORE)
  // Asked before the claim is: its pid tells nothing to whoever sees other processes than it does, as in another container.
  if (await hubListens(config.dataFolder)) {
    const owner = ownerOf(path)
    const whose = owner === undefined ? '' : ` (pid ${owner.pid} on ${owner.host})`
    throw new Error(`a hub is running in ${config.dataFolder}${whose}: end it first`)
  }
  try {
    return await LmdbStore.open({
      path,
      mapSizeBytes: config.mapSizeGiB * 2 ** 30,
      flushTimeoutMs: config.flushTimeoutSeconds * 1_000,
      takeOver: config.takeOver,
      inspect: async () => {
        await tryStore(path, config, logger)
        await removeCopies(config.dataFolder)
      },
      logger
    })
  } catch (error) {
    if (!(error instanceof StoreDamage)) throw error
    throw new StoreDamage(`${error.message}. ${ADVICE}`, { cause: error })
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
