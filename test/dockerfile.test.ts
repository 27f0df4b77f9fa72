import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { temporaryFolder } from './util/folder.ts'
import { ended } from './util/lectern.ts'
import { suite } from './util/suite.ts'

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const dockerfile = read('Dockerfile')

const test = suite('dockerfile')

/** What stands behind each instruction of a kind. */
const instructions = (kind: string): string[] =>
  [...dockerfile.matchAll(new RegExp(`^${kind} (.+)$`, 'gm'))].map(([, words]) => words!)

/** A list of words, as `CMD`, `ENTRYPOINT` and `HEALTHCHECK` have it. */
const wordsOf = (instruction: string): string[] => JSON.parse(instruction.slice(instruction.indexOf('['))) as string[]

/** What reaches the builder of the image. */
const context = read('.dockerignore')
  .split('\n')
  .filter(line => line.startsWith('!'))
  .map(line => line.slice(1))

/** The packages that an installation without development has, by name. */
const packages = Object.entries(
  (JSON.parse(read('package-lock.json')) as { packages: Record<string, { dev?: boolean; devOptional?: boolean }> }).packages
)
  .filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true)
  .map(([path]) => path)
  .filter(path => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path))

test('what it takes from the clone is there, and reaches the builder', () => {
  for (const path of context) statSync(join(root, path))
  const named = instructions('COPY')
    .filter(words => !words.startsWith('--from'))
    .flatMap(words => words.split(' ').slice(0, -1))
  assert.equal(
    named.filter(path => path !== '.' && !context.includes(path)),
    []
  )
})

test('its Node is one major with long support that the hub runs on', () => {
  const majors = new Set(instructions('FROM').map(words => Number(/^node:(\d+)-slim/.exec(words)![1])))
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
  assert.is(majors.size, 1)
  const [major] = majors
  assert.is(major! % 2, 0)
  assert.ok(major! >= Number(/^>=(\d+)$/.exec(engines.node)![1]))
})

test('with what it copies and no development package a hub starts, says that it is healthy, and stops', async ({ defer }) => {
  const folder = temporaryFolder({ defer })
  const app = join(folder, 'app')
  for (const path of context) cpSync(join(root, path), join(app, path), { recursive: true })
  for (const path of packages) {
    const source = statSync(join(root, path), { throwIfNoEntry: false })
    // Those of other platforms are not installed.
    if (source === undefined) continue
    mkdirSync(dirname(join(app, path)), { recursive: true })
    symlinkSync(join(root, path), join(app, path))
  }
  const set = Object.fromEntries(instructions('ENV').flatMap(words => words.split(' ').map(word => word.split('='))))
  const env = {
    ...process.env,
    ...set,
    LECTERN_DATA_FOLDER: join(folder, 'data'),
    LECTERN_HOST: '127.0.0.1',
    LECTERN_PORT: '0',
    LECTERN_LOG_LEVEL: 'warn',
    // As in a container that is read-only.
    TMPDIR: join(folder, 'none')
  }
  assert.equal(wordsOf(instructions('ENTRYPOINT')[0]!), ['lectern'])
  const child = spawn(join(app, 'server/lectern.js'), wordsOf(instructions('CMD')[0]!), { cwd: app, env })
  defer(() => child.kill('SIGKILL'))
  const ran = ended(child)
  let printed = ''
  while (!printed.includes('For another code')) {
    const [chunk] = (await Promise.race([once(child.stdout, 'data'), ran.then(({ err }) => Promise.reject(new Error(err)))])) as [
      Buffer
    ]
    printed += chunk.toString()
  }
  const url = /listens on (http:\S+)/.exec(printed)![1]!
  assert.match(printed, /pairing code [0-9A-Z]{4}-[0-9A-Z]{4}/)
  assert.match(await (await fetch(`${url}/dashboard/main.js`)).text(), 'Lectern')
  const [program, ...words] = wordsOf(instructions('HEALTHCHECK')[0]!)
  const checked = async (port: string): Promise<number | null> =>
    (await ended(spawn(program!, words, { env: { ...env, LECTERN_PORT: port } }))).code
  assert.is(await checked(new URL(url).port), 0)
  child.kill('SIGTERM')
  assert.is((await ran).code, 0)
  assert.is(await checked(new URL(url).port), 1)
})

test.run()
