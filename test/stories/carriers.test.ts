import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTrace } from '../../client/demo/trace.ts'
import { CARRIERS, type CarrierName } from '../util/carriers.ts'
import { temporaryFolder } from '../util/folder.ts'
import { makeTrace } from '../util/make-trace.ts'
import { suite } from '../util/suite.ts'
import { typeTogether } from '../util/type-together.ts'

const test = suite('stories/carriers', { limitMs: 10 * 60_000 })

const NAMES = Object.keys(CARRIERS) as CarrierName[]
/** Each carrier alone, and each beside the next two. */
const TRIOS = NAMES.flatMap((name, index) => [[name, name, name], [0, 1, 2].map(step => NAMES[(index + step) % NAMES.length]!)])

for (const carriers of TRIOS)
  test(`three devices type one note at the same time, cut off at random, through kills of the hub: ${carriers.join(', ')}`, async context => {
    const made = join(temporaryFolder(context), 'made.json.gz')
    writeFileSync(made, makeTrace(120))
    await typeTogether(context, carriers, await readTrace(made))
  })

test.run()
