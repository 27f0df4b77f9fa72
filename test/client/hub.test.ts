import * as assert from 'uvu/assert'
import { connect, type Client } from '../../client/index.ts'
import type { ClientStorage } from '../../client/storage.ts'
import type { HubError, ViewName } from '../../protocol/index.ts'
import { coreHub, type CoreHub } from '../util/core-hub.ts'
import { pair, type PairEnd } from '../util/pair.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { until } from '../util/until.ts'

const test = suite('client with the real core')

interface Reader {
  readonly client: Client
  /** Loses the connection. */
  cut(): void
}

async function read(context: TestContext, core: CoreHub, token: string, storage?: ClientStorage): Promise<Reader> {
  let end: PairEnd | undefined
  const dial = (): PairEnd => {
    const [near, far] = pair()
    core.hub.accept(far)
    end = far
    return near
  }
  const client = await connect({ token, dial, ...(storage && { storage }) })
  context.defer(() => client.close())
  return { client, cut: () => end?.close(1012, '') }
}

/** As a client without Yjs would. */
const submitPlain = (client: Client, kind: string, book: string, body: object): Promise<unknown> =>
  (client.submit as (kind: string, key: string, body: object) => Promise<unknown>).call(client, kind, book, body)

test('two devices converge, live and after both were offline', async context => {
  const core = coreHub()
  const { devices } = await core.account('phone', 'laptop')
  const phone = await read(context, core, devices['phone']!.token)
  const laptop = await read(context, core, devices['laptop']!.token)
  await Promise.all([phone.client.live(), laptop.client.live()])
  const [left, right] = [await phone.client.annotations('b1'), await laptop.client.annotations('b1')]
  const id = left.put({ kind: 'note', note: 'one two' })
  await phone.client.putBook('b1', { title: 'Emma' })
  await phone.client.setPosition('b1', { progression: 0.5 })
  await until(() => right.get(id)?.note === 'one two' && laptop.client.positions('b1').newest?.progression === 0.5)
  phone.cut()
  laptop.cut()
  await until(() => phone.client.state === 'offline' && laptop.client.state === 'offline')
  left.put({ id, note: 'zero one two' })
  right.put({ id, note: 'one two three' })
  void laptop.client.putBook('b1', { tags: ['read'] })
  phone.client.retry()
  laptop.client.retry()
  await Promise.all([phone.client.settled(), laptop.client.settled()])
  await until(() => left.get(id)?.note === 'zero one two three' && right.get(id)?.note === 'zero one two three')
  await until(() => phone.client.books.get('b1')?.tags?.[0] === 'read')
  assert.equal(left.list(), right.list())
  assert.equal(
    phone.client.devices
      .values()
      .map(({ name }) => name)
      .sort(),
    ['laptop', 'phone']
  )
})

test('a plain client and a Yjs client see the same annotations', async context => {
  const core = coreHub()
  const { devices } = await core.account('phone', 'reader')
  const phone = await read(context, core, devices['phone']!.token)
  const reader = await read(context, core, devices['reader']!.token)
  const notes = await phone.client.annotations('b1')
  await submitPlain(reader.client, 'annotation.put', 'b1', { id: 'a', quote: 'q', note: 'plain' })
  await until(() => notes.get('a')?.note === 'plain')
  notes.put({ id: 'a', note: 'plain and more', color: 'red' })
  notes.put({ id: 'b', quote: 'yjs' })
  await phone.client.settled()
  await submitPlain(reader.client, 'annotation.remove', 'b1', { id: 'b' })
  await until(() => notes.get('b')?.removedAtMs !== undefined)
  const view = (await reader.client.read('annotations', 'b1')) as [string, Record<string, unknown>][]
  assert.equal(
    view.map(([key, fields]) => ({ id: key, ...fields })),
    notes.list({ removed: true }).map(annotation => ({ ...annotation }))
  )
})

test('an earlier version of an annotation comes back, and an earlier place, each by one action', async context => {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'laptop')
  const phone = await read(context, core, devices['phone']!.token)
  const laptop = await read(context, core, devices['laptop']!.token)
  await Promise.all([phone.client.live(), laptop.client.live()])
  const [ours, theirs] = [await phone.client.annotations('b1'), await laptop.client.annotations('b1')]
  const id = ours.put({ kind: 'note', note: 'the good one', color: 'red' })
  await until(() => theirs.get(id)?.note === 'the good one')
  theirs.put({ id, note: 'the bad one', color: null })
  await laptop.client.settled()
  const [version, ...others] = await ours.versions(id)
  assert.equal([version?.id, version?.note, version?.color, version?.device], [id, 'the good one', 'red', laptop.client.device])
  assert.equal(others, [])
  const { head } = account
  const { cursor } = await ours.restore(id, version!.cursor)
  assert.is(cursor, head + 1)
  await until(() => theirs.get(id)?.note === 'the good one' && theirs.get(id)?.color === 'red')
  const refused = await ours.restore(id, 1).catch((error: unknown) => error)
  assert.is((refused as { code: string }).code, 'not-found')
  await phone.client.setPosition('b1', { progression: 0.5 })
  await phone.client.setPosition('b1', { progression: 0.1 })
  const [place, left] = await laptop.client.positionVersions('b1')
  assert.equal([place?.progression, left?.progression, place?.device], [0.5, 0.1, phone.client.device])
  assert.ok(place!.changedAtMs < left!.changedAtMs && left!.changedAtMs <= Date.now() + 1_000)
  await phone.client.restorePosition('b1', place!.cursor)
  await until(() => phone.client.positions('b1').newest?.progression === 0.5)
  await phone.client.settled()
  assert.is(account.head, head + 4)
})

test('reading with a key that can be none is refused alone, and ends no connection', async context => {
  const core = coreHub()
  const { devices } = await core.account('phone')
  const { client } = await read(context, core, devices['phone']!.token)
  await client.live()
  const fieldOf = (reading: Promise<unknown>): Promise<string> => reading.then(() => 'none', ({ field }: HubError) => field) // prettier-ignore
  for (const key of ['a\tb', 'x'.repeat(2_000), 'a\ud800']) assert.is(await fieldOf(client.read('book', key)), 'key')
  const notes = await client.annotations('b1')
  assert.is(await fieldOf(notes.versions('x'.repeat(200))), 'item')
  assert.is(await fieldOf(client.read('none' as ViewName)), 'view')
  await client.read('books')
  assert.is(client.state, 'live')
})

test('a revoked device is closed with the reason', async context => {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'laptop')
  const { client } = await read(context, core, devices['phone']!.token)
  await client.live()
  await account.write('device.revoke', devices['phone']!.device, {})
  await until(() => client.state === 'closed')
  assert.is(client.reason?.code, 'device-revoked')
})

test('a token that is none closes the client with the reason', async context => {
  const core = coreHub()
  await core.account('phone')
  const { client } = await read(context, core, 'no such token')
  await until(() => client.state === 'closed')
  assert.is(client.reason?.code, 'unauthenticated')
})

test('two devices that came to use one Yjs client id lose nothing', async context => {
  const core = coreHub()
  const { devices } = await core.account('phone', 'laptop')
  const phone = await read(context, core, devices['phone']!.token)
  const laptop = await read(context, core, devices['laptop']!.token)
  const [left, right] = [await phone.client.annotations('b1'), await laptop.client.annotations('b1')]
  right.doc.clientID = left.doc.clientID
  left.put({ id: 'left', note: 'of the phone' })
  right.put({ id: 'right', note: 'of the laptop' })
  await Promise.all([phone.client.settled(), laptop.client.settled()])
  right.put({ id: 'right', note: 'of the laptop, too' })
  await laptop.client.settled()
  await until(() => left.get('right')?.note === 'of the laptop, too' && right.get('left')?.note === 'of the phone')
  assert.equal(left.list(), right.list())
  assert.is.not(left.doc.clientID, right.doc.clientID)
})

test('many actions that were made offline take effect once each, in order', async context => {
  const core = coreHub()
  const { devices } = await core.account('phone')
  const phone = await read(context, core, devices['phone']!.token)
  await phone.client.live()
  phone.cut()
  await until(() => phone.client.state === 'offline')
  const cursors = Promise.all(
    Array.from({ length: 6_000 }, (_, index) => phone.client.setPosition('b1', { progression: index / 6_000 }))
  )
  for (let count = 0; count < 5; count++) {
    phone.client.retry()
    await until(() => phone.client.state === 'live')
    phone.cut()
    await until(() => phone.client.state === 'offline')
  }
  phone.client.retry()
  const all = (await cursors).map(({ cursor }) => cursor)
  assert.equal(
    all,
    Array.from({ length: 6_000 }, (_, index) => all[0]! + index)
  )
})

test('a thousand annotations made in one turn all arrive', async context => {
  const core = coreHub()
  const { devices } = await core.account('phone', 'laptop')
  const phone = await read(context, core, devices['phone']!.token)
  const laptop = await read(context, core, devices['laptop']!.token)
  await Promise.all([phone.client.live(), laptop.client.live()])
  const [left, right] = [await phone.client.annotations('b1'), await laptop.client.annotations('b1')]
  for (let index = 0; index < 1_000; index++)
    left.put({ kind: 'highlight', quote: `quote ${index}`, color: 'red', note: `note ${index}` })
  await phone.client.settled()
  await until(() => right.list().length === 1_000)
  assert.equal(right.list(), left.list())
})

test('an import in one transaction arrives, whatever one update may hold', async context => {
  const core = coreHub()
  const { devices } = await core.account('phone', 'laptop')
  const phone = await read(context, core, devices['phone']!.token)
  const laptop = await read(context, core, devices['laptop']!.token)
  const [left, right] = [await phone.client.annotations('b1'), await laptop.client.annotations('b1')]
  left.doc.transact(() => {
    for (let index = 0; index < 1_500; index++) left.put({ quote: `quote ${index}`, color: 'red', note: `note ${index}` })
  })
  await phone.client.settled()
  await until(() => right.list().length === 1_500)
  assert.equal(right.list(), left.list())
})

test.run()
