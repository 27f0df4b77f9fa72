import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { suite } from './util/suite.ts'
import { VERSION_FLOORS } from './version-floors.ts'

interface Locked {
  readonly version: string
  readonly dev?: boolean
}

const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, Locked>
}
const FOLDER = 'node_modules/'

const test = suite('version-floors')

/** True when the version is not older. Of what follows a hyphen nothing is known, so it is. */
function reaches(version: string, floor: string): boolean {
  if (version.includes('-')) return false
  const [left, right] = [version, floor].map(text => text.split('.').map(Number))
  const different = right!.findIndex((part, index) => part !== left![index])
  return different === -1 || left![different]! > right![different]!
}

/** The package that a part is, without those that it is inside of. */
const nameOf = (part: string): string => part.split(FOLDER).at(-1)!

/** Copies of these parts in a lock file that are older than their floor, are missing, or have none. */
function below(locked: Readonly<Record<string, Locked>>): string[] {
  const floors = new Map(VERSION_FLOORS.map(({ part, floor }) => [part, floor]))
  const names = new Set([...floors.keys()].map(nameOf))
  const wrong = [...floors.keys()].filter(part => locked[FOLDER + part] === undefined).map(part => `${part} is not locked`)
  for (const [path, { version, dev = false }] of Object.entries(locked)) {
    const part = path.slice(FOLDER.length)
    if (dev || !names.has(nameOf(part))) continue
    const floor = floors.get(part)
    if (floor === undefined) wrong.push(`${part} ${version} has no floor`)
    else if (!reaches(version, floor)) wrong.push(`${part} ${version} is older than ${floor}`)
  }
  return wrong
}

test('no part that security rests on is older than its floor, and each copy of one has a floor', () => {
  assert.equal(below(packages), [])
})

test('a part that is older, missing, another copy, or of an unfinished version is found', () => {
  const { [`${FOLDER}yjs`]: yjs, ...rest } = packages
  assert.ok(yjs !== undefined)
  assert.equal(below(rest), ['yjs is not locked'])
  assert.equal(below({ ...packages, [`${FOLDER}ws`]: { version: '8.9.99' } }), ['ws 8.9.99 is older than 8.23.0'])
  assert.equal(below({ ...packages, [`${FOLDER}ws`]: { version: '8.23.0-beta.1' } }), ['ws 8.23.0-beta.1 is older than 8.23.0'])
  assert.equal(below({ ...packages, [`${FOLDER}ws`]: { version: '9.0.0' } }), [])
  assert.equal(below({ ...packages, [`${FOLDER}hono/${FOLDER}ws`]: { version: '9.0.0' } }), [
    `hono/${FOLDER}ws 9.0.0 has no floor`
  ])
})

test('every direct part that the hub runs on and that reads what others send has a floor', () => {
  /** Through these go the operator's words, log lines, the project's own sources, counts, numbers, and a link. */
  const others = new Set(['commander', 'pino', 'tsx', 'esbuild', 'rate-limiter-flexible', 'prom-client', 'uqr'])
  const direct = Object.keys((packages[''] as unknown as { dependencies: Record<string, string> }).dependencies)
  const without = direct.filter(name => !others.has(name) && !VERSION_FLOORS.some(({ part }) => part === name))
  assert.equal(without, [])
})

test.run()
