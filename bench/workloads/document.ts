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
import { compared, type RoundOptions, type Sample, type Workload } from '../workload.ts'
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
/** Readers before those that are timed, so that V8 has optimised what it will, here and in the server: so many, or as many as come in that time. */
const WARM_READS = 4_000
const WARM_READS_MS = 12_000
/** Of them the first are timed by themselves. */
const EARLY_READS = 100

/** A device that has nothing takes in a document of many edits. */
export const documentWorkload = (kind: EditKind): Workload => ({
  name: kind === 'note' ? 'document-10k' : `${kind}-10k`,
  text: `a new device takes in ${kind === 'note' ? `a note of ${EDITS} edits` : `${EDITS} highlights`}, each an update of its own; again and again, the hub started on the store that it was written to; timed once the server is warm`,
  metrics: [
    compared('documents', '/s'),
    compared('applied', 'ms', 1),
    compared('first hundred', 'ms', 1),
    compared('first', 'ms', 1),
    compared('server CPU', 'µs/document')
  ],
  rows: [
    { name: 'Yjs server, merged, from memory', run: options => runControl(options, kind) },
    { name: 'hocuspocus, from memory', skipped: hocuspocusSkipped, run: options => runHocuspocus(options, kind) },
    { name: 'lectern', run: options => runHub(options, kind, false) },
    { name: 'lectern, y-websocket', run: options => runHub(options, kind, true) }
  ]
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

async function runControl(options: RoundOptions, kind: EditKind): Promise<Sample> {
  const server = await ServerProcess.start('yjs.ts', { kind, edits: EDITS })
  const clock = clockAfter(kind)
  const sample = await measure(server, options, () => readByYjs(server.ready.port, '/', clock))
  await server.stop()
  return sample
}

/** Reads from memory: Hocuspocus keeps a document there for as long as somebody has it open, and its writer does. */
async function runHocuspocus(options: RoundOptions, kind: EditKind): Promise<Sample> {
  const server = await startHocuspocus(options.folder)
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
  const sample = await measure(server, options, () => readByHocuspocus(port, DOCUMENT, clock))
  writer.close()
  await server.stop()
  return sample
}

async function runHub(options: RoundOptions, kind: EditKind, isYjs: boolean): Promise<Sample> {
  const folder = join(options.shared, kind)
  const { token } = await filled(folder, kind)
  const server = await startHub(folder, 0, 0)
  const { port, path } = server.ready
  const clock = clockAfter(kind)
  const sample = await measure(server, options, () =>
    isYjs ? readByYjs(port, `/yjs/book/${DOCUMENT}?token=${token}`, clock) : readByHub({ port, path, token }, clock)
  )
  await stopHub(server)
  return sample
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

/** One after the other: first until the server is warm, then until the time is over, at least three. */
async function measure(server: ServerProcess<unknown>, { seconds }: RoundOptions, read: () => Promise<void>): Promise<Sample> {
  const early = await timed(read, (count, tookMs) => count >= WARM_READS || tookMs >= WARM_READS_MS)
  const cpuBefore = server.cpuUs()
  const warm = await timed(read, (count, tookMs) => count >= 3 && tookMs >= seconds * 1_000)
  const cpuAfter = server.cpuUs()
  return {
    documents: 1_000 / median(warm),
    applied: median(warm),
    'first hundred': early.length < EARLY_READS ? undefined : median(early.slice(0, EARLY_READS)),
    first: early[0],
    'server CPU': cpuBefore === undefined ? undefined : (cpuAfter! - cpuBefore) / warm.length
  }
}

/** How long each took, in milliseconds. */
async function timed(read: () => Promise<void>, isEnough: (count: number, tookMs: number) => boolean): Promise<number[]> {
  const times: number[] = []
  const startedAtMs = performance.now()
  while (!isEnough(times.length, performance.now() - startedAtMs)) {
    const atMs = performance.now()
    await read()
    times.push(performance.now() - atMs)
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
const fillings = new Map<EditKind, ReturnType<typeof fill>>()
function filled(folder: string, kind: EditKind): ReturnType<typeof fill> {
  const filling = fillings.get(kind) ?? fill(folder, kind, [EDITS], 0)
  fillings.set(kind, filling)
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
