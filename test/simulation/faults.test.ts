import * as assert from 'uvu/assert'
import { suite } from '../util/suite.ts'
import { FAULTS } from './faults/index.ts'
import { planOf } from './plan.ts'
import { run } from './run.ts'

const test = suite('simulation: planted faults', { limitMs: 600_000 })

/** A fault that so many seeds do not show is one that the simulation cannot find. */
const MOST_SEEDS = 400

for (const { name, breaks, plant } of FAULTS)
  test(`${name}: that breaks "${breaks}", and is found`, async () => {
    for (let seed = 1; seed <= MOST_SEEDS; seed++) {
      const { violations } = await run(planOf(seed), plant())
      const found = violations.find(({ promise }) => promise === breaks)
      if (found === undefined) continue
      console.log(`FIGURE: ${name}: found by seed ${seed}, as "${breaks}": ${found.what}`)
      assert.equal((await run(planOf(seed))).violations, [], `seed ${seed} without the fault`)
      return
    }
    assert.unreachable(`not found in ${MOST_SEEDS} seeds`)
  })

test.run()
