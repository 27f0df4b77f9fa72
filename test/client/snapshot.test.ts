import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { connect, type Client } from '../../client/index.ts'
import { MemoryStorage, type ClientStorage } from '../../client/storage.ts'
import { decodeValue, encodeFrame, LIMITS, type Frame, type FrameFields, type WireChange } from '../../protocol/index.ts'
import { holdContent } from '../../server/core/files/contents.ts'
import { FAR_BEHIND_CHANGES } from '../../server/core/readers.ts'
import { newRestoredEpoch } from '../../server/core/ids.ts'
import { Origin } from '../../server/core/origin.ts'
import { MemoryStore } from '../../server/storage/memory.ts'
import { coreHub, type CoreHub, type TestAction, type TestClient } from '../util/core-hub.ts'
import { pair, type PairEnd } from '../util/pair.ts'
import { Random } from '../util/random.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { until } from '../util/until.ts'

const test = suite('client given a snapshot')

interface Replica {
  readonly client: Client
  readonly storage: ClientStorage
  /** The frames of the last connection, as far as the hub has sent them. */
  kinds(): string[]
  cut(): void
}

/** A client of the SDK on the real core. `tap` sees each connection of the hub, before anything is sent. */
async function replicate(
  context: TestContext,
  core: CoreHub,
  token: string,
  storage: ClientStorage = new MemoryStorage(),
  tap: (end: PairEnd) => unknown = () => undefined
): Promise<Replica> {
  let hubEnd: PairEnd | undefined
  const dial = (): PairEnd => {
    const [near, far] = pair()
    hubEnd = far
    tap(far)
    core.hub.accept(far)
    return near
  }
  const client = await connect({ token, dial, storage })
  context.defer(() => client.close())
  return {
    client,
    storage,
    kinds: () => hubEnd!.sent.map(bytes => KINDS[bytes[1]!] ?? String(bytes[1])),
    cut: () => hubEnd?.close(1012, '')
  }
}

const KINDS: Record<number, string> = { 0x10: 'welcome', 0x11: 'changes', 0x12: 'acked', 0x13: 'resync', 0x18: 'snapshot' }

const BOOKS = ['b0', 'b1', 'b2']

/** What a client shows of the account. */
async function shown(client: Client): Promise<unknown> {
  const annotations: unknown[] = []
  for (const book of BOOKS) {
    const handle = await client.annotations(book)
    annotations.push(handle.list())
    handle.close()
  }
  const sorted = (table: Iterable<[string, unknown]>): unknown[] => [...table].sort(([left], [right]) => (left < right ? -1 : 1))
  const positions = BOOKS.map(book => sorted(client.positions(book).byDevice))
  return [sorted(client.books), sorted(client.settings), sorted(client.devices), positions, annotations]
}

function anyAction(random: Random, number: number): TestAction {
  const book = random.pick(BOOKS)
  const id = `a${random.below(4)}`
  const atMs = random.below(1_000)
  return random.pick<TestAction>([
    [number, 'book.put', book, { title: `t${number}`, identifiers: { [`i:${random.below(150)}`]: random.pick([null, 'x']) } }],
    [number, random.pick(['book.remove', 'book.restore']), book, {}],
    [number, 'position.set', book, { progression: random.next() }, atMs],
    [number, 'position.set', book, { progression: random.next() }, atMs],
    [number, 'setting.put', `s${random.below(5)}`, { value: random.pick([null, number]) }],
    [number, 'annotation.put', book, { id, note: `note ${random.below(1_000)}` }],
    [number, random.pick(['annotation.remove', 'annotation.restore']), book, { id }]
  ])
}

/** Lets a client of the wire ask for so many actions of every kind. */
async function churn(client: TestClient, random: Random, first: number, count: number): Promise<void> {
  for (let number = first; number < first + count; number += 200) {
    const many = Math.min(200, first + count - number)
    client.push(number - 1, ...Array.from({ length: many }, (_, index) => anyAction(random, number + index)))
    for (let answered = 0; answered < many;) {
      const { accepted, refused } = await client.next('acked')
      answered += accepted.length + refused.length
    }
  }
}

const LONG = FAR_BEHIND_CHANGES + 600

/** A long log of two devices, and who writes on. */
async function longAccount(core: CoreHub, seed: number) {
  const random = new Random(seed)
  const { account, devices } = await core.account('phone', 'tablet', 'reader', 'other')
  const writers = [core.connect(), core.connect(), core.connect()]
  await writers[0]!.hello(devices['phone']!.token)
  await writers[1]!.hello(devices['phone']!.token, { client: 'tab2' })
  await writers[2]!.hello(devices['tablet']!.token)
  const next = [1, 1, 1]
  const write = async (count: number): Promise<void> => {
    for (let left = count; left > 0;) {
      const who = random.below(3)
      const many = Math.min(left, 1 + random.below(200))
      await churn(writers[who]!, random, next[who]!, many)
      next[who]! += many
      left -= many
    }
  }
  await write(LONG + LONG / 4)
  await account.settled()
  return { account, devices, write }
}

/** The same account, read as a whole log. */
async function asLog(core: CoreHub, token: string): Promise<WireChange[]> {
  const client = core.connect()
  client.send('hello', { version: 1, token, client: 'log', epoch: '', cursor: 0, agent: 'test', wantsChanges: true })
  const { head } = await client.next('welcome')
  const changes = await client.changesUpTo(head)
  client.drop()
  return changes
}

for (const seed of [1, 2, 3])
  test(`a new client of a long log gets a snapshot, while others write, and shows what the log tells (seed ${seed})`, async context => {
    const core = coreHub()
    const { account, devices, write } = await longAccount(core, seed)
    const replica = await replicate(context, core, devices['reader']!.token)
    const writing = write(400)
    await replica.client.live()
    await writing
    await account.settled()
    await until(() => replica.client.state === 'live')
    const kinds = replica.kinds()
    assert.equal(kinds.slice(0, 3), ['welcome', 'resync', 'snapshot'])
    const log = await asLog(core, devices['other']!.token)
    const folded = await foldLog(log)
    const last = log.at(-1)![0]
    while ((await cursorOf(replica)) < last) await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal(await shown(replica.client), folded)
  })

/** How far a client's storage has got. */
async function cursorOf({ storage }: Replica): Promise<number> {
  const [state] = await storage.load('mirror\nstate')
  return state === undefined ? 0 : (decodeValue(state[1]) as [string, string, string, number])[3]
}

/** What a client shows that was told these changes one by one. */
async function foldLog(changes: readonly WireChange[]): Promise<unknown> {
  const [near, far] = pair()
  far.listen({ onFrame: () => undefined, onDrain: () => undefined, onClose: () => undefined })
  const client = await connect({ token: 't', dial: () => near })
  const limits = { ...LIMITS } as unknown as FrameFields<'welcome'>['limits']
  const { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs } = limits
  const welcome: Omit<Frame<'welcome'>, 'kind'> = {
    version: 1,
    account: 'a',
    device: 'none',
    epoch: 'e',
    head: changes.length,
    lastNumber: 0,
    timeMs: 0,
    limits: { maxFrameBytes, maxActionsPerPush, maxUnansweredActions, maxUpdateBytes, idleTimeoutMs }
  }
  far.send(encodeFrame('welcome', welcome))
  far.send(encodeFrame('changes', { changes: [...changes] }))
  await client.live()
  const result = await shown(client)
  await client.close()
  return result
}

test('a snapshot with files is no error, and says which files and open conflicts there are', async context => {
  const core = coreHub()
  const { account, devices } = await longAccount(core, 5)
  const by = new Origin(devices['phone']!.device, '')
  const contents = ['a', 'b'].map(letter => ({ sha256: letter.repeat(64), sizeBytes: 5 }))
  for (const { sha256, sizeBytes } of contents) await holdContent(account, by.device, sha256, sizeBytes)
  await account.perform(by, 'file.put', 'kept.epub', contents[0]!)
  await account.perform(by, 'file.put', 'gone.epub', contents[0]!)
  await account.perform(by, 'file.remove', 'gone.epub', { base: contents[0]!.sha256 })
  const conflict = String(await account.perform(by, 'file.put', 'kept.epub', contents[1]!))
  const replica = await replicate(context, core, devices['other']!.token)
  const { client } = replica
  const told: string[] = []
  client.on('error', error => told.push(error.message))
  client.on('file', path => told.push(path))
  client.on('conflict', id => told.push(id))
  await client.live()
  assert.ok(replica.kinds().includes('snapshot'))
  assert.equal(
    told.sort((left, right) => (left < right ? -1 : 1)),
    [conflict, 'gone.epub', 'kept.epub']
  )
})

test('a client below the floor gets a snapshot, keeps what it has not sent, and forgets what is gone', async context => {
  const core = coreHub()
  const { account, devices, write } = await longAccount(core, 7)
  const network = { isDown: false }
  const first = await replicate(context, core, devices['reader']!.token, undefined, end => network.isDown && end.close(1012, ''))
  await first.client.live()
  await first.client.putSetting('mine', 1)
  const notes = await first.client.annotations('b1')
  network.isDown = true
  first.cut()
  await until(() => first.client.state === 'offline')
  const later = first.client.putBook('offline', { title: 'made offline' })
  notes.put({ id: 'mine', note: 'made offline' })
  await write(LONG)
  const { floor } = await core.hub.compact(account.id)
  assert.ok(floor > LONG, `the floor is ${floor}`)
  network.isDown = false
  first.client.retry()
  await later
  await first.client.settled()
  assert.ok(first.kinds().includes('resync'))
  const fresh = await replicate(context, core, devices['other']!.token)
  await fresh.client.live()
  await until(() => fresh.client.books.has('offline') && first.client.state === 'live')
  assert.equal(await shown(first.client), await shown(fresh.client))
  assert.is(first.client.settings.get('mine'), 1)
  assert.is(notes.get('mine')?.note, 'made offline')
})

test('what was done in an old copy of the storage is asked for anew, though a snapshot came and the answers to its numbers are forgotten', async context => {
  const core = coreHub()
  const { account, devices, write } = await longAccount(core, 13)
  const { token } = devices['reader']!
  const { client, storage } = await replicate(context, core, token)
  await client.live()
  await client.close()
  const copy = new MemoryStorage()
  await copy.write(await storage.load(''))
  for (let round = 0; round < 5; round++) {
    const { client } = await replicate(context, core, token, storage)
    await client.live()
    await client.putSetting('counter', round)
    await client.close()
  }
  await write(LONG)
  await core.hub.compact(account.id)
  const offline = await connect({ token, storage: copy, dial: () => { throw new Error('no network') } }) // prettier-ignore
  void offline.putSetting('new', 1)
  const notes = await offline.annotations('b1')
  notes.put({ id: 'new', note: 'a new note' })
  await offline.close()
  const again = await replicate(context, core, token, copy)
  await again.client.live()
  await again.client.settled()
  assert.ok(again.kinds().includes('snapshot'))
  const fresh = await replicate(context, core, devices['other']!.token)
  await fresh.client.live()
  assert.equal([fresh.client.settings.get('counter'), fresh.client.settings.get('new')], [4, 1])
  assert.is((await fresh.client.annotations('b1')).get('new')?.note, 'a new note')
  assert.equal(await shown(again.client), await shown(fresh.client))
})

test('a snapshot that is cut off anywhere is begun again, and until its end what was known stays', async context => {
  const core = coreHub()
  const { devices } = await longAccount(core, 11)
  const whole = await replicate(context, core, devices['other']!.token)
  await whole.client.live()
  const expected = await shown(whole.client)
  const frames = whole.kinds().filter(kind => kind === 'snapshot').length
  assert.ok(frames >= 1)
  let allowed = 2
  const storage = new MemoryStorage()
  const replica = await replicate(context, core, devices['reader']!.token, storage, end => {
    const send = end.send.bind(end)
    let left = allowed++
    end.send = bytes => {
      if (left-- > 0) send(bytes)
      else end.close(1012, '')
    }
  })
  replica.client.on('state', state => state === 'offline' && setImmediate(() => replica.client.retry()))
  while (replica.client.state !== 'live') {
    assert.is(replica.client.books.size, 0)
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.equal(await shown(replica.client), expected)
})

test('a document longer than a frame comes in parts, and whole', async context => {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'reader')
  const phone = await replicate(context, core, devices['phone']!.token)
  await phone.client.live()
  const notes = await phone.client.annotations('b0')
  for (let index = 0; index < 40; index++) notes.put({ id: `n${index}`, note: `${index} `.repeat(20_000), quote: 'q' })
  await phone.client.settled()
  const writer = core.connect()
  await writer.hello(devices['phone']!.token, { client: 'writer' })
  await churn(writer, new Random(5), 1, LONG)
  await core.hub.compact(account.id)
  const reader = await replicate(context, core, devices['reader']!.token)
  await reader.client.live()
  const copy = await reader.client.annotations('b0')
  assert.is(copy.list().filter(({ id }) => id.startsWith('n')).length, 40)
  assert.equal(await shown(reader.client), await shown(phone.client))
})

test('after a restore of a backup a client gives the hub back the annotations that only it still has', async context => {
  const before = coreHub()
  const { devices } = await before.account('phone', 'reader')
  const phone = await replicate(context, before, devices['phone']!.token)
  const reader = await replicate(context, before, devices['reader']!.token)
  await Promise.all([phone.client.live(), reader.client.live()])
  const [mine, theirs] = [await phone.client.annotations('b0'), await reader.client.annotations('b0')]
  mine.put({ id: 'kept', note: 'in the backup' })
  await phone.client.settled()
  const after = coreHub({ store: await copyWithEpoch(before) })
  mine.put({ id: 'kept', note: 'in the backup, and more' })
  mine.put({ id: 'lost', note: 'after the backup' })
  await phone.client.settled()
  await until(() => theirs.get('lost')?.note === 'after the backup')
  await phone.client.close()
  await reader.client.close()
  const restored = await replicate(context, after, devices['reader']!.token, reader.storage)
  await restored.client.live()
  const fresh = await replicate(context, after, devices['phone']!.token)
  const seen = await fresh.client.annotations('b0')
  await until(() => seen.get('lost')?.note === 'after the backup')
  assert.is(seen.get('kept')?.note, 'in the backup, and more')
  assert.equal(await restored.storage.load('lost\n'), [])
})

/** Once it is slow, tells late what there is to give back to a hub: what is set aside is asked for before. */
class LateStorage extends MemoryStorage {
  isSlow = false
  release!: () => void
  readonly #released = new Promise<void>(resolve => (this.release = resolve))
  #asked = 0

  override async load(prefix: string): Promise<[string, Uint8Array][]> {
    if (this.isSlow && prefix === 'lost\n' && ++this.#asked === 2) await this.#released
    return super.load(prefix)
  }
}

test('edits that were not sent before a restore, and build on what the backup lacks, are taken all the same', async context => {
  const before = coreHub()
  const { devices } = await before.account('phone')
  const storage = new LateStorage()
  const network = { isDown: false }
  const phone = await replicate(context, before, devices['phone']!.token, storage, end => network.isDown && end.close(1012, ''))
  await phone.client.live()
  const notes = await phone.client.annotations('b0')
  const id = notes.put({ note: 'in the backup' })
  await phone.client.settled()
  const after = coreHub({ store: await copyWithEpoch(before) })
  notes.note(id).insert(13, ', after it')
  await phone.client.settled()
  network.isDown = true
  phone.cut()
  await until(() => phone.client.state === 'offline')
  notes.note(id).insert(23, ', not sent')
  notes.put({ id: 'later', note: 'not sent' })
  await phone.client.close()
  storage.isSlow = true
  const restored = await replicate(context, after, devices['phone']!.token, storage)
  const refused: string[] = []
  restored.client.on('refused', (_, error) => refused.push(error.message))
  await restored.client.live()
  await restored.client.settled()
  storage.release()
  const fresh = await replicate(context, after, devices['phone']!.token)
  await fresh.client.live()
  const seen = await fresh.client.annotations('b0')
  await until(() => seen.get('later') !== undefined)
  assert.is(seen.get(id)?.note, 'in the backup, after it, not sent')
  assert.equal(refused, [])
})

test('whoever comes first after a restore gives back what others wrote, and those go on where they were: nothing comes twice', async context => {
  const before = coreHub()
  const { devices } = await before.account('phone', 'laptop')
  const network = { isDown: false }
  const connect = (core: CoreHub, name: string, storage?: ClientStorage): Promise<Replica> =>
    replicate(context, core, devices[name]!.token, storage, end => network.isDown && end.close(1012, ''))
  const [phone, laptop] = [await connect(before, 'phone'), await connect(before, 'laptop')]
  await Promise.all([phone.client.live(), laptop.client.live()])
  const [mine, theirs] = [await phone.client.annotations('b0'), await laptop.client.annotations('b0')]
  mine.put({ id: 'a', note: 'one' })
  await until(() => theirs.get('a') !== undefined)
  const after = coreHub({ store: await copyWithEpoch(before) })
  mine.note('a').insert(3, ' two')
  await until(() => theirs.get('a')?.note === 'one two')
  theirs.note('a').insert(7, ' three')
  await until(() => mine.get('a')?.note === 'one two three')
  network.isDown = true
  for (const each of [phone, laptop]) {
    each.cut()
    await until(() => each.client.state === 'offline')
  }
  mine.note('a').insert(13, ' four')
  theirs.note('a').insert(0, 'zero ')
  await Promise.all([phone.client.close(), laptop.client.close()])
  network.isDown = false
  for (const [name, { storage }] of [
    ['laptop', laptop],
    ['phone', phone]
  ] as const) {
    // prettier-ignore
    const { client } = await connect(after, name, storage)
    client.on('refused', (_, error) => assert.unreachable(error.message))
    await client.live()
    await until(() => client.unanswered === 0)
    await client.settled()
  }
  const fresh = await connect(after, 'phone')
  const seen = await fresh.client.annotations('b0')
  await until(() => seen.get('a')?.note === 'zero one two three four')
})

/** The account's store under another epoch, as a restore leaves it. */
async function copyWithEpoch({ store, hub }: CoreHub): Promise<CoreHub['store']> {
  const account = (await hub.account('account1'))!
  account.storeRecords()
  await account.settled()
  const copy = new MemoryStore()
  const runs = await store.read('account1', 0, Infinity)
  const writes = store.range([], undefined, 10_000).map(([key, value]) => ({ key, value }))
  await copy.commit({
    appends: [{ account: 'account1', epoch: newRestoredEpoch(randomBytes, Date.now()), after: 0, runs }],
    writes
  })
  return copy
}

test.run()
