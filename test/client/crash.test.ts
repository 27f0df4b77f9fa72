import * as assert from 'uvu/assert'
import { MemoryStorage, type StorageChange } from '../../client/storage.ts'
import { decodeValue, type HubError } from '../../protocol/index.ts'
import { suite } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'
import { comeBack, open, quiet } from './open.ts'
import { until } from '../util/until.ts'

const test = suite('client after a crash')

/** Remembers every write, so that a crash between any two can be played. */
class RecordingStorage extends MemoryStorage {
  readonly writes: (readonly StorageChange[])[] = []

  override write(changes: readonly StorageChange[]): Promise<void> {
    this.writes.push(changes)
    return super.write(changes)
  }

  /** Storage as it was after so many writes. */
  async after(count: number): Promise<MemoryStorage> {
    const storage = new MemoryStorage()
    for (const changes of this.writes.slice(0, count)) await storage.write(changes)
    return storage
  }
}

/** Takes no more after a while. */
class FullStorage extends MemoryStorage {
  isFull = false

  override write(changes: readonly StorageChange[]): Promise<void> {
    return this.isFull ? Promise.reject(new Error('the disk is full')) : super.write(changes)
  }
}

test('after a crash between any two writes a client reads whole states only, and loses and doubles nothing', async context => {
  const hub = new FakeHub()
  const storage = new RecordingStorage()
  const { client, clock } = await open(context, hub, { storage })
  const notes = await client.annotations('b1')
  for (let round = 0; round < 8; round++) {
    hub.tell('book.put', 'b1', { title: `title ${round}` })
    hub.tell('setting.put', 'round', { value: round })
    void client.putBook('b1', { tags: [`tag ${round}`] })
    notes.put({ id: 'a', note: `note ${round}` })
    await quiet(round)
    clock.advance(100)
    if (round === 4) {
      await client.settled()
      await client.live()
      hub.restore(hub.log.length)
      await comeBack({ client, clock })
    }
  }
  await client.settled()
  await client.live()
  const expected = [...client.books, ...client.settings]
  await client.close()
  const whole = [...hub.log]
  // Before this one the storage is of the old epoch, whose answers the restored hub does not know: it would take some actions twice.
  const restarted = storage.writes.findIndex(changes =>
    changes.some(([key, bytes]) => key === 'mirror\nstate' && bytes && (decodeValue(bytes) as string[])[2]!.endsWith('+'))
  )
  assert.ok(storage.writes.length > 15)
  for (let count = restarted + 1; count <= storage.writes.length; count++) {
    hub.isWelcoming = false
    const again = await open(context, hub, { storage: await storage.after(count) })
    const title = again.client.books.get('b1')?.title
    const round = again.client.settings.get('round')
    assert.is(title, round === undefined ? undefined : `title ${round as number}`, `after ${count} writes`)
    const stored = await again.client.annotations('b1')
    const note = stored.get('a')?.note
    hub.isWelcoming = true
    await comeBack(again)
    await again.client.settled()
    assert.equal(hub.log, whole, `after ${count} writes`)
    await until(() => stored.get('a')?.note === 'note 7')
    assert.ok(note === undefined || note.startsWith('note '))
    assert.equal([...again.client.books, ...again.client.settings], expected, `after ${count} writes`)
    await again.client.close()
  }
})

test('a refusal is not lost in a crash: it is told again until it is stored', async context => {
  const hub = new FakeHub()
  hub.refuses = ([, , , key]) => (key === 'no' ? 'forbidden' : undefined)
  const storage = new RecordingStorage()
  const { client } = await open(context, hub, { storage })
  await client.live()
  await client.putSetting('no', 1).catch(() => {})
  await client.putSetting('yes', 2)
  const crashed = await storage.after(storage.writes.length)
  hub.isWelcoming = false
  const again = await open(context, hub, { storage: crashed })
  const told: string[] = []
  again.client.on('refused', ({ key }, error) => told.push(`${key}: ${(error as HubError).code}`))
  hub.isWelcoming = true
  await comeBack(again)
  await again.client.settled()
  assert.equal(told, ['no: forbidden'])
})

test('storage that cannot be read when the client comes live is an error that is told', async context => {
  const storage = new MemoryStorage()
  const load = storage.load.bind(storage)
  storage.load = prefix => (prefix === 'lost\n' ? Promise.reject(new Error('the disk cannot be read')) : load(prefix))
  const { client, errors } = await open(context, new FakeHub(), { storage })
  await client.live()
  await until(() => errors.length > 0)
  assert.equal(errors.map(({ message }) => message), ['the storage failed: the disk cannot be read']) // prettier-ignore
})

test('an action that storage does not take is not sent, rejects, and leaves no trace', async context => {
  const hub = new FakeHub()
  const storage = new FullStorage()
  const { client, clock } = await open(context, hub, { storage })
  await client.live()
  const notes = await client.annotations('b1')
  storage.isFull = true
  const refused: string[] = []
  client.on('refused', ({ kind }) => refused.push(kind))
  const put = client.putSetting('a', 1)
  notes.put({ id: 'a', note: 'n' })
  const outcome = await put.then(
    () => 'accepted',
    (error: Error) => error.message
  )
  assert.is(outcome, 'the storage failed: the disk is full')
  await until(() => refused.length === 2)
  assert.equal([client.settings.get('a'), notes.list(), hub.pushed.length], [undefined, [], 0])
  storage.isFull = false
  hub.tell('setting.put', 'b', { value: 2 })
  clock.advance(10_000)
  await client.putSetting('a', 3)
  await client.close()
  assert.is((await storage.load('mirror\nsetting\n')).length, 2)
})

test.run()
