import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { bookPushes } from '../load/book-pushes.ts'
import { FeedReader } from '../load/feed-reader.ts'
import { HubDevice } from '../load/hub-device.ts'
import { median } from '../statistics.ts'
import { compared, type RoundOptions, type Sample, type Workload } from '../workload.ts'
import { startHub, stopHub } from './hub-row.ts'

const SMALL = 10_000
const LARGE = 100_000
const CHANGED = 100
const IN_FLIGHT = 100

/** A mirror reads a library by the feed, and then what changed: a large one costs as much for each book, and as much for what changed, as a small one. */
export const libraryFeedWorkload: Workload = {
  name: 'library-feed',
  text: `a library is read by pages of 100 from the library feed, then the status of ${CHANGED} books is set, and they are read with since; again and again, in a hub started on that store`,
  metrics: [
    compared('books', '/s'),
    compared('since', 'ms', 1),
    compared('server CPU', 'µs/book', 1),
    compared('first drain', 'ms')
  ],
  rows: [SMALL, LARGE].map(books => ({
    name: `lectern, a library of ${books.toLocaleString('en')} books`,
    run: (options: RoundOptions) => run(books, options)
  }))
}

/** A filled store, and a token for who reads it. */
interface Filled {
  readonly folder: string
  readonly token: string
}

async function run(books: number, options: RoundOptions): Promise<Sample> {
  const { folder, token } = await filled(books, options)
  const server = await startHub(folder, 0, 0)
  const reader = new FeedReader(server.ready.port, token)
  const [drainMs, sinceMs]: [number[], number[]] = [[], []]
  let cpuUs = 0
  const startedAtMs = performance.now()
  while (drainMs.length < 2 || performance.now() - startedAtMs < options.seconds * 1_000) {
    const cpuBefore = server.cpuUs()
    const whole = await timed(drainMs, () => reader.drain())
    cpuUs += (server.cpuUs() ?? 0) - (cpuBefore ?? 0)
    if (whole.books.length !== books) throw new Error(`${whole.books.length} of ${books} books were told`)
    for (const book of whole.books.slice(0, CHANGED)) await reader.change(book)
    const changed = await timed(sinceMs, () => reader.drain(whole.serverTime))
    if (changed.books.length !== CHANGED) throw new Error(`${changed.books.length} of ${CHANGED} changes were told`)
  }
  reader.close()
  await stopHub(server)
  return {
    books: (books * 1_000) / median(drainMs),
    since: median(sinceMs),
    'server CPU': cpuUs === 0 ? undefined : cpuUs / (drainMs.length * books),
    'first drain': drainMs[0]
  }
}

async function timed<T>(tookMs: number[], work: () => Promise<T>): Promise<T> {
  const atMs = performance.now()
  const result = await work()
  tookMs.push(performance.now() - atMs)
  return result
}

/** Filled once a run, whatever its size: what follows changes some books, and adds none. */
const filling = new Map<number, Promise<Filled>>()

function filled(books: number, { shared }: RoundOptions): Promise<Filled> {
  const known = filling.get(books) ?? fill(books, join(shared, `library-${books}`))
  filling.set(books, known)
  return known
}

async function fill(books: number, folder: string): Promise<Filled> {
  mkdirSync(folder, { recursive: true })
  const server = await startHub(folder, 1, 1)
  const { port, path, tokens } = server.ready
  const token = tokens[0]![0]!
  let done: () => void
  const all = new Promise<void>(resolve => (done = resolve))
  const writer = await HubDevice.open({ port, path, token }, bookPushes(IN_FLIGHT), (device, count) => {
    device.push(Math.min(count, books - device.pushed))
    if (device.settled === books) done()
  })
  writer.push(IN_FLIGHT)
  await all
  writer.close()
  await stopHub(server)
  return { folder, token }
}
