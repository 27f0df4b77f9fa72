import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LmdbStore } from '../../../server/storage/lmdb.ts'
import { storeContract } from '../../contract/store.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {} }

const test = storeContract('server/storage/lmdb', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lectern-store-'))
  const open = (): Promise<LmdbStore> => LmdbStore.open({ path: join(folder, 'hub.lmdb'), mapSizeBytes: 2 ** 30, logger })
  let store = await open()
  return {
    store,
    reopen: async () => {
      await store.close()
      return (store = await open())
    },
    drop: async () => {
      await store.close()
      await rm(folder, { recursive: true })
    }
  }
})

test.run()
