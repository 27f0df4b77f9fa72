import * as assert from 'uvu/assert'
import { HubError, LIMITS } from '../../protocol/index.ts'
import { connectNode, type Client, type PresenceState } from '../../client/node.ts'
import { register, servingHub, type TestServingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'

const test = suite('client/presence')

const BOOK = 'moby-dick'

/** Clients of one account, live. */
async function readers(context: TestContext, hub: TestServingHub, ...names: string[]): Promise<Client[]> {
  const account = await hub.hub.ensureAccount('reader')
  return Promise.all(
    names.map(async name => {
      const client = await connectNode({ url: hub.url, token: (await register(account, name)).token })
      context.defer(() => client.close())
      await client.live()
      return client
    })
  )
}

/** Resolves once the states of those who read the book, as a client sees them, are so. */
function until(client: Client, isSo: (pages: number[]) => boolean): Promise<void> {
  return new Promise(resolve => {
    const look = (): boolean =>
      isSo([...client.presence(BOOK).values()].map(({ state }) => Number(state.page)).sort((left, right) => left - right))
    if (look()) return resolve()
    const stop = client.on('presence', () => {
      if (!look()) return
      stop()
      resolve()
    })
  })
}

/** By which ids a client knows a device. */
const idsOf = (client: Client, device: string): number[] =>
  [...client.presence(BOOK)].flatMap(([id, reader]) => (reader.device === device ? [id] : []))

const same = (wanted: number[]) => (pages: number[]) => JSON.stringify(pages) === JSON.stringify(wanted)

test('clients see where the others read, themselves included, as they come, move and leave', async context => {
  const [phone, desk] = (await readers(context, await servingHub(context), 'phone', 'desk')) as [Client, Client]
  phone.sayPresence(BOOK, { page: 1 })
  desk.sayPresence(BOOK, { page: 2 })
  await Promise.all([until(phone, same([1, 2])), until(desk, same([1, 2]))])
  const own = [...phone.presence(BOOK).values()].find(({ isSelf }) => isSelf)!
  assert.is(own.device, phone.device)
  phone.sayPresence(BOOK, { page: 3 })
  await until(desk, same([2, 3]))
  phone.sayPresence(BOOK, undefined)
  await until(desk, same([2]))
  assert.is(phone.presence(BOOK).size, 0)
})

test('after a reconnect a client says again where it reads, and hears of the others', async context => {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount('reader')
  const [phone, desk] = (await readers(context, hub, 'phone', 'desk')) as [Client, Client]
  phone.sayPresence(BOOK, { page: 1 })
  desk.sayPresence(BOOK, { page: 2 })
  await until(desk, same([1, 2]))
  const before = idsOf(desk, phone.device)
  const gone = until(phone, same([]))
  for (const follower of account.followers)
    if (follower.device === phone.device) follower.end(new HubError('slow', '', { retryAfterMs: 1 }))
  await gone
  // Whoever is back at once leaves and comes in one word: that it is another is seen by the id, which a connection has for itself.
  const isAnother = () => idsOf(desk, phone.device).every(id => !before.includes(id))
  await Promise.all([until(desk, pages => same([1, 2])(pages) && isAnother()), until(phone, same([1, 2]))])
})

test('what is too long, and one book too many, is refused before it is sent', async context => {
  const [phone] = (await readers(context, await servingHub(context), 'phone')) as [Client]
  assert.throws(() => phone.sayPresence(BOOK, { page: 'x'.repeat(LIMITS.maxPresenceLength) }), /at most/)
  for (let index = 0; index < LIMITS.maxPresenceBooks; index++) phone.sayPresence(`book ${index}`, {})
  assert.throws(() => phone.sayPresence('one more', {}), /at most/)
  assert.is(phone.state, 'live')
})

test('a name that no book can have, and a state that is no object, is refused before it is sent', async context => {
  const [phone] = (await readers(context, await servingHub(context), 'phone')) as [Client]
  for (const book of ['', 'a\nb', 'x'.repeat(129), 'a\ud800'])
    assert.throws(() => phone.sayPresence(book, {}), (error: HubError) => error.code === 'bad-request') // prettier-ignore
  assert.throws(
    () => phone.sayPresence(BOOK, [1] as unknown as PresenceState),
    (error: HubError) => error.field === 'state'
  )
  await phone.read('books')
  assert.is(phone.state, 'live')
})

test.run()
