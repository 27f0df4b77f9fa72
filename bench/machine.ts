import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { quantile } from './statistics.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGib: number
  readonly node: string
  readonly platform: string
  readonly packages: Readonly<Record<string, string>>
  /** One append of 4 KiB and its flush, on the disk that is measured. */
  readonly fdatasyncUs: { readonly p50: number; readonly p99: number }
  readonly loadAverage: number
}

const PACKAGES = ['ws', 'lmdb', 'msgpackr', 'yjs', 'socket.io', 'socket.io-client', 'y-websocket', '@hocuspocus/provider']
const PEERS = ['@hocuspocus/server', '@hocuspocus/extension-sqlite', 'better-sqlite3', 'yjs']

export function describeMachine(folder: string): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    packages: {
      ...versions(PACKAGES, '../node_modules', ''),
      ...versions(PEERS, 'peers/node_modules', 'peers/')
    },
    fdatasyncUs: fdatasyncUs(folder),
    loadAverage: loadavg()[0]!
  }
}

function versions(names: readonly string[], folder: string, prefix: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of names) {
    try {
      const text = readFileSync(new URL(`${folder}/${name}/package.json`, import.meta.url), 'utf8')
      found[prefix + name] = (JSON.parse(text) as { version: string }).version
    } catch {
      found[prefix + name] = 'not installed'
    }
  }
  return found
}

function fdatasyncUs(folder: string): Machine['fdatasyncUs'] {
  const file = openSync(join(folder, 'flush'), 'w')
  const page = Buffer.alloc(4_096)
  const tookUs: number[] = []
  for (let count = 0; count < 300; count++) {
    const startedAtMs = performance.now()
    writeSync(file, page)
    fdatasyncSync(file)
    tookUs.push((performance.now() - startedAtMs) * 1_000)
  }
  closeSync(file)
  return { p50: quantile(tookUs, 0.5), p99: quantile(tookUs, 0.99) }
}

const CLOCK_TICKS_PER_SECOND = 100
/** Ticks are too coarse to tell of less. */
const LEAST_SECONDS = 0.1

/**
 * Watches how many cores everyone else keeps busy, from now until it is asked: a round that others disturbed says little.
 * The answer is undefined where there is no /proc, and when too little time has passed. Servers count as ours once they have ended.
 */
export function watchOthers(): () => number | undefined {
  const startedAtMs = performance.now()
  const before = othersTicks()
  return () => {
    const after = othersTicks()
    if (before === undefined || after === undefined) return undefined
    const seconds = (performance.now() - startedAtMs) / 1_000
    if (seconds < LEAST_SECONDS) return undefined
    return Math.max(0, (after - before) / CLOCK_TICKS_PER_SECOND / seconds)
  }
}

function othersTicks(): number | undefined {
  try {
    const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1')
      .split(/\s+/)
      .slice(1, 9)
      .map(Number)
    const own = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]!.split(' ').map(Number)
    // utime, stime, and those of children that have ended: fields 14 to 17 of proc(5).
    const ownTicks = own[11]! + own[12]! + own[13]! + own[14]!
    return user! + nice! + system! + irq! + softirq! + steal! - ownTicks
  } catch {
    return undefined
  }
}
