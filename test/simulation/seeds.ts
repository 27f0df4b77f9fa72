import { run } from './run.ts'
import { planOf } from './plan.ts'
import { SITUATIONS } from './situations.ts'
import { explained, smallest } from './shrink.ts'

export interface Seeds {
  readonly seeds: number
  /** One for each seed that broke a promise: what it broke, and the smallest run found that does. */
  readonly failures: readonly string[]
  /** How many worlds came to each situation. @see SITUATIONS */
  readonly situations: ReadonlyMap<string, number>
  readonly events: number
  readonly simulatedHours: number
}

/** Failures that are made smaller; the others are only named. */
const MOST_SHRUNK = 3

/** Runs seeds one after the other. */
export async function runSeeds(first: number, count: number): Promise<Seeds> {
  const failures: string[] = []
  const situations = new Map(Object.keys(SITUATIONS).map(name => [name, 0]))
  let simulatedMs = 0
  let events = 0
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await run(planOf(seed))
    simulatedMs += outcome.simulatedMs
    events += outcome.events
    for (const [name, isSo] of Object.entries(SITUATIONS))
      if (outcome.history.happenings.some(isSo)) situations.set(name, situations.get(name)! + 1)
    if (outcome.violations.length > 0) {
      const broken = outcome.violations.map(({ promise, what }) => `  ${promise}: ${what}`)
      const smaller = failures.length < MOST_SHRUNK ? [explained(await smallest(outcome))] : []
      failures.push([`seed ${seed} breaks a promise:`, ...broken, ...smaller].join('\n'))
    }
    // A world lets nothing else of this process have a turn.
    await new Promise(resolve => setImmediate(resolve))
  }
  return { seeds: count, failures, situations, events, simulatedHours: simulatedMs / 3_600_000 }
}
