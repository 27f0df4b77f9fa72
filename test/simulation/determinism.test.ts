import * as assert from 'uvu/assert'
import { readdirSync, readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from '../util/suite.ts'
import { planOf } from './plan.ts'
import { run } from './run.ts'

const test = suite('simulation: determinism')

const root = join(fileURLToPath(new URL('.', import.meta.url)), '../..')

test('one seed is one run: twenty seeds give the same event hash in any order, and in another process', async () => {
  const seeds = Array.from({ length: 20 }, (_, index) => index + 1)
  const hashes = new Map<number, string>()
  for (const seed of seeds) hashes.set(seed, (await run(planOf(seed))).hash)
  for (const seed of seeds.toReversed()) assert.is((await run(planOf(seed))).hash, hashes.get(seed), `seed ${seed}`)
  assert.is(new Set(hashes.values()).size, seeds.length)
  const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', 'test/simulation/simulate.ts', '--seed', '7'], { cwd: root })
  assert.match(stdout.toString(), hashes.get(7)!)
})

test('the core and the SDK take time and chance from their ports only', () => {
  const ports = ['client/clock.ts', 'client/drain-watch.ts']
  // No world has HTTP in it.
  const overHttp = ['client/file-download.ts', 'client/hub-http.ts']
  const own = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.now\b|\bset(Timeout|Interval|Immediate)\(/
  const found = ['server/core', 'client'].flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map(file => join(folder, file))
      .filter(
        file =>
          file.endsWith('.ts') && !/^client\/(demo|node|mirror-folder)\//.test(file) && ![...ports, ...overHttp].includes(file)
      )
      .filter(file => own.test(readFileSync(join(root, file), 'utf8')))
  )
  assert.equal(found, [])
})

test.run()
