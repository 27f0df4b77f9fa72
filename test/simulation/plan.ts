import './world/platform.ts'
import { Random } from '../util/random.ts'
import type { Weather } from './world/network.ts'
import type { DiskSpeed } from './world/disk.ts'
import { DEEDS, type DeedName } from './deeds.ts'

/** One client of the world, and what it is. */
export interface ClientPlan {
  readonly account: string
  /** The device's place among those of its account: two clients of one device are two tabs. */
  readonly device: number
  /** `sdk`: the SDK as it is. `wire`: one that speaks the protocol by hand, and sends again what it need not. */
  readonly kind: 'sdk' | 'wire'
  readonly clockOffMs: number
}

/** One thing that is done to the world or by a client. What it is in detail follows from `salt`. */
export interface Step {
  readonly atMs: number
  readonly deed: DeedName
  /** Who does it, or to whom it is done. */
  readonly client: number
  readonly salt: number
}

/** A run, before anything has happened. All of it follows from the seed. */
export interface Plan {
  readonly seed: number
  readonly clients: readonly ClientPlan[]
  readonly weather: Weather
  readonly disk: DiskSpeed
  readonly clockOffMs: number
  /** What the hub keeps of a log for clients that it does not know of. */
  readonly keptChanges: number
  readonly steps: readonly Step[]
  /** Clients that never start: what a smaller run can do without. */
  readonly without: readonly number[]
  /** From here on the network and the machines are well. */
  readonly healAtMs: number
}

const ACCOUNTS = ['ann', 'bob']

/** The same numbers for the same seed and name, whatever else was asked for. */
export function streamOf(seed: number, name: string): Random {
  let state = seed | 0
  for (let index = 0; index < name.length; index++) state = Math.imul(state ^ name.charCodeAt(index), 0x01000193) ^ (state >>> 13)
  return new Random(Math.imul(state, 0x9e3779b1))
}

/** Makes a world's plan. Each seed leaves out half of the kinds of trouble, so that the others meet each other more often. */
export function planOf(seed: number): Plan {
  const random = streamOf(seed, 'plan')
  const clients: ClientPlan[] = []
  for (const account of ACCOUNTS.slice(0, random.chance(0.7) ? 2 : 1)) {
    const count = 1 + random.below(3)
    for (let index = 0; index < count; index++)
      clients.push({
        account,
        device: random.chance(0.25) ? Math.max(0, index - 1) : index,
        kind: random.chance(0.5) ? 'sdk' : 'wire',
        clockOffMs: random.chance(0.5) ? 0 : Math.floor((random.next() - 0.5) * 200_000)
      })
  }
  const weight = random.pick([1, 1, 200, 2_000])
  const healAtMs = random.pick([2_000, 10_000, 30_000, 120_000])
  const deeds = (Object.keys(DEEDS) as DeedName[])
    .filter(deed => !DEEDS[deed].isTrouble || random.chance(0.5))
    .flatMap(deed => Array.from({ length: DEEDS[deed].weight }, () => deed))
  const count = 10 + random.below(50)
  const steps = Array.from({ length: count }, (): Step => ({
    atMs: Math.floor(random.next() * healAtMs),
    deed: random.pick(deeds),
    client: random.below(clients.length),
    salt: random.below(0x100000000)
  })).sort((left, right) => left.atMs - right.atMs)
  return {
    seed,
    clients,
    weather: { latencyMs: random.pick([1, 20, 200, 2_000]), weight },
    disk: { flushMs: random.pick([1, 20, 300]), readMs: random.pick([0.1, 5, 100]), weight },
    clockOffMs: 0,
    keptChanges: random.pick([0, 5, 30, 1_024]),
    without: [],
    steps,
    healAtMs
  }
}
