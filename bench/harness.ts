import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { watchOthers } from './machine.ts'
import type { Row, Sample, Workload } from './workload.ts'

/** From this on, what other processes do may show in the figures. */
export const DISTURBED_FROM_CORES = 0.2

export interface RowResult {
  readonly row: string
  readonly skipped?: string | undefined
  /** One for each round. */
  readonly samples: readonly Sample[]
}

export interface WorkloadResult {
  readonly workload: Workload
  readonly rows: readonly RowResult[]
  /** Cores that other processes kept busy, for each round of each row. */
  readonly others: readonly number[]
}

export interface HarnessOptions {
  readonly rounds: number
  readonly seconds: number
  readonly fileBytes: number
  /** Where the rounds' data folders are made: on the disk that is to be measured. */
  readonly folder: string
  /** How often a round that others disturbed is thrown away and run again, before it is taken as it is. */
  readonly patience: number
  readonly log: (line: string) => void
}

/** Runs the rows of a workload by turns (A B, A B, …), so that whatever else the machine does falls on all of them alike. */
export async function runWorkload(workload: Workload, options: HarnessOptions): Promise<WorkloadResult> {
  const samples = new Map<Row, Sample[]>(workload.rows.map(row => [row, []]))
  const others: number[] = []
  for (let round = 1; round <= options.rounds; round++) {
    for (const row of workload.rows) {
      if (row.skipped !== undefined) continue
      for (let tries = 0; ; tries++) {
        const busyOthers = watchOthers()
        const sample = await runRound(row, options)
        const cores = busyOthers()
        const isTaken = cores === undefined || cores < DISTURBED_FROM_CORES || tries >= options.patience
        const { name, unit, digits } = workload.metrics[0]!
        const figure = `${sample[name]?.toFixed(digits)} ${name} ${unit}`
        options.log(`${workload.name}, round ${round}, ${row.name}: ${figure}${isTaken ? '' : ', disturbed, again'}`)
        if (!isTaken) continue
        samples.get(row)!.push(sample)
        if (cores !== undefined) others.push(cores)
        break
      }
    }
  }
  const rows = workload.rows.map(row => ({ row: row.name, skipped: row.skipped, samples: samples.get(row)! }))
  return { workload, rows, others }
}

async function runRound(row: Row, { seconds, fileBytes, folder }: HarnessOptions): Promise<Sample> {
  mkdirSync(folder, { recursive: true })
  const own = mkdtempSync(join(folder, 'round-'))
  // The leftovers of the round before are not to be collected in this one.
  globalThis.gc?.()
  try {
    return await row.run({ seconds, fileBytes, folder: own, shared: folder })
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
}
