import * as assert from 'uvu/assert'
import { suite } from '../../util/suite.ts'
import { householdStory } from '../../util/timelimit-story.ts'

const test = suite('dialects/timelimit/exactly-once')

test('whatever is refused, sent again or cut off by a kill, each action takes effect once, and every device has the same', async context => {
  const seed = Number(process.env.LECTERN_SEED ?? Date.now() % 100_000)
  console.log(`FIGURE: seed ${seed}`)
  const { actions, refused, repeats, kills } = await householdStory(context, { seed, rounds: 2, kills: 2 })
  console.log(`FIGURE: ${actions} actions, ${refused} of them refused, ${repeats} sent again, ${kills} kills`)
  assert.ok(kills === 4 && refused > 0 && repeats > 0)
})

test.run()
