import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { OPTIONS } from '../server/options.ts'
import { suite } from './util/suite.ts'

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const under = (...folders: string[]): string[] =>
  folders.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map(file => join(folder, file))
      .filter(file => file.endsWith('.ts') && !file.includes('node_modules'))
  )

const MAX_LINES = 400

const test = suite('conventions')

test('every test file runs its suite, or those of its subjects', () => {
  const subjectsOf = (file: string): string[] =>
    [...read(file).matchAll(/^import '(\.\/subjects\/[^']+)'$/gm)].map(([, subject]) => join(dirname(file), subject!))
  const runs = (file: string): boolean => /\.run\(\)$/m.test(read(file))
  const silent = under('test')
    .filter(file => file.endsWith('.test.ts'))
    .flatMap(file => (subjectsOf(file).length > 0 ? subjectsOf(file) : [file]))
    .filter(file => !runs(file))
  assert.equal(silent, [])
})

test('no test is singled out', () => {
  const only = /^\s*test\.only\(/m
  assert.equal(
    under('test').filter(file => only.test(read(file))),
    []
  )
})

test(`no source is over ${MAX_LINES} lines`, () => {
  const long = under('protocol', 'server', 'client', 'bench').filter(file => read(file).split('\n').length > MAX_LINES)
  assert.equal(long, [])
})

test('files are named in kebab case', () => {
  const odd = under('protocol', 'server', 'client', 'bench', 'test').filter(
    file => !/^[a-z0-9-]+(\.test)?\.ts$/.test(basename(file))
  )
  assert.equal(odd, [])
})

test('no source exports a default', () => {
  assert.equal(
    under('protocol', 'server', 'client').filter(file => /^export default/m.test(read(file))),
    []
  )
})

test('every folder of the architecture has a README', () => {
  const folders = [
    '.',
    'protocol',
    'server',
    ...readdirSync(join(root, 'server'), { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(({ name }) => `server/${name}`),
    'client',
    'bench',
    'test'
  ]
  const without = folders.filter(folder => !readdirSync(join(root, folder)).includes('README.md'))
  assert.equal(without, [])
})

test("the server's README lists every option as it is", () => {
  const cells = (line: string): string =>
    line
      .split('|')
      .map(cell => cell.trim())
      .join('|')
  const readme = read('server/README.md').split('\n').map(cells)
  const rows = Object.values(OPTIONS).map(({ flag, env, default: byDefault, text }) =>
    cells(`| \`${flag}\` | \`${env}\` | ${byDefault === '' ? '' : `\`${byDefault}\``} | ${text} |`)
  )
  assert.equal(
    rows.filter(row => !readme.includes(row)),
    []
  )
})

test("every source stands in its folder's README", () => {
  const folders = [
    'protocol',
    'client',
    'server',
    ...readdirSync(join(root, 'server'), { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(({ name }) => `server/${name}`)
  ]
  const missing = folders.flatMap(folder => {
    const readme = read(join(folder, 'README.md'))
    const files = readdirSync(join(root, folder)).filter(file => /\.(ts|js)$/.test(file))
    return files.filter(file => !new RegExp(`(?<![\\w/.-])${file}`).test(readme)).map(file => join(folder, file))
  })
  assert.equal(missing, [])
})

test('no lock file names a download host', () => {
  for (const folder of ['.', 'bench/peers']) assert.not.match(read(join(folder, 'package-lock.json')), /"resolved"/)
})

test.run()
