import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { HubError, decodeFrame } from '../../protocol/index.ts'
import { connect, StorageFailedError } from '../../client/index.ts'
import { MemoryStorage, type StorageChange } from '../../client/storage.ts'
import { suite } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'
import { comeBack, open, quiet } from './open.ts'
import { until } from '../util/until.ts'

const test = suite('client/client')

/** Takes its time with actions, for as long as a test wants. */
class SlowStorage extends MemoryStorage {
  isSlow = true
  readonly waiting: (() => void)[] = []

  override async write(changes: readonly StorageChange[]): Promise<void> {
    if (this.isSlow && changes.some(([key]) => key.startsWith('outbox\naction')))
      await new Promise<void>(go => this.waiting.push(go))
    return super.write(changes)
  }
}

const codeOf = (error: unknown): string => (error instanceof HubError ? error.code : String(error))
const refusal = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'accepted', codeOf)

test('a new client connects, catches up, and is live', async context => {
  const hub = new FakeHub()
  hub.tell('book.put', 'b1', { title: 'Emma' })
  const { client } = await open(context, hub)
  const states: string[] = [client.state]
  client.on('state', state => states.push(state))
  await client.live()
  assert.equal(states, ['connecting', 'catching-up', 'live'])
  assert.is(client.books.get('b1')?.title, 'Emma')
  assert.is(hub.all('hello')[0]!.token, 'phone')
})

test('an action shows at once, is answered with its cursor, and reaches the other client', async context => {
  const hub = new FakeHub()
  const phone = await open(context, hub)
  const laptop = await open(context, hub, { token: 'laptop' })
  await Promise.all([phone.client.live(), laptop.client.live()])
  const put = phone.client.putBook('b1', { title: 'Emma', tags: ['new'] })
  assert.is(phone.client.books.get('b1')?.title, 'Emma')
  assert.equal(await put, { cursor: 1 })
  await until(() => laptop.client.books.has('b1'))
  assert.equal(laptop.client.books.get('b1')?.tags, ['new'])
  assert.is(phone.client.unanswered, 0)
})

test('actions that were made offline are sent in order after the restart, under their numbers', async context => {
  const hub = new FakeHub()
  hub.isWelcoming = false
  const first = await open(context, hub)
  void first.client.putBook('b1', { title: 'One' })
  void first.client.putBook('b1', { title: 'Two' })
  await first.client.close()
  hub.isWelcoming = true
  const second = await open(context, hub, { storage: first.storage })
  assert.is(second.client.books.get('b1')?.title, 'Two')
  const put = second.client.putBook('b1', { subtitle: 'Three' })
  await put
  assert.equal(
    hub.pushed.map(([number, , , , body]) => [number, body]),
    [
      [1, { title: 'One' }],
      [2, { title: 'Two' }],
      [3, { subtitle: 'Three' }]
    ]
  )
})

test('what was sent and not answered is sent again after a reconnect, and takes effect once', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  hub.isAnswering = false
  const puts = [client.putSetting('a', 1), client.putSetting('b', 2)]
  await until(() => hub.pushed.length === 2)
  hub.cut()
  hub.isAnswering = true
  await until(() => client.state === 'offline')
  await comeBack({ client, clock })
  assert.equal(await Promise.all(puts), [{ cursor: 1 }, { cursor: 2 }])
  await client.live()
  await client.putSetting('c', 3)
  assert.equal(
    hub.log.map(([, , , , number, , , key]) => [number, key]),
    [
      [1, 'a'],
      [2, 'b'],
      [3, 'c']
    ]
  )
})

test('what was lost on the way to the hub is sent again, in order', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  hub.isDeaf = true
  const puts = [client.putSetting('a', 1), client.putSetting('b', 2)]
  await until(() => hub.pushed.length === 2)
  hub.cut()
  hub.isDeaf = false
  await until(() => client.state === 'offline')
  puts.push(client.putSetting('c', 3))
  await comeBack({ client, clock })
  assert.equal(await Promise.all(puts), [{ cursor: 1 }, { cursor: 2 }, { cursor: 3 }])
  assert.equal(
    hub.pushed.map(([number]) => number),
    [1, 2, 1, 2, 3]
  )
})

test('an action is not sent before it is stored', async context => {
  const hub = new FakeHub()
  const storage = new SlowStorage()
  const { client } = await open(context, hub, { storage })
  await client.live()
  const put = client.putSetting('a', 1)
  await until(() => storage.waiting.length > 0)
  await quiet()
  assert.equal(hub.pushed, [])
  storage.isSlow = false
  for (const go of storage.waiting) go()
  assert.equal(await put, { cursor: 1 })
})

test('`saved` waits until everything that was asked for outlives the process', async context => {
  const hub = new FakeHub()
  hub.isWelcoming = false
  const storage = new SlowStorage()
  const { client } = await open(context, hub, { storage })
  const notes = await client.annotations('b1')
  void client.putBook('b1', { title: 'Emma' })
  notes.put({ id: 'a', quote: 'q' })
  const state = { isSaved: false }
  const saved = client.saved().then(() => (state.isSaved = true))
  await until(() => storage.waiting.length > 0)
  await quiet()
  assert.is(state.isSaved, false)
  storage.isSlow = false
  for (const go of storage.waiting) go()
  await saved
  // As it stands at this moment, in another process.
  const copy = new MemoryStorage()
  await copy.write(await storage.load(''))
  const after = await open(context, hub, { storage: copy })
  assert.is(after.client.books.get('b1')?.title, 'Emma')
  assert.is((await after.client.annotations('b1')).get('a')?.quote, 'q')
})

test('what storage did not take is refused with a StorageFailedError that names the cause, and what comes after is kept', async context => {
  const storage = new MemoryStorage()
  const { client } = await open(context, new FakeHub(), { storage })
  await client.live()
  const write = storage.write.bind(storage)
  const full = new Error('the disk is full')
  storage.write = () => Promise.reject(full)
  const refused: Error[] = []
  client.on('refused', (_, error) => refused.push(error))
  const error = await client.putBook('b1', { title: 'Emma' }).catch((thrown: unknown) => thrown)
  assert.instance(error, StorageFailedError)
  assert.equal([(error as Error).cause, (error as StorageFailedError).isGone, refused], [full, false, [error]])
  assert.is(client.books.has('b1'), false)
  storage.write = write
  assert.ok((await client.putBook('b2', { title: 'Persuasion' })).cursor > 0)
  assert.is(client.state, 'live')
})

test('an effect stays from the ack until its change comes, and across a restart in between', async context => {
  const hub = new FakeHub()
  const first = await open(context, hub)
  await first.client.live()
  hub.isTelling = false
  await first.client.putBook('b1', { title: 'Emma' })
  assert.is(first.client.books.get('b1')?.title, 'Emma')
  assert.is(first.client.unanswered, 0)
  await first.client.close()
  hub.isWelcoming = false
  const { client } = await open(context, hub, { storage: first.storage })
  assert.is(client.books.get('b1')?.title, 'Emma')
})

test("another device's later change wins over an action whose own change came before its ack", async context => {
  const hub = new FakeHub()
  hub.isAnswering = false
  const { client, clock } = await open(context, hub)
  await client.live()
  void client.putBook('b1', { title: 'mine' })
  await until(() => hub.log.length === 1)
  hub.tell('book.put', 'b1', { title: 'theirs' })
  hub.cut()
  hub.isDeaf = true
  await until(() => client.state === 'offline')
  await comeBack({ client, clock })
  assert.is(client.books.get('b1')?.title, 'theirs')
})

test('`confirmed` rises only to the last number before the first whose answer is not stored', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  await client.putSetting('a', 1)
  await client.putSetting('b', 2)
  clock.advance(200)
  await quiet()
  await client.putSetting('c', 3)
  assert.equal(
    hub.all('push').map(({ confirmed }) => confirmed),
    [0, 0, 2]
  )
})

test('a refused action rejects, is told, and leaves no trace', async context => {
  const hub = new FakeHub()
  hub.tell('book.put', 'b1', { title: 'Emma' })
  hub.refuses = ([, , kind]) => (kind === 'book.remove' ? 'forbidden' : undefined)
  const { client, storage } = await open(context, hub)
  await client.live()
  const told: unknown[] = []
  client.on('refused', ({ number, kind, key }, error) => told.push([number, kind, key, codeOf(error)]))
  const removed = client.removeBook('b1')
  assert.is(client.books.get('b1')?.removed, true)
  assert.is(await refusal(removed), 'forbidden')
  assert.is(client.books.get('b1')?.removed, false)
  assert.equal(told, [[1, 'book.remove', 'b1', 'forbidden']])
  await client.close()
  assert.equal(await storage.load('outbox\naction'), [])
})

test('an action that the hub could not take is refused before it is numbered', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  assert.is(await refusal(client.putBook('b1', { rating: 9 })), 'bad-action')
  assert.is(await refusal(client.putBook('', {})), 'bad-action')
  assert.is(await refusal(client.putSetting('s', Number.NaN)), 'bad-action')
  assert.is(await refusal(client.putSetting('s', 'x'.repeat(70_000))), 'too-large')
  let deep: never[] = []
  for (let level = 0; level < 20; level++) deep = [deep] as unknown as never[]
  assert.is(await refusal(client.putSetting('s', deep)), 'bad-action')
  assert.equal(await client.putSetting('s', 'half \ud800'), { cursor: 1 })
  assert.is(client.settings.get('s'), 'half \ufffd')
  assert.is(hub.pushed[0]![0], 1)
})

test('"already done" counts as done', async context => {
  const hub = new FakeHub()
  hub.refuses = () => 'already-done'
  const { client } = await open(context, hub)
  assert.equal(await client.putSetting('a', 1), { cursor: 0 })
  assert.is(client.unanswered, 0)
})

test('an action under a number that stands for another is sent again under a new one', async context => {
  const hub = new FakeHub()
  hub.refuses = ([number]) => (number === 1 ? 'action-conflict' : undefined)
  const { client } = await open(context, hub)
  assert.equal(await client.putSetting('a', 1), { cursor: 1 })
  assert.equal(
    hub.pushed.map(([number]) => number),
    [1, 2]
  )
})

test('a gap in the log ends the connection, and the next one goes on from the cursor', async context => {
  const hub = new FakeHub()
  hub.tell('setting.put', 'a', { value: 1 })
  const { client, clock, errors } = await open(context, hub)
  await client.live()
  hub.say('changes', { changes: [[3, 3, 'other', 'x', 0, 0, 'setting.put', 'b', { value: 2 }]] })
  await until(() => client.state === 'offline')
  assert.is(codeOf(errors[0]), 'cursor-unknown')
  assert.is(client.settings.get('b'), undefined)
  await comeBack({ client, clock })
  assert.is(hub.all('hello')[1]!.cursor, 1)
})

test('a change that comes twice is a fault too', async context => {
  const hub = new FakeHub()
  hub.tell('setting.put', 'a', { value: 1 })
  const { client } = await open(context, hub)
  await client.live()
  hub.say('changes', { changes: [hub.log[0]!] })
  await until(() => client.state === 'offline')
})

test('a resync drops what was read, and keeps the outbox', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  await client.putBook('b1', { title: 'kept' })
  await client.putBook('b2', { title: 'lost' })
  hub.isWelcoming = false
  hub.restore(1)
  await until(() => client.state === 'offline')
  void client.putBook('b3', { title: 'new' })
  hub.isWelcoming = true
  await comeBack({ client, clock })
  await client.settled()
  assert.equal(client.books.keys().sort(), ['b1', 'b3'])
  assert.is(hub.log.at(-1)![7], 'b3')
})

test('what a resync dropped is gone from storage, in the write that stores the new cursor', async context => {
  const hub = new FakeHub()
  const { client, clock, storage } = await open(context, hub)
  await client.putBook('b1', { title: 'lost' })
  await until(() => client.unanswered === 0)
  clock.advance(1_000)
  await quiet()
  assert.is((await storage.load('mirror\nbook')).length, 1)
  hub.restore(0)
  await until(() => client.state === 'offline')
  await comeBack({ client, clock })
  await client.close()
  assert.equal(await storage.load('mirror\nbook'), [])
})

test('what a restored hub has answered but not told is sent again, in its order', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  await client.putSetting('seen', 1)
  hub.isTelling = false
  const { cursor } = await client.putSetting('answered', 2)
  assert.is(cursor, 2)
  const notes = await client.annotations('b1')
  notes.put({ id: 'a', quote: 'q' })
  await client.settled()
  hub.isTelling = true
  hub.isWelcoming = false
  hub.restore(1)
  await until(() => client.state === 'offline')
  const later = client.putSetting('later', 3)
  assert.equal([client.settings.get('answered'), client.settings.get('later')], [2, 3])
  hub.isWelcoming = true
  await comeBack({ client, clock })
  await later
  await client.settled()
  assert.equal(
    hub.log.map(([, , , , number, , , key]) => [number, key]),
    [
      [1, 'seen'],
      [2, 'answered'],
      [3, 'b1'],
      [4, 'later']
    ]
  )
  assert.equal([client.settings.get('answered'), notes.list().length, client.unanswered], [2, 1, 0])
})

test('a document whose reading the hub let go of is read from its beginning, a few times', async context => {
  const hub = new FakeHub()
  hub.documentPartBytes = 40
  const { client } = await open(context, hub)
  const notes = await client.annotations('b1')
  notes.put({ id: 'a', note: 'x'.repeat(100) })
  await client.settled()
  hub.letsGo = 4
  const whole = (await client.read('document', 'b1')) as Uint8Array
  assert.is(hub.letsGo, 0)
  assert.equal(whole, Y.encodeStateAsUpdate(hub.document('b1')))
  hub.letsGo = Infinity
  assert.is(await refusal(client.read('document', 'b1')), 'overloaded')
})

test('a client without the address of a hub or a way to it is refused', async () => {
  const outcome = await connect({ token: 't', url: 'ftp://hub' }).catch((error: Error) => error.message)
  assert.is(outcome, 'not the address of a hub: ftp://hub')
  const options = { token: 't' } as Parameters<typeof connect>[0]
  assert.instance(await connect(options).catch((error: Error) => error), TypeError)
})

test('a restarted client goes on from the cursor that it has stored', async context => {
  const hub = new FakeHub()
  const first = await open(context, hub)
  await first.client.live()
  await first.client.putBook('b1', { title: 'Emma', identifiers: { 'isbn:1': 'user', 'isbn:2': 'user' } })
  await first.client.putBook('b1', { identifiers: { 'isbn:1': null } })
  await first.client.close()
  const { client } = await open(context, hub, { storage: first.storage })
  assert.equal(client.books.get('b1')?.identifiers, { 'isbn:2': 'user' })
  await client.live()
  assert.is(hub.all('hello')[1]!.cursor, 2)
  assert.is(hub.all('hello')[1]!.client, hub.all('hello')[0]!.client)
})

test('storage that was put back to an old copy goes on after the last number that the hub has seen', async context => {
  const hub = new FakeHub()
  const first = await open(context, hub)
  await first.client.live()
  await first.client.settled()
  const old = await first.storage.load('outbox\nclient')
  await first.client.putSetting('a', 1)
  await first.client.putSetting('b', 2)
  await first.client.close()
  await first.storage.write([...(await first.storage.load('mirror')).map(([key]) => [key, undefined] as const), ...old])
  hub.isWelcoming = false
  const second = await open(context, hub, { storage: first.storage })
  const put = second.client.putSetting('c', 3)
  await quiet()
  hub.isWelcoming = true
  await comeBack(second)
  assert.equal(await put, { cursor: 3 })
  assert.equal(
    hub.pushed.map(([number, , , key]) => [number, key]),
    [
      [1, 'a'],
      [2, 'b'],
      [3, 'c']
    ]
  )
})

for (const isReopened of [false, true])
  test(`an action of an old copy that has the number of another is asked for anew${isReopened ? ', though a crash came before it was sent' : ''}`, async context => {
    const hub = new FakeHub()
    const first = await open(context, hub)
    await first.client.live()
    await first.client.settled()
    const old = await first.storage.load('')
    await first.client.putSetting('a', 1)
    await first.client.close()
    const storage = new MemoryStorage()
    await storage.write(old)
    hub.isWelcoming = false
    let second = await open(context, hub, { storage })
    void second.client.putSetting('b', 2).catch(() => {})
    await quiet()
    if (isReopened) {
      await second.client.close()
      second = await open(context, hub, { storage })
    }
    hub.isWelcoming = true
    second.client.retry()
    await comeBack(second)
    await second.client.settled()
    assert.equal(hub.log.map(([, , , , number, , , key]) => [number, key]), [[1, 'a'], [2, 'b']]) // prettier-ignore
    assert.is(second.client.settings.get('b'), 2)
  })

test('an action that waits in an old copy and was done since is not done again: nothing is sent before the log has told', async context => {
  const hub = new FakeHub()
  hub.isWelcoming = false
  const first = await open(context, hub)
  void first.client.putSetting('a', 1)
  await quiet()
  const storage = new MemoryStorage()
  await storage.write(await first.storage.load(''))
  hub.isWelcoming = true
  first.client.retry()
  await comeBack(first)
  await first.client.settled()
  await first.client.close()
  const again = await open(context, hub, { storage: first.storage })
  await again.client.live()
  await again.client.putSetting('a', 2)
  await again.client.close()
  const late: (() => void)[] = []
  const accept = hub.accept.bind(hub)
  hub.accept = connection => {
    const send = connection.send.bind(connection)
    connection.send = bytes => (decodeFrame(bytes, 'hub').kind === 'changes' ? void late.push(() => send(bytes)) : send(bytes))
    accept(connection)
  }
  const second = await open(context, hub, { storage })
  const before = hub.pushed.length
  await quiet()
  assert.is(second.client.state, 'catching-up')
  assert.is(hub.pushed.length, before)
  for (const send of late.splice(0)) send()
  await second.client.settled()
  assert.equal(hub.log.map(([, , , , , , , key, body]) => [key, body]), [['a', { value: 1 }], ['a', { value: 2 }]]) // prettier-ignore
  assert.is(second.client.settings.get('a'), 2)
})

test('storage of one account is never sent to another', async context => {
  const hub = new FakeHub()
  const first = await open(context, hub)
  await first.client.live()
  await first.client.close()
  hub.account = 'account-2'
  const { client } = await open(context, hub, { storage: first.storage })
  void client.putSetting('secret', 1)
  await until(() => client.state === 'closed')
  assert.is(client.reason?.code, 'forbidden')
  assert.equal(hub.pushed, [])
})

test('positions are kept for each device, with the newest and the furthest', async context => {
  const hub = new FakeHub()
  hub.tell('position.set', 'b1', { progression: 0.9 }, 'reader')
  const { client } = await open(context, hub)
  await client.live()
  await client.setPosition('b1', { progression: 0.2 })
  const { byDevice, newest, furthest } = client.positions('b1')
  assert.equal([...byDevice.keys()].sort(), ['phone', 'reader'])
  assert.is(newest?.device, 'phone')
  assert.is(furthest?.device, 'reader')
  const next = client.setPosition('b1', { progression: 1 })
  assert.is(client.positions('b1').newest?.progression, 1)
  await next
})

test('the hub is told how far the log is kept, within a second', async context => {
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  for (let count = 0; count < 10; count++) hub.tell('setting.put', 'a', { value: count })
  await until(() => client.settings.get('a') === 9)
  assert.equal(hub.all('ack'), [])
  clock.advance(200)
  await quiet()
  clock.advance(1_000)
  await until(() => hub.all('ack').length === 1)
  assert.is(hub.all('ack')[0]!.cursor, 10)
})

test('many actions are sent in frames that the hub takes, and never more than it may hold unanswered', async context => {
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  const body = { value: 'x'.repeat(60_000) }
  const all = Promise.all(Array.from({ length: 60 }, (_, index) => client.submit('setting.put', `s${index}`, body)))
  const small = Promise.all(Array.from({ length: 5_000 }, (_, index) => client.setPosition('b1', { progression: index / 5_000 })))
  await Promise.all([all, small])
  assert.is(hub.log.length, 5_060)
  assert.ok(hub.all('push').every(({ actions }) => actions.length <= 1_000))
  assert.equal(
    hub.pushed.map(([number]) => number),
    Array.from({ length: 5_060 }, (_, index) => index + 1)
  )
})

test('a change of a kind that this version does not know is passed over', async context => {
  const hub = new FakeHub()
  hub.tell('household.action', 'x', { anything: 1 })
  hub.tell('book.put', 'b1', { title: 7 })
  hub.tell('setting.put', 'a', { value: 1 })
  const { client, errors } = await open(context, hub)
  await client.live()
  assert.is(client.settings.get('a'), 1)
  assert.is(client.books.get('b1'), undefined)
  assert.is(errors.length, 1)
})

test('reading a view needs a connection, and says what the hub answered', async context => {
  const hub = new FakeHub()
  hub.isWelcoming = false
  const { client, clock } = await open(context, hub)
  assert.is(await client.read('books').catch((error: Error) => error.name), 'OfflineError')
  hub.isWelcoming = true
  await comeBack({ client, clock })
  assert.is(await refusal(client.read('book', 'b1')), 'not-found')
})

test.run()
