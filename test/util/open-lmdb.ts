import { join } from 'node:path'
import { LmdbStore, type StoreLimits } from '../../server/storage/lmdb.ts'
import { storeContract } from '../contract/store.ts'
import { temporaryFolder } from './folder.ts'
import type { Suite, TestContext } from './suite.ts'

export const silentLogger = { debug() {}, info() {}, warn() {}, error() {} }

/** A real store at a path, with limits of its own where a test needs them. */
export const openLmdb = (path: string, limits: Partial<StoreLimits> = {}): Promise<LmdbStore> =>
  LmdbStore.open({ path, mapSizeBytes: 2 ** 30, logger: silentLogger, limits })

/** Where a test's own store is to be. */
export const storePath = (context: TestContext): string => join(temporaryFolder(context), 'store')

/** What every store does, said of a real one with these limits. */
export const lmdbContract = (name: string, limits: Partial<StoreLimits> = {}): Suite =>
  storeContract(name, async context => {
    const path = storePath(context)
    let store = await openLmdb(path, limits)
    return {
      store,
      reopen: async () => {
        await store.close()
        return (store = await openLmdb(path, limits))
      },
      drop: () => store.close()
    }
  })
