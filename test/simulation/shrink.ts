import { planOf, type Plan } from './plan.ts'
import { run, type Outcome, type Plant } from './run.ts'
import type { Violation } from './promises/index.ts'

/** How many runs the search may take. */
const MOST_RUNS = 300

/**
 * Looks for a smaller run that breaks the same promise: without half of the steps, then a quarter, and so on to single ones; then without each client
 * that is not needed.
 */
export async function smallest({ plan, violations }: Outcome, plant: () => Plant = () => ({})): Promise<Plan> {
  const { promise } = violations[0]!
  let found = plan
  let runs = 0
  const isStillBroken = async (smaller: Plan): Promise<boolean> => {
    if (++runs > MOST_RUNS || !(await breaks(smaller, promise, plant()))) return false
    found = smaller
    return true
  }
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < found.steps.length;) {
      const steps = [...found.steps.slice(0, at), ...found.steps.slice(at + size)]
      if (!(await isStillBroken({ ...found, steps }))) at += size
    }
  for (const client of plan.clients.keys())
    if (!found.steps.some(step => step.client === client)) await isStillBroken({ ...found, without: [...found.without, client] })
  return found
}

async function breaks(plan: Plan, promise: Violation['promise'], plant: Plant): Promise<boolean> {
  const { violations } = await run(plan, plant)
  return violations.some(violation => violation.promise === promise)
}

/** A smaller run in words, with the command that runs it again. */
export function explained({ seed, steps, without }: Plan): string {
  const all = planOf(seed).steps
  const lines = steps.map(({ atMs, deed, client }) => `    ${(atMs / 1_000).toFixed(3)} s  ${deed}: ${client}`)
  const kept = steps.map(step => all.findIndex(({ atMs, salt }) => atMs === step.atMs && salt === step.salt))
  const options = `--seed ${seed} --keep ${kept.join(',') || 'none'}${without.length === 0 ? '' : ` --without ${without.join(',')}`}`
  return [`  ${steps.length} of its ${all.length} steps are enough:`, ...lines, `  npm run simulate -- ${options} --story`].join(
    '\n'
  )
}
