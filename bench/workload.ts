/** One figure of a row. The first metric of a workload is what it is about. */
export interface Metric {
  readonly name: string
  readonly unit: string
  /** Digits behind the point. */
  readonly digits: number
  /** Left out for figures that say how the run went, and are not to be compared. */
  readonly isCompared: boolean
}

export interface RoundOptions {
  /** How long the timed part takes. */
  readonly seconds: number
  /** How large a file is, where files are moved: a whole number of MiB. */
  readonly fileBytes: number
  /** An empty folder on the measured disk, removed after the round. */
  readonly folder: string
  /** A folder on the same disk that stays until the whole run is over. */
  readonly shared: string
}

/** Figures by metric name; one may be missing. */
export type Sample = Readonly<Record<string, number | undefined>>

/** One server under a workload. */
export interface Row {
  readonly name: string
  /** Why the row cannot run here; undefined when it can. */
  readonly skipped?: string | undefined
  /** Starts the server, measures once, ends it. @throws when anything was lost or refused */
  run(options: RoundOptions): Promise<Sample>
}

export interface Workload {
  readonly name: string
  /** What happens, with its sizes and counts. */
  readonly text: string
  readonly metrics: readonly Metric[]
  /** The rows in the order of running. The first one is the control, which the others are compared with. */
  readonly rows: readonly Row[]
}

/** A metric to compare rows by. */
export const compared = (name: string, unit: string, digits = 0): Metric => ({ name, unit, digits, isCompared: true })

/** How much of a core was in use: tells whether the server or the load was the limit. */
export const busy = (name: string): Metric => ({ name, unit: 'cores', digits: 2, isCompared: false })
