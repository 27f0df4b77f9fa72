import { DISTURBED_FROM_CORES, type RowResult, type WorkloadResult } from './harness.ts'
import type { Machine } from './machine.ts'
import { median } from './statistics.ts'
import type { Metric } from './workload.ts'

export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
  /** To the control: each round's figure divided by the control's of the same round, and the median of that. */
  readonly ratio?: number | undefined
}

/** What a row came to in one metric; undefined when it has no such figure. */
export function figure({ samples }: RowResult, control: RowResult, { name, isCompared }: Metric): Figure | undefined {
  const values = samples.map(sample => sample[name]).filter(value => value !== undefined)
  if (values.length === 0) return undefined
  const ratios = samples.flatMap((sample, round) => {
    const [own, its] = [sample[name], control.samples[round]?.[name]]
    return own === undefined || its === undefined || its === 0 ? [] : [own / its]
  })
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    ratio: isCompared && ratios.length > 0 ? median(ratios) : undefined
  }
}

export function machineLines(machine: Machine, isPinned: boolean): string[] {
  const { cpu, cores, memoryGib, node, platform, packages, fdatasyncUs, loadAverage } = machine
  return [
    `${cpu}, ${cores} cores, ${memoryGib} GiB, ${platform}, node ${node}, load average ${loadAverage.toFixed(2)}`,
    Object.entries(packages)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    `4 KiB append and fdatasync: p50 ${fdatasyncUs.p50.toFixed(0)} µs, p99 ${fdatasyncUs.p99.toFixed(0)} µs`,
    isPinned
      ? 'servers are pinned to core 0, the load to the others'
      : 'nothing is pinned: taskset is missing, or there is one core only'
  ]
}

/** A Markdown table: a line for each row, a column for each metric. */
export function workloadLines({ workload, rows, others }: WorkloadResult): string[] {
  const { name, text, metrics } = workload
  const control = rows[0]!
  const head = ['row', ...metrics.map(({ name, unit }) => `${name}, ${unit}`)]
  const lines = rows.map(row => {
    if (row.skipped !== undefined) return [row.row, `skipped: ${row.skipped}`]
    return [row.row, ...metrics.map(metric => cell(figure(row, control, metric), metric, row === control))]
  })
  const disturbed = others.filter(cores => cores >= DISTURBED_FROM_CORES)
  return [
    `### ${name}`,
    '',
    `${text}.`,
    '',
    ...table([head, head.map(() => '---'), ...lines]),
    ...(disturbed.length === 0
      ? []
      : [
          '',
          `Other processes used ${Math.max(...disturbed).toFixed(1)} cores at worst, in ${disturbed.length} of ${others.length} rounds.`
        ])
  ]
}

function cell(found: Figure | undefined, { digits, isCompared }: Metric, isControl: boolean): string {
  if (found === undefined) return '–'
  const text = (value: number): string =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  const range = found.min === found.max ? '' : ` (${text(found.min)}..${text(found.max)})`
  const ratio = !isCompared || isControl || found.ratio === undefined ? '' : ` **${found.ratio.toFixed(2)}×**`
  return text(found.median) + (isCompared ? range : '') + ratio
}

const table = (lines: readonly (readonly string[])[]): string[] => lines.map(cells => `| ${cells.join(' | ')} |`)
