import * as assert from 'uvu/assert'
import { suite } from '../util/suite.ts'
import { runSeeds } from './seeds.ts'

const test = suite('simulation: seeds, the second half', { limitMs: 900_000 })

/** As many again can be run with `npm run simulate`. */
const SEEDS = 2_500

test(`${SEEDS} worlds keep every promise`, async () => {
  const { failures, events, simulatedHours } = await runSeeds(2501, SEEDS)
  assert.equal(failures.join('\n'), '')
  console.log(`FIGURE: ${SEEDS} seeds, ${events} events, ${simulatedHours.toFixed(0)} simulated hours, 0 failures`)
})

test.run()
