import * as assert from 'uvu/assert'
import { suite } from '../util/suite.ts'
import { householdStory } from '../util/timelimit-story.ts'

const test = suite('long/household-kills', { limitMs: 600_000 })

test('a family loses and doubles nothing through dozens of kills', async context => {
  const seed = Number(process.env.LECTERN_SEED ?? Date.now() % 100_000)
  console.log(`FIGURE: seed ${seed}`)
  const { actions, refused, repeats, kills } = await householdStory(context, {
    seed,
    rounds: 6,
    kills: 5,
    deviceCount: 5,
    batches: 15
  })
  console.log(`FIGURE: ${actions} actions, ${refused} of them refused, ${repeats} sent again, ${kills} kills`)
  assert.ok(kills >= 25)
})

test.run()
