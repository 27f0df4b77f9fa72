import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { callControl, hubListens } from './control.ts'
import { newId } from './core/ids.ts'
import { COPY, holdsStore, STORE } from './data-folder.ts'
import { claim, Unclaimable, type Claim } from './storage/owner.ts'

/**
 * Does work on a store file that nobody else has open: the folder's own, which is claimed for as long where it can be; or, where a hub runs, a copy that it makes. Another process MUST NOT have LMDB open a
 * store in use, be it only to read (`storage/README.md`).
 *
 * @throws RangeError when there is no store
 * @throws Error when another process uses it, and is no hub
 */
export async function onStandingStore<T>(folder: string, storeName: string, work: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, storeName)
  if (!holdsStore(folder, storeName)) throw new RangeError(`there is no store in ${resolve(folder)}`)
  if (storeName === STORE && (await hubListens(folder))) return onCopy(folder, work)
  const claimed = claimToRead(path)
  try {
    return await work(path)
  } finally {
    claimed?.release()
  }
}

/** The copy is claimed before it is made: copies of nobody are removed by the hub. */
async function onCopy<T>(folder: string, work: (path: string) => Promise<T>): Promise<T> {
  const name = COPY + newId(count => randomBytes(count))
  const copy = join(folder, name)
  const claimed = claim(copy)
  try {
    if ((await callControl(folder, 'copy', { name })) === undefined)
      throw new Error(`the hub in ${resolve(folder)} ended just now: run this again`)
    return await work(copy)
  } finally {
    for (const left of [copy, `${copy}-lock`]) await rm(left, { force: true })
    claimed.release()
  }
}

function claimToRead(path: string): Claim | undefined {
  try {
    return claim(path)
  } catch (error) {
    if (error instanceof Unclaimable) return undefined
    throw error
  }
}
