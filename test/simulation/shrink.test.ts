import * as assert from 'uvu/assert'
import { suite } from '../util/suite.ts'
import { FAULTS } from './faults/index.ts'
import { planOf } from './plan.ts'
import { run, type Outcome } from './run.ts'
import { explained, smallest } from './shrink.ts'

const test = suite('simulation: shrinking')

const { plant } = FAULTS.find(({ name }) => name === 'it keeps an update that it refused')!

async function failure(): Promise<Outcome> {
  for (let seed = 1; ; seed++) {
    const outcome = await run(planOf(seed), plant())
    if (outcome.violations.some(({ promise }) => promise === 'convergence')) return outcome
  }
}

test('a run that breaks a promise is made smaller, and what is left breaks the same one', async () => {
  const failed = await failure()
  const plan = await smallest(failed, plant)
  assert.ok(plan.steps.length <= 4, `${plan.steps.length} of ${failed.plan.steps.length} steps are left`)
  assert.ok(plan.steps.some(({ deed }) => deed === 'misspeak'))
  const { violations } = await run(plan, plant())
  assert.is(violations[0]?.promise, failed.violations[0]?.promise)
  assert.match(explained(plan), `npm run simulate -- --seed ${plan.seed} --keep `)
})

test('the steps and clients that are left out are named by the command that runs it again', () => {
  const plan = planOf(3)
  const smaller = { ...plan, steps: [plan.steps[2]!, plan.steps[5]!], without: [0] }
  assert.match(explained(smaller), '--seed 3 --keep 2,5 --without 0 --story')
})

test.run()
