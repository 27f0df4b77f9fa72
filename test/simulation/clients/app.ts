import type { Plain } from '../../../protocol/index.ts'
import type { Random } from '../../util/random.ts'
import type { WallClock } from '../world/clocks.ts'
import type { Party } from '../history.ts'
import type { Line } from '../world/network.ts'

/** A client of the world, whatever it speaks through. */
export interface App {
  readonly party: Party
  readonly wall: WallClock
  /** Not one connection can be made, and none is. */
  isOffline: boolean
  /** The connections that it has made and that are not over. */
  readonly lines: Line[]
  /** Starts its process, if none runs. */
  start(): void
  /** Its process ends here and now. */
  crash(): void
  /** Its process will end in the middle of the next write. @param task what is to be done then */
  inNextWrite(task: () => void): void
  /** Its process ends in good order, and starts again. */
  reopen(): void
  /** Keeps a copy of its storage, as a backup of the device would. */
  copy(): void
  /** Its process ends, and its storage is what it was when it was copied. */
  restore(): void
  /** Changes something. */
  act(random: Random): void
  /** Reads a view. */
  read(random: Random): void
  /** Says something again, or something else under a number that was used; false when it cannot. */
  repeat(random: Random, isOther: boolean): void
  /** Says what must be refused. */
  misspeak(random: Random): void
  /** Claims to have read what is not there. */
  misplace(random: Random): void
  /** How often its storage fails. */
  failures: number
  /** True when it has been told everything and has nothing to say, or was cut off for good. */
  readonly isQuiet: boolean
  readonly isCutOff: boolean
  /** How it stands, for whoever wonders why a run does not come to rest. */
  readonly state: string
  /** What it shows; undefined when it shows nothing. */
  show(): Promise<Shown | undefined>
}

/** An account as a client, a view or a model has it. */
export interface Shown {
  readonly books: readonly (readonly [id: string, Plain])[]
  readonly settings: readonly (readonly [id: string, Plain])[]
  readonly devices: readonly (readonly [id: string, Plain])[]
  /** `book device` → place */
  readonly positions: readonly (readonly [id: string, Plain])[]
  /** `book annotation` → plain form */
  readonly annotations: readonly (readonly [id: string, Plain])[]
  /** path → SHA-256, and whether it was removed; left out by who keeps no files */
  readonly files?: readonly (readonly [path: string, Plain])[]
  /** Open ones: id → path and the client's side; left out likewise */
  readonly conflicts?: readonly (readonly [id: string, Plain])[]
}

/** By rising id. */
export const sorted = (entries: readonly (readonly [string, Plain])[]): [string, Plain][] =>
  entries.map(([id, value]): [string, Plain] => [id, value]).sort(([left], [right]) => (left < right ? -1 : 1))

/** A map without these fields. */
export const withoutFields = (fields: object, ...names: string[]): Plain =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))
