import { forceCloseDatabase, IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import * as assert from 'uvu/assert'
import { StorageFailedError } from '../../client/storage.ts'
import { IndexedDbStorage, type IndexedDbPlatform } from '../../client/storage-indexeddb.ts'
import { STORAGE_FACTS } from '../contract/client-storage.ts'
import { suite } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'
import { open, quiet } from './open.ts'

const test = suite('client/storage-indexeddb')

type Factory = InstanceType<typeof IDBFactory>

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

/** A platform whose open databases a test can close, as browsers do: now, or with the next transaction that begins. */
function closingPlatform(): { platform: IndexedDbPlatform; factory: Factory; closeAll: () => void; cutNext: () => void } {
  const factory = new IDBFactory()
  const databases: Parameters<typeof forceCloseDatabase>[0][] = []
  const open: IndexedDbPlatform['indexedDB']['open'] = (name, version) => {
    const request = factory.open(name, version)
    request.addEventListener('success', () => databases.push(request.result as never))
    return request as never
  }
  const closeAll = (): void => {
    for (const database of databases.splice(0)) forceCloseDatabase(database)
  }
  const cutNext = (): void => {
    for (const database of databases) {
      const { transaction } = database
      Object.assign(database, {
        transaction: (...given: Parameters<typeof transaction>) => {
          const begun = transaction.apply(database, given)
          queueMicrotask(() => {
            closeAll()
            begun.abort()
          })
          return begun
        }
      })
    }
  }
  return { platform: platformOf({ indexedDB: { open } }), factory, closeAll, cutNext }
}

const deleteDatabase = (factory: Factory, name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const request = factory.deleteDatabase(name)
    request.addEventListener('success', () => resolve())
    request.addEventListener('blocked', () => reject(new Error('blocked')))
  })

test('a database that the browser closed is opened again, and what is written then takes effect in the order of the calls', async () => {
  const { platform, closeAll } = closingPlatform()
  const storage = await IndexedDbStorage.open('lost', { platform })
  await storage.write([['a', new Uint8Array([1])]])
  closeAll()
  await Promise.all([2, 3, 4].map(value => storage.write([['a', new Uint8Array([value])]])))
  closeAll()
  const [[, bytes] = []] = await storage.load('a')
  assert.equal(Array.from(bytes!), [4])
  await storage.close()
})

test('a write and a read that the browser cut off are done again, in the order of the calls', async () => {
  const { platform, cutNext } = closingPlatform()
  const storage = await IndexedDbStorage.open('cut', { platform })
  await storage.write([['a', new Uint8Array([1])]])
  cutNext()
  await Promise.all([2, 3].map(value => storage.write([['a', new Uint8Array([value])]])))
  cutNext()
  assert.equal(
    (await storage.load('a')).map(([, bytes]) => Array.from(bytes)),
    [[3]]
  )
  await storage.close()
})

test('who deletes a database is not kept waiting by a client, which is closed with the reason, and makes no new one', async context => {
  const { platform, factory } = closingPlatform()
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub, { storage: await IndexedDbStorage.open('gone', { platform }) })
  await client.live()
  await client.putBook('b1', { title: 'Emma' })
  await deleteDatabase(factory, 'gone')
  const error = await client.putBook('b2', { title: 'Persuasion' }).catch((thrown: unknown) => thrown)
  assert.instance(error, StorageFailedError)
  assert.equal([client.state, client.reason, (error as StorageFailedError).isGone], ['closed', error, true])
  assert.is(client.books.has('b2'), false)
  // Nothing is tried again that cannot be.
  clock.advance(1_000)
  await quiet()
  assert.equal(clock.waits, [])
  await client.close()
  assert.equal(await factory.databases(), [])
  // Another client begins anew, with numbers of its own.
  const after = await open(context, hub, { storage: await IndexedDbStorage.open('gone', { platform }) })
  await after.client.live()
  await after.client.putBook('b3', { title: 'Mansfield Park' })
  const clients = new Set(hub.all('hello').map(({ client: id }) => id))
  assert.equal([after.client.books.size, clients.size], [2, 2])
})

test.run()
