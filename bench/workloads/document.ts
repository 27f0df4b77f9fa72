import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { silent, type Messages } from '../load/device.ts'
import { readByHocuspocus, readByHub, readByYjs } from '../load/document-reader.ts'
import { HocuspocusDevice } from '../load/hocuspocus-device.ts'
import { HubDevice, type HubAddress } from '../load/hub-device.ts'
import { longestWaitMs } from '../load/longest-wait.ts'
import { EDITS_OF, type EditKind } from '../load/document-edits.ts'
import { progressPushes } from '../load/position-pushes.ts'
import { DOCUMENT, hubUpdatePushes } from '../load/update-pushes.ts'
import { ServerProcess } from '../server-process.ts'
import { median } from '../statistics.ts'
import { compared, type RoundOptions, type Row, type Sample, type Workload } from '../workload.ts'
import { hocuspocusSkipped, startHocuspocus } from './hocuspocus-row.ts'
import { startHub, stopHub } from './hub-row.ts'

const EDITS = 10_000
const LARGE_EDITS = 100_000
const IN_FLIGHT = 100
/** What compaction keeps of a log in any case. */
const KEPT = 1_100
/** About as long as the longest compaction takes. */
const WATCHED_MS = 1_000
const WARM_MS = 500
/** Readers before those that are timed, so that V8 has optimised what it will, here and in the server: so many, or as many as come in that time for each row. */
const WARM_READS = 4_000
const WARM_READS_MS = 12_000
/** Of them the first are timed by themselves. */
const EARLY_READS = 100
/** Between two readers, so that the servers are done with the one that left. */
const REST_MS = 1

/** A server that holds the document, and how a device that has nothing reads it. */
interface Source {
  readonly server: Pick<ServerProcess<unknown>, 'cpuUs'>
  readonly read: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** A row of which each reader's turn is followed by one of each other row. */
interface SourceRow extends Pick<Row, 'name' | 'skipped'> {
  readonly open: (options: RoundOptions) => Promise<Source>
}

/** A device that has nothing takes in a document of many edits. */
export const documentWorkload = (kind: EditKind): Workload => ({
  name: kind === 'note' ? 'document-10k' : `${kind}-10k`,
  text: `a new device takes in ${kind === 'note' ? `a note of ${EDITS} edits` : `${EDITS} highlights`}, each an update of its own; again and again, from one server after the other, the hub started on the store that it was written to; timed once they are warm`,
  metrics: [
    compared('documents', '/s'),
    compared('applied', 'ms', 1),
    compared('first hundred', 'ms', 1),
    compared('first', 'ms', 1),
    compared('server CPU', 'µs/document')
  ],
  rows: byTurns([
    { name: 'Yjs server, merged, from memory', open: () => openControl(kind) },
    { name: 'hocuspocus, from memory', skipped: hocuspocusSkipped, open: options => openHocuspocus(options, kind) },
    { name: 'lectern', open: options => openHub(options, kind, false) },
    { name: 'lectern, y-websocket', open: options => openHub(options, kind, true) }
  ])
})

/** The log of a document is compacted while nobody does anything else: how long is somebody else kept waiting? */
export const compactionWorkload: Workload = {
  name: 'compaction',
  text: `the log of a note that was typed key by key is compacted, in a hub that has compacted another one; in a turn of its event loop it serves nobody else. Meanwhile somebody asks for /healthz, again and again`,
  metrics: [compared('longest turn', 'ms', 1), compared('longest wait', 'ms', 1), compared('took', 'ms')],
  rows: [
    { name: 'nothing is compacted', run: options => runCompaction(options, 0) },
    { name: `lectern, ${EDITS} edits`, run: options => runCompaction(options, EDITS) },
    { name: `lectern, ${LARGE_EDITS} edits`, run: options => runCompaction(options, LARGE_EDITS) }
  ]
}

async function openControl(kind: EditKind): Promise<Source> {
  const server = await ServerProcess.start('yjs.ts', { kind, edits: EDITS })
  const clock = clockAfter(kind)
  return { server, read: () => readByYjs(server.ready.port, '/', clock), stop: () => server.stop() }
}

/** Reads from memory: Hocuspocus keeps a document there for as long as somebody has it open, and its writer does. */
async function openHocuspocus({ folder }: RoundOptions, kind: EditKind): Promise<Source> {
  const server = await startHocuspocus(folder)
  const { port } = server.ready
  let done = (): void => {}
  const settled = new Promise<void>(resolve => (done = resolve))
  const writer = await HocuspocusDevice.open(port, DOCUMENT, EDITS_OF[kind](EDITS), [], (device, answered) => {
    device.push(Math.min(answered, EDITS - device.pushed))
    if (device.settled === EDITS) done()
  })
  writer.push(IN_FLIGHT)
  await settled
  const clock = clockAfter(kind)
  const stop = async (): Promise<void> => {
    writer.close()
    await server.stop()
  }
  return { server, read: () => readByHocuspocus(port, DOCUMENT, clock), stop }
}

/** A store has one hub, so that each row has a store of its own. */
async function openHub({ shared }: RoundOptions, kind: EditKind, isYjs: boolean): Promise<Source> {
  const folder = join(shared, isYjs ? `${kind}-yjs` : kind)
  const { token } = await filled(folder, kind)
  const server = await startHub(folder, 0, 0)
  const { port, path } = server.ready
  const clock = clockAfter(kind)
  return {
    server,
    read: () =>
      isYjs ? readByYjs(port, `/yjs/book/${DOCUMENT}?token=${token}`, clock) : readByHub({ port, path, token }, clock),
    stop: () => stopHub(server)
  }
}

async function runCompaction({ folder }: RoundOptions, edits: number): Promise<Sample> {
  await fill(folder, 'note', [EDITS, edits], KEPT)
  const server = await startHub(folder, 0, 0)
  type Watched = { longestTurnMs: number; tookMs: number; floor: number }
  const { port } = server.ready
  // So that the first answers are not what is measured.
  await longestWaitMs(port, setTimeout(WARM_MS))
  if (edits > 0) await server.ask({ ask: 'compact', index: 0 })
  const watched = server.ask<Watched>(edits === 0 ? { ask: 'watch', ms: WATCHED_MS } : { ask: 'compact', index: 1 })
  const waitMs = await longestWaitMs(port, watched)
  const { longestTurnMs, tookMs, floor } = await watched
  if (edits > 0 && floor < edits / 2) throw new Error(`the log was compacted up to ${floor} only`)
  await stopHub(server)
  return { 'longest turn': longestTurnMs, 'longest wait': waitMs, took: tookMs }
}

/** A machine that slows down or speeds up does so for all rows alike: the first one runs for all of them. */
function byTurns(rows: readonly SourceRow[]): Row[] {
  const running = rows.filter(({ skipped }) => skipped === undefined)
  let samples: readonly Sample[] = []
  return rows.map(row => ({
    name: row.name,
    skipped: row.skipped,
    async run(options) {
      if (row === running[0]) samples = await measure(running, options)
      return samples[running.indexOf(row)]!
    }
  }))
}

/** First until the servers are warm, then until the time is over, at least three of each. */
async function measure(rows: readonly SourceRow[], options: RoundOptions): Promise<Sample[]> {
  const sources: Source[] = []
  for (const row of rows) sources.push(await row.open(options))
  const cpuUs = (): (number | undefined)[] => sources.map(({ server }) => server.cpuUs())
  const early = await timed(sources, (count, tookMs) => count >= WARM_READS || tookMs >= WARM_READS_MS * sources.length)
  const before = cpuUs()
  const warm = await timed(sources, (count, tookMs) => count >= 3 && tookMs >= options.seconds * 1_000 * sources.length)
  const after = cpuUs()
  for (const { stop } of sources) await stop()
  return sources.map((_, index) => {
    const [earlyMs, warmMs, cpuBefore] = [early[index]!, warm[index]!, before[index]]
    return {
      documents: 1_000 / median(warmMs),
      applied: median(warmMs),
      'first hundred': earlyMs.length < EARLY_READS ? undefined : median(earlyMs.slice(0, EARLY_READS)),
      first: earlyMs[0],
      'server CPU': cpuBefore === undefined ? undefined : (after[index]! - cpuBefore) / warmMs.length
    }
  })
}

/** How long each reader took, in milliseconds, for each source. */
async function timed(sources: readonly Source[], isEnough: (count: number, tookMs: number) => boolean): Promise<number[][]> {
  const times = sources.map((): number[] => [])
  const startedAtMs = performance.now()
  while (!isEnough(times[0]!.length, performance.now() - startedAtMs))
    for (const [index, { read }] of sources.entries()) {
      const atMs = performance.now()
      await read()
      times[index]!.push(performance.now() - atMs)
      await setTimeout(REST_MS)
    }
  return times
}

const clocks = new Map<EditKind, number>()
function clockAfter(kind: EditKind): number {
  const clock = clocks.get(kind) ?? EDITS_OF[kind](EDITS).clock
  clocks.set(kind, clock)
  return clock
}

/** Filled once a run. What follows reads; the first reader of all has the hub fold what is left of the log. */
const fillings = new Map<string, ReturnType<typeof fill>>()
function filled(folder: string, kind: EditKind): ReturnType<typeof fill> {
  const filling = fillings.get(folder) ?? fill(folder, kind, [EDITS], 0)
  fillings.set(folder, filling)
  return filling
}

/**
 * Pushes the edits, and then page turns, in an account for each number of edits.
 * @returns a token of another device of the first one
 */
async function fill(folder: string, kind: EditKind, edits: readonly number[], pageTurns: number): Promise<{ token: string }> {
  mkdirSync(folder, { recursive: true })
  const server = await startHub(folder, edits.length, 2)
  const { port, path, tokens } = server.ready
  for (const [index, count] of edits.entries()) {
    const address = { port, path, token: tokens[index]![0]! }
    // Both come before the log is long: the hub compacts it by itself too.
    const typed = await pusher(address, count === 0 ? silent : hubUpdatePushes(EDITS_OF[kind](count), IN_FLIGHT), count)
    const read = await pusher(address, progressPushes(IN_FLIGHT), pageTurns)
    await typed()
    await read()
  }
  await stopHub(server)
  return { token: tokens[0]![1]! }
}

/** Connects a device. What it returns pushes so many messages, and resolves once all are settled. */
async function pusher(address: HubAddress, messages: Messages, count: number): Promise<() => Promise<void>> {
  let done = (): void => {}
  const device = await HubDevice.open(address, messages, (_, answered) => {
    device.push(Math.min(answered, count - device.pushed))
    if (device.settled === count) done()
  })
  return async () => {
    if (count > 0)
      await new Promise<void>(resolve => {
        done = resolve
        device.push(Math.min(IN_FLIGHT, count))
      })
    device.close()
  }
}
