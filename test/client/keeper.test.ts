import * as assert from 'uvu/assert'
import { Keeper } from '../../client/keeper.ts'
import { MemoryStorage, type StorageChange } from '../../client/storage.ts'
import { suite } from '../util/suite.ts'
import { ManualClock } from '../util/manual-clock.ts'
import { quiet } from './open.ts'

const test = suite('client/keeper')

/** Reads when it is told to, and fails when it is told to. */
class SlowStorage extends MemoryStorage {
  readonly waiting: (() => void)[] = []
  isFull = false

  override async load(prefix: string): Promise<[string, Uint8Array][]> {
    await new Promise<void>(go => this.waiting.push(go))
    return super.load(prefix)
  }

  override write(changes: readonly StorageChange[]): Promise<void> {
    return this.isFull ? Promise.reject(new Error('the disk is full')) : super.write(changes)
  }

  /** Everything that is stored. */
  async names(): Promise<string[]> {
    return (await super.load('')).map(([name]) => name)
  }
}

const entry = (name: string): StorageChange => [name, new Uint8Array(1)]

/** A keeper whose next write holds `due`, and the names of what a wipe has dropped. */
function keep(storage: SlowStorage): { keeper: Keeper; due: StorageChange[]; dropped: string[] } {
  const dropped: string[] = []
  const due: StorageChange[] = []
  const take = (): { changes: StorageChange[]; onKept: () => void } => ({ changes: due.splice(0), onKept() {} })
  const wiped = (entries: readonly StorageChange[]): Promise<StorageChange[]> => {
    for (const [name] of entries) dropped.push(name)
    return Promise.resolve([])
  }
  const options = { storage, clock: new ManualClock(), prefixes: ['mirror', 'document'], wiped, take, onError() {} }
  return { keeper: new Keeper(options), due, dropped }
}

async function finish(storage: SlowStorage, stored: Promise<void>): Promise<void> {
  const state = { isStored: false }
  void stored.then(() => (state.isStored = true))
  while (!state.isStored) {
    for (const go of storage.waiting.splice(0)) go()
    await quiet(1)
  }
}

test('a log that begins anew while the one before is being wiped leaves only what came after it', async () => {
  const storage = new SlowStorage()
  await storage.write([entry('mirror\nfirst'), entry('document\nfirst'), entry('outbox\nfirst')])
  const { keeper, due } = keep(storage)
  keeper.wipe()
  const stored = keeper.flush()
  await quiet(2)
  keeper.wipe()
  due.push(entry('mirror\nthird'))
  await finish(storage, stored)
  await finish(storage, keeper.flush())
  assert.equal(await storage.names(), ['mirror\nthird', 'outbox\nfirst'])
})

test('a log that begins anew while the one before is being written leaves only what came after it, though the write fails', async () => {
  for (const isFull of [false, true]) {
    const storage = new SlowStorage()
    const { keeper, due } = keep(storage)
    due.push(entry('mirror\nfirst'))
    storage.isFull = isFull
    const stored = keeper.flush()
    await Promise.resolve()
    keeper.wipe()
    await finish(storage, stored)
    storage.isFull = false
    due.push(entry('mirror\nsecond'))
    await finish(storage, keeper.flush())
    assert.equal(await storage.names(), ['mirror\nsecond'])
  }
})

test('a wipe that could not be stored is stored with what comes after it', async () => {
  const storage = new SlowStorage()
  await storage.write([entry('mirror\nfirst')])
  const { keeper, due } = keep(storage)
  storage.isFull = true
  keeper.wipe()
  due.push(entry('mirror\nsecond'))
  await finish(storage, keeper.flush())
  storage.isFull = false
  due.push(entry('mirror\nthird'))
  await finish(storage, keeper.flush())
  assert.equal(await storage.names(), ['mirror\nsecond', 'mirror\nthird'])
})

test('more records than a call takes arguments are stored in one write, and dropped in one wipe', async () => {
  const storage = new SlowStorage()
  const { keeper, due, dropped } = keep(storage)
  const many = Array.from({ length: 200_000 }, (_, index) => entry(`mirror\n${index}`))
  storage.isFull = true
  for (const each of many) due.push(each)
  await finish(storage, keeper.flush())
  assert.is(keeper.untaken.length, many.length)
  storage.isFull = false
  await finish(storage, keeper.flush())
  assert.is((await storage.names()).length, many.length)
  storage.isFull = true
  for (const each of many) due.push(each)
  await finish(storage, keeper.flush())
  keeper.wipe()
  storage.isFull = false
  await finish(storage, keeper.flush())
  assert.is(dropped.length, 2 * many.length)
  assert.equal(await storage.names(), [])
})

test('whoever asks is told of everything that a wipe drops, stored or not', async () => {
  const storage = new SlowStorage()
  await storage.write([entry('mirror\nfirst'), entry('document\nfirst'), entry('outbox\nfirst')])
  const { keeper, due, dropped } = keep(storage)
  storage.isFull = true
  due.push(entry('document\nsecond'))
  await finish(storage, keeper.flush())
  storage.isFull = false
  keeper.wipe([entry('document\nthird')])
  await finish(storage, keeper.flush())
  assert.equal(dropped, ['mirror\nfirst', 'document\nfirst', 'document\nsecond', 'document\nthird'])
  assert.equal(await storage.names(), ['outbox\nfirst'])
})

test.run()
