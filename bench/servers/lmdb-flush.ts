import { setTimeout as sleep } from 'node:timers/promises'
import { open } from 'lmdb'
import { config, ready } from './answer.ts'

/** Bare LMDB, no sockets: values are put and flushed, so many at a time, or so many a second. */
const { folder, valueBytes } = config as { folder: string; valueBytes: number }
const WARM_UP_MS = 1_000
const WARM_UP_PUTS = 20_000

// As the hub's store: a put that resolves is on the disk.
const db = open<Buffer, number>({ path: folder, encoding: 'binary', keyEncoding: 'uint32', overlappingSync: false })
const value = Buffer.alloc(valueBytes, 'lectern')
let last = 0

async function put(): Promise<void> {
  const key = ++last
  if (!(await db.put(key, value))) throw new Error('the put was refused')
}

/** Keeps `inFlight` puts under way, each awaited before the next of its kind. */
async function saturate({ inFlight, seconds }: { inFlight: number; seconds: number }): Promise<object> {
  let done = 0
  const stop = new AbortController()
  const writers = Array.from({ length: inFlight }, async () => {
    while (!stop.signal.aborted) {
      await put()
      done += 1
    }
  })
  await sleep(WARM_UP_MS)
  const [doneBefore, startedAtMs, cpuBefore] = [done, performance.now(), process.cpuUsage()]
  await sleep(seconds * 1_000)
  const puts = done - doneBefore
  const tookSeconds = (performance.now() - startedAtMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  stop.abort()
  await Promise.all(writers)
  return { puts, seconds: tookSeconds, cpuUs: user + system }
}

/** One put after each interval, and how long each took. */
async function pace({ intervalMs, seconds }: { intervalMs: number; seconds: number }): Promise<object> {
  for (let done = 0; done < WARM_UP_PUTS; done += 100) await Promise.all(Array.from({ length: 100 }, put))
  const latenciesMs: number[] = []
  const underWay = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const startedAtMs = performance.now()
    const one = put().then(() => {
      latenciesMs.push(performance.now() - startedAtMs)
      underWay.delete(one)
    })
    underWay.add(one)
  }, intervalMs)
  await sleep(seconds * 1_000)
  clearInterval(timer)
  await Promise.all(underWay)
  return { latenciesMs }
}

ready({}, { saturate, pace })
