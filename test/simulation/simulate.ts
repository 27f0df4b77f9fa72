import './world/platform.ts'
import { parseArgs } from 'node:util'
import { planOf } from './plan.ts'
import { run } from './run.ts'
import { runSeeds } from './seeds.ts'
import { told } from './story.ts'

/*
 * npm run simulate -- --seeds N [--seed S]                          N seeds, from S on
 * npm run simulate -- --seed S [--keep 1,4] [--without 2] [--story]  one seed, with only these steps, without these clients, and all that happened
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'string' },
    without: { type: 'string', default: '' },
    story: { type: 'boolean', default: false }
  }
})
const [seed, count] = [values.seed, values.seeds ?? '1'].map(text => (/^[1-9]\d*$/.test(text) ? Number(text) : NaN)) as [
  number,
  number
]
if (Number.isNaN(seed) || Number.isNaN(count)) throw new Error('--seed and --seeds take a whole number from 1 on')
const numbersIn = (list: string): number[] => list.split(',').flatMap(text => (/^\d+$/.test(text) ? [Number(text)] : []))

if (values.seeds === undefined) await one()
else await many()

async function one(): Promise<void> {
  const whole = planOf(seed)
  const steps = values.keep === undefined ? whole.steps : numbersIn(values.keep).flatMap(index => whole.steps[index] ?? [])
  const { history, violations, hash } = await run({ ...whole, steps, without: numbersIn(values.without) })
  if (values.story) for (const happening of history.happenings) console.log(told(happening))
  for (const { promise, what } of violations) console.log(`breaks "${promise}": ${what}`)
  console.log(`seed ${seed}: ${violations.length === 0 ? 'every promise is kept' : 'a promise is broken'}; event hash ${hash}`)
  process.exitCode = violations.length > 0 ? 1 : 0
}

async function many(): Promise<void> {
  const began = performance.now()
  const { failures, situations, events, simulatedHours } = await runSeeds(seed, count)
  for (const failure of failures) console.log(failure)
  for (const [name, worlds] of situations) console.log(`${String(worlds).padStart(8)} worlds: ${name}`)
  const seconds = (performance.now() - began) / 1_000
  console.log(
    `${count} seeds, ${failures.length} failed; ${events} events in ${simulatedHours.toFixed(1)} simulated hours; ${seconds.toFixed(1)} s`
  )
  process.exitCode = failures.length > 0 ? 1 : 0
}
