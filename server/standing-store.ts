import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { callControl } from './control.ts'
import { claim, type Claim } from './storage/owner.ts'

/**
 * Does work on a store file that nobody else has open: the folder's own, which is claimed for as long; or, where a hub runs, a copy that it makes. Another process MUST NOT have LMDB open a
 * store in use, be it only to read (`storage/README.md`).
 *
 * @throws RangeError when there is no store
 * @throws Error when another process uses it, and is no hub
 */
export async function onStandingStore<T>(folder: string, storeName: string, work: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, storeName)
  if (!existsSync(path)) throw new RangeError(`there is no store in ${resolve(folder)}`)
  const answer = await callControl(folder, 'copy', {})
  if (answer === undefined) {
    const claimed = claimToRead(path)
    try {
      return await work(path)
    } finally {
      claimed?.release()
    }
  }
  const copy = join(folder, (answer.result as { name: string }).name)
  try {
    return await work(copy)
  } finally {
    for (const left of [copy, `${copy}-lock`]) await rm(left, { force: true })
  }
}

/** Where nobody can write, there is nothing to claim. */
function claimToRead(path: string): Claim | undefined {
  try {
    return claim(path)
  } catch (error) {
    if (['EROFS', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
