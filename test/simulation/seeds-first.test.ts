import * as assert from 'uvu/assert'
import { suite } from '../util/suite.ts'
import { runSeeds } from './seeds.ts'

const test = suite('simulation: seeds, the first half', { limitMs: 1_800_000 })

/** Any number of others can be run with `npm run simulate`. */
const SEEDS = 2_500

test(`${SEEDS} worlds keep every promise, and come to everything that they are there for`, async () => {
  const { failures, situations, events, simulatedHours } = await runSeeds(1, SEEDS)
  assert.is(failures.join('\n'), '')
  const missing = [...situations].filter(([, worlds]) => worlds === 0).map(([name]) => name)
  assert.equal(missing, [])
  const rarest = [...situations].sort(([, left], [, right]) => left - right)[0]!
  const figures = `${events} events in ${simulatedHours.toFixed(0)} simulated hours; the rarest situation, "${rarest[0]}", in ${rarest[1]} worlds`
  console.log(`FIGURE: ${SEEDS} worlds, none of which broke a promise: ${figures}`)
})

test.run()
