import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import * as assert from 'uvu/assert'
import { IndexedDbStorage, type IndexedDbPlatform } from '../../client/storage-indexeddb.ts'
import { STORAGE_FACTS } from '../contract/client-storage.ts'
import { suite } from '../util/suite.ts'

const test = suite('client/storage-indexeddb')

const platformOf = (more: Partial<IndexedDbPlatform> = {}): IndexedDbPlatform => ({
  indexedDB: new IDBFactory(),
  IDBKeyRange,
  ...more
})

for (const { fact, check } of STORAGE_FACTS) {
  test(`IndexedDB: ${fact}`, () => {
    const platform = platformOf()
    return check({ open: name => IndexedDbStorage.open(name, { platform }), isLasting: true })
  })
}

test('a storage that another page has open is refused', async () => {
  const locks = { request: (_: string, __: unknown, task: (lock: unknown) => Promise<void>) => task(null) }
  const opened = IndexedDbStorage.open('taken', { platform: platformOf({ navigator: { locks } }) })
  assert.is(await opened.catch((error: Error) => error.name), 'StorageTakenError')
})

test.run()
