import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTrace } from '../../client/demo/trace.ts'
import { CARRIERS, type CarrierName } from '../util/carriers.ts'
import { realData } from '../util/data.ts'
import { temporaryFolder } from '../util/folder.ts'
import { makeTrace } from '../util/make-trace.ts'
import { suite } from '../util/suite.ts'
import { typeTogether } from '../util/type-together.ts'

const test = suite('long/carriers', { limitMs: 20 * 60_000 })

test('two people type a long note on three devices on three carriers, cut off at random, through kills of the hub', async context => {
  const made = join(temporaryFolder(context), 'made.json.gz')
  writeFileSync(made, makeTrace(5_000))
  const startedMs = performance.now()
  const trace = await readTrace(realData('traces/friendsforever.json.gz') ?? made)
  await typeTogether(context, (Object.keys(CARRIERS) as CarrierName[]).slice(0, 3), trace)
  process.stdout.write(
    `FIGURE: ${trace.turns.length} turns on three carriers in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s\n`
  )
})

test.run()
