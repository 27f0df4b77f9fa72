import './world/platform.ts'
import { DEEDS } from './deeds.ts'
import { inspect, type Inspection } from './inspection.ts'
import { streamOf, type Plan } from './plan.ts'
import { PROMISES, type Violation } from './promises/index.ts'
import { Random } from '../util/random.ts'
import { inSeededWorld } from './world/platform.ts'
import type { Ports } from './world/hub-process.ts'
import type { History } from './history.ts'
import { quiet } from './world/loop.ts'
import { keepingOnly } from './world/short-logs.ts'
import { NO_PORTS, World } from './world/world.ts'

/** A well world comes to rest within this time. */
const REST_MS = 600_000
const LOOK_EVERY_MS = 1_000

export interface Outcome {
  readonly plan: Plan
  readonly hash: string
  readonly violations: readonly Violation[]
  readonly history: History
  readonly events: number
  readonly simulatedMs: number
}

/** A fault that is switched on for a run. */
export interface Plant {
  readonly ports?: Partial<Ports>
  /** Changes what the hub or the SDK are made of, in this process. @returns what takes it back */
  readonly patch?: () => () => void
}

/** Runs a plan from its first event to the last, lets the world heal, and checks every promise against what happened. */
export async function run(plan: Plan, plant: Plant = {}): Promise<Outcome> {
  // Whoever called has done what it does in the same breath, such as to set a timer of the machine.
  await quiet()
  const lengthen = keepingOnly(plan.keptChanges)
  const takeBack = plant.patch?.()
  try {
    return await inSeededWorld(streamOf(plan.seed, 'chance'), () => live(plan, { ...NO_PORTS, ...plant.ports }))
  } finally {
    takeBack?.()
    lengthen()
  }
}

async function live(plan: Plan, ports: Ports): Promise<Outcome> {
  const world = new World(plan, ports)
  const { loop, history } = world
  await world.open()
  const beginMs = loop.nowMs
  for (const { atMs, deed, client, salt } of plan.steps)
    loop.after(atMs, world.life, () => {
      const app = world.apps[client]!
      history.add({ is: 'step', what: `${deed}: ${client}` })
      DEEDS[deed].does(world, app, new Random(salt))
    })
  await loop.runUntil(beginMs + plan.healAtMs)
  heal(world)
  const isAtRest = await rest(world)
  history.add({ is: 'step', what: 'all is at rest' })
  const violations: Violation[] = []
  let inspection: Inspection | undefined
  try {
    if (isAtRest) inspection = await inspect(world)
  } catch (error) {
    violations.push({ promise: 'sound', what: (error as Error).stack! })
  }
  if (!isAtRest)
    violations.push({
      promise: 'catch-up',
      what: `no rest: ${world.present.map(({ party, state }) => `${party.client} ${state}`).join('; ')}`
    })
  for (const [promise, check] of Object.entries(PROMISES)) {
    const what = check(history, inspection)
    if (what !== undefined) violations.push({ promise: promise as Violation['promise'], what })
  }
  return { plan, hash: history.hash, violations, history, events: loop.steps, simulatedMs: loop.nowMs }
}

/** The network, the machines and the apps are well from now on. */
function heal(world: World): void {
  const { network, disk, present, history } = world
  history.add({ is: 'step', what: 'all is well again' })
  disk.inNextWrite(() => {})
  network.weather = { ...network.weather, latencyMs: 5 }
  disk.speed = { ...disk.speed, flushMs: 2, readMs: 1 }
  void world.startHub()
  for (const line of network.lines.values()) {
    line.client.isStuck = false
    line.stalledUntilMs = 0
  }
  for (const app of present) {
    app.isOffline = false
    app.inNextWrite(() => {})
    app.failures = 0
    app.start()
  }
}

/** Lets time pass until nobody has anything left to do. @returns false when that does not come */
async function rest(world: World): Promise<boolean> {
  const { loop, present, network, disk } = world
  const endMs = loop.nowMs + REST_MS
  for (let quietLooks = 0; loop.nowMs < endMs;) {
    await loop.runUntil(loop.nowMs + LOOK_EVERY_MS)
    if (world.hub === undefined) await world.during(world.startHub())
    const isQuiet = present.every(app => app.isQuiet) && network.isQuiet && !disk.isBusy
    quietLooks = isQuiet ? quietLooks + 1 : 0
    if (quietLooks >= 3) return true
  }
  return false
}
