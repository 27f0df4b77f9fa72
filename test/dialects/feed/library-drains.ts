import { Hono } from 'hono'
import * as assert from 'uvu/assert'
import type { Account } from '../../../server/core/account.ts'
import { Origin } from '../../../server/core/origin.ts'
import { bookUuid } from '../../../server/dialects/feed/book-ids.ts'
import { mountLibrary } from '../../../server/dialects/feed/index.ts'
import { MemoryBlobStore } from '../../../server/storage/memory-blobs.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import type { HttpApp, HttpEnv } from '../../../server/transports/http.ts'
import { coreHub, recordingLogger, type TestDevice } from '../../util/core-hub.ts'
import { ManualClock } from '../../util/manual-clock.ts'
import { Random } from '../../util/random.ts'

const STEPS = 24
const BOOKS = Array.from({ length: 7 }, (_, index) => `b${index}`)
const WRITER = new Origin('writer', '')

type Told = { readonly id: string } & Record<string, unknown>

/** One hub after the other on one store, with a clock that goes where it likes, and the feed on it. */
class World {
  readonly clock = new ManualClock()
  readonly random: Random
  account!: Account
  devices: Record<string, TestDevice> = {}
  #app!: HttpApp
  readonly #store = new MemoryStore()
  readonly #logger = recordingLogger()
  /** How often the hub was started again. */
  starts = 0

  constructor(random: Random) {
    this.random = random
  }

  async start(clients: readonly string[]): Promise<void> {
    const core = coreHub({ store: this.#store, clock: this.clock })
    if (this.starts === 0) {
      const made = await core.account(...clients)
      this.account = made.account
      this.devices = made.devices
    } else this.account = (await core.hub.account('account1'))!
    this.starts += 1
    this.#app = new Hono<HttpEnv>()
    const { clock } = this
    mountLibrary(this.#app, { hub: core.hub, clock, logger: this.#logger, blobs: new MemoryBlobStore(), publicUrl: 'http://hub' })
  }

  async ask(client: string, path: string): Promise<any> {
    const incoming = { headers: { 'x-api-key': this.devices[client]!.token } }
    const answer = await this.#app.request(`http://hub/api/library${path}`, {}, { incoming })
    assert.is(answer.status, 200, this.#logger.lines.map(({ fields }) => String((fields as { err?: unknown }).err)).join('\n'))
    return answer.json()
  }

  /** Some device of the account changes something. */
  async write(): Promise<void> {
    const { random, account } = this
    const book = BOOKS[random.below(BOOKS.length)]!
    const isThere = account.views.get('books', book) !== undefined
    const choice = random.below(8)
    if (choice === 0 && isThere) return void (await account.perform(WRITER, 'book.remove', book, {}))
    if (choice === 1 && isThere) return void (await account.perform(WRITER, 'book.restore', book, {}))
    if (choice === 2) return void (await account.perform(WRITER, 'book.put', book, { status: { state: 'paused' } }))
    if (choice === 3) return void (await account.perform(WRITER, 'book.put', book, { status: null }))
    if (choice === 4) return void (await account.perform(WRITER, 'book.put', book, { title: String(random.below(1_000)) }))
    if (choice === 5) return void (await account.perform(WRITER, 'setting.put', 's', { value: random.below(1_000) }))
    await account.perform(new Origin(`d${random.below(2)}`, ''), 'position.set', book, { progression: random.below(100) / 100 })
  }
}

/** A client that mirrors the library as the API's page tells it to: by pages, and then by what changed since the time of its last answer. */
class Mirror {
  readonly books = new Map<string, Told>()
  readonly #world: World
  readonly #name: string
  readonly #limit: number
  /** It keeps the time of a drain's first page, and not of its last. */
  readonly #keepsFirst: boolean
  #since: string | undefined
  #drain: { page: number; readonly told: Set<string>; readonly starts: number; time: string | undefined } | undefined

  constructor(world: World, name: string, limit: number, keepsFirst: boolean) {
    this.#world = world
    this.#name = name
    this.#limit = limit
    this.#keepsFirst = keepsFirst
  }

  get isDraining(): boolean {
    return this.#drain !== undefined
  }

  async page(): Promise<void> {
    const drain = (this.#drain ??= { page: 1, told: new Set(), starts: this.#world.starts, time: undefined })
    const since = this.#since === undefined ? '' : `&since=${this.#since}`
    const { data, pagination, serverTime } = await this.#world.ask(
      this.#name,
      `/sync?page=${drain.page}&limit=${this.#limit}${since}`
    )
    const isOne = drain.starts === this.#world.starts
    if (isOne && drain.time !== undefined) assert.is(serverTime, drain.time, 'a drain has one time')
    for (const book of data as Told[]) {
      if (isOne) assert.not(drain.told.has(book.id), `${book.id} is told twice in one drain`)
      drain.told.add(book.id)
      this.books.set(book.id, book)
    }
    drain.time = this.#keepsFirst ? (drain.time ?? serverTime) : serverTime
    drain.page += 1
    if (drain.page <= pagination.totalPages) return
    this.#since = drain.time
    this.#drain = undefined
  }

  async finish(): Promise<void> {
    do await this.page()
    while (this.isDraining)
  }

  /** What the next drain tells has changed since the last one. */
  async tellsOnlyNews(): Promise<void> {
    const sinceUs = Date.parse(this.#since!) * 1_000
    const { data } = await this.#world.ask(this.#name, `/sync?limit=100&since=${this.#since}`)
    const { views } = this.#world.account
    views.noteActivity()
    const news = BOOKS.filter(book => (views.get('touched', book)?.timeUs ?? 0) > sinceUs).map(bookUuid)
    for (const { id } of data as Told[]) assert.ok(news.includes(id), `${id} has not changed since ${this.#since}`)
  }
}

/** One library that is drained while other devices write, the clock steps back, and, of some seeds, the hub is started again: each mirror is the library. */
export async function drainLibrary(seed: number): Promise<void> {
  const random = new Random(seed)
  const world = new World(random)
  const restarts = seed % 3 === 0
  const names = ['c0', 'c1']
  await world.start(names)
  const mirrors = names.map((name, index) => new Mirror(world, name, 1 + random.below(3), !restarts && index === 0))
  for (let step = 0; step < STEPS; step++) {
    const choice = random.below(10)
    if (choice < 3) await world.write()
    else if (choice < 4) world.clock.step([0.25, 1, 50, -1, -5_000, -3_600_000][random.below(6)]!)
    else if (choice < 5 && restarts) {
      await world.account.settled()
      await world.start(names)
    } else {
      // Others write while the page is made.
      const page = mirrors[random.below(mirrors.length)]!.page()
      const writes = Array.from({ length: random.below(3) }, () => world.write())
      await Promise.all([page, ...writes])
    }
  }
  for (const mirror of mirrors) {
    if (mirror.isDraining) await mirror.finish()
    await mirror.finish()
    if (world.starts === 1) await mirror.tellsOnlyNews()
  }
  // A book that was removed is told by nothing, and stays in a mirror.
  const { data } = await world.ask('c0', '/sync?limit=100')
  for (const mirror of mirrors) for (const told of data as Told[]) assert.equal(mirror.books.get(told.id), told)
}

/** @param count how many libraries, unless the environment says */
export async function drainLibraries(count: number): Promise<void> {
  const { LECTERN_SEED: first = 1, LECTERN_SEEDS: seeds = count } = process.env
  for (let seed = Number(first); seed < Number(first) + Number(seeds); seed++)
    try {
      await drainLibrary(seed)
    } catch (error) {
      throw new Error(`LECTERN_SEED=${seed} LECTERN_SEEDS=1: ${(error as Error).message}`, { cause: error })
    }
}
