import { collectDefaultMetrics, Counter, Gauge, Registry, type Histogram } from 'prom-client'
import type { Logger } from '../core/ports.ts'
import type { Tally } from '../core/tally.ts'
import { FLUSH_BOUNDS_MS, type FlushTimes } from '../storage/flushes.ts'
import type { RequestCount } from './requests.ts'

/** Where the numbers are read, with each scrape. */
export interface MetricsSources {
  /** Live connections, by carrier. */
  readonly connections: () => Readonly<Record<string, number>>
  readonly behindCount: () => number
  readonly tally: Tally
  readonly requests: Iterable<RequestCount>
  readonly refusedSignIns: () => number
  readonly isReadOnly: () => boolean
  readonly store: () => { readonly storeBytes: number; readonly usedBytes: number; readonly flushes: FlushTimes }
  readonly freeBytes: () => Promise<number>
  /** May look at each file. */
  readonly files: () => Promise<{ readonly files: number; readonly fileBytes: number }>
}

type Labelled = readonly [labels: Record<string, string>, value: number]

const FILES_KEPT_MS = 300_000

/** Everything that is told of a hub, none of it of one account: nobody's name, address or token is in it. */
export function createRegistry(sources: MetricsSources, logger: Logger): Registry {
  const registry = new Registry()
  /** Each is registered below, and in none that a whole process shares. */
  const registers: Registry[] = []
  collectDefaultMetrics({ register: registry })

  const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
    const metric = new Gauge({
      name,
      help,
      registers,
      async collect() {
        try {
          this.set(await read())
        } catch (error) {
          // The others are told all the same: a disk that fails is when they are wanted.
          logger.warn({ err: error, metric: name }, 'a metric could not be read')
          this.remove()
        }
      }
    })
    registry.registerMetric(metric)
  }
  /** What has been counted elsewhere since the process began. */
  const total = (name: string, help: string, labelNames: string[], read: () => Iterable<Labelled>): void => {
    const metric = new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset()
        for (const [labels, value] of read()) this.inc(labels, value)
      }
    })
    registry.registerMetric(metric)
  }

  const connections = new Gauge({
    name: 'lectern_connections',
    help: 'Live connections, by carrier.',
    labelNames: ['carrier'],
    registers,
    collect() {
      for (const [carrier, count] of Object.entries(sources.connections())) this.set({ carrier }, count)
    }
  })
  registry.registerMetric(connections)
  gauge('lectern_sessions_behind', 'Live sessions that are still catching up with their log.', sources.behindCount)
  const { tally } = sources
  total('lectern_actions_accepted_total', 'Actions that took effect.', [], () => [[{}, tally.accepted]])
  total('lectern_actions_refused_total', 'Actions that were refused, by error code.', ['code'], () =>
    Array.from(tally.refused, ([code, count]) => [{ code }, count])
  )
  total('lectern_sign_ins_refused_total', 'Wrong names, passwords and codes.', [], () => [[{}, sources.refusedSignIns()]])
  total('lectern_http_requests_total', 'Requests that ended, by route and status.', ['route', 'status'], () =>
    Array.from(sources.requests, ({ route, status, count }) => [{ route, status }, count])
  )
  registry.registerMetric(flushHistogram(() => sources.store().flushes))
  gauge('lectern_read_only', '1 while the disk is too full to take changes.', () => Number(sources.isReadOnly()))
  gauge('lectern_store_bytes', "The store's file.", () => sources.store().storeBytes)
  gauge('lectern_store_used_bytes', 'Of the store, what is in use.', () => sources.store().usedBytes)
  const files = keptFor(FILES_KEPT_MS, sources.files)
  gauge('lectern_files', 'File contents that are kept.', async () => (await files()).files)
  gauge('lectern_file_bytes', 'What they take.', async () => (await files()).fileBytes)
  gauge('lectern_disk_free_bytes', 'Room on the disk of the data folder.', sources.freeBytes)
  return registry
}

/** How long commits took to flush: a histogram that was counted elsewhere, of which the library has no kind of its own. */
function flushHistogram(read: () => FlushTimes): Histogram {
  const name = 'lectern_flush_duration_seconds'
  const described = { name, help: 'How long commits took to reach the disk.', type: 'histogram', aggregator: 'sum' }
  const get = async (): Promise<unknown> => {
    const { count, sumMs, countsByBound } = read()
    let below = 0
    const buckets = FLUSH_BOUNDS_MS.map((boundMs, index) => ({
      metricName: `${name}_bucket`,
      labels: { le: boundMs / 1_000 },
      value: (below += countsByBound[index]!)
    }))
    const values = [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { le: '+Inf' }, value: count },
      { metricName: `${name}_sum`, value: sumMs / 1_000 },
      { metricName: `${name}_count`, value: count }
    ]
    return { ...described, values }
  }
  return { ...described, get } as unknown as Histogram
}

/** The same answer for so long; of those who ask at once, one asks. A failure is not kept. */
function keptFor<T>(keptMs: number, ask: () => Promise<T>): () => Promise<T> {
  let askedMs = -Infinity
  let answer: Promise<T> | undefined
  return () => {
    const nowMs = performance.now()
    if (answer === undefined || nowMs - askedMs > keptMs) {
      askedMs = nowMs
      answer = ask()
      answer.catch(() => (answer = undefined))
    }
    return answer
  }
}
