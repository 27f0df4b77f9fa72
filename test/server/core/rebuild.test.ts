import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Plain } from '../../../protocol/index.ts'
import { registerDevice } from '../../../server/auth/devices.ts'
import { bookBy } from '../../../server/core/identifiers.ts'
import { AccountModel } from '../../util/account-model.ts'
import { coreHub, type CoreHub, type TestAction, type TestClient, type TestDevice } from '../../util/core-hub.ts'
import { ManualClock } from '../../util/manual-clock.ts'
import { HeldStore, logsOf, storeAfter } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core: rebuilt from the log')

const TABS = ['tab1', 'tab2']
const BOOKS = ['b1', 'b2', 'b3']
const IDENTIFIERS = ['i:1', 'i:2', 'i:3']

const book = fc.constantFrom(...BOOKS)
const id = fc.constantFrom('a1', 'a2')
const atMs = fc.integer({ min: 0, max: 2_000_000_000_000 })
const value = fc.oneof(fc.integer(), fc.constant(null), fc.string({ maxLength: 5 }), fc.constant({ deep: [1, { x: null }] }))
const bookBody = fc.record(
  {
    title: fc.option(fc.string({ maxLength: 6 })),
    tags: fc.option(fc.array(fc.string({ maxLength: 3 }), { maxLength: 2 })),
    rating: fc.option(fc.integer({ min: 0, max: 5 })),
    identifiers: fc.dictionary(fc.constantFrom(...IDENTIFIERS), fc.option(fc.constantFrom('x', 'y')))
  },
  { requiredKeys: [] }
)
const annotationBody = fc.record(
  {
    id,
    note: fc.option(fc.constantFrom('', 'nice 👍', 'nice 👎', 'abc', 'xbc')),
    color: fc.option(fc.constantFrom('red', 'blue'))
  },
  { requiredKeys: ['id'] }
)

/** Kind, key, body and the client's clock. */
type Content = [kind: string, key: string, body: unknown, atMs: number]
const content: fc.Arbitrary<Content> = fc.oneof<fc.Arbitrary<Content>[]>(
  fc.tuple(fc.constant('setting.put'), fc.constantFrom('s1', 's2'), fc.record({ value }), atMs),
  fc.tuple(fc.constant('book.put'), book, bookBody, atMs),
  fc.tuple(fc.constantFrom('book.remove', 'book.restore'), book, fc.constant({}), atMs),
  fc.tuple(fc.constant('position.set'), book, fc.record({ progression: fc.constantFrom(0, 0.25, 0.5) }), atMs),
  fc.tuple(fc.constant('annotation.put'), book, annotationBody, atMs),
  fc.tuple(fc.constantFrom('annotation.remove', 'annotation.restore'), book, fc.record({ id }), atMs),
  fc.tuple(fc.constant('nonsense'), book, fc.constant({}), atMs)
)

const who = fc.record({ device: fc.nat(1), tab: fc.nat(1) })
type Who = { device: number; tab: number }
type Step =
  | { do: 'push'; who: Who; contents: Content[]; gap: number }
  | { do: 'repeat'; who: Who; which: number; other: Content | null }
  | { do: 'confirm'; who: Who; share: number }
  | { do: 'crash' }
  | { do: 'close' }
  | { do: 'store' }
  | { do: 'age' }
  | { do: 'clock'; byMs: number }

const steps = <T extends Step>(weight: number, does: T['do'], rest: { [K in keyof Omit<T, 'do'>]: fc.Arbitrary<T[K]> }) => ({
  weight,
  arbitrary: fc.record({ do: fc.constant(does), ...rest }) as unknown as fc.Arbitrary<Step>
})
const contents = fc.array(content, { minLength: 1, maxLength: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  steps<Step & { do: 'push' }>(8, 'push', { who, contents, gap: fc.nat(2) }),
  steps<Step & { do: 'repeat' }>(3, 'repeat', { who, which: fc.nat(), other: fc.option(content, { freq: 3 }) }),
  steps<Step & { do: 'confirm' }>(1, 'confirm', { who, share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'close' as const, 'store' as const, 'age' as const) })
  },
  steps<Step & { do: 'clock' }>(1, 'clock', { byMs: fc.integer({ min: -100_000, max: 100_000 }) })
)

/** An entry of a view without the hub's clock, which the model has not. */
const timeless = ([id, fields]: [string, { [field: string]: Plain }]): [string, { [field: string]: Plain }] => [
  id,
  Object.fromEntries(Object.entries(fields).filter(([name]) => name !== 'changedAtUs'))
]

const fresh = ({ contents, gap }: Step & { do: 'push' }, last: number): TestAction[] =>
  contents.map(([kind, key, body, atMs], index) => [last + (index + 1) * (1 + gap), kind, key, body, atMs])

/** Some of the last actions once more, the first of them perhaps with other content. */
const again = ({ which, other }: Step & { do: 'repeat' }, asked: readonly { action: TestAction }[]): TestAction[] =>
  asked.slice(-1 - (which % (asked.length + 1))).map(({ action: [number, kind, key, body] }, index) => {
    return other !== null && index === 0 ? [number, ...other] : [number, kind, key, body, 5]
  })

/** A hub that is put through the steps, beside the model that says what must come of them. */
class World {
  store = new HeldStore()
  clock = new ManualClock()
  readonly model = new AccountModel(2)
  devices: TestDevice[] = []
  #hub!: CoreHub
  #clients = new Map<string, TestClient>()

  async start(): Promise<void> {
    this.#hub = coreHub({ store: this.store, clock: this.clock })
    const account = await this.#hub.hub.ensureAccount('a')
    for (const fill of [1, 2])
      this.devices.push(await registerDevice(account, { name: `d${fill}`, app: '' }, count => new Uint8Array(count).fill(fill)))
  }

  async client(hub: CoreHub, device: number, tab: number, clients = this.#clients): Promise<TestClient> {
    const name = `${device}/${tab}`
    const known = clients.get(name)
    if (known !== undefined) return known
    const client = hub.connect()
    await client.hello(this.devices[device]!.token, { client: TABS[tab]! })
    clients.set(name, client)
    return client
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'clock') return this.clock.step(step.byMs)
    if (step.do === 'age') return this.clock.advance(90_000)
    if (step.do === 'store') return (await this.#hub.hub.account('a'))!.storeRecords()
    if (step.do === 'crash' || step.do === 'close') {
      if (step.do === 'close') await this.#hub.hub.close()
      this.store.die()
      // The last hub keeps its clock, which stands still from now on.
      this.clock = new ManualClock(this.clock.nowMs())
      this.store = new HeldStore(this.store.inner, this.store.batches)
      this.#clients = new Map()
      this.#hub = coreHub({ store: this.store, clock: this.clock })
      return
    }
    const { device, tab } = step.who
    const outbox = this.model.outbox(this.devices[device]!.device, TABS[tab]!)
    if (step.do === 'confirm') {
      outbox.confirmed = Math.max(outbox.confirmed, Math.floor(outbox.last * step.share))
      return
    }
    const actions = step.do === 'push' ? fresh(step, outbox.last) : again(step, [...outbox.asked.values()])
    if (actions.length > 0) await this.push(await this.client(this.#hub, device, tab), device, tab, actions)
  }

  /** Asks, and compares the answers with the model's. */
  async push(client: TestClient, device: number, tab: number, actions: readonly TestAction[]): Promise<void> {
    const name = this.devices[device]!.device
    const logMs = Math.floor((await this.#hub.hub.account('a'))!.timeUs / 1_000)
    // The log's time moves with each.
    if (logMs > this.clock.nowMs() && actions.length > 1) {
      for (const action of actions) await this.push(client, device, tab, [action])
      return
    }
    const expected = actions.map(action => this.model.ask(name, TABS[tab]!, action, this.clock.nowMs(), logMs))
    client.push(this.model.outbox(name, TABS[tab]!).confirmed, ...actions)
    const given = new Map<number, string | number>()
    const numbers = new Set(actions.map(([number]) => number))
    while (given.size < numbers.size) {
      const { accepted, refused } = await client.next('acked')
      for (const [number, cursor] of accepted) given.set(number, cursor)
      for (const [number, code] of refused) given.set(number, code)
    }
    for (const [index, action] of actions.entries())
      assert.ok(expected[index]!.includes(given.get(action[0])!), `${JSON.stringify(action)}: ${given.get(action[0])} and not ${expected[index]!.join(' or ')}`) // prettier-ignore
  }

  async finish(): Promise<void> {
    const live = await this.views(this.#hub)
    assert.equal(live, this.expected())
    const histories = await this.histories(this.#hub)
    const { batches } = this.store
    for (const store of [this.store.inner, await storeAfter(batches), await logsOf(batches)]) {
      const hub = coreHub({ store, clock: this.clock })
      assert.equal(await this.views(hub), live, 'after a restart')
      assert.equal(await this.histories(hub), histories, 'earlier versions, after a restart')
      const clients = new Map<string, TestClient>()
      for (const [device, { device: name }] of this.devices.entries())
        for (const tab of TABS.keys()) {
          const asked = [...this.model.outbox(name, TABS[tab]!).asked.values()]
          const isWithRefusals = store === this.store.inner
          const again = asked.filter(({ answer }) => isWithRefusals || typeof answer === 'number').map(({ action }) => action)
          if (again.length > 0) await this.push(await this.client(hub, device, tab, clients), device, tab, again)
        }
      assert.equal(await this.views(hub), live, 'after repeats')
    }
  }

  async views(hub: CoreHub): Promise<unknown> {
    const client = hub.connect()
    await client.hello(this.devices[0]!.token, { client: 'viewer' })
    const positions: Record<string, unknown> = {}
    const annotations: Record<string, unknown> = {}
    for (const book of BOOKS) {
      positions[book] = (await client.list('positions', book)).map(timeless)
      annotations[book] = await client.list('annotations', book)
    }
    const books = (await client.list('books')).map(timeless)
    const settings = (await client.list('settings')).map(timeless)
    const { views } = (await hub.hub.account('a'))!
    const named = IDENTIFIERS.map(identifier => bookBy(views, identifier))
    return { books, settings, positions, annotations, named }
  }

  /** What can be restored: how places and annotations were before. */
  async histories(hub: CoreHub): Promise<unknown> {
    const client = hub.connect()
    await client.hello(this.devices[0]!.token, { client: 'viewer' })
    const histories: unknown[] = []
    for (const book of BOOKS) {
      histories.push(await client.list('position-history', book))
      for (const id of ['a1', 'a2']) histories.push(await client.list('annotation-history', book, id))
    }
    return histories
  }

  expected(): unknown {
    const sorted = <T>(entries: Iterable<[string, T]>): [string, T][] =>
      [...entries].sort(([left], [right]) => (left < right ? -1 : 1))
    const { books, settings, positions, annotations } = this.model
    const at = (book: string): [string, unknown][] =>
      this.devices.flatMap(({ device }): [string, unknown][] => {
        const position = positions.get(`${book}/${device}`)
        return position === undefined ? [] : [[device, { ...position.fields, atMs: position.atMs, cursor: position.cursor }]]
      })
    return {
      books: sorted(books).map(([book, { fields, ...rest }]) => [book, { ...fields, ...rest }]),
      settings: sorted(settings),
      positions: Object.fromEntries(BOOKS.map(book => [book, sorted(at(book))])),
      annotations: Object.fromEntries(BOOKS.map(book => [book, sorted(annotations.get(book) ?? [])])),
      named: IDENTIFIERS.map(identifier => this.model.named.get(identifier))
    }
  }
}

test('whatever clients ask, however often the hub stores, crashes and starts, its views and answers are those of a simple model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), async steps => {
      const world = new World()
      await world.start()
      for (const step of steps) await world.take(step)
      await world.finish()
    }),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 100) }
  )
})

test.run()
