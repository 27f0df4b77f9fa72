import * as assert from 'uvu/assert'
import type { PositionRecord } from '../../../server/core/records.ts'
import { Views } from '../../../server/core/views.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { Random } from '../../util/random.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/views')

const setting = (value: number) => ({ value, cursor: value, changedAtUs: 0 })
const store = async (views: Views, to: MemoryStore): Promise<void> => {
  await to.commit({ appends: [], writes: views.takeWrites() })
  views.stored()
}

test('a record is read as it was put last: not stored, on its way to the store, and stored', async () => {
  const memory = new MemoryStore()
  const views = new Views(memory, 'a')
  views.put('settings', ['x'], setting(1))
  assert.is(views.changedCount, 1)
  assert.equal(views.get('settings', 'x'), setting(1))
  const writes = views.takeWrites()
  assert.equal(views.get('settings', 'x'), setting(1))
  views.put('settings', ['x'], setting(2))
  await memory.commit({ appends: [], writes })
  views.stored()
  assert.equal([views.get('settings', 'x'), new Views(memory, 'a').get('settings', 'x')], [setting(2), setting(1)])
  await store(views, memory)
  assert.equal([views.changedCount, new Views(memory, 'a').get('settings', 'x')], [0, setting(2)])
})

test('records of a table that was empty are listed before, while and after they are first stored', async () => {
  const memory = new MemoryStore()
  const views = new Views(memory, 'a')
  const names = (): string[] => views.range('settings', [], '', 10).map(([name]) => name)
  assert.equal(names(), [])
  views.put('settings', ['x'], setting(1))
  assert.equal(names(), ['x'])
  const writes = views.takeWrites()
  assert.equal(names(), ['x'])
  await memory.commit({ appends: [], writes })
  views.stored()
  assert.equal(names(), ['x'])
})

test('what changes in place after it was handed over is stored with the next commit', async () => {
  const memory = new MemoryStore()
  const views = new Views(memory, 'a')
  const fresh = () => ({ tail: [], changedAtUs: 0 })
  views.edit('documents', ['b'], fresh).tail.push(1)
  const writes = views.takeWrites()
  views.edit('documents', ['b'], fresh).tail.push(2)
  await memory.commit({ appends: [], writes })
  views.stored()
  assert.equal(
    [views.get('documents', 'b'), new Views(memory, 'a').get('documents', 'b')],
    [
      { tail: [1, 2], changedAtUs: 0 },
      { tail: [1], changedAtUs: 0 }
    ]
  )
  await store(views, memory)
  assert.equal(new Views(memory, 'a').get('documents', 'b'), { tail: [1, 2], changedAtUs: 0 })
})

test('records are counted wherever they are, each once, and removed ones not', async () => {
  const memory = new MemoryStore()
  const views = new Views(memory, 'a')
  const counts = (): number[] => [views.count('settings', [], 9), views.count('settings', [], 2)]
  for (const name of ['x', 'y', 'z']) views.put('settings', [name], setting(1))
  assert.equal(counts(), [3, 2])
  await store(views, memory)
  views.put('settings', ['y'], setting(2))
  views.put('settings', ['new'], setting(2))
  assert.equal(counts(), [4, 2])
  const writes = views.takeWrites()
  for (const name of ['x', 'y', 'new']) views.remove('settings', name)
  assert.equal(counts(), [1, 1])
  await memory.commit({ appends: [], writes })
  views.stored()
  assert.equal(counts(), [1, 1])
})

test('a removed record is gone at once, and a page passes it by without ending early', async () => {
  const memory = new MemoryStore()
  const views = new Views(memory, 'a')
  for (const name of ['a', 'b', 'c', 'd']) views.put('settings', [name], setting(1))
  await store(views, memory)
  views.remove('settings', 'a')
  const names = (limit: number): string[] => views.range('settings', [], '', limit).map(([name]) => name)
  assert.equal([views.get('settings', 'a'), names(2), names(9)], [undefined, ['b', 'c'], ['b', 'c', 'd']])
  const writes = views.takeWrites()
  views.remove('settings', 'b')
  assert.equal(names(2), ['c', 'd'])
  await memory.commit({ appends: [], writes })
  views.stored()
  assert.is(new Views(memory, 'a').get('settings', 'a'), undefined)
  assert.equal(
    views.edit('settings', ['b'], () => setting(2)),
    setting(2)
  )
  assert.equal(names(9), ['b', 'c', 'd'])
})

test('accounts, tables and keys that begin alike keep apart', () => {
  const views = new Views(new MemoryStore(), 'a')
  const other = new Views(new MemoryStore(), 'a2')
  views.put('positions', ['b', 'd'], { fields: {}, client: '', atMs: 0, cursor: 1, changedAtUs: 0 })
  assert.is(views.get('positions', 'b'), undefined)
  assert.is(other.get('positions', 'b', 'd'), undefined)
  assert.equal(
    ['b', 'b ', ''].map(book => views.range('positions', [book], '', 9).map(([key]) => key)),
    [['d'], [], []]
  )
})

test('records under a part of their key are those that are there, whatever was put, removed and stored before', async () => {
  const random = new Random(6)
  const position = (cursor: number): PositionRecord => ({ fields: {}, client: '', atMs: 0, cursor, changedAtUs: 0 })
  for (let round = 0; round < 60; round++) {
    const memory = new MemoryStore()
    const views = new Views(memory, 'a')
    const model = new Map<string, number>()
    for (let step = 0; step < 60; step++) {
      const [book, device] = [random.pick(['b', 'b2', 'é']), random.pick(['', 'd', 'd2', 'e'])]
      if (random.chance(0.3)) {
        views.remove('positions', book, device)
        model.delete(`${book}/${device}`)
      } else {
        views.put('positions', [book, device], position(step))
        model.set(`${book}/${device}`, step)
      }
      assert.is(views.get('positions', book, device)?.cursor, model.get(`${book}/${device}`))
      if (random.chance(0.1)) await store(views, memory)
    }
    if (random.chance(0.5)) views.takeWrites()
    for (const book of ['b', 'b2', 'é', 'none'])
      assert.equal(
        views.range('positions', [book], '', 9).map(([device, { cursor }]) => [`${book}/${device}`, cursor]),
        [...model].filter(([key]) => key.startsWith(`${book}/`)).sort(([left], [right]) => (left < right ? -1 : 1))
      )
  }
})

test('pages of a range hold each record once and in the order of code points, wherever the records are', async () => {
  const random = new Random(5)
  for (let round = 0; round < 60; round++) {
    const memory = new MemoryStore()
    const views = new Views(memory, 'a')
    const model = new Map<string, number>()
    for (let step = 0; step < 80; step++) {
      const key =
        random.pick(['a', 'b', 'é', '書', '\uffee', '😀', 'aa', 'A', ' ', 'a0']) +
        random.pick(['', 'x', '😀', '\uffee', String(random.below(9))])
      model.set(key, step)
      views.put('settings', [key], setting(step))
      if (random.chance(0.05)) await store(views, memory)
    }
    if (random.chance(0.5)) views.takeWrites()
    const limit = 1 + random.below(7)
    const read: [string, number][] = []
    for (let after = ''; ;) {
      const page = views.range('settings', [], after, limit)
      read.push(...page.map(([key, { cursor }]): [string, number] => [key, cursor]))
      if (page.length < limit) break
      after = page.at(-1)![0]
    }
    const byCodePoint = [...model].sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
    assert.equal(read, byCodePoint)
  }
})

test.run()
